//! `ctl:option=value`: changes the engine for the rest of one transaction.

use super::names::{CTL, CTL_REFUSED};
use super::{AuditPartsChange, EngineMode};
use crate::seclang::ast::{RuleSet, Target};
use crate::seclang::nearest;
use crate::seclang::parser::{parse_id_ranges, parse_switch, parse_targets_text};

/// One run-time change.
#[derive(Debug, Clone)]
pub(crate) enum Ctl {
    RemoveRules(RuleSet),
    RemoveTargets(RuleSet, Vec<Target>),
    RequestBodyProcessor(BodyProcessor),
    ForceRequestBodyVariable(bool),
    RequestBodyAccess(bool),
    ResponseBodyAccess(bool),
    RuleEngine(EngineMode),
    /// Whether an audit record is wanted: `Off`, `RelevantOnly` or `On`.
    AuditEngine(AuditEngine),
    AuditLogParts(AuditPartsChange),
    /// Bytes, up to the bound of the profile.
    RequestBodyBytes(usize),
    ResponseBodyBytes(usize),
    /// The response body is shown to the rules whatever its media type.
    ForceResponseBodyVariable(bool),
    /// There is no debug log.
    DebugLogLevel,
    /// Cannot be done: the name, and what to do instead.
    Refused(&'static str, &'static str),
}

/// `auditEngine`: what the caller's record of the transaction should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AuditEngine {
    On,
    Off,
    #[default]
    RelevantOnly,
}

/// The parser of a request body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyProcessor {
    UrlEncoded,
    Multipart,
    Json,
    Xml,
    GraphQl,
    Protobuf,
}

impl BodyProcessor {
    const ALL: [Self; 6] =
        [Self::UrlEncoded, Self::Multipart, Self::Json, Self::Xml, Self::GraphQl, Self::Protobuf];

    /// The name that `REQBODY_PROCESSOR` shows.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UrlEncoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
            Self::GraphQl => "GRAPHQL",
            Self::Protobuf => "PROTOBUF",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|processor| processor.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| format!("body processor `{text}`, expected one of {known}"))
    }
}

impl EngineMode {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "on" => Ok(Self::On),
            "detectiononly" => Ok(Self::DetectionOnly),
            "off" => Ok(Self::Off),
            _ => Err(format!("engine mode `{text}`, expected On, DetectionOnly or Off")),
        }
    }
}

impl AuditEngine {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            "relevantonly" => Ok(Self::RelevantOnly),
            _ => Err(format!("audit engine `{text}`, expected On, Off or RelevantOnly")),
        }
    }
}

impl Ctl {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (option, value) =
            text.split_once('=').ok_or_else(|| format!("ctl `{text}` has no value"))?;
        let value = value.trim();
        match option.trim().to_ascii_lowercase().as_str() {
            "ruleremovebyid" => Ok(Self::RemoveRules(RuleSet::Ids(parse_id_ranges(value)?))),
            "ruleremovebytag" => Ok(Self::RemoveRules(RuleSet::Tag(value.to_owned()))),
            "ruleremovebymsg" => Ok(Self::RemoveRules(RuleSet::Message(value.to_owned()))),
            "ruleremovetargetbyid" => {
                remove_targets(value, |rules| Ok(RuleSet::Ids(parse_id_ranges(rules)?)))
            }
            "ruleremovetargetbytag" => {
                remove_targets(value, |rules| Ok(RuleSet::Tag(rules.to_owned())))
            }
            "ruleremovetargetbymsg" => {
                remove_targets(value, |rules| Ok(RuleSet::Message(rules.to_owned())))
            }
            "requestbodyprocessor" => Ok(Self::RequestBodyProcessor(BodyProcessor::parse(value)?)),
            "forcerequestbodyvariable" => Ok(Self::ForceRequestBodyVariable(parse_switch(value)?)),
            "requestbodyaccess" => Ok(Self::RequestBodyAccess(parse_switch(value)?)),
            "responsebodyaccess" => Ok(Self::ResponseBodyAccess(parse_switch(value)?)),
            "ruleengine" => Ok(Self::RuleEngine(EngineMode::parse(value)?)),
            "auditengine" => Ok(Self::AuditEngine(AuditEngine::parse(value)?)),
            "auditlogparts" => Ok(Self::AuditLogParts(AuditPartsChange::parse(value)?)),
            "debugloglevel" => Ok(Self::DebugLogLevel),
            "requestbodylimit" => Ok(Self::RequestBodyBytes(bytes(value)?)),
            "responsebodylimit" => Ok(Self::ResponseBodyBytes(bytes(value)?)),
            "forceresponsebodyvariable" => {
                Ok(Self::ForceResponseBodyVariable(parse_switch(value)?))
            }
            other => refused_or_unknown(other),
        }
    }
}

fn refused_or_unknown(option: &str) -> Result<Ctl, String> {
    let known = CTL_REFUSED.iter().find(|(known, _)| known.eq_ignore_ascii_case(option));
    match (known, nearest(option, CTL.iter().copied())) {
        (Some((name, why)), _) => Ok(Ctl::Refused(name, why)),
        (None, Some(near)) => Err(format!("unknown ctl option `{option}`, did you mean `{near}`?")),
        (None, None) => Err(format!("unknown ctl option `{option}`")),
    }
}

fn bytes(value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("`{value}`, expected a number of bytes"))
}

fn remove_targets(
    value: &str,
    rules: impl Fn(&str) -> Result<RuleSet, String>,
) -> Result<Ctl, String> {
    let (chosen, targets) = value
        .split_once(';')
        .ok_or_else(|| format!("ctl value `{value}`, expected RULES;TARGET"))?;
    Ok(Ctl::RemoveTargets(rules(chosen.trim())?, parse_targets_text(targets.trim())?))
}
