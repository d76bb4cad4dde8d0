//! A pattern as a tree, and what can be told of it before it is run.

use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, Look, Repetition};

use crate::bytes::ByteSet;

#[derive(Debug, Clone)]
pub(super) enum Node {
    /// One byte of these.
    Set(ByteSet),
    Assert(Look),
    Group(usize, Box<Node>),
    Concat(Vec<Node>),
    Alternate(Vec<Node>),
    Repeat(Repeat, Box<Node>),
    Around(Around, Box<Node>),
    /// Once matched, never tried another way.
    Atomic(Box<Node>),
    /// What a group matched, once more.
    Same(Same),
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    pub(super) mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Greedy,
    Lazy,
    Possessive,
}

/// Lookahead and lookbehind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) behind: bool,
    pub(super) negated: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Same {
    pub(super) group: usize,
    pub(super) ignore_case: bool,
}

impl Node {
    pub(super) const EMPTY: Self = Self::Concat(Vec::new());

    /// What stands between the bars; itself, where there are none.
    pub(super) fn alternatives(&self) -> &[Self] {
        match self {
            Self::Alternate(parts) => parts,
            other => std::slice::from_ref(other),
        }
    }

    /// A pattern for an automaton that matches wherever this one does: what it cannot say is left out.
    pub(super) fn wider(&self) -> Hir {
        match self {
            Self::Set(set) => class(set),
            Self::Assert(look) => Hir::look(*look),
            Self::Group(_, sub) | Self::Atomic(sub) => sub.wider(),
            Self::Concat(parts) => Hir::concat(parts.iter().map(Self::wider).collect()),
            Self::Alternate(parts) => Hir::alternation(parts.iter().map(Self::wider).collect()),
            Self::Repeat(repeat, sub) => repetition(repeat.min, repeat.max, sub.wider()),
            Self::Around(..) => Hir::empty(),
            Self::Same(_) => repetition(0, None, class(&ByteSet::ALL)),
        }
    }

    /// Bytes that a match can begin with; nothing where it can be empty.
    pub(super) fn first(&self) -> Option<ByteSet> {
        (!self.is_nullable()).then(|| self.may_begin_with())
    }

    /// Bytes that it can begin with where it is not empty.
    fn may_begin_with(&self) -> ByteSet {
        match self {
            Self::Assert(_) | Self::Around(..) => ByteSet::EMPTY,
            Self::Repeat(_, sub) | Self::Group(_, sub) | Self::Atomic(sub) => sub.may_begin_with(),
            Self::Concat(parts) => {
                let end = parts.iter().position(|part| !part.is_nullable());
                any_of(&parts[..end.map_or(parts.len(), |end| end + 1)])
            }
            Self::Alternate(parts) => any_of(parts),
            Self::Set(set) => *set,
            Self::Same(_) => ByteSet::ALL,
        }
    }

    /// It can match nothing.
    pub(super) fn is_nullable(&self) -> bool {
        match self {
            Self::Set(_) => false,
            Self::Assert(_) | Self::Around(..) | Self::Same(_) => true,
            Self::Group(_, sub) | Self::Atomic(sub) => sub.is_nullable(),
            Self::Concat(parts) => parts.iter().all(Self::is_nullable),
            Self::Alternate(parts) => parts.iter().any(Self::is_nullable),
            Self::Repeat(repeat, sub) => repeat.min == 0 || sub.is_nullable(),
        }
    }

    /// Bytes of every match, where all have as many.
    pub(super) fn width(&self) -> Option<usize> {
        match self {
            Self::Set(_) => Some(1),
            Self::Assert(_) | Self::Around(..) => Some(0),
            Self::Group(_, sub) | Self::Atomic(sub) => sub.width(),
            Self::Concat(parts) => {
                parts.iter().try_fold(0_usize, |all, part| all.checked_add(part.width()?))
            }
            Self::Alternate(parts) => {
                let mut widths = parts.iter().map(Self::width);
                let width = widths.next()??;
                widths.all(|other| other == Some(width)).then_some(width)
            }
            Self::Repeat(repeat, sub) => {
                let times = repeat.max.filter(|max| *max == repeat.min)?;
                sub.width()?.checked_mul(times as usize)
            }
            Self::Same(_) => None,
        }
    }
}

fn any_of(parts: &[Node]) -> ByteSet {
    parts.iter().fold(ByteSet::EMPTY, |all, part| all.union(part.may_begin_with()))
}

fn repetition(min: u32, max: Option<u32>, sub: Hir) -> Hir {
    Hir::repetition(Repetition { min, max, greedy: true, sub: Box::new(sub) })
}

fn class(set: &ByteSet) -> Hir {
    let ranges = set.iter().map(|byte| ClassBytesRange::new(byte, byte));
    Hir::class(Class::Bytes(ClassBytes::new(ranges)))
}
