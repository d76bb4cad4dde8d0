//! What is known of a transaction's values: four rows of bits a buffer, one bit an operator.

use std::hash::BuildHasher;
use std::iter;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::buffers::{Buffer, Buffers};
use super::eval::Run;
use super::known::Known;
use super::state::State;
use crate::bytes::{ByteSet, index};
use crate::plan::Gates;

/// Bits of a buffer, by what they say of an operator.
#[derive(Debug, Clone, Copy)]
enum Fact {
    /// The question was paid for in this transaction.
    Paid,
    /// The prefilter lets it pass: it might match.
    Candidate,
    /// It was asked and does not match.
    Refuted,
    /// It was asked and matches.
    Affirmed,
}

/// Rows a buffer. All but the first are true in every transaction, and so is the word behind them: the work of
/// looking for texts. In one more word stands whether the thread is still to be told of an answer.
const FACTS: usize = 4;
const OTHER_WORDS: usize = 2;

/// Work of looking at a value: of each different byte in it, and the bytes that take one more. What is found there is
/// paid for one by one.
const SCAN_COST: u64 = 80;
const PRESENT_COST: u64 = 6;
const SCAN_BYTES: u64 = 2;
const NONE: u32 = u32::MAX;
/// From this length on it pays to ask whether a value was looked at in another case. No shorter than what is recalled:
/// work must not depend on what the thread has seen.
const TWIN_BYTES_MIN: usize = Known::VALUE_BYTES_MAX + 1;
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
        self.all_candidates(row)[word]
    }

    /// Whether any of a set of operators is a candidate.
    pub(super) fn meets(&self, row: Row, operators: &[u64]) -> bool {
        let candidates = self.all_candidates(row).iter();
        candidates.zip(operators).any(|(bits, operators)| bits & operators != 0)
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

    /// Operators whose question is paid for and was not put yet.
    pub(super) fn unanswered(&self, row: Row) -> impl Iterator<Item = u32> {
        let of =
            move |fact: Fact, word: usize| self.bits[row.0 + fact as usize * self.words + word];
        (0..self.words).flat_map(move |word| {
            let answered = of(Fact::Refuted, word) | of(Fact::Affirmed, word);
            let mut bits = of(Fact::Paid, word) & of(Fact::Candidate, word) & !answered;
            iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(index(word * 64) + bit)
            })
        })
    }

    fn note(&mut self, row: Row, value: Buffer, fact: Fact, operator: u32) {
        let (word, bit) = place(fact, self.words, operator);
        self.bits[row.0 + word] |= bit;
        let noted = &mut self.bits[row.0 + FACTS * self.words + 1];
        if *noted == 0 {
            *noted = 1;
            self.answered.push(value);
        }
    }

    fn has(&self, row: Row, fact: Fact, operator: u32) -> bool {
        let (word, bit) = place(fact, self.words, operator);
        self.bits[row.0 + word] & bit != 0
    }

    fn all_candidates(&self, row: Row) -> &[u64] {
        &self.bits[row.0 + self.words..][..self.words]
    }

    fn candidates_mut(&mut self, row: Row) -> &mut [u64] {
        &mut self.bits[row.0 + self.words..][..self.words]
    }

    /// What is true of a value in every transaction.
    fn lasting(&mut self, row: Row) -> &mut [u64] {
        &mut self.bits[row.0 + self.words..][..(FACTS - 1) * self.words + 1]
    }

    /// The work of looking for texts in a value, so far.
    fn scan_work(&mut self, row: Row) -> &mut u64 {
        &mut self.bits[row.0 + FACTS * self.words]
    }

    /// Takes back the rows that were added last.
    fn drop_last(&mut self, value: Buffer, row: Row) {
        self.starts[value.index()] = NONE;
        self.bits.truncate(row.0);
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
        let Some(twin_row) = self.find(twin) else { return };
        let mut asked = gates.empty_row();
        let mut unused = gates.empty_row();
        gates.fitting(folded.len(), buffers.present(twin), &mut unused, &mut asked);
        for word in 0..self.words {
            let found = self.candidates(twin_row, word) & wanted[word];
            self.candidates_mut(row)[word] |= found;
            wanted[word] &= !asked[word];
        }
    }

    fn find(&self, value: Buffer) -> Option<Row> {
        let start = self.starts.get(value.index()).filter(|start| **start != NONE);
        start.map(|start| Row(*start as usize))
    }

    fn add(&mut self, value: Buffer) -> Row {
        let start = self.bits.len();
        if self.starts.len() <= value.index() {
            self.starts.resize(value.index() + 1, NONE);
        }
        self.starts[value.index()] = index(start);
        self.bits.resize(start + FACTS * self.words + OTHER_WORDS, 0);
        Row(start)
    }
}

