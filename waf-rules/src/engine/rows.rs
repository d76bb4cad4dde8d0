//! What is known of a transaction's values: five rows of bits a buffer, one bit an operator.
//!
//! A value is looked at in two steps. Its length and its bytes rule most operators out at once; texts are looked for
//! in it only when an operator that needs one comes to be asked, and then for all of them. Half of the values of a
//! hostile request are seen by rules alone that need none.

use std::hash::BuildHasher;
use std::iter;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::buffers::{Buffer, Buffers};
use super::eval::Run;
use super::known::Known;
use super::state::State;
use crate::bytes::{ByteSet, index};

/// Bits of a buffer, by what they say of an operator.
#[derive(Debug, Clone, Copy)]
enum Fact {
    /// The question was paid for in this transaction.
    Paid,
    /// The prefilter lets it pass: it might match.
    Candidate,
    /// It might match if the value held one of its texts.
    Sought,
    /// It was asked and does not match.
    Refuted,
    /// It was asked and matches.
    Affirmed,
}

/// Rows a buffer. All but the first are true in every transaction, and so is the word behind them: the work of
/// looking for texts, or [`UNSEARCHED`]. Then stand two words that are true here alone: whether the value was searched
/// (and that paid for), and whether the thread is still to be told of something.
const FACTS: usize = 5;
const OTHER_WORDS: usize = 3;
const UNSEARCHED: u64 = u64::MAX;
/// Places of the two, behind the rows and the work.
const SEARCHED: usize = 1;
const NEWS: usize = 2;

/// Work of looking at a value, and at each different byte in it.
const ROW_COST: u64 = 260;
const PRESENT_COST: u64 = 2;
/// Work of looking for texts, beyond that of its bytes; what may stand there is paid for place by place.
const SEARCH_COST: u64 = 400;
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
    news: Vec<Buffer>,
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
        let Self { words: _, mut bits, mut starts, mut news, mut folded, hasher } = memory;
        bits.clear();
        starts.clear();
        news.clear();
        folded.clear();
        Self { words, bits, starts, news, folded, hasher }
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.bits.capacity() * size_of::<u64>()
            + self.starts.capacity() * size_of::<u32>()
            + self.news.capacity() * size_of::<Buffer>()
            + self.folded.capacity() * size_of::<(u64, Buffer)>()
    }

    /// Candidates, one word of them.
    pub(super) fn candidates(&self, row: Row, word: usize) -> u64 {
        self.of(row, Fact::Candidate)[word]
    }

    /// Whether any of a set of operators is a candidate, or may become one.
    pub(super) fn meets(&self, row: Row, operators: &[u64]) -> bool {
        common(self.of(row, Fact::Candidate), operators) || self.waits(row, operators)
    }

    /// Whether it takes a search to know which of a set of operators are candidates.
    fn waits(&self, row: Row, operators: &[u64]) -> bool {
        !self.is_searched(row) && common(self.of(row, Fact::Sought), operators)
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
        self.tell(row, value);
    }

    /// The thread is to be told of the value.
    fn tell(&mut self, row: Row, value: Buffer) {
        let is_told = &mut self.bits[row.0 + FACTS * self.words + NEWS];
        if *is_told == 0 {
            *is_told = 1;
            self.news.push(value);
        }
    }

    fn has(&self, row: Row, fact: Fact, operator: u32) -> bool {
        let (word, bit) = place(fact, self.words, operator);
        self.bits[row.0 + word] & bit != 0
    }

    fn of(&self, row: Row, fact: Fact) -> &[u64] {
        &self.bits[row.0 + fact as usize * self.words..][..self.words]
    }

    /// Candidates, and who seeks a text.
    fn gated_mut(&mut self, row: Row) -> (&mut [u64], &mut [u64]) {
        let both = &mut self.bits[row.0 + Fact::Candidate as usize * self.words..];
        both[..2 * self.words].split_at_mut(self.words)
    }

    /// What is true of a value in every transaction.
    fn lasting(&mut self, row: Row) -> &mut [u64] {
        &mut self.bits[row.0 + self.words..][..(FACTS - 1) * self.words + 1]
    }

    /// The work of looking for texts in a value.
    fn search_work(&mut self, row: Row) -> &mut u64 {
        &mut self.bits[row.0 + FACTS * self.words]
    }

    fn is_searched(&self, row: Row) -> bool {
        self.bits[row.0 + FACTS * self.words + SEARCHED] != 0
    }

    fn set_searched(&mut self, row: Row) {
        self.bits[row.0 + FACTS * self.words + SEARCHED] = 1;
    }

    /// Texts are looked for in any case: what was found in a value is found in one that differs in case alone. Strikes
    /// what the other was asked for from `sought`.
    fn take_over(
        &mut self,
        value: Buffer,
        row: Row,
        buffers: &Buffers,
        folded: &[u8],
        sought: &mut [u64],
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
        for (word, sought) in sought.iter_mut().enumerate() {
            let found = self.candidates(twin_row, word) & *sought;
            self.gated_mut(row).0[word] |= found;
            *sought &= !self.of(twin_row, Fact::Sought)[word];
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
        let row = Row(start);
        *self.search_work(row) = UNSEARCHED;
        row
    }
}

