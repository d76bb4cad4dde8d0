//! The words of all patterns: segments of paths, and hosts. Each stands once, however many routes use it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;

/// A word's number: its place in the dictionary, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Word(u32);

impl Word {
    pub(super) const NONE: Word = Word(0);
    /// Stands for one parameter.
    pub(super) const PARAM: Word = Word(u32::MAX);

    pub(super) const fn of(number: u32) -> Word {
        Word(number)
    }

    pub(super) const fn number(self) -> u32 {
        self.0
    }

    /// A place among `places`.
    #[allow(clippy::cast_possible_truncation)] // the high half of a product by `places` is below `places`
    pub(super) fn spread(self, places: usize) -> usize {
        // Fibonacci hashing: words of one file are neighbours, their products are not.
        let mixed = self.0.wrapping_mul(0x9e37_79b9);
        ((u64::from(mixed) * places as u64) >> 32) as usize
    }
}

/// What a word is a part of: the same text may be a host and a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    #[default]
    Segment,
    Host,
    /// What follows the first label of a host.
    Wildcard,
    AnyHost,
}

/// A dictionary. Immutable.
#[derive(Debug)]
pub(super) struct Words {
    /// An open-addressing hash table; a third of it is free, so that probes end soon.
    places: Vec<Place>,
    texts: Vec<u8>,
    hashes: FixedState,
}

/// 8 bytes: eight to a cache line.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: u32,
    /// Paths have at most 8 KiB.
    length: u16,
    kind: Kind,
    /// A part of the hash, so that other texts are seldom looked at; 0: a free place.
    tag: u8,
}

impl Default for Words {
    fn default() -> Words {
        Words { places: Vec::new(), texts: Vec::new(), hashes: FixedState::with_seed(0) }
    }
}

impl Words {
    /// Collects distinct words.
    #[allow(clippy::cast_possible_truncation)] // texts of a configuration of at most 32 MiB, paths of 8 KiB
    pub(super) fn new<'t>(words: impl Iterator<Item = (Kind, &'t [u8])>) -> Words {
        let distinct: BTreeSet<_> = words.collect();
        let places = distinct.len() + distinct.len() / 2 + 1;
        let mut words = Words { places: vec![Place::default(); places], ..Words::default() };
        for (kind, text) in distinct {
            let (mut place, tag) = words.home(kind, text);
            while words.places[place].tag != 0 {
                place = (place + 1) % places;
            }
            let start = words.texts.len() as u32;
            words.places[place] = Place { start, length: text.len() as u16, kind, tag };
            words.texts.extend_from_slice(text);
        }
        words.texts.shrink_to_fit();
        words
    }

    /// `None`: no pattern has it.
    #[allow(clippy::cast_possible_truncation)] // words of a configuration of at most 32 MiB
    pub(super) fn find(&self, kind: Kind, text: &[u8]) -> Option<Word> {
        let (mut place, tag) = self.home(kind, text);
        loop {
            // Ends: some place is free, or there is none at all.
            let known = *self.places.get(place)?;
            if known.tag == 0 {
                return None;
            }
            if known.tag == tag && known.kind == kind && self.text_of(known) == text {
                return Some(Word(place as u32 + 1));
            }
            place += 1;
            if place == self.places.len() {
                place = 0;
            }
        }
    }

    /// What a word was made of.
    pub(super) fn get(&self, word: Word) -> (Kind, &[u8]) {
        let place = self.places[word.0 as usize - 1];
        (place.kind, self.text_of(place))
    }

    /// Bytes on the heap.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>() + self.texts.capacity()
    }

    fn text_of(&self, place: Place) -> &[u8] {
        let start = place.start as usize;
        &self.texts[start..start + usize::from(place.length)]
    }

    /// Where a word is looked for first, and its tag.
    #[allow(clippy::cast_possible_truncation)] // parts of a hash
    fn home(&self, kind: Kind, text: &[u8]) -> (usize, u8) {
        let mut hasher = self.hashes.build_hasher();
        hasher.write(text);
        let hash = hasher.finish() ^ (kind as u64) << 60;
        let home = ((u128::from(hash) * self.places.len() as u128) >> 64) as usize;
        (home, hash as u8 | 1)
    }
}
