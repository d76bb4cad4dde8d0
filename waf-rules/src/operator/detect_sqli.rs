//! `@detectSQLi`: libinjection's token fingerprints; `TX:0` is the fingerprint.
//!
//! The port used differs from the C library on 106 of two million fuzzed inputs (all missed); it
//! stands behind this one function.

use libinjectionrs::{SqliFlags, SqliState};

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

pub(super) fn matches(input: &[u8], captures: Option<&mut Captures>) -> bool {
    let mut state = SqliState::new(input, SqliFlags::new(0));
    let found = state.detect();
    if found && let Some(captures) = captures {
        captures.set_text(state.fingerprint_string().as_bytes());
    }
    found
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
    work
}
