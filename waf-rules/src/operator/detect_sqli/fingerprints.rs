//! The fingerprints of attacks: the kinds of the first five tokens, as libinjection has them.

use super::token::Kind;

/// A line: three kinds, then for each fourth one that may follow those that may be fifth; a dot is the end.
const TEXT: &[u8] = include_bytes!("fingerprints.txt");
/// Kinds that occur. Kinds whose letters differ only in case count as one.
const LETTERS: &[u8] = b"&(),1:;ABCEFKNOSTUVX";
const END: u8 = b'.';

/// First four kinds, and a bit for each fifth one; ascending.
static ENTRIES: [(u32, u32); COUNT] = entries();
const COUNT: usize = count();

/// Whether this is what an attack looks like.
pub(super) fn is_known(kinds: &[Kind]) -> bool {
    let (mut first, mut last) = (0, 0);
    for at in 0..5 {
        let code = match kinds.get(at).map(|kind| code(kind.letter())) {
            Some(0) => return false,
            Some(code) => code,
            None => 0,
        };
        if at < 4 { first = first << BITS | code } else { last = code }
    }
    let found = ENTRIES.binary_search_by_key(&first, |entry| entry.0);
    found.is_ok_and(|at| ENTRIES[at].1 & 1 << last != 0)
}

const BITS: u32 = 5;

/// From 1; 0 for what is in no fingerprint.
const fn code(letter: u8) -> u32 {
    let (mut code, mut left) = (0, LETTERS);
    while let [first, rest @ ..] = left {
        code += 1;
        if *first == letter.to_ascii_uppercase() {
            return code;
        }
        left = rest;
    }
    0
}

const fn count() -> usize {
    let (mut count, mut at) = (0, 0);
    while at < TEXT.len() {
        count += (TEXT[at] == b' ') as usize;
        at += 1;
    }
    count
}

const fn entries() -> [(u32, u32); COUNT] {
    let mut entries = [(0, 0); COUNT];
    let (mut count, mut at) = (0, 0);
    while at < TEXT.len() {
        let (mut first, mut length) = (0, 0);
        while TEXT[at] != b' ' {
            first = first << BITS | code(TEXT[at]);
            length += 1;
            at += 1;
        }
        first <<= BITS * (4 - length);
        while TEXT[at] != b'\n' {
            at += 1;
            let fourth = code(TEXT[at]);
            at += (fourth != 0) as usize;
            let mut fifths = 0;
            while TEXT[at] != b' ' && TEXT[at] != b'\n' {
                assert!(code(TEXT[at]) != 0 || TEXT[at] == END);
                fifths |= 1 << code(TEXT[at]);
                at += 1;
            }
            entries[count] = (first | fourth, fifths);
            assert!(count == 0 || entries[count - 1].0 < entries[count].0);
            count += 1;
        }
        at += 1;
    }
    entries
}
