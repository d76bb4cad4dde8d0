//! Which operators are worth asking about which values, worked out when first needed.

use super::buffers::Buffer;
use super::eval::Run;
use super::gather::{Content, Value};
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::plan::{Link, Program};

const NONE: u32 = u32::MAX;

/// Rows of the prefilter: one a buffer that was looked at, one a group of links.
#[derive(Debug)]
pub(super) struct Candidates {
    words: usize,
    rows: Vec<u64>,
    /// Where each buffer's row begins in `rows`.
    starts: Vec<u32>,
    groups: Vec<u64>,
    ready: BitSet,
    /// Ask everything: what the prefilter is compared with.
    exhaustive: bool,
}

impl Candidates {
    pub(super) fn new(program: &Program) -> Self {
        let words = program.gates.words();
        Self {
            words,
            rows: Vec::new(),
            starts: Vec::new(),
            groups: vec![0; program.groups.len() * words],
            ready: BitSet::with_len(program.groups.len()),
            exhaustive: false,
        }
    }

    pub(super) fn set_exhaustive(&mut self) {
        self.exhaustive = true;
    }

    /// The stores changed: what was worked out for groups of their values no longer holds.
    pub(super) fn forget_groups(&mut self) {
        self.ready.clear();
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
        if link.groups.is_empty() || self.state.candidates.exhaustive {
            return true;
        }
        let (word, bit) = (link.operator as usize / 64, 1 << (link.operator % 64));
        link.groups.iter().any(|group| {
            let start = self.group(*group);
            self.state.candidates.groups[start + word] & bit != 0
        })
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

    /// Start of the row of a group: the union of its values' rows.
    fn group(&mut self, group: u32) -> usize {
        let words = self.state.candidates.words;
        let start = group as usize * words;
        if self.state.candidates.ready.contains(group) {
            return start;
        }
        self.state.candidates.ready.insert(group);
        self.state.candidates.groups[start..start + words].fill(0);
        let group = self.program.groups.get(group);
        let mut values: Vec<Value> = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        self.gather_target(0, &group.target, &mut values);
        for value in &values {
            let Content::Buffer(value) = value.content else { continue };
            let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
            let value = self.state.buffers.transformed(value, group.node, transforms, budget);
            let row = self.row(value);
            for word in 0..words {
                self.state.candidates.groups[start + word] |=
                    self.state.candidates.rows[row + word];
            }
        }
        self.state.scratch.values = values;
        start
    }
}