impl Run<'_> {
    /// The rows of a buffer, as far as they say whether an operator is a candidate.
    pub(super) fn row_for(&mut self, value: Buffer, operator: u32) -> Option<Row> {
        let row = self.row(value)?;
        let rows = &self.state.rows;
        let waits = !rows.is_searched(row) && rows.has(row, Fact::Sought, operator);
        (!waits || self.search(value, row)).then_some(row)
    }

    /// The rows of a buffer, as far as they say which of a set of operators are candidates.
    pub(super) fn row_for_all(&mut self, value: Buffer, operators: &[u64]) -> Option<Row> {
        let row = self.row(value)?;
        (!self.state.rows.waits(row, operators) || self.search(value, row)).then_some(row)
    }

    /// The rows of a buffer. The first time they are recalled, or made of its length and its bytes, as long as there
    /// is work left.
    pub(super) fn row(&mut self, value: Buffer) -> Option<Row> {
        let State { buffers, budget, rows, .. } = &mut *self.state;
        let found = rows.find(value);
        if found.is_some() {
            return found;
        }
        let (bytes, present) = (buffers.bytes(value), buffers.present(value));
        if !budget.afford(ROW_COST + PRESENT_COST * u64::from(present.len())) {
            return None;
        }
        let row = rows.add(value);
        if let Some(facts) = self.known.recall(self.program.id, buffers.hash(value), bytes) {
            let own = rows.lasting(row);
            own.copy_from_slice(&facts[..own.len()]);
        } else {
            let (candidates, sought) = rows.gated_mut(row);
            self.program.gates.fitting(bytes.len(), present, candidates, sought);
            rows.tell(row, value);
        }
        Some(row)
    }

    /// Looks for the texts that operators seek in a value, or recalls which were found; false if there was not enough
    /// work left. What is not known then must not be taken for a no.
    fn search(&mut self, value: Buffer, row: Row) -> bool {
        let State { buffers, budget, rows, scratch, .. } = &mut *self.state;
        let (bytes, present) = (buffers.bytes(value), buffers.present(value));
        if !budget.afford(SEARCH_COST + bytes.len() as u64 * 3 / 2) {
            return false;
        }
        let recalled = *rows.search_work(row);
        if recalled != UNSEARCHED {
            let paid = budget.afford(recalled);
            if paid {
                rows.set_searched(row);
            }
            return paid;
        }
        let folded = &mut scratch.folded;
        folded.clear();
        folded.extend_from_slice(bytes);
        if present.intersects(&UPPER) {
            folded.make_ascii_lowercase();
        }
        let gates = &self.program.gates;
        let mut sought = gates.empty_row();
        sought.copy_from_slice(rows.of(row, Fact::Sought));
        if bytes.len() >= TWIN_BYTES_MIN {
            rows.take_over(value, row, buffers, folded, &mut sought);
        }
        let mut spent = 0;
        let pay = |work| {
            spent += work;
            budget.afford(work)
        };
        if !gates.find_texts(folded, &mut sought, rows.gated_mut(row).0, pay) {
            return false;
        }
        *rows.search_work(row) = spent;
        rows.set_searched(row);
        rows.tell(row, value);
        true
    }

    /// Remembers what an operator without macros said of a value, for this request and others.
    pub(super) fn remember(&mut self, row: Row, value: Buffer, operator: u32, answer: bool) {
        let fact = if answer { Fact::Affirmed } else { Fact::Refuted };
        self.state.rows.note(row, value, fact, operator);
    }

    /// Tells the thread what was found out in a phase, all that concerns a value at once.
    pub(super) fn hand_on_news(&mut self) {
        let State { buffers, rows, .. } = &mut *self.state;
        while let Some(value) = rows.news.pop() {
            let Some(row) = rows.find(value) else { continue };
            rows.bits[row.0 + FACTS * rows.words + NEWS] = 0;
            let (hash, bytes) = (buffers.hash(value), buffers.bytes(value));
            let own = rows.lasting(row);
            match self.known.recall(self.program.id, hash, bytes) {
                Some(facts) => merge(&mut facts[..own.len()], own),
                None => self.known.learn(self.program.id, hash, bytes, own),
            }
        }
    }
}

/// Adds what one transaction knows of a value to what others do: bits are only ever set, and the work of a search, the
/// last word, is less than [`UNSEARCHED`].
fn merge(facts: &mut [u64], own: &[u64]) {
    if let ([facts @ .., work], [own @ .., own_work]) = (facts, own) {
        facts.iter_mut().zip(own).for_each(|(fact, own)| *fact |= own);
        *work = (*work).min(*own_work);
    }
}

fn common(bits: &[u64], others: &[u64]) -> bool {
    bits.iter().zip(others).any(|(bits, others)| bits & others != 0)
}

/// Word and bit of a fact, from the start of a buffer's rows.
fn place(fact: Fact, words: usize, operator: u32) -> (usize, u64) {
    (fact as usize * words + operator as usize / 64, 1 << (operator % 64))
}
