//! Syntax tree to program: what the rules say becomes what runs.
//!
//! `assemble` reads the directives in order (removals and updates act on the rules before them),
//! `compile` turns each rule that is left into its runnable form, `target`, `transforms` and
//! `settings` hold the parts, `gates` is the prefilter, `course` the way through it all under one
//! choice of levels. A [`Program`] is immutable and shared by every transaction.

mod assemble;
mod compile;
pub(crate) mod course;
mod gates;
mod geo;
mod lists;
mod persist;
mod rule;
pub(crate) mod settings;
pub(crate) mod target;
pub(crate) mod transforms;
mod writes;

pub(crate) use assemble::{Assembly, Draft, DraftLink, Item, assemble};
pub(crate) use compile::compile;
pub(crate) use gates::Gates;
pub(crate) use geo::unlocated;
pub(crate) use lists::unasked;
pub(crate) use persist::unopened;
pub(crate) use settings::Settings;
pub(crate) use target::{Exclusion, Matcher, Target};
pub(crate) use transforms::{Node, Transforms};

use std::sync::Arc;

use crate::action::{
    AllowScope, AuditEngine, AuditPartsChange, BodyProcessor, EngineMode, Sanitise, SetVarOp,
    Severity,
};
use crate::bitset::BitSet;
use crate::collection::Collection;
use crate::geo::Database;
use crate::operator::Operator;
use crate::template::Template;
use crate::tx::{TxNames, TxSlot};
use crate::variable::environment::Environment;

/// Phases are 1 to 5: request head, request body, response head, response body, logging.
pub(crate) const PHASES: usize = 5;

/// All rules of a load, ready to run.
#[derive(Debug)]
pub(crate) struct Program {
    /// Tells the programs of a process apart.
    pub(crate) id: u64,
    pub(crate) rules: Vec<Rule>,
    /// Per phase (index 0 is phase 1), the rules in reading order.
    pub(crate) phases: [Vec<u32>; PHASES],
    pub(crate) operators: Vec<Operator>,
    pub(crate) gates: Gates,
    pub(crate) transforms: Transforms,
    pub(crate) tx: TxNames,
    pub(crate) settings: Settings,
    pub(crate) scores: ScoreSlots,
    /// What `@geoLookup` asks.
    pub(crate) geo: Option<Arc<Database>>,
    /// What `ENV` shows.
    pub(crate) environment: Environment,
    /// Some rule looks at the content of uploads.
    pub(crate) wants_file_content: bool,
}

/// The transaction variables that scores are read from, as CRS names them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ScoreSlots {
    /// By paranoia level, 1 to 4.
    pub(crate) inbound: [TxSlot; 4],
    pub(crate) outbound: [TxSlot; 4],
    /// CRS 3 has another name for the inbound score, and for the levels.
    pub(crate) inbound_3: [TxSlot; 4],
    pub(crate) blocking_paranoia_3: TxSlot,
    pub(crate) detection_paranoia_3: TxSlot,
    pub(crate) inbound_threshold: TxSlot,
    pub(crate) outbound_threshold: TxSlot,
    pub(crate) blocking_paranoia: TxSlot,
    pub(crate) detection_paranoia: TxSlot,
    pub(crate) early_blocking: TxSlot,
}

impl ScoreSlots {
    fn intern(names: &mut TxNames) -> Self {
        let mut levels = |direction: &str| {
            [1, 2, 3, 4].map(|level| names.intern(&format!("{direction}anomaly_score_pl{level}")))
        };
        Self {
            inbound: levels("inbound_"),
            outbound: levels("outbound_"),
            inbound_3: levels(""),
            blocking_paranoia_3: names.intern("paranoia_level"),
            detection_paranoia_3: names.intern("executing_paranoia_level"),
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

impl Rule {
    /// Its matches go somewhere: to the error log, the audit record or both.
    pub(crate) fn is_recorded(&self) -> bool {
        self.log || self.audit
    }
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
    /// The log data as written, with its macros.
    pub(crate) logdata_text: String,
    pub(crate) logdata: Template,
    /// As written, with their macros: rules are chosen by these.
    pub(crate) tags: Arc<[String]>,
    /// The same to be expanded; none where no tag has a macro.
    pub(crate) tag_templates: Box<[Template]>,
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
    AuditLogParts(AuditPartsChange),
    RequestBodyBytes(usize),
    ResponseBodyBytes(usize),
    ForceResponseBodyVariable(bool),
    Persist(Persist),
    Sanitise(Sanitise),
}

/// An action on a persistent collection. Names and keys may hold macros.
#[derive(Debug)]
pub(crate) enum Persist {
    Open { collection: Collection, key: Template },
    Set { collection: Collection, name: Template, op: SetVarOp, value: Template },
    Expire { collection: Collection, name: Template, seconds: Template },
    Decay { collection: Collection, name: Template, amount: i64, period_s: u64 },
}

/// The variable a `setvar` writes: known at load, or named by macros.
#[derive(Debug)]
pub(crate) enum TxName {
    Slot(TxSlot),
    Dynamic(Template),
}
