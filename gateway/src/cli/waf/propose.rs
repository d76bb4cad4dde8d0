//! From what matched to the fewest exceptions: the rules that counted, each at exactly the field where it matched.
//!
//! Names of fields are chosen by clients. One that could be read as anything but itself, a pattern or a list, is not
//! written into a configuration; what would take a whole request out of a rule's sight is not proposed at all.

use super::event::{LoggedEvent, LoggedMatch};
use crate::stages::waf::section::ExceptSection;

/// More fields than an honest request is likely to be misjudged at.
const FIELDS: usize = 8;
/// More rules at one field than an honest value is likely to match.
const RULES: usize = 12;
/// Longest name of a field, bytes.
const NAME: usize = 128;

/// What would be excepted, and what could not be.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Proposal {
    pub(super) exceptions: Vec<ExceptSection>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
    /// Score that the same request would still have.
    pub(super) left: i64,
}

/// Exceptions for an event. `counts` says whether a rule's score counts towards blocking.
pub(super) fn propose(
    event: &LoggedEvent,
    counts: impl Fn(u32) -> bool,
    why: &str,
    expires: &str,
) -> Result<Proposal, String> {
    let mut proposal = Proposal::default();
    let mut fields: Vec<(String, Vec<u32>)> = Vec::new();
    for found in event.matches.iter().filter(|found| found.score > 0) {
        if !counts(found.rule) {
            proposal
                .note(format!("rule {} is above the blocking level: it only records", found.rule));
            continue;
        }
        match field(found) {
            Ok(field) => match fields.iter_mut().find(|(known, _)| *known == field) {
                Some((_, rules)) => rules.push(found.rule),
                None => fields.push((field, vec![found.rule])),
            },
            Err(why) => {
                proposal.left += found.score;
                proposal.note(format!("rule {}: {why}", found.rule));
            }
        }
    }
    let listed = event.matches.len();
    if event.matches_total > listed {
        proposal.note(format!("the event lists {listed} of {} matches", event.matches_total));
    }
    for (_, rules) in &mut fields {
        rules.sort_unstable();
        rules.dedup();
    }
    bounded(&fields)?;
    let except = |(field, rules)| ExceptSection {
        rules,
        tags: Vec::new(),
        field: Some(field),
        why: why.to_owned(),
        expires: Some(expires.to_owned()),
    };
    proposal.exceptions = fields.into_iter().map(except).collect();
    if proposal.exceptions.is_empty() {
        let notes = proposal.notes.join("; ");
        return Err(format!("nothing that can be excepted narrowly: {notes}"));
    }
    Ok(proposal)
}

impl Proposal {
    fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

fn bounded(fields: &[(String, Vec<u32>)]) -> Result<(), String> {
    let attack = "this looks like an attack, not like a mistake of the rules";
    if fields.len() > FIELDS {
        return Err(format!("{} fields matched, bound {FIELDS}: {attack}", fields.len()));
    }
    match fields.iter().find(|(_, rules)| rules.len() > RULES) {
        Some((field, rules)) => {
            Err(format!("{} rules matched {field}, bound {RULES}: {attack}", rules.len()))
        }
        None => Ok(()),
    }
}

/// The `field` of an exception that means the target of a match and nothing else.
fn field(found: &LoggedMatch) -> Result<String, String> {
    let target = found.target.as_str();
    let Some((collection, name)) = target.split_once(':') else { return whole(target) };
    let name = plain(name).ok_or_else(|| {
        format!("the name of the field at {collection} cannot be written as an exception that means only it")
    })?;
    match collection {
        "ARGS" | "ARGS_GET" | "ARGS_POST" if name.starts_with("json.") => Ok(json(name)),
        "ARGS" | "ARGS_GET" | "ARGS_POST" => Ok(format!("arg.{name}")),
        "REQUEST_HEADERS" => Ok(format!("header.{}", name.to_ascii_lowercase())),
        "REQUEST_COOKIES" => Ok(format!("cookie.{name}")),
        "ARGS_NAMES"
        | "ARGS_GET_NAMES"
        | "ARGS_POST_NAMES"
        | "REQUEST_COOKIES_NAMES"
        | "REQUEST_HEADERS_NAMES"
        | "FILES"
        | "FILES_NAMES"
        | "MULTIPART_PART_HEADERS" => Ok(format!("{collection}:{name}")),
        _ => Err(format!("{collection} is not a part of the request that an exception can name")),
    }
}

/// A target without a name stands for all of it.
fn whole(target: &str) -> Result<String, String> {
    match target {
        "REQUEST_FILENAME" | "REQUEST_BASENAME" | "REQUEST_METHOD" | "REQUEST_PROTOCOL" => {
            Ok(target.to_owned())
        }
        _ if target.starts_with('&') => Err("it counts fields: no field is at fault".into()),
        _ if plain(target).is_none() => Err("its target cannot be read".into()),
        _ => Err(format!(
            "it looks at {target} as a whole: an exception there would hide every field in it"
        )),
    }
}

fn plain(name: &str) -> Option<&str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-[]$@".contains(&byte);
    let fits = (1..=NAME).contains(&name.len()) && name.bytes().all(allowed);
    (fits && !name.contains(crate::telemetry::redact::REDACTED)).then_some(name)
}

/// Indexes of a list vary from request to request: the same member of any item is meant.
fn json(name: &str) -> String {
    let is_index = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !name.split('.').any(is_index) {
        return name.to_owned();
    }
    let part = |part: &str| if is_index(part) { r"\d+".to_owned() } else { regex::escape(part) };
    let parts: Vec<String> = name.split('.').map(part).collect();
    format!("ARGS:/^{}$/", parts.join(r"\."))
}
