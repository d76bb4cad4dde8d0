//! Values that keep coming back (header names, browsers' `User-Agent`, a client's token and cookies), and what is
//! known of them: the row of the prefilter and the answers of operators. An answer depends on the
//! operator and the bytes alone, so one request may learn from another.
//!
//! The tables belong to a thread, have a fixed size and compare values byte for byte. What a
//! transaction spends does not depend on them.

#[cfg(test)]
mod tests;

use std::ops::Range;

/// Places that a value may stand in.
const WAYS: usize = 8;
/// How often a value that came back withstands another that wants its place.
const USES_MAX: u8 = 3;
/// Names, numbers, words: many, and most values are.
const SHORT: Size = Size { entries: 512, value_bytes_max: 120 };
/// Tokens and cookies.
const LONG: Size = Size { entries: 128, value_bytes_max: 2 * 1024 };

/// The values that a thread knows.
#[derive(Debug)]
pub(super) struct Known {
    short: Table,
    long: Table,
}

impl Default for Known {
    fn default() -> Self {
        Self { short: Table::new(SHORT), long: Table::new(LONG) }
    }
}

impl Known {
    /// The longest value that may be known.
    pub(super) const VALUE_BYTES_MAX: usize = LONG.value_bytes_max;

    /// What is known of a value, whose hash is given.
    pub(super) fn recall(&mut self, program: u64, hash: u64, value: &[u8]) -> Option<&mut [u64]> {
        let table = self.table(value).filter(|table| !table.entries.is_empty())?;
        table.recall(hash, program, value)
    }

    /// Keeps what was found out about a value, unless the values in its place are in better use.
    pub(super) fn learn(&mut self, program: u64, hash: u64, value: &[u8], facts: &[u64]) {
        if let Some(table) = self.table(value) {
            table.learn(hash, program, value, facts);
        }
    }

    fn table(&mut self, value: &[u8]) -> Option<&mut Table> {
        let mut tables = [&mut self.short, &mut self.long].into_iter();
        tables.find(|table| value.len() <= table.size.value_bytes_max)
    }
}

#[derive(Debug, Clone, Copy)]
struct Size {
    entries: usize,
    /// The longest value kept.
    value_bytes_max: usize,
}

/// Values of about one size.
#[derive(Debug)]
struct Table {
    size: Size,
    /// Empty until the first value is learned.
    entries: Vec<Entry>,
    /// The value of each entry, in a place as large as the largest.
    values: Vec<u8>,
    /// The facts of each entry, see [`Rows`](super::rows::Rows), `width` words an entry.
    facts: Vec<u64>,
    width: usize,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The rule set that the facts are of.
    program: u64,
    len: u16,
    uses: u8,
}

impl Entry {
    const VACANT: Self = Self { program: 0, len: 0, uses: 0 };
}

impl Table {
    const fn new(size: Size) -> Self {
        Self { size, entries: Vec::new(), values: Vec::new(), facts: Vec::new(), width: 0 }
    }

    fn recall(&mut self, hash: u64, program: u64, value: &[u8]) -> Option<&mut [u64]> {
        let place = self.places(hash).find(|place| self.holds(*place, program, value))?;
        let entry = &mut self.entries[place];
        entry.uses = (entry.uses + 1).min(USES_MAX);
        Some(&mut self.facts[place * self.width..(place + 1) * self.width])
    }

    fn holds(&self, place: usize, program: u64, value: &[u8]) -> bool {
        let entry = &self.entries[place];
        let start = place * self.size.value_bytes_max;
        entry.program == program
            && usize::from(entry.len) == value.len()
            && &self.values[start..start + value.len()] == value
    }

    fn learn(&mut self, hash: u64, program: u64, value: &[u8], facts: &[u64]) {
        if self.width < facts.len() || self.entries.is_empty() {
            self.make_room(facts.len());
        }
        let Ok(len) = u16::try_from(value.len()) else { return };
        let Some(place) = self.places(hash).min_by_key(|place| self.entries[*place].uses) else {
            return;
        };
        let entry = &mut self.entries[place];
        if entry.uses > 0 {
            entry.uses -= 1;
            return;
        }
        *entry = Entry { program, len, uses: 1 };
        self.values[place * self.size.value_bytes_max..][..value.len()].copy_from_slice(value);
        self.facts[place * self.width..][..facts.len()].copy_from_slice(facts);
    }

    /// Forgets everything, for rows of `width` words.
    fn make_room(&mut self, width: usize) {
        let Size { entries, value_bytes_max } = self.size;
        self.entries.clear();
        self.entries.resize(entries, Entry::VACANT);
        self.values.resize(entries * value_bytes_max, 0);
        self.facts.clear();
        self.facts.resize(entries * width, 0);
        self.width = width;
    }

    /// The places where a value may stand.
    fn places(&self, hash: u64) -> Range<usize> {
        let sets = (self.size.entries / WAYS) as u64;
        let set = usize::try_from(hash % sets).unwrap_or(0);
        set * WAYS..(set + 1) * WAYS
    }
}
