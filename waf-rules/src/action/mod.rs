//! The actions of a rule: what is written after the operator.

mod audit;
mod ctl;
mod names;
mod parse;
mod persist;
mod sanitise;
mod setvar;
mod severity;
#[cfg(test)]
mod tests;

pub use audit::AuditParts;
pub(crate) use audit::AuditPartsChange;
pub(crate) use ctl::{AuditEngine, BodyProcessor, Ctl};
pub(crate) use names::{CTL, CTL_DIFFERS, CTL_REFUSED, DIFFERS, NAMES, REFUSED};
pub(crate) use parse::parse;
pub(crate) use persist::Persist;
pub(crate) use sanitise::Sanitise;
pub(crate) use setvar::{SetVar, SetVarOp};
pub use severity::Severity;

use crate::transform::Transform;

/// Rule engine mode: `SecRuleEngine`, `ctl:ruleEngine`, or the profile's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineMode {
    /// Rules run and disruptive actions act.
    #[default]
    On,
    /// Rules run and log; nothing is interrupted.
    DetectionOnly,
    /// No rule runs.
    Off,
}

/// One action, its value parsed.
#[derive(Debug, Clone)]
pub(crate) enum Action {
    Id(u32),
    Phase(u8),
    Message(String),
    LogData(String),
    Tag(String),
    Severity(Severity),
    Revision(String),
    Version(String),
    Maturity,
    Accuracy,
    Chain,
    Skip(u32),
    SkipAfter(String),
    Capture,
    MultiMatch,
    /// `t:none` clears what was inherited.
    ClearTransforms,
    Transform(Transform),
    SetVar(SetVar),
    Ctl(Ctl),
    Disruptive(Disruptive),
    Status(u16),
    Log,
    NoLog,
    AuditLog,
    NoAuditLog,
    Persist(Persist),
    Sanitise(Sanitise),
    /// Prefixes for XPaths; the two that are supported name no element.
    XmlNamespace,
    /// Cannot be done: the name, and what to do instead. An error where the rule is not removed.
    Refused(&'static str, &'static str),
}

impl Action {
    /// Why the action cannot be part of a rule that runs.
    pub(crate) fn refusal(&self) -> Option<String> {
        match self {
            Self::Refused(name, why) => Some(format!("action `{name}` is not supported: {why}")),
            Self::Ctl(Ctl::Refused(name, why)) => {
                Some(format!("ctl option `{name}` is not supported: {why}"))
            }
            _ => None,
        }
    }
}

/// What a matching rule does to the request, at most one per rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disruptive {
    /// Whatever `SecDefaultAction` of the phase says.
    Block,
    Pass,
    Deny,
    Drop,
    Redirect(String),
    Allow(AllowScope),
}

/// How much of the rest of the transaction `allow` passes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AllowScope {
    /// Every further phase but logging.
    Transaction,
    /// The rest of this phase.
    Phase,
    /// The rest of the request phases.
    Request,
}
