//! What is known of a transaction's values: four rows of bits a buffer, one bit an operator.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::buffers::{Buffer, Buffers};
use super::eval::Run;
use crate::bytes::{ByteSet, index};
use crate::plan::Gates;

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
/// From this length on it pays to ask whether a value was looked at in another case.
const TWIN_BYTES_MIN: usize = 512;
const UPPER: ByteSet = ByteSet::range(b'A', b'Z');

/// The rows of all buffers that were looked at.
#[derive(Debug, Default)]
pub(super) struct Rows {
    words: usize,
    bits: Vec<u64>,
    /// Where each buffer's rows begin in `bits`.
    starts: Vec<u32>,
    /// Buffers of which something was found out in this phase.
    answered: Vec<Buffer>,
    /// Long values whose texts were looked for, by their form in lower case and its hash.
    folded: HashTable<(u64, Buffer)>,
    hasher: RandomState,
}

/// The rows of one buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row(usize);

impl Rows {
    /// Nothing known yet, in used memory; `words` is the width of a row.
    pub(super) fn begin(memory: Self, words: usize) -> Self {
        let Self { words: _, mut bits, mut starts, mut answered, mut folded, hasher } = memory;
        bits.clear();
        starts.clear();
        answered.clear();
        folded.clear();
        Self { words, bits, starts, answered, folded, hasher }
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.bits.capacity() * size_of::<u64>()
            + self.starts.capacity() * size_of::<u32>()
            + self.answered.capacity() * size_of::<Buffer>()
            + self.folded.capacity() * size_of::<(u64, Buffer)>()
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

    fn candidates_mut(&mut self, row: Row) -> &mut [u64] {
        &mut self.bits[row.0..row.0 + self.words]
    }

    /// Texts are looked for in any case: what was found in a value is found in one that differs in case alone. Strikes
    /// what the other was asked for from `wanted`.
    fn take_over(
        &mut self,
        value: Buffer,
        row: Row,
        gates: &Gates,
        buffers: &Buffers,
        folded: &[u8],
        wanted: &mut [u64],
    ) {
        let hash = self.hasher.hash_one(folded);
        let same = |twin: &(u64, Buffer)| {
            twin.0 == hash && buffers.bytes(twin.1).eq_ignore_ascii_case(folded)
        };
        let Some((_, twin)) = self.folded.find(hash, same).copied() else {
            self.folded.insert_unique(hash, (hash, value), |twin| twin.0);
            return;
        };
        let Some(Row(twin_row)) = self.find(twin) else { return };
        let mut asked = gates.empty_row();
        let mut unused = gates.empty_row();
        gates.fitting(folded.len(), buffers.present(twin), &mut unused, &mut asked);
        for word in 0..self.words {
            self.bits[row.0 + word] |= self.bits[twin_row + word] & wanted[word];
            wanted[word] &= !asked[word];
        }
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
            self.scan(value, row);
            let (bytes, bits) = (self.state.buffers.bytes(value), &self.state.rows.bits[row.0..]);
            self.known.learn(self.program.id, bytes, &bits[..LASTING * words]);
        }
        Some(row)
    }

    /// Finds the candidates among the operators for a value that nothing is known of.
    fn scan(&mut self, value: Buffer, row: Row) {
        let (gates, state) = (&self.program.gates, &mut *self.state);
        let (buffers, rows, folded) = (&state.buffers, &mut state.rows, &mut state.scratch.folded);
        let (bytes, present) = (buffers.bytes(value), buffers.present(value));
        let mut wanted = gates.empty_row();
        if !gates.fitting(bytes.len(), present, rows.candidates_mut(row), &mut wanted) {
            return;
        }
        folded.clear();
        folded.extend_from_slice(bytes);
        if present.intersects(&UPPER) {
            folded.make_ascii_lowercase();
        }
        if bytes.len() >= TWIN_BYTES_MIN {
            rows.take_over(value, row, gates, buffers, folded, &mut wanted);
        }
        gates.find_texts(folded, &mut wanted, rows.candidates_mut(row));
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
