//! The actions of a rule: what is written after the operator.

mod ctl;
mod parse;
mod setvar;
mod severity;
#[cfg(test)]
mod tests;

pub(crate) use ctl::{AuditEngine, BodyProcessor, Ctl};
pub(crate) use parse::parse;
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
    /// Persistent collections are not kept: accepted and without effect (CRS 901320 is off by default).
    Persistent,
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
