//! The words that mean something in SQL: kinds of all dialects in one table, as libinjection has them.

use super::token::Kind;

/// A line: the kind of its words, then the words. They are in capitals, as everything here.
const TEXT: &[u8] = include_bytes!("words.txt");
/// Bytes of the longest word, and dots of the one that has most: what is beyond them is none.
const BYTES_MAX: usize = 29;
pub(super) const DOTS_MAX: usize = 2;

const COUNT: usize = count();
static WORDS: [Word; COUNT] = words();
/// Numbers of words, from 1, by their hash or behind it: a free place is 0.
static PLACES: [u16; PLACE_COUNT] = places(&WORDS);
const PLACE_COUNT: usize = 4096;

/// A word of the table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    pub(super) kind: Kind,
    pub(super) text: &'static [u8],
}

/// The word with this text, letters in any case.
pub(super) fn find(text: &[u8]) -> Option<Word> {
    if text.len() > BYTES_MAX {
        return None;
    }
    candidates(hash(SEED, text)).find(|word| word.text.eq_ignore_ascii_case(text))
}

/// The phrase that two words make with a blank between them.
pub(super) fn find_phrase(first: &[u8], second: &[u8]) -> Option<Word> {
    let length = first.len() + 1 + second.len();
    if length > BYTES_MAX {
        return None;
    }
    candidates(hash(hash(hash(SEED, first), b" "), second)).find(|word| {
        word.text.len() == length
            && word.text[first.len()] == b' '
            && word.text[..first.len()].eq_ignore_ascii_case(first)
            && word.text[first.len() + 1..].eq_ignore_ascii_case(second)
    })
}

fn candidates(hash: u32) -> impl Iterator<Item = Word> {
    let places = (place(hash)..).map(|at| usize::from(PLACES[at % PLACE_COUNT]));
    places.map_while(|number| Some(WORDS[number.checked_sub(1)?]))
}

const SEED: u32 = 0x811c_9dc5;

const fn hash(mut hash: u32, text: &[u8]) -> u32 {
    let mut at = 0;
    while at < text.len() {
        hash = (hash ^ text[at].to_ascii_uppercase() as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    hash
}

const fn place(hash: u32) -> usize {
    (hash ^ hash >> 15) as usize % PLACE_COUNT
}

const fn count() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < TEXT.len() {
        count += (TEXT[at] == b'\n' || TEXT[at] == b',') as usize;
        at += 1;
    }
    count
}

const fn words() -> [Word; COUNT] {
    let mut words = [Word { kind: Kind::Bareword, text: b"" }; COUNT];
    let (mut count, mut at) = (0, 0);
    while at < TEXT.len() {
        let kind = Kind::of(TEXT[at]);
        while TEXT[at] != b'\n' {
            // Behind the kind and a blank, or behind a comma and a blank.
            let start = at + 2;
            at = end(start);
            let (_, rest) = TEXT.split_at(start);
            let (text, _) = rest.split_at(at - start);
            assert!(text.len() <= BYTES_MAX);
            words[count] = Word { kind, text };
            count += 1;
        }
        at += 1;
    }
    words
}

/// Where the word ends that begins here.
const fn end(start: usize) -> usize {
    let mut at = start;
    while TEXT[at] != b',' && TEXT[at] != b'\n' {
        at += 1;
    }
    at
}

const fn places(words: &[Word; COUNT]) -> [u16; PLACE_COUNT] {
    let mut places = [0; PLACE_COUNT];
    let mut number: u16 = 0;
    while (number as usize) < COUNT {
        let mut at = place(hash(SEED, words[number as usize].text));
        while places[at] != 0 {
            at = (at + 1) % PLACE_COUNT;
        }
        number += 1;
        places[at] = number;
    }
    places
}
