//! Search for many texts at once: which of them does a value hold, in any ASCII case?
//!
//! Each text is filed under its rarest four bytes (three, where it has no more). A value is run over
//! once: at every place a small table, which stays in the nearest cache, says whether any text is
//! filed under what stands here; only then is it compared. An automaton would take a dependent
//! memory access a byte and find every occurrence; here nothing is followed, and a text whose owners
//! are all answered is not compared again. Hostile values hold many places where a text may stand, at
//! no distance that a processor could foresee: no branch is taken before 64 places were looked up, and
//! none for a text that differs in the four bytes before its key or the four behind.

use std::collections::HashMap;

use crate::bytes::index;

/// Shorter texts occur everywhere: they are left to the byte classes.
pub(super) const TEXT_BYTES_MIN: usize = 3;

/// The key of a text: this many of its bytes, or one less.
const KEY_BYTES: usize = 4;
/// Places of a text where its key may begin, so that an offset fits a byte.
const OFFSETS_MAX: usize = 200;
/// Bits of the index into the first table: 32 KiB.
const FIRST_BITS: u32 = 15;
/// Places looked up at a time: as many as a word has bits.
const BLOCK: usize = 64;
/// Bytes before a key, and behind it, that are compared at once.
const NEAR_BYTES: usize = 4;

/// Work of a place where a text may stand, in each of the two tables, and of each text that is filed there.
const PLACE_COST: u64 = 12;
const TEXT_COST: u64 = 1;
/// Work between two bills.
const BILL: u64 = 4_096;

#[derive(Debug)]
pub(super) struct Texts {
    /// For three bytes, which fourth bytes some key goes on with: a bit for each class of eight.
    first: Box<[u8; 1 << FIRST_BITS]>,
    /// Keys of four bytes, and of three: where their texts begin in `filed`, and how many.
    keys: [Keys; 2],
    filed: Vec<Filed>,
    /// What stands around the key of each text in `filed`.
    near: Vec<Near>,
    /// All texts, lower case, one after the other.
    bytes: Vec<u8>,
    /// Operators of all texts, one after the other.
    owners: Vec<u32>,
}

/// A text, filed under its key.
#[derive(Debug, Clone, Copy)]
struct Filed {
    start: u32,
    len: u16,
    /// Place of the key in the text.
    offset: u8,
    owners: (u32, u32),
}

/// Bytes next to a key: what is not masked may be anything.
#[derive(Debug, Clone, Copy)]
struct Near {
    bytes: u64,
    mask: u64,
}

/// An open hash table. Most look-ups find nothing: what they read stays small by itself.
#[derive(Debug, Default)]
struct Keys {
    places: Vec<Place>,
    shift: u32,
}

/// A key, and where its texts are in `filed`: nowhere, where no key is.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    key: u32,
    from: u32,
    to: u32,
}

/// A value that is being searched, and what is still looked for in it.
struct Hunt<'a> {
    value: &'a [u8],
    wanted: &'a mut [u64],
    row: &'a mut [u64],
    /// Operators in `wanted`.
    left: u32,
    /// Work that is not paid for.
    work: u64,
}

impl Hunt<'_> {
    fn wants(&self, owners: &[u32]) -> bool {
        owners.iter().any(|owner| has(self.wanted, *owner))
    }

    fn take(&mut self, owners: &[u32]) {
        for owner in owners.iter().copied() {
            if has(self.wanted, owner) {
                let (word, bit) = (owner as usize / 64, 1 << (owner % 64));
                self.row[word] |= bit;
                self.wanted[word] &= !bit;
                self.left -= 1;
            }
        }
    }
}

impl Texts {
    /// `texts` are in lower case and have at least [`TEXT_BYTES_MIN`] bytes; `owners` lie beside them.
    pub(super) fn new(texts: &[&[u8]], owners: &[Vec<u32>]) -> Option<Self> {
        if texts.is_empty() {
            return None;
        }
        let mut buckets: [HashMap<u32, Vec<usize>>; 2] = [HashMap::new(), HashMap::new()];
        let mut first = Box::new([0_u8; 1 << FIRST_BITS]);
        let mut offsets = vec![0; texts.len()];
        for (number, text) in texts.iter().enumerate() {
            let short = usize::from(text.len() < KEY_BYTES);
            let (offset, key) = rarest(text, &buckets[short]);
            offsets[number] = offset;
            buckets[short].entry(key).or_default().push(number);
            let fourth = if short == 1 { u8::MAX } else { 1 << fourth_class(key) };
            first[first_index(key)] |= fourth;
        }
        let mut all = Self {
            first,
            keys: [Keys::default(), Keys::default()],
            filed: Vec::with_capacity(texts.len()),
            near: Vec::with_capacity(texts.len()),
            bytes: Vec::new(),
            owners: Vec::new(),
        };
        for (short, buckets) in buckets.iter().enumerate() {
            let mut sorted: Vec<_> = buckets.iter().collect();
            sorted.sort_unstable();
            let mut places = Vec::with_capacity(sorted.len());
            for (key, numbers) in sorted {
                let from = index(all.filed.len());
                for number in numbers {
                    all.file(texts[*number], offsets[*number], &owners[*number]);
                }
                places.push(Place { key: *key, from, to: index(all.filed.len()) });
            }
            all.keys[short] = Keys::new(&places);
        }
        Some(all)
    }

