//! `ctl:option=value`: changes the engine for the rest of one transaction.

use super::EngineMode;
use crate::seclang::ast::{RuleSet, Target};
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
    /// Options that concern parts this engine has not got (debug log, native audit parts).
    Ignored,
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
}

impl BodyProcessor {
    /// The name that `REQBODY_PROCESSOR` shows.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::UrlEncoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    fn parse(text: &str) -> Result<Self, String> {
        [Self::UrlEncoded, Self::Multipart, Self::Json, Self::Xml]
            .into_iter()
            .find(|processor| processor.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| {
                format!("body processor `{text}`, expected URLENCODED, MULTIPART, JSON or XML")
            })
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
            "auditlogparts" | "debugloglevel" => Ok(Self::Ignored),
            other => Err(format!("unknown ctl option `{other}`")),
        }
    }
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