impl Run<'_> {
    /// The rows of a buffer. The first time it is recalled or scanned, as long as there is work left.
    pub(super) fn row(&mut self, value: Buffer) -> Option<Row> {
        let found = self.state.rows.find(value);
        if found.is_some() {
            return found;
        }
        let State { buffers, budget, rows, .. } = &mut *self.state;
        let bytes = buffers.bytes(value);
        let present = u64::from(buffers.present(value).len());
        let work = SCAN_COST + PRESENT_COST * present + bytes.len() as u64 / SCAN_BYTES;
        if !budget.afford(work) {
            return None;
        }
        let row = rows.add(value);
        let recalled =
            self.known.recall(self.program.id, buffers.hash(value), bytes).map(|facts| {
                let lasting = rows.lasting(row);
                lasting.iter_mut().zip(facts).for_each(|(own, known)| *own = *known);
            });
        let paid = if recalled.is_some() {
            budget.afford(*rows.scan_work(row))
        } else {
            self.scan(value, row)
        };
        if !paid {
            // What is not known of it must not be taken for a no.
            self.state.rows.drop_last(value, row);
            return None;
        }
        if recalled.is_none() {
            let State { buffers, rows, .. } = &mut *self.state;
            let (hash, bytes) = (buffers.hash(value), buffers.bytes(value));
            self.known.learn(self.program.id, hash, bytes, rows.lasting(row));
        }
        Some(row)
    }

    /// Finds the candidates among the operators for a value that nothing is known of; false if there was not enough
    /// work left.
    fn scan(&mut self, value: Buffer, row: Row) -> bool {
        let (gates, state) = (&self.program.gates, &mut *self.state);
        let (buffers, rows, folded) = (&state.buffers, &mut state.rows, &mut state.scratch.folded);
        let (bytes, present) = (buffers.bytes(value), buffers.present(value));
        let mut wanted = gates.empty_row();
        if !gates.fitting(bytes.len(), present, rows.candidates_mut(row), &mut wanted) {
            return true;
        }
        folded.clear();
        folded.extend_from_slice(bytes);
        if present.intersects(&UPPER) {
            folded.make_ascii_lowercase();
        }
        if bytes.len() >= TWIN_BYTES_MIN {
            rows.take_over(value, row, gates, buffers, folded, &mut wanted);
        }
        let mut spent = 0;
        let pay = |work| {
            spent += work;
            state.budget.afford(work)
        };
        let found = gates.find_texts(folded, &mut wanted, rows.candidates_mut(row), pay);
        *rows.scan_work(row) = spent;
        found
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
            state.rows.bits[row.0 + FACTS * words + 1] = 0;
            let (hash, bytes) = (state.buffers.hash(value), state.buffers.bytes(value));
            if let Some(facts) = self.known.recall(self.program.id, hash, bytes) {
                let answers = &state.rows.bits[row.0..][2 * words..FACTS * words];
                facts[words..].iter_mut().zip(answers).for_each(|(fact, answer)| *fact |= answer);
            }
        }
    }
}

/// Word and bit of a fact, from the start of a buffer's rows.
fn place(fact: Fact, words: usize, operator: u32) -> (usize, u64) {
    (fact as usize * words + operator as usize / 64, 1 << (operator % 64))
}
