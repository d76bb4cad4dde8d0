//! `@validateUrlEncoding`: matches a value with a `%` that two hexadecimal digits do not follow.

use crate::bytes::hex_pair;

pub(super) fn invalid(input: &[u8]) -> bool {
    memchr::memchr_iter(b'%', input).any(|at| hex_pair(input, at + 1).is_none())
}
