//! Search for many texts at once: which of them does a value hold, in any ASCII case?
//!
//! Each text is filed under its rarest four bytes (three, where it has no more). A value is run over
//! once: at every place a small table, which stays in the nearest cache, says whether any text is
//! filed under what stands here; only then is it compared. An automaton would take a dependent
//! memory access a byte and find every occurrence; here nothing is followed, and a text whose owners
//! are all answered is not compared again.

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

/// Work of a place where a text may stand, in each of the two tables, and of each text that is filed there.
const PLACE_COST: u64 = 3;
const TEXT_COST: u64 = 2;
/// Work between two bills.
const BILL: u64 = 4_096;

#[derive(Debug)]
pub(super) struct Texts {
    /// For three bytes, which fourth bytes some key goes on with: a bit for each class of eight.
    first: Box<[u8]>,
    /// Keys of four bytes, and of three: where their texts begin in `filed`, and how many.
    keys: [Keys; 2],
    filed: Vec<Filed>,
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

/// An open hash table. Most look-ups find nothing: what they read stays small by itself.
#[derive(Debug, Default)]
struct Keys {
    /// The key at each place, or the one that no text is filed under.
    places: Vec<u32>,
    free: u32,
    /// The range of `filed` for each place.
    ranges: Vec<(u32, u32)>,
    shift: u32,
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
        let mut first = vec![0_u8; 1 << FIRST_BITS].into_boxed_slice();
        let mut offsets = vec![0; texts.len()];
        for (number, text) in texts.iter().enumerate() {
            let short = usize::from(text.len() < KEY_BYTES);
            let (offset, key) = rarest(text, &buckets[short]);
            offsets[number] = offset;
            buckets[short].entry(key).or_default().push(number);
            let fourth = if short == 1 { u8::MAX } else { fourth_bit(key) };
            first[first_index(key)] |= fourth;
        }
        let mut all = Self {
            first,
            keys: [Keys::default(), Keys::default()],
            filed: Vec::with_capacity(texts.len()),
            bytes: Vec::new(),
            owners: Vec::new(),
        };
        for (short, buckets) in buckets.iter().enumerate() {
            let mut sorted: Vec<_> = buckets.iter().collect();
            sorted.sort_unstable();
            let mut ranges = Vec::with_capacity(sorted.len());
            for (key, numbers) in sorted {
                let from = index(all.filed.len());
                for number in numbers {
                    all.file(texts[*number], offsets[*number], &owners[*number]);
                }
                ranges.push((*key, from, index(all.filed.len())));
            }
            all.keys[short] = Keys::new(&ranges);
        }
        Some(all)
    }

    fn file(&mut self, text: &[u8], offset: u8, owners: &[u32]) {
        let start = index(self.bytes.len());
        let first = index(self.owners.len());
        self.bytes.extend_from_slice(text);
        self.owners.extend_from_slice(owners);
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
        for (at, four) in value.windows(KEY_BYTES).enumerate() {
            let key = four.try_into().map_or(0, u32::from_le_bytes);
            if self.first[first_index(key)] & fourth_bit(key) == 0 {
                continue;
            }
            self.compare(0, key, at, &mut hunt);
            self.compare(1, key & THREE, at, &mut hunt);
            if hunt.left == 0 {
                return pay(hunt.work);
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

    /// Compares the texts filed under a key with what stands around a place.
    fn compare(&self, keys: usize, key: u32, at: usize, hunt: &mut Hunt<'_>) {
        let filed = &self.filed[self.keys[keys].range(key)];
        hunt.work += PLACE_COST + filed.len() as u64 * TEXT_COST;
        for filed in filed {
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
        // Most differ at an end: that is quicker seen here than in a call.
        part.is_some_and(|part| {
            part.first() == text.first() && part.last() == text.last() && part == text
        })
    }
}

impl Keys {
    fn new(ranges: &[(u32, u32, u32)]) -> Self {
        let bits = (ranges.len() * 4).next_power_of_two().max(2).trailing_zeros();
        let is_free = |key: &u32| !ranges.iter().any(|(known, ..)| known == key);
        let free = (0..=u32::MAX).find(is_free).unwrap_or_default();
        let (places, filed) = (vec![free; 1 << bits], vec![(0, 0); 1 << bits]);
        let mut keys = Self { places, free, ranges: filed, shift: 32 - bits };
        for (key, from, to) in ranges {
            let place = keys.find(*key);
            keys.places[place] = *key;
            keys.ranges[place] = (*from, *to);
        }
        keys
    }

    /// Where the texts of a key are.
    fn range(&self, key: u32) -> std::ops::Range<usize> {
        let (from, to) = self.ranges[self.find(key)];
        from as usize..to as usize
    }

    /// The place of a key, or the free one where it would be. At least three quarters of the places are free.
    fn find(&self, key: u32) -> usize {
        let mut place = self.place(key);
        while self.places[place] != key && self.places[place] != self.free {
            place = (place + 1) % self.places.len();
        }
        place
    }

    fn place(&self, key: u32) -> usize {
        (key.wrapping_mul(0x85eb_ca6b) >> self.shift) as usize
    }
}

/// The three bytes of a short key: the lower ones.
const THREE: u32 = 0x00ff_ffff;

fn first_index(key: u32) -> usize {
    ((key & THREE).wrapping_mul(0x9e37_79b1) >> (32 - FIRST_BITS)) as usize
}

/// The class of the fourth byte, as a bit.
fn fourth_bit(key: u32) -> u8 {
    let fourth = key >> 24;
    1 << ((fourth ^ fourth >> 3) & 7)
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