    fn file(&mut self, text: &[u8], offset: u8, owners: &[u32]) {
        let start = index(self.bytes.len());
        let first = index(self.owners.len());
        self.bytes.extend_from_slice(text);
        self.owners.extend_from_slice(owners);
        self.near.push(Near::of(text, usize::from(offset)));
        self.filed.push(Filed {
            start,
            len: u16::try_from(text.len()).unwrap_or(u16::MAX),
            offset,
            owners: (first, index(self.owners.len())),
        });
    }

    /// Moves the operators of which the value holds a text from `wanted` to `row`. The value is in lower case.
    /// The search ends when there is nothing left to find, or when `pay` does not pay for what was compared: false.
    pub(super) fn find(
        &self,
        value: &[u8],
        wanted: &mut [u64],
        row: &mut [u64],
        mut pay: impl FnMut(u64) -> bool,
    ) -> bool {
        let left = wanted.iter().map(|word| word.count_ones()).sum();
        let mut hunt = Hunt { value, wanted, row, left, work: 0 };
        let places = value.len().saturating_sub(KEY_BYTES - 1);
        for start in (0..places).step_by(BLOCK) {
            let mut standing = self.standing(&value[start..]);
            while standing != 0 {
                let at = start + standing.trailing_zeros() as usize;
                standing &= standing - 1;
                let key = four_at(value, at);
                self.compare(0, key, at, &mut hunt);
                if self.first[first_index(key)] == u8::MAX {
                    // Texts of three bytes go on with any.
                    self.compare(1, key & THREE, at, &mut hunt);
                }
                if hunt.left == 0 {
                    return pay(hunt.work);
                }
            }
            if hunt.work >= BILL && !pay(std::mem::take(&mut hunt.work)) {
                return false;
            }
        }
        // A key of three bytes may end the value.
        if let [.., one, two, three] = *value {
            let key = u32::from_le_bytes([one, two, three, 0]);
            self.compare(1, key, value.len() - 3, &mut hunt);
        }
        pay(hunt.work)
    }

    /// The first places of a value, a bit each: those where a text may be filed under what stands there.
    fn standing(&self, value: &[u8]) -> u64 {
        let places = value.windows(KEY_BYTES).take(BLOCK);
        let unused = BLOCK - places.len();
        let standing = places.fold(0, |standing, four| {
            let key = four.try_into().map_or(0, u32::from_le_bytes);
            let stands = self.first[first_index(key)] >> fourth_class(key) & 1;
            standing >> 1 | u64::from(stands) << (BLOCK - 1)
        });
        // Fewer than all are shifted down to the first bit; an empty value has none.
        standing.checked_shr(u32::try_from(unused).unwrap_or(u32::MAX)).unwrap_or(0)
    }

    /// Compares the texts filed under a key with what stands around a place.
    fn compare(&self, keys: usize, key: u32, at: usize, hunt: &mut Hunt<'_>) {
        let range = self.keys[keys].range(key);
        hunt.work += PLACE_COST + range.len() as u64 * TEXT_COST;
        if range.is_empty() {
            return;
        }
        let here = near_at(hunt.value, at);
        for (near, filed) in self.near[range.clone()].iter().zip(&self.filed[range]) {
            if (near.bytes ^ here) & near.mask != 0 {
                continue;
            }
            let owners = &self.owners[filed.owners.0 as usize..filed.owners.1 as usize];
            if hunt.wants(owners) && self.stands(filed, hunt.value, at) {
                hunt.take(owners);
            }
        }
    }

    fn stands(&self, filed: &Filed, value: &[u8], at: usize) -> bool {
        let text = &self.bytes[filed.start as usize..][..usize::from(filed.len)];
        let start = at.wrapping_sub(usize::from(filed.offset));
        let part = value.get(start..start.wrapping_add(text.len()));
        part.is_some_and(|part| part == text)
    }
}

