//! One action, `name` or `name:value`, to its typed form.

use super::names::{NAMES, REFUSED};
use super::{Action, AllowScope, Ctl, Disruptive, Persist, Sanitise, SetVar, Severity};
use crate::seclang::nearest;
use crate::transform::Transform;

/// Reads one action; the error names the value and what was expected.
pub(crate) fn parse(name: &str, value: Option<&str>) -> Result<Action, String> {
    let lower = name.to_ascii_lowercase();
    let action = match lower.as_str() {
        "chain" => Action::Chain,
        "capture" => Action::Capture,
        "multimatch" => Action::MultiMatch,
        "log" => Action::Log,
        "nolog" => Action::NoLog,
        "auditlog" => Action::AuditLog,
        "noauditlog" => Action::NoAuditLog,
        "block" => Action::Disruptive(Disruptive::Block),
        "pass" => Action::Disruptive(Disruptive::Pass),
        "deny" => Action::Disruptive(Disruptive::Deny),
        "drop" => Action::Disruptive(Disruptive::Drop),
        "allow" => Action::Disruptive(Disruptive::Allow(allow_scope(value)?)),
        _ if lower.starts_with("sanitise") || lower.starts_with("sanitize") => {
            return sanitise(&lower, name, value);
        }
        _ => return with_value(&lower, name, value),
    };
    match value {
        Some(value) if lower != "allow" => {
            Err(format!("action `{name}` takes no value, got `{value}`"))
        }
        _ => Ok(action),
    }
}

fn with_value(lower: &str, name: &str, value: Option<&str>) -> Result<Action, String> {
    if let Some((known, why)) = REFUSED.iter().find(|(known, _)| known.eq_ignore_ascii_case(lower))
    {
        return Ok(Action::Refused(known, why));
    }
    if !NAMES.iter().any(|known| known.eq_ignore_ascii_case(lower)) {
        return Err(unknown(name));
    }
    let value = value.ok_or_else(|| format!("action `{name}` needs a value"))?;
    Ok(match lower {
        "id" => Action::Id(number(name, value, 1, u32::MAX)?),
        "phase" => Action::Phase(phase(value)?),
        "msg" => Action::Message(value.to_owned()),
        "logdata" => Action::LogData(value.to_owned()),
        "tag" => Action::Tag(value.to_owned()),
        "severity" => Action::Severity(severity(value)?),
        "rev" => Action::Revision(value.to_owned()),
        "ver" => Action::Version(value.to_owned()),
        "maturity" => number(name, value, 0, 9).map(|_| Action::Maturity)?,
        "accuracy" => number(name, value, 0, 9).map(|_| Action::Accuracy)?,
        "skip" => Action::Skip(number(name, value, 1, 1_000_000)?),
        "skipafter" => Action::SkipAfter(value.to_owned()),
        "status" => Action::Status(status(value)?),
        "redirect" => Action::Disruptive(Disruptive::Redirect(value.to_owned())),
        "t" if value.eq_ignore_ascii_case("none") => Action::ClearTransforms,
        "t" => Action::Transform(Transform::parse(value)?),
        "setvar" => Action::SetVar(SetVar::parse(value)?),
        "ctl" => Action::Ctl(Ctl::parse(value)?),
        "initcol" | "setsid" | "setuid" | "setrsc" | "expirevar" | "deprecatevar" => {
            Action::Persist(Persist::parse(lower, value)?)
        }
        "xmlns" => Action::XmlNamespace,
        _ => return Err(unknown(name)),
    })
}

/// Both spellings.
fn sanitise(lower: &str, name: &str, value: Option<&str>) -> Result<Action, String> {
    let british = lower.replacen("sanitize", "sanitise", 1);
    if !NAMES.iter().any(|known| known.eq_ignore_ascii_case(&british)) {
        return Err(unknown(name));
    }
    Sanitise::parse(&british, value).map(Action::Sanitise)
}

fn unknown(name: &str) -> String {
    match nearest(name, NAMES.iter().copied()) {
        Some(near) => format!("unknown action `{name}`, did you mean `{near}`?"),
        None => format!("unknown action `{name}`"),
    }
}

fn number(name: &str, value: &str, least: u32, most: u32) -> Result<u32, String> {
    let parsed = value.trim().parse::<u32>().ok().filter(|n| (least..=most).contains(n));
    parsed.ok_or_else(|| format!("{name} `{value}`, expected a number from {least} to {most}"))
}

fn phase(value: &str) -> Result<u8, String> {
    match value.to_ascii_lowercase().as_str() {
        "1" => Ok(1),
        "2" | "request" => Ok(2),
        "3" => Ok(3),
        "4" | "response" => Ok(4),
        "5" | "logging" => Ok(5),
        _ => Err(format!("phase `{value}`, expected 1 to 5, request, response or logging")),
    }
}

fn severity(value: &str) -> Result<Severity, String> {
    Severity::parse(value)
        .ok_or_else(|| format!("severity `{value}`, expected 0 to 7 or a name such as CRITICAL"))
}

fn status(value: &str) -> Result<u16, String> {
    let parsed = value.trim().parse::<u16>().ok().filter(|status| (200..=599).contains(status));
    parsed.ok_or_else(|| format!("status `{value}`, expected 200 to 599"))
}

fn allow_scope(value: Option<&str>) -> Result<AllowScope, String> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        None => Ok(AllowScope::Transaction),
        Some("phase") => Ok(AllowScope::Phase),
        Some("request") => Ok(AllowScope::Request),
        Some(other) => Err(format!("allow `{other}`, expected phase or request")),
    }
}
