//! Short values that keep coming back (header names, browsers' `User-Agent`, `Accept`), and what is
//! known of them: the row of the prefilter and the answers of operators. An answer depends on the
//! operator and the bytes alone, so one request may learn from another.
//!
//! The table belongs to a thread, has a fixed size and compares values byte for byte. What a
//! transaction spends does not depend on it.

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::ops::Range;

use foldhash::fast::RandomState;

/// Values kept.
const ENTRIES: usize = 512;
/// Places that a value may stand in.
const WAYS: usize = 8;
/// The longest value kept, in bytes.
const VALUE_BYTES_MAX: usize = 120;
/// How often a value that came back withstands another that wants its place.
const USES_MAX: u8 = 3;

/// The values that a thread knows.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Empty until the first value is learned.
    entries: Vec<Entry>,
    /// The facts of each entry, see [`Rows`](super::rows::Rows), `width` words an entry.
    facts: Vec<u64>,
    width: usize,
    hasher: RandomState,
}

#[derive(Debug, Clone)]
struct Entry {
    /// The rule set that the facts are of.
    program: u64,
    bytes: [u8; VALUE_BYTES_MAX],
    len: u8,
    uses: u8,
}

impl Entry {
    const VACANT: Self = Self { program: 0, bytes: [0; VALUE_BYTES_MAX], len: 0, uses: 0 };

    fn holds(&self, program: u64, value: &[u8]) -> bool {
        self.program == program && self.bytes.get(..usize::from(self.len)) == Some(value)
    }
}

impl Known {
    /// What is known of a value.
    pub(super) fn recall(&mut self, program: u64, value: &[u8]) -> Option<&mut [u64]> {
        if value.len() > VALUE_BYTES_MAX || self.entries.is_empty() {
            return None;
        }
        let mut places = self.places(value);
        let place = places.find(|place| self.entries[*place].holds(program, value))?;
        let entry = &mut self.entries[place];
        entry.uses = (entry.uses + 1).min(USES_MAX);
        Some(&mut self.facts[place * self.width..(place + 1) * self.width])
    }

    /// Keeps what was found out about a value, unless the values in its place are in better use.
    pub(super) fn learn(&mut self, program: u64, value: &[u8], facts: &[u64]) {
        let Some(len) = u8::try_from(value.len()).ok().filter(|_| value.len() <= VALUE_BYTES_MAX)
        else {
            return;
        };
        if self.width < facts.len() || self.entries.is_empty() {
            self.make_room(facts.len());
        }
        let Some(place) = self.places(value).min_by_key(|place| self.entries[*place].uses) else {
            return;
        };
        let entry = &mut self.entries[place];
        if entry.uses > 0 {
            entry.uses -= 1;
            return;
        }
        (entry.program, entry.len, entry.uses) = (program, len, 1);
        entry.bytes[..value.len()].copy_from_slice(value);
        self.facts[place * self.width..][..facts.len()].copy_from_slice(facts);
    }

    /// Forgets everything, for rows of `width` words.
    fn make_room(&mut self, width: usize) {
        self.entries.clear();
        self.entries.resize(ENTRIES, Entry::VACANT);
        self.facts.clear();
        self.facts.resize(ENTRIES * width, 0);
        self.width = width;
    }

    /// The places where a value may stand.
    fn places(&self, value: &[u8]) -> Range<usize> {
        let sets = (ENTRIES / WAYS) as u64;
        let set = usize::try_from(self.hasher.hash_one(value) % sets).unwrap_or(0);
        set * WAYS..(set + 1) * WAYS
    }
}