impl Near {
    /// Around the key of a text, which begins at `offset`. Nothing is around a key of three bytes.
    fn of(text: &[u8], offset: usize) -> Self {
        let mut mask = [0; 2 * NEAR_BYTES];
        let (before, behind) = mask.split_at_mut(NEAR_BYTES);
        before.iter_mut().rev().take(offset).for_each(|byte| *byte = u8::MAX);
        let left = text.len().saturating_sub(offset + KEY_BYTES);
        behind.iter_mut().take(left).for_each(|byte| *byte = u8::MAX);
        Self { bytes: near_at(text, offset), mask: u64::from_le_bytes(mask) }
    }
}

/// The bytes before a key of four bytes at a place, and those behind it: 0 where the value has none.
fn near_at(value: &[u8], at: usize) -> u64 {
    let before = match at.checked_sub(NEAR_BYTES) {
        Some(start) => four_at(value, start),
        // What precedes the first byte is shifted in.
        None => (four_at(value, 0) << (8 * (NEAR_BYTES - at) - 1)) << 1,
    };
    u64::from(before) | u64::from(four_at(value, at + KEY_BYTES)) << 32
}

/// Four bytes of a value from a place on, the first one lowest: 0 where it has none.
fn four_at(value: &[u8], at: usize) -> u32 {
    match value.get(at..at + 4).and_then(|four| four.try_into().ok()) {
        Some(four) => u32::from_le_bytes(four),
        None => (0..)
            .zip(value.get(at..).unwrap_or_default())
            .fold(0, |four, (place, byte)| four | u32::from(*byte) << (8 * place)),
    }
}

impl Keys {
    /// Of keys that differ, each with a text.
    fn new(keys: &[Place]) -> Self {
        let bits = (keys.len() * 2 + 1).next_power_of_two().max(2).trailing_zeros();
        let mut all = Self { places: vec![Place::default(); 1 << bits], shift: 32 - bits };
        for place in keys {
            let at = all.find(place.key);
            all.places[at] = *place;
        }
        all
    }

    /// Where the texts of a key are.
    fn range(&self, key: u32) -> std::ops::Range<usize> {
        let place = self.places[self.find(key)];
        place.from as usize..place.to as usize
    }

    /// The place of a key, or the free one where it would be. More than half of the places are free.
    fn find(&self, key: u32) -> usize {
        let mut at = (key.wrapping_mul(0x85eb_ca6b) >> self.shift) as usize;
        while self.places[at].key != key && !self.places[at].is_free() {
            at = (at + 1) % self.places.len();
        }
        at
    }
}

impl Place {
    fn is_free(self) -> bool {
        self.from == self.to
    }
}

/// The three bytes of a short key: the lower ones.
const THREE: u32 = 0x00ff_ffff;

fn first_index(key: u32) -> usize {
    ((key & THREE).wrapping_mul(0x9e37_79b1) >> (32 - FIRST_BITS)) as usize
}

/// The class of the fourth byte: one of eight.
fn fourth_class(key: u32) -> u32 {
    let fourth = key >> 24;
    (fourth ^ fourth >> 3) & 7
}

/// The place of a text where its key is rarest: few texts are filed there, and its bytes seldom occur.
fn rarest(text: &[u8], buckets: &HashMap<u32, Vec<usize>>) -> (u8, u32) {
    let width = text.len().min(KEY_BYTES);
    let mut best = (u64::MAX, 0, 0);
    for (offset, window) in (0..).zip(text.windows(width).take(OFFSETS_MAX)) {
        let key = (0..).zip(window).fold(0, |key, (at, byte)| key | u32::from(*byte) << (8 * at));
        let filed = buckets.get(&key).map_or(0, Vec::len) as u64;
        let frequency: u64 = window.iter().map(|byte| frequency(*byte)).product();
        let cost = frequency * (1 + filed);
        if cost < best.0 {
            best = (cost, offset, key);
        }
    }
    (best.1, best.2)
}

/// Of a byte in requests and in English, among a thousand.
fn frequency(byte: u8) -> u64 {
    const LETTERS: [u8; 26] = [
        82, 15, 28, 43, 127, 22, 20, 61, 70, 2, 8, 40, 24, 67, 75, 19, 1, 60, 63, 91, 28, 10, 24,
        2, 20, 1,
    ];
    match byte {
        b'a'..=b'z' => u64::from(LETTERS[usize::from(byte - b'a')]),
        b' ' => 150,
        b'0'..=b'9' | b'.' | b',' | b'/' | b'-' | b'_' => 15,
        _ => 4,
    }
}

fn has(row: &[u64], operator: u32) -> bool {
    row[operator as usize / 64] & 1 << (operator % 64) != 0
}
