//! `@detectSQLi`: libinjection's token fingerprints; `TX:0` is the fingerprint.
//!
//! The port used differs from the C library on 106 of two million fuzzed inputs (all missed); it
//! stands behind this one function.
//!
//! It does not join phrases whose first words are a phrase of their own that is a bare word: `CREATE OR`, and so
//! `CREATE OR REPLACE`. A word of the same kind takes their place, which is what the C library makes of them.

use std::borrow::Cow;
use std::sync::LazyLock;

use libinjectionrs::{SqliFlags, SqliState};
use regex::bytes::{NoExpand, Regex};

use super::Captures;
use crate::bytes::ByteSet;

/// Work of a byte: most of them are words, and a word is looked up once.
const BYTE_COST: u64 = 16;
/// Work of one more look-up.
const LOOKUP_COST: u64 = 96;
/// Bytes of a word that one unit of work checks and copies.
const LOOKUP_BYTES: u64 = 16;

/// What ends a word.
const DELIMITERS: ByteSet = ByteSet::of(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0");

/// What may stand between two words.
const GAP: &str = r"(?:[\x00\s\xa0]|/\*(?:[^*]|\*[^/])*\*/)+";
/// The phrases, with `_` for a gap, and what stands for them: a keyword, a statement, an operator.
const PHRASES: [(&str, &[u8]); 3] = [
    ("at_time_zone|in_boolean_mode|lock_in_share_mode|(?:next|previous)_value_for", b" TRIGGER "),
    ("create_or_replace", b" CALL "),
    ("is_(?:not_)?distinct_from", b" DIV "),
];

/// Ends of words in front of a gap, of which each phrase has one: `at time zone`, `in boolean mode`, `in share mode`,
/// `value for`, `create or`, `distinct from`.
const ENDS: [&[u8; 4]; 6] = [b"time", b"lean", b"hare", b"alue", b"eate", b"inct"];

/// By byte: a bit for each end that has it in the first place, in the second ... and all of them for what begins a gap.
static PLACES: [[u8; 256]; 5] = places();

/// The first for all phrases, then one for each stand-in.
static PATTERNS: LazyLock<Option<(Regex, Vec<Regex>)>> = LazyLock::new(|| {
    let pattern =
        |phrases: &str| Regex::new(&format!(r"(?i-u)\b(?:{})\b", phrases.replace('_', GAP))).ok();
    let all: Vec<&str> = PHRASES.iter().map(|(phrases, _)| *phrases).collect();
    let each = PHRASES.iter().map(|(phrases, _)| pattern(phrases)).collect::<Option<_>>()?;
    Some((pattern(&all.join("|"))?, each))
});

pub(super) fn matches(input: &[u8], mut captures: Option<&mut Captures>) -> bool {
    detects(input, captures.as_deref_mut())
        || joined(input).is_some_and(|joined| detects(&joined, captures))
}

fn detects(input: &[u8], captures: Option<&mut Captures>) -> bool {
    let mut state = SqliState::new(input, SqliFlags::new(0));
    let found = state.detect();
    if found && let Some(captures) = captures {
        captures.set_text(state.fingerprint_string().as_bytes());
    }
    found
}

/// The input with stand-ins for its phrases, if it has any.
fn joined(input: &[u8]) -> Option<Vec<u8>> {
    if !has_word(input) {
        return None;
    }
    let (any, each) = PATTERNS.as_ref()?;
    any.is_match(input).then(|| {
        let replace = |text: Vec<u8>, (pattern, (_, word)): (&Regex, &(&str, &[u8]))| match pattern
            .replace_all(&text, NoExpand(word))
        {
            Cow::Owned(replaced) => replaced,
            Cow::Borrowed(_) => text,
        };
        each.iter().zip(&PHRASES).fold(input.to_vec(), replace)
    })
}

/// Most values have no such word, and need no pattern. Without a branch: prose is full of words.
fn has_word(input: &[u8]) -> bool {
    let at = |place: usize, byte: u8| PLACES[place][usize::from(byte)];
    let ends = |w: &[u8]| at(0, w[0]) & at(1, w[1]) & at(2, w[2]) & at(3, w[3]) & at(4, w[4]);
    input.windows(PLACES.len()).fold(0, |found, window| found | ends(window)) != 0
}

const fn places() -> [[u8; 256]; 5] {
    let mut places = [[0; 256]; 5];
    let mut end = 0;
    while end < ENDS.len() {
        let mut place = 0;
        while place < ENDS[end].len() {
            let letter = ENDS[end][place];
            places[place][letter as usize] |= 1 << end;
            places[place][letter.to_ascii_uppercase() as usize] |= 1 << end;
            place += 1;
        }
        end += 1;
    }
    let gaps = b"\0\t\n\x0b\x0c\r \xa0/";
    let mut gap = 0;
    while gap < gaps.len() {
        places[4][gaps[gap] as usize] = u8::MAX;
        gap += 1;
    }
    places
}

/// Work of the question. The library looks a word up again at every dot and backquote in it, from the
/// word's beginning: words of nothing else are paid for as what they are, the square of their length.
pub(super) fn cost(input: &[u8]) -> u64 {
    let (mut work, mut word) = (BYTE_COST * input.len() as u64, 0);
    for byte in input {
        if matches!(byte, b'.' | b'`') {
            work += LOOKUP_COST + word / LOOKUP_BYTES;
        }
        word = if DELIMITERS.contains(*byte) { 0 } else { word + 1 };
    }
    if joined(input).is_some() { 2 * work } else { work }
}
