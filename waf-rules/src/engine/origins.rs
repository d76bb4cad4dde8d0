//! Which values woke which rules: a rule that was woken asks about those alone, however many others its
//! targets hold. A request of a thousand values and a hundred woken rules would otherwise find each
//! value a hundred times, to see that there is nothing to ask.

#[cfg(test)]
mod tests;

use super::buffers::Buffer;
use crate::bitset::BitSet;
use crate::bytes::index;

const NONE: u32 = u32::MAX;

/// The values that woke the rules of a phase, as they are before any transformation.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The last entry of each place.
    last: Vec<u32>,
    /// A value, and the entry before it of the same place.
    entries: Vec<(Buffer, u32)>,
    /// The values of the place that is walked.
    chosen: BitSet,
}

impl Origins {
    /// Nothing woke anything, in a phase with so many places.
    pub(super) fn begin(&mut self, places: usize) {
        self.last.clear();
        self.last.resize(places, NONE);
        self.entries.clear();
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.last.capacity() * size_of::<u32>()
            + self.entries.capacity() * size_of::<(Buffer, u32)>()
    }

    pub(super) fn note(&mut self, place: u32, value: Buffer) {
        let last = &mut self.last[place as usize];
        // Several lists, or several operators of one value, wake a rule one after the other.
        if self.entries.get(*last as usize).is_none_or(|(known, _)| *known != value) {
            self.entries.push((value, *last));
            *last = index(self.entries.len() - 1);
        }
    }

    /// The rule at this place is walked.
    pub(super) fn choose(&mut self, place: u32) {
        self.each(place, BitSet::insert);
    }

    pub(super) fn is_chosen(&self, value: Buffer) -> bool {
        self.chosen.contains(index(value.index()))
    }

    /// It was walked. What was chosen is taken back one by one: there are few of them.
    pub(super) fn release(&mut self, place: u32) {
        self.each(place, BitSet::remove);
    }

    fn each(&mut self, place: u32, act: fn(&mut BitSet, u32)) {
        let mut at = self.last[place as usize];
        while let Some((value, before)) = self.entries.get(at as usize) {
            act(&mut self.chosen, index(value.index()));
            at = *before;
        }
    }
}
