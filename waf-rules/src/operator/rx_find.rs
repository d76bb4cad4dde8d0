//! Where a long pattern matches, on automata whose states are made as values need them, and paid for.
//!
//! The general engine makes states unseen, and goes on without them, at a fraction of the speed, where they are too many:
//! 300 ns a byte for the patterns of 10,000 characters with which CRS finds commands, and a match of theirs may be as
//! long as the value.

#[cfg(test)]
mod tests;

use std::ops::Range;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use super::rx_lanes::{BLOCK_BYTES, OutOfWork, Paid};
use super::rx_search::automaton;

/// Work of making states, for each byte of memory that they take.
const STATE_BYTE_COST: u64 = 5;
/// Work of a byte of the match, beyond that of reading the value: it is gone through twice, and no step is a short one.
const MATCH_BYTE_COST: u64 = 2;

/// Finds the leftmost match, of those the one that comes first in the pattern.
#[derive(Debug)]
pub(super) struct Finder {
    /// From a place of a value to the end of the match.
    forward: DFA,
    /// From there back to its start.
    backward: DFA,
}

/// The states of both automata.
#[derive(Debug)]
pub(super) struct FinderStates {
    forward: Cache,
    backward: Cache,
}

impl FinderStates {
    /// Bytes of memory held.
    pub(super) fn memory_usage(&self) -> usize {
        self.forward.memory_usage() + self.backward.memory_usage()
    }
}

impl Finder {
    pub(super) fn new(pattern: &Hir) -> Result<Self, String> {
        Ok(Self {
            forward: automaton(pattern, false, MatchKind::LeftmostFirst)?,
            backward: automaton(pattern, true, MatchKind::All)?,
        })
    }

    pub(super) fn begin(&self) -> FinderStates {
        FinderStates {
            forward: self.forward.create_cache(),
            backward: self.backward.create_cache(),
        }
    }

    /// The first match from a place on. `pay` is asked for the work of every state that is made.
    pub(super) fn find(
        &self,
        input: &[u8],
        from: usize,
        states: &mut FinderStates,
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<Option<Range<usize>>, OutOfWork> {
        let Some(end) = self.end(input, from, &mut states.forward, &mut pay)? else {
            return Ok(None);
        };
        let start = self.start(input, from..end, &mut states.backward, &mut pay)?;
        // What has an end has a start.
        let whole = start.unwrap_or(end)..end;
        if pay(MATCH_BYTE_COST * whole.len() as u64) { Ok(Some(whole)) } else { Err(OutOfWork) }
    }

    fn end(
        &self,
        input: &[u8],
        from: usize,
        cache: &mut Cache,
        pay: &mut impl FnMut(u64) -> bool,
    ) -> Result<Option<usize>, OutOfWork> {
        let span = Input::new(input).span(from..input.len());
        let mut paid = Paid::up_to(cache);
        let start = self.forward.start_state_forward(cache, &span);
        let (mut state, mut end) = (start.map_err(|_| OutOfWork)?, None);
        for (at, byte) in input.iter().enumerate().skip(from) {
            state = step(&self.forward, cache, state, *byte)?;
            // It shows one byte late.
            if state.is_match() {
                end = Some(at);
            } else if state.is_dead() {
                return settle(&mut paid, cache, pay).map(|()| end);
            }
            if at % BLOCK_BYTES == 0 {
                settle(&mut paid, cache, pay)?;
            }
        }
        let last = self.forward.next_eoi_state(cache, state).map_err(|_| OutOfWork)?;
        settle(&mut paid, cache, pay)?;
        Ok(if last.is_match() { Some(input.len()) } else { end })
    }

    fn start(
        &self,
        input: &[u8],
        span: Range<usize>,
        cache: &mut Cache,
        pay: &mut impl FnMut(u64) -> bool,
    ) -> Result<Option<usize>, OutOfWork> {
        let back = Input::new(input).span(span.clone()).anchored(Anchored::Yes);
        let mut paid = Paid::up_to(cache);
        let first = self.backward.start_state_reverse(cache, &back);
        let (mut state, mut start) = (first.map_err(|_| OutOfWork)?, None);
        for at in span.clone().rev() {
            state = step(&self.backward, cache, state, input[at])?;
            if state.is_match() {
                start = Some(at + 1);
            } else if state.is_dead() {
                return settle(&mut paid, cache, pay).map(|()| start);
            }
            if at % BLOCK_BYTES == 0 {
                settle(&mut paid, cache, pay)?;
            }
        }
        let last = match span.start.checked_sub(1) {
            Some(before) => step(&self.backward, cache, state, input[before])?,
            None => self.backward.next_eoi_state(cache, state).map_err(|_| OutOfWork)?,
        };
        settle(&mut paid, cache, pay)?;
        Ok(if last.is_match() { Some(span.start) } else { start })
    }
}

fn settle(
    paid: &mut Paid,
    cache: &Cache,
    pay: &mut impl FnMut(u64) -> bool,
) -> Result<(), OutOfWork> {
    let work = STATE_BYTE_COST * paid.made(cache);
    if work == 0 || pay(work) { Ok(()) } else { Err(OutOfWork) }
}

/// An automaton gives up only where it was told when to: these are not.
fn step(
    automaton: &DFA,
    cache: &mut Cache,
    state: LazyStateID,
    byte: u8,
) -> Result<LazyStateID, OutOfWork> {
    match automaton.next_state(cache, state, byte) {
        Ok(next) if !next.is_quit() => Ok(next),
        _ => Err(OutOfWork),
    }
}
