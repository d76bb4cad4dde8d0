//! Patterns that no automaton can match: lookaround, back-references, atomic groups beside them.
//!
//! They are tried place by place, as PCRE does, and whoever writes the value decides how long that
//! takes. So every step is paid for, and a search ends where there is nothing left to pay with.
//! First an automaton asks for a wider pattern, without what it cannot say: most values end there.

mod compile;
mod node;
mod parse;
mod run;
#[cfg(test)]
mod tests;

use std::ops::Range;

use regex_syntax::hir::Hir;
use smallvec::SmallVec;

use super::OutOfWork;
use crate::bytes::ByteSet;
use compile::Inst;

/// Groups of a match, the whole first; one that took no part has none.
pub(super) type Groups = SmallVec<[Option<Range<usize>>; 10]>;

/// A compiled pattern.
#[derive(Debug)]
pub(super) struct Backtracker {
    program: Vec<Inst>,
    /// Groups, with the whole match.
    groups: usize,
    /// Registers for loops whose body may match nothing.
    marks: usize,
    /// What a match begins with, where it cannot be empty.
    first: Option<ByteSet>,
}

impl Backtracker {
    /// Also gives the wider pattern: it matches wherever this one does.
    ///
    /// # Errors
    ///
    /// What is wrong with the pattern, or what of PCRE is not known.
    pub(super) fn compile(pattern: &str) -> Result<(Self, Hir), String> {
        let (node, groups) = parse::parse(pattern)?;
        let (program, marks) = compile::compile(&node)?;
        let wider = node.wider();
        Ok((Self { program, groups, marks, first: node.first() }, wider))
    }

    /// The leftmost match that begins at `from` or behind it. `pay` is asked for the work of looking for it.
    pub(super) fn find(
        &self,
        input: &[u8],
        from: usize,
        pay: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Groups>, OutOfWork> {
        run::find(self, input, from, pay)
    }
}
