//! What a rule file says, with the place of everything it says.

use super::lexer::Word;
use super::source::Span;
use crate::action::Action;
use crate::variable::Variable;

/// One directive and where it stands.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) directive: Directive,
}

#[derive(Debug)]
pub(crate) enum Directive {
    Rule {
        targets: Vec<Target>,
        operator: Operator,
        actions: Vec<ActionNode>,
    },
    Action(Vec<ActionNode>),
    DefaultAction(Vec<ActionNode>),
    Marker(String),
    /// The name of a rule set, for audit records.
    Component(String),
    Include {
        path: Word,
        /// Nothing is wrong when no file matches.
        optional: bool,
    },
    /// A rule whose problems were reported; `chain` tells whether another follows it.
    Broken {
        chain: bool,
    },
    Remove(RuleSet),
    UpdateTargets {
        rules: RuleSet,
        targets: Vec<Target>,
        /// Targets that the new ones take the place of.
        replaced: Vec<Target>,
    },
    UpdateActions {
        id: u32,
        link: u32,
        actions: Vec<ActionNode>,
    },
    Setting {
        name: &'static str,
        values: Vec<Word>,
    },
    /// A setting whose value says what happens anyway.
    Satisfied,
    /// A directive that other engines need and this one does not: accepted, reported, without effect.
    Ignored {
        name: &'static str,
        why: &'static str,
    },
}

/// Rules chosen by a `Remove` or `Update` directive, or by a `ctl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RuleSet {
    Ids(Vec<IdRange>),
    /// Regular expressions searched in the rules' tags or messages.
    Tag(String),
    Message(String),
}

/// Inclusive range of rule ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IdRange {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl IdRange {
    pub(crate) fn contains(self, id: u32) -> bool {
        (self.first..=self.last).contains(&id)
    }
}

/// `ARGS`, `&TX:x`, `!REQUEST_HEADERS:Referer`, `TX:/^a/`.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) span: Span,
    pub(crate) variable: &'static Variable,
    pub(crate) selector: Option<Selector>,
    pub(crate) count: bool,
    pub(crate) exclude: bool,
}

impl Target {
    /// The same variable, selector and form, wherever it is written.
    pub(crate) fn means_the_same(&self, other: &Self) -> bool {
        let selectors = match (&self.selector, &other.selector) {
            (Some(Selector::Name(a)), Some(Selector::Name(b))) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        std::ptr::eq(self.variable, other.variable)
            && selectors
            && (self.count, self.exclude) == (other.count, other.exclude)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    Name(String),
    Pattern(String),
}

/// `!@within %{tx.allowed}`; the argument's place is kept for the compiler of the operator.
#[derive(Debug)]
pub(crate) struct Operator {
    pub(crate) negated: bool,
    pub(crate) name: &'static str,
    pub(crate) argument: String,
    pub(crate) argument_span: Span,
}

#[derive(Debug, Clone)]
pub(crate) struct ActionNode {
    pub(crate) span: Span,
    pub(crate) action: Action,
}
