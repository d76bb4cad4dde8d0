//! Which operators are worth asking about which values, worked out when first needed.

use super::buffers::Buffer;
use super::eval::Run;
use super::gather::{Content, Value};
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::plan::{Link, Program, Target};
use crate::variable::Kind;

const NONE: u32 = u32::MAX;

/// Rows of the prefilter: one a buffer that was looked at, one a group of links.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    words: usize,
    rows: Vec<u64>,
    /// Where each buffer's row begins in `rows`.
    starts: Vec<u32>,
    groups: Rows,
    sets: Rows,
    /// Ask everything: what the prefilter is compared with.
    exhaustive: bool,
}

impl Candidates {
    /// Nothing looked at yet, in used memory.
    pub(super) fn begin(memory: Self, program: &Program) -> Self {
        let Self { words: _, mut rows, mut starts, groups, sets, exhaustive: _ } = memory;
        let words = program.gates.words();
        rows.clear();
        starts.clear();
        Self {
            words,
            rows,
            starts,
            groups: Rows::begin(groups, program.groups.len(), words),
            sets: Rows::begin(sets, program.groups.sets_len(), words),
            exhaustive: false,
        }
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        let rows = [&self.rows, &self.groups.bits, &self.sets.bits];
        let words: usize = rows.iter().map(|rows| rows.capacity()).sum();
        words * size_of::<u64>() + self.starts.capacity() * size_of::<u32>()
    }

    pub(super) fn set_exhaustive(&mut self) {
        self.exhaustive = true;
    }

    /// The stores changed: what was worked out for groups of their values no longer holds.
    pub(super) fn forget_groups(&mut self) {
        self.groups.ready.clear();
        self.sets.ready.clear();
    }
}

/// Rows that are worked out one by one and forgotten together.
#[derive(Debug, Default)]
struct Rows {
    bits: Vec<u64>,
    ready: BitSet,
}

impl Rows {
    fn begin(memory: Self, len: usize, words: usize) -> Self {
        let Self { mut bits, mut ready } = memory;
        bits.resize(len * words, 0);
        ready.clear();
        Self { bits, ready }
    }
}

impl Run<'_> {
    /// The operator might match this value.
    pub(super) fn is_candidate(&mut self, operator: u32, value: Buffer) -> bool {
        if self.state.candidates.exhaustive {
            return true;
        }
        let start = self.row(value);
        self.state.candidates.rows[start + operator as usize / 64] & (1 << (operator % 64)) != 0
    }

    /// Some value of the link might match its operator.
    pub(super) fn is_candidate_link(&mut self, link: &Link) -> bool {
        let Some(set) = link.groups.filter(|_| !self.state.candidates.exhaustive) else {
            return true;
        };
        let (word, bit) = (link.operator as usize / 64, 1 << (link.operator % 64));
        let start = self.set(set);
        self.state.candidates.sets.bits[start + word] & bit != 0
            || link.loose.iter().any(|at| self.is_candidate_target(link, &link.targets[*at]))
    }

    /// Some value of a target that no group stands for might match the link's operator.
    fn is_candidate_target(&mut self, link: &Link, target: &Target) -> bool {
        if target.count || target.variable.kind == Kind::Rule {
            return true;
        }
        let mut values = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        self.gather_target(0, target, &mut values);
        let found = values.iter().any(|value| {
            let value = self.buffer(value.content);
            link.nodes().iter().any(|node| {
                let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
                let value = self.state.buffers.transformed(value, *node, transforms, budget);
                self.is_candidate(link.operator, value)
            })
        });
        self.state.scratch.values = values;
        found
    }

    /// Start of the row of a buffer, which is scanned when this is the first time.
    fn row(&mut self, value: Buffer) -> usize {
        let state = &mut *self.state;
        let candidates = &mut state.candidates;
        if candidates.starts.len() <= value.index() {
            candidates.starts.resize(value.index() + 1, NONE);
        }
        if candidates.starts[value.index()] == NONE {
            let start = candidates.rows.len();
            candidates.starts[value.index()] = index(start);
            candidates.rows.resize(start + candidates.words, 0);
            let bytes = state.buffers.bytes(value);
            state.budget.charge(bytes.len() as u64);
            self.program.gates.row(
                bytes,
                state.buffers.present(value),
                &mut candidates.rows[start..],
            );
        }
        candidates.starts[value.index()] as usize
    }

    /// Start of the row of a set: the union of its groups' rows.
    fn set(&mut self, set: u32) -> usize {
        let words = self.state.candidates.words;
        let start = set as usize * words;
        if self.state.candidates.sets.ready.contains(set) {
            return start;
        }
        self.state.candidates.sets.ready.insert(set);
        self.state.candidates.sets.bits[start..start + words].fill(0);
        for group in self.program.groups.set(set) {
            let row = self.group(*group);
            let candidates = &mut self.state.candidates;
            for word in 0..words {
                candidates.sets.bits[start + word] |= candidates.groups.bits[row + word];
            }
        }
        start
    }

    /// Start of the row of a group: the union of its values' rows.
    fn group(&mut self, group: u32) -> usize {
        let words = self.state.candidates.words;
        let start = group as usize * words;
        if self.state.candidates.groups.ready.contains(group) {
            return start;
        }
        self.state.candidates.groups.ready.insert(group);
        self.state.candidates.groups.bits[start..start + words].fill(0);
        let group = self.program.groups.get(group);
        let mut values: Vec<Value> = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        self.gather_target(0, &group.target, &mut values);
        for value in &values {
            let Content::Buffer(value) = value.content else { continue };
            let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
            let value = self.state.buffers.transformed(value, group.node, transforms, budget);
            let row = self.row(value);
            let candidates = &mut self.state.candidates;
            for word in 0..words {
                candidates.groups.bits[start + word] |= candidates.rows[row + word];
            }
        }
        self.state.scratch.values = values;
        start
    }
}
