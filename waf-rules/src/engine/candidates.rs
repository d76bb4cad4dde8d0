//! Which operators are worth asking about which values, and so which rules a phase has to walk.

use super::ask::ASK_COST;
use super::buffers::Buffer;
use super::eval::Run;
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::operator::Operator;
use crate::plan::Program;
use crate::plan::course::{Lane, List, Look};
use crate::variable::Kind;

const NONE: u32 = u32::MAX;

/// Rows of the prefilter, one a buffer that was looked at, and what they amount to.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    words: usize,
    rows: Vec<u64>,
    /// Where each buffer's row begins in `rows`.
    starts: Vec<u32>,
    /// Places of the running phase that are walked.
    awake: BitSet,
    /// Ask everything: what the prefilter is compared with.
    exhaustive: bool,
}

impl Candidates {
    /// Nothing looked at yet, in used memory.
    pub(super) fn begin(memory: Self, program: &Program) -> Self {
        let Self { words: _, mut rows, mut starts, awake, exhaustive: _ } = memory;
        rows.clear();
        starts.clear();
        Self { words: program.gates.words(), rows, starts, awake, exhaustive: false }
    }

    pub(super) fn set_exhaustive(&mut self) {
        self.exhaustive = true;
    }

    pub(super) fn is_exhaustive(&self) -> bool {
        self.exhaustive
    }

    /// The first place to walk from `place` on.
    pub(super) fn next(&self, place: u32) -> Option<u32> {
        self.awake.next(place)
    }

    /// Everything from `place` on is walked.
    pub(super) fn wake_from(&mut self, place: u32, places: usize) {
        (place..index(places)).for_each(|place| self.awake.insert(place));
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.rows.capacity() * size_of::<u64>() + self.starts.capacity() * size_of::<u32>()
    }

    /// Start of a buffer's row, if it has one.
    fn start(&self, value: Buffer) -> Option<usize> {
        self.starts.get(value.index()).filter(|start| **start != NONE).map(|start| *start as usize)
    }
}

impl Run<'_> {
    /// Looks at the values of a phase and finds the places to walk.
    pub(super) fn wake(&mut self, lane: &Lane, places: usize) {
        self.state.candidates.awake.clone_from(&lane.always);
        if self.state.candidates.exhaustive {
            return self.state.candidates.wake_from(0, places);
        }
        for look in &lane.looks {
            self.look(look);
        }
    }

    fn look(&mut self, look: &Look) {
        let (stores, names) = match look.target.variable.kind {
            Kind::Values(stores) => (stores, false),
            Kind::Names(stores) => (stores, true),
            _ => return,
        };
        for store in stores {
            for at in 0..self.state.stores.get(*store).len() {
                let entry = self.state.stores.get(*store)[at];
                if self.accepts(&look.target.matcher, entry.key) {
                    self.look_at(look, if names { entry.key } else { entry.value });
                }
            }
        }
    }

    /// One value behind every list of a look. Most lists leave most values alone: they are answered
    /// together, and seldom with yes.
    fn look_at(&mut self, look: &Look, value: Buffer) {
        let plain = self.row(value).is_some_and(|row| self.meets(row, &look.operators));
        for list in &look.lists {
            let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
            let output = self.state.buffers.transformed(value, list.node, transforms, budget);
            if (plain || output != value)
                && let Some(row) = self.row(output)
            {
                self.wake_behind(list, output, row);
            }
        }
    }

    fn meets(&self, row: usize, operators: &[u64]) -> bool {
        let row = &self.state.candidates.rows[row..];
        row.iter().zip(operators).any(|(row, operators)| row & operators != 0)
    }

    /// Wakes the rules whose operator might match. Their question is paid for here: what is spent
    /// depends on the request alone, not on how the rules before them went.
    fn wake_behind(&mut self, list: &List, value: Buffer, row: usize) {
        for (word, operators) in list.operators.iter().enumerate() {
            let mut hits = self.state.candidates.rows[row + word] & operators;
            while hits != 0 && !self.state.budget.is_exhausted() {
                let operator = index(word * 64) + hits.trailing_zeros();
                hits &= hits - 1;
                self.charge(&self.program.operators[operator as usize], value);
                for place in list.wakes(operator) {
                    self.state.candidates.awake.insert(place);
                }
            }
        }
    }

    /// Charges a question.
    pub(super) fn charge(&mut self, operator: &Operator, value: Buffer) {
        let bytes = self.state.buffers.bytes(value).len() as u64;
        self.state.budget.charge(ASK_COST + bytes * operator.cost());
    }

    /// The operator might match this value. What there was no work left to look at is no candidate.
    pub(super) fn is_candidate(&mut self, operator: u32, value: Buffer) -> bool {
        self.state.candidates.exhaustive
            || self.row(value).is_some_and(|row| {
                self.state.candidates.rows[row + operator as usize / 64] & (1 << (operator % 64))
                    != 0
            })
    }

    /// Start of the row of a buffer, which is scanned the first time, as long as there is work left.
    fn row(&mut self, value: Buffer) -> Option<usize> {
        let found = self.state.candidates.start(value);
        if found.is_some() || self.state.budget.is_exhausted() {
            return found;
        }
        let state = &mut *self.state;
        let candidates = &mut state.candidates;
        let start = candidates.rows.len();
        if candidates.starts.len() <= value.index() {
            candidates.starts.resize(value.index() + 1, NONE);
        }
        candidates.starts[value.index()] = index(start);
        candidates.rows.resize(start + candidates.words, 0);
        let bytes = state.buffers.bytes(value);
        state.budget.charge(bytes.len() as u64);
        let row = &mut candidates.rows[start..];
        self.program.gates.row(bytes, state.buffers.present(value), row);
        Some(start)
    }
}
