//! `@detectSQLi`: libinjection's token fingerprints; `TX:0` is the fingerprint.
//!
//! The port used differs from the C library on 106 of two million fuzzed inputs (all missed); it
//! stands behind this one function.

use libinjectionrs::{SqliFlags, SqliState};

use super::Captures;
use crate::bytes::ByteSet;

/// Work of a question, and of reading a byte in one of its readings.
const COST: u64 = 400;
const BYTE_COST: u64 = 2;
/// Work of a token: a search in the library's list of words, by halving.
const TOKEN_COST: u64 = 160;
/// Bytes of a word that one unit of work checks and copies, at each dot and backquote in it.
const LOOKUP_BYTES: u64 = 16;
/// Values are read as far as they do not fold to five tokens: most end in the first few words. Whether
/// a long one does is tried on this much of it, and twice as much.
const TRIED_BYTES: usize = 256;
const TOKENS_MAX: usize = 5;

/// What ends a word.
const DELIMITERS: ByteSet = ByteSet::of(b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0\0");

const BLANKS: ByteSet = ByteSet::of(b" \t\n\x0b\x0c\r\xa0\0");

pub(super) fn matches(input: &[u8], captures: Option<&mut Captures>) -> bool {
    let mut state = SqliState::new(input, SqliFlags::new(0));
    let found = state.detect();
    if found && let Some(captures) = captures {
        captures.set_text(state.fingerprint_string().as_bytes());
    }
    found
}

/// Work of the question: of every reading that the value may get, as far as it is read.
pub(super) fn cost(input: &[u8]) -> u64 {
    let has = |byte| memchr::memchr(byte, input).is_some();
    // As it is, for MySQL, and inside of each kind of quote that occurs.
    let readings = [
        Some(SqliFlags::FLAG_NONE),
        has(b'#').then_some(SqliFlags::FLAG_QUOTE_NONE | SqliFlags::FLAG_SQL_MYSQL),
        has(b'\'').then_some(SqliFlags::FLAG_QUOTE_SINGLE | SqliFlags::FLAG_SQL_ANSI),
        has(b'"').then_some(SqliFlags::FLAG_QUOTE_DOUBLE | SqliFlags::FLAG_SQL_MYSQL),
    ];
    let cost = |flags| {
        let ends = input.len() > 4 * TRIED_BYTES && ends_early(input, flags);
        tokens_cost(if ends { &input[..TRIED_BYTES] } else { input })
    };
    COST + readings.into_iter().flatten().map(cost).sum::<u64>()
}

/// A reading is over before the value is: more of it adds no token.
fn ends_early(input: &[u8], flags: SqliFlags) -> bool {
    let read = |bytes: usize| {
        let mut state = SqliState::new(&input[..bytes], flags);
        let left = state.fold_tokens();
        (left, state.stats_tokens)
    };
    let (first, second) = (read(TRIED_BYTES), read(2 * TRIED_BYTES));
    first == second && first.0 >= TOKENS_MAX
}

/// Work of reading all of the bytes. The library looks a word up again at every dot and backquote in it,
/// from the word's beginning: words of nothing else are paid for as what they are, the square of their
/// length.
fn tokens_cost(input: &[u8]) -> u64 {
    let (mut work, mut word) = (BYTE_COST * input.len() as u64, 0);
    for byte in input {
        let ends = DELIMITERS.contains(*byte);
        if ends && !BLANKS.contains(*byte) || word == 0 && !ends {
            work += TOKEN_COST;
        }
        if matches!(byte, b'.' | b'`') {
            work += TOKEN_COST + word / LOOKUP_BYTES;
        }
        word = if ends { 0 } else { word + 1 };
    }
    work
}
