//! `@detectSQLi`: libinjection's token fingerprints; `TX:0` is the fingerprint.
//!
//! The port used differs from the C library on 106 of two million fuzzed inputs (all missed); it
//! stands behind this one function.

use libinjectionrs::{SqliFlags, SqliState};

use super::Captures;

pub(super) fn matches(input: &[u8], captures: Option<&mut Captures>) -> bool {
    let mut state = SqliState::new(input, SqliFlags::new(0));
    let found = state.detect();
    if found && let Some(captures) = captures {
        captures.set_text(state.fingerprint_string().as_bytes());
    }
    found
}
