//! Syntax tree to program: what the rules say becomes what runs.
//!
//! `assemble` reads the directives in order (removals and updates act on the rules before them),
//! `compile` turns each rule that is left into its runnable form, `target`, `transforms` and
//! `settings` hold the parts. A [`Program`] is immutable and shared by every transaction.

mod assemble;
mod compile;
mod gates;
mod groups;
mod rule;
pub(crate) mod settings;
pub(crate) mod target;
pub(crate) mod transforms;

pub(crate) use assemble::{Assembly, Draft, DraftLink, Item, assemble};
pub(crate) use compile::compile;
pub(crate) use gates::Gates;
pub(crate) use groups::Groups;
pub(crate) use settings::Settings;
pub(crate) use target::{Exclusion, Matcher, Target};
pub(crate) use transforms::{Node, Transforms};

use std::sync::Arc;

use crate::action::{AllowScope, AuditEngine, BodyProcessor, EngineMode, SetVarOp, Severity};
use crate::bitset::BitSet;
use crate::operator::Operator;
use crate::template::Template;
use crate::tx::{TxNames, TxSlot};

/// Phases are 1 to 5: request head, request body, response head, response body, logging.
pub(crate) const PHASES: usize = 5;

/// All rules of a load, ready to run.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) rules: Vec<Rule>,
    /// Per phase (index 0 is phase 1), the rules in reading order.
    pub(crate) phases: [Vec<u32>; PHASES],
    pub(crate) operators: Vec<Operator>,
    pub(crate) gates: Gates,
    pub(crate) groups: Groups,
    pub(crate) transforms: Transforms,
    pub(crate) tx: TxNames,
    pub(crate) settings: Settings,
    pub(crate) scores: ScoreSlots,
}

/// The transaction variables that scores are read from, as CRS names them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreSlots {
    /// By paranoia level, 1 to 4.
    pub(crate) inbound: [TxSlot; 4],
    pub(crate) outbound: [TxSlot; 4],
    pub(crate) inbound_threshold: TxSlot,
    pub(crate) outbound_threshold: TxSlot,
    pub(crate) blocking_paranoia: TxSlot,
    pub(crate) detection_paranoia: TxSlot,
    pub(crate) early_blocking: TxSlot,
}

impl ScoreSlots {
    fn intern(names: &mut TxNames) -> Self {
        let mut levels = |direction: &str| {
            [1, 2, 3, 4].map(|level| names.intern(&format!("{direction}_anomaly_score_pl{level}")))
        };
        Self {
            inbound: levels("inbound"),
            outbound: levels("outbound"),
            inbound_threshold: names.intern("inbound_anomaly_score_threshold"),
            outbound_threshold: names.intern("outbound_anomaly_score_threshold"),
            blocking_paranoia: names.intern("blocking_paranoia_level"),
            detection_paranoia: names.intern("detection_paranoia_level"),
            early_blocking: names.intern("early_blocking"),
        }
    }
}

/// A rule or a whole chain.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) meta: Meta,
    pub(crate) links: Vec<Link>,
    pub(crate) disruptive: Disruptive,
    pub(crate) status: u16,
    pub(crate) jump: Jump,
    pub(crate) log: bool,
    pub(crate) audit: bool,
}

/// What a rule says about itself.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) id: u32,
    pub(crate) phase: u8,
    pub(crate) severity: Option<Severity>,
    /// The message as written, with its macros.
    pub(crate) message_text: String,
    pub(crate) message: Template,
    pub(crate) logdata: Template,
    pub(crate) tags: Arc<[String]>,
    pub(crate) revision: String,
    pub(crate) version: String,
    pub(crate) paranoia: Option<u8>,
    pub(crate) file: Arc<str>,
    pub(crate) line: u32,
}

/// One `SecRule` of a chain, or the only one; a `SecAction` has no targets and always matches.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) targets: Vec<Target>,
    pub(crate) exclusions: Vec<Exclusion>,
    pub(crate) transforms: Node,
    /// Every step on the way to `transforms`, the untouched value first: for `multiMatch`.
    pub(crate) steps: Vec<Node>,
    pub(crate) operator: u32,
    pub(crate) operator_name: &'static str,
    pub(crate) negated: bool,
    pub(crate) unconditional: bool,
    pub(crate) capture: bool,
    pub(crate) multi_match: bool,
    /// Where the operator must be a candidate for the link to match. None: it is always asked.
    pub(crate) groups: Option<u32>,
    /// Places of the targets that no group stands for.
    pub(crate) loose: Vec<usize>,
    /// Run once for every value that matches.
    pub(crate) effects: Vec<Effect>,
}

impl Link {
    /// The forms of a value that the operator is asked about.
    pub(crate) fn nodes(&self) -> &[Node] {
        if self.multi_match { &self.steps } else { std::slice::from_ref(&self.transforms) }
    }
}

/// What happens after the whole rule matched, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Disruptive {
    Pass,
    Deny,
    Drop,
    Redirect(Template),
    Allow(AllowScope),
}

/// Where the phase goes on after a match: an index into the phase's rules, if not the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jump {
    Next,
    To(u32),
}

/// A non-disruptive action.
#[derive(Debug)]
pub(crate) enum Effect {
    SetVar { name: TxName, op: SetVarOp, value: Template },
    RemoveRules(BitSet),
    RemoveTargets(BitSet, Vec<Exclusion>),
    RequestBodyProcessor(BodyProcessor),
    ForceRequestBodyVariable(bool),
    RequestBodyAccess(bool),
    ResponseBodyAccess(bool),
    RuleEngine(EngineMode),
    AuditEngine(AuditEngine),
}

/// The variable a `setvar` writes: known at load, or named by macros.
#[derive(Debug)]
pub(crate) enum TxName {
    Slot(TxSlot),
    Dynamic(Template),
}
