//! Targets and exclusions with their selectors compiled.

use regex::bytes::Regex;

use crate::operator::selector_pattern;
use crate::seclang::ast::{self, Selector};
use crate::tx::{TxNames, TxSlot};
use crate::variable::{Kind, Variable, environment};

/// What a link looks at.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) variable: &'static Variable,
    pub(crate) matcher: Matcher,
    /// `&`: the number of entries instead of the entries.
    pub(crate) count: bool,
    /// For `TX` with a pattern or without selector: the variables known at load that it takes.
    pub(crate) slots: Box<[TxSlot]>,
}

/// What a link, a `ctl` or a profile takes out of a link's targets.
#[derive(Debug, Clone)]
pub(crate) struct Exclusion {
    pub(crate) variable: &'static Variable,
    pub(crate) matcher: Matcher,
}

/// A selector: names compare in any ASCII case, as in ModSecurity.
#[derive(Debug, Clone)]
pub(crate) enum Matcher {
    All,
    Name(Box<[u8]>),
    Pattern(Regex),
    /// A transaction variable known at load.
    Slot(TxSlot),
}

impl Target {
    pub(crate) fn compile(target: &ast::Target, names: &mut TxNames) -> Result<Self, String> {
        target.variable.kind.check(target.variable.name)?;
        if target.variable.kind == Kind::Environment {
            environment::check(target.selector.as_ref())?;
        }
        let matcher = match (&target.selector, target.variable.kind) {
            (Some(Selector::Name(name)), Kind::Tx) => Matcher::Slot(names.intern(name)),
            (selector, _) => Matcher::compile(selector.as_ref())?,
        };
        Ok(Self { variable: target.variable, matcher, count: target.count, slots: Box::default() })
    }

    /// Can be looked at together with another target of the same variable.
    pub(crate) fn takes_same(&self, other: &Self) -> bool {
        match (&self.matcher, &other.matcher) {
            (Matcher::Name(one), Matcher::Name(other)) => one.eq_ignore_ascii_case(other),
            (Matcher::Slot(one), Matcher::Slot(other)) => one == other,
            (Matcher::Pattern(one), Matcher::Pattern(other)) if self.variable.kind == Kind::Tx => {
                one.as_str() == other.as_str()
            }
            (Matcher::All, Matcher::All) => true,
            (Matcher::All | Matcher::Pattern(_), Matcher::All | Matcher::Pattern(_)) => {
                self.variable.kind != Kind::Tx
            }
            _ => false,
        }
    }

    /// Takes the transaction variable of this slot.
    pub(crate) fn takes_slot(&self, slot: TxSlot) -> bool {
        match self.matcher {
            Matcher::Slot(own) => own == slot,
            _ => self.slots.contains(&slot),
        }
    }

    /// It may take a group of the last match.
    pub(crate) fn takes_captures(&self) -> bool {
        let is_group = |slot: &TxSlot| slot.0 < crate::tx::CAPTURES;
        match &self.matcher {
            Matcher::Slot(own) => is_group(own),
            _ => self.slots.iter().any(is_group),
        }
    }

    /// Finds the variables a `TX` pattern takes, once every name is known.
    pub(crate) fn resolve_slots(&mut self, names: &TxNames) {
        if self.variable.kind == Kind::Tx && !matches!(self.matcher, Matcher::Slot(_)) {
            self.slots = names
                .iter()
                .filter(|(_, name)| self.matcher.accepts(name.as_bytes()))
                .map(|(slot, _)| slot)
                .collect();
        }
    }
}

impl Exclusion {
    pub(crate) fn compile(target: &ast::Target) -> Result<Self, String> {
        target.variable.kind.check(target.variable.name)?;
        Ok(Self { variable: target.variable, matcher: Matcher::compile(target.selector.as_ref())? })
    }

    /// Takes out this entry of a variable that is looked at.
    pub(crate) fn covers(&self, variable: &'static Variable, key: &[u8]) -> bool {
        std::ptr::eq(self.variable, variable) && self.matcher.accepts(key)
    }
}

impl Matcher {
    fn compile(selector: Option<&Selector>) -> Result<Self, String> {
        Ok(match selector {
            None => Self::All,
            Some(Selector::Name(name)) => Self::Name(name.as_bytes().into()),
            Some(Selector::Pattern(pattern)) => Self::Pattern(selector_pattern(pattern, true)?),
        })
    }

    /// True for an entry of this name.
    pub(crate) fn accepts(&self, key: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Name(name) => name.eq_ignore_ascii_case(key),
            Self::Pattern(pattern) => pattern.is_match(key),
            Self::Slot(_) => false,
        }
    }
}
