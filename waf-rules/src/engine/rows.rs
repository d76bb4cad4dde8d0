//! What is known of a transaction's values: four rows of bits a buffer, one bit an operator.

use super::buffers::Buffer;
use super::eval::Run;
use crate::bytes::index;

/// Bits of a buffer, by what they say of an operator.
#[derive(Debug, Clone, Copy)]
enum Fact {
    /// The prefilter lets it pass: it might match.
    Candidate,
    /// It was asked and does not match.
    Refuted,
    /// It was asked and matches.
    Affirmed,
    /// The question was paid for in this transaction.
    Paid,
}

/// Work of the prefilter, and of each byte.
const SCAN_COST: u64 = 400;
const SCAN_BYTE_COST: u64 = 2;
/// Rows a buffer, and how many of them are true in every transaction. Behind them a word says whether the thread is
/// still to be told of an answer.
const FACTS: usize = 4;
const LASTING: usize = 3;
const NONE: u32 = u32::MAX;

/// The rows of all buffers that were looked at.
#[derive(Debug, Default)]
pub(super) struct Rows {
    words: usize,
    bits: Vec<u64>,
    /// Where each buffer's rows begin in `bits`.
    starts: Vec<u32>,
    /// Buffers of which something was found out in this phase.
    answered: Vec<Buffer>,
}

/// The rows of one buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row(usize);

impl Rows {
    /// Nothing known yet, in used memory; `words` is the width of a row.
    pub(super) fn begin(memory: Self, words: usize) -> Self {
        let Self { words: _, mut bits, mut starts, mut answered } = memory;
        bits.clear();
        starts.clear();
        answered.clear();
        Self { words, bits, starts, answered }
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.bits.capacity() * size_of::<u64>()
            + self.starts.capacity() * size_of::<u32>()
            + self.answered.capacity() * size_of::<Buffer>()
    }

    /// Candidates among a set of operators, one word of it.
    pub(super) fn candidates(&self, row: Row, word: usize) -> u64 {
        self.bits[row.0 + word]
    }

    /// Whether any of a set of operators is a candidate.
    pub(super) fn meets(&self, row: Row, operators: &[u64]) -> bool {
        self.bits[row.0..].iter().zip(operators).any(|(bits, operators)| bits & operators != 0)
    }

    pub(super) fn is_candidate(&self, row: Row, operator: u32) -> bool {
        self.has(row, Fact::Candidate, operator)
    }

    /// The operator will not be asked about the value.
    pub(super) fn forgo(&mut self, row: Row, operator: u32) {
        let (word, bit) = place(Fact::Candidate, self.words, operator);
        self.bits[row.0 + word] &= !bit;
    }

    /// What the operator said of the value, if it was asked.
    pub(super) fn answer(&self, row: Row, operator: u32) -> Option<bool> {
        if self.has(row, Fact::Refuted, operator) {
            return Some(false);
        }
        self.has(row, Fact::Affirmed, operator).then_some(true)
    }

    /// Notes that the question is paid for; false if it was already.
    pub(super) fn pays(&mut self, row: Row, operator: u32) -> bool {
        let (word, bit) = place(Fact::Paid, self.words, operator);
        let paid = &mut self.bits[row.0 + word];
        let first = *paid & bit == 0;
        *paid |= bit;
        first
    }

    fn note(&mut self, row: Row, value: Buffer, fact: Fact, operator: u32) {
        let (word, bit) = place(fact, self.words, operator);
        self.bits[row.0 + word] |= bit;
        let noted = &mut self.bits[row.0 + FACTS * self.words];
        if *noted == 0 {
            *noted = 1;
            self.answered.push(value);
        }
    }

    fn has(&self, row: Row, fact: Fact, operator: u32) -> bool {
        let (word, bit) = place(fact, self.words, operator);
        self.bits[row.0 + word] & bit != 0
    }

    fn find(&self, value: Buffer) -> Option<Row> {
        let start = self.starts.get(value.index()).filter(|start| **start != NONE);
        start.map(|start| Row(*start as usize))
    }

    fn add(&mut self, value: Buffer) -> (Row, &mut [u64]) {
        let start = self.bits.len();
        if self.starts.len() <= value.index() {
            self.starts.resize(value.index() + 1, NONE);
        }
        self.starts[value.index()] = index(start);
        self.bits.resize(start + FACTS * self.words + 1, 0);
        (Row(start), &mut self.bits[start..])
    }
}

impl Run<'_> {
    /// The rows of a buffer. The first time it is recalled or scanned, as long as there is work left.
    pub(super) fn row(&mut self, value: Buffer) -> Option<Row> {
        let found = self.state.rows.find(value);
        if found.is_some() {
            return found;
        }
        let state = &mut *self.state;
        let bytes = state.buffers.bytes(value);
        if !state.budget.afford(SCAN_COST + SCAN_BYTE_COST * bytes.len() as u64) {
            return None;
        }
        let words = state.rows.words;
        let (row, bits) = state.rows.add(value);
        if let Some(facts) = self.known.recall(self.program.id, bytes) {
            let known = facts.len().min(bits.len());
            bits[..known].copy_from_slice(&facts[..known]);
        } else {
            let (present, scratch) = (state.buffers.present(value), &mut state.scratch.lower);
            self.program.gates.row(bytes, present, scratch, &mut bits[..words]);
            self.known.learn(self.program.id, bytes, &bits[..LASTING * words]);
        }
        Some(row)
    }

    /// Remembers what an operator without macros said of a value, for this request and others.
    pub(super) fn remember(&mut self, row: Row, value: Buffer, operator: u32, answer: bool) {
        let fact = if answer { Fact::Affirmed } else { Fact::Refuted };
        self.state.rows.note(row, value, fact, operator);
    }

    /// Tells the thread what was found out in a phase, all that concerns a value at once.
    pub(super) fn hand_on_answers(&mut self) {
        let state = &mut *self.state;
        let words = state.rows.words;
        while let Some(value) = state.rows.answered.pop() {
            let Some(row) = state.rows.find(value) else { continue };
            state.rows.bits[row.0 + FACTS * words] = 0;
            if let Some(facts) = self.known.recall(self.program.id, state.buffers.bytes(value)) {
                let answers = &state.rows.bits[row.0..][words..LASTING * words];
                facts[words..].iter_mut().zip(answers).for_each(|(fact, answer)| *fact |= answer);
            }
        }
    }
}

/// Word and bit of a fact, from the start of a buffer's rows.
fn place(fact: Fact, words: usize, operator: u32) -> (usize, u64) {
    (fact as usize * words + operator as usize / 64, 1 << (operator % 64))
}
