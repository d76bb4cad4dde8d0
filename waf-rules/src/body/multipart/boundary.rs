//! The boundary parameter of the content type.

use super::Flags;
use crate::body::BodyError;
use crate::bytes::is_space;

/// Longest boundary, RFC 2046, 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Takes the boundary out of a content type; there must be exactly one.
pub(super) fn parse(content_type: &[u8], flags: &mut Flags) -> Result<Vec<u8>, BodyError> {
    let lower = content_type.to_ascii_lowercase();
    let mut found = memchr::memmem::find_iter(&lower, b"boundary");
    let Some(at) = found.next() else { return malformed("content type has no boundary") };
    if found.next().is_some() {
        return malformed("content type has more than one boundary");
    }
    if !lower[..at].trim_ascii_end().ends_with(b";") {
        return malformed("boundary is not a parameter of the content type");
    }
    let rest = &content_type[at + "boundary".len()..];
    let Some(equals) = memchr::memchr(b'=', rest) else { return malformed("boundary has no value") };
    if !rest[..equals].iter().all(|byte| is_space(*byte)) {
        return malformed("boundary has no value");
    }
    let value = &rest[equals + 1..];
    flags.boundary_whitespace |= equals > 0 || value.first().is_some_and(|byte| is_space(*byte));
    check(value_of(value.trim_ascii_start(), flags)?)
}

fn value_of(value: &[u8], flags: &mut Flags) -> Result<Vec<u8>, BodyError> {
    if let Some(quoted) = value.strip_prefix(b"\"") {
        flags.boundary_quoted = true;
        let Some(end) = memchr::memchr(b'"', quoted) else { return malformed("boundary quote is not closed") };
        return Ok(quoted[..end].to_vec());
    }
    let end = value.iter().position(|byte| matches!(byte, b';' | b',')).unwrap_or(value.len());
    let bare = value[..end].trim_ascii_end();
    flags.boundary_whitespace |= bare.len() < end && end < value.len();
    Ok(bare.to_vec())
}

/// `bchars` of RFC 2046.
fn check(boundary: Vec<u8>) -> Result<Vec<u8>, BodyError> {
    if boundary.is_empty() || boundary.len() > BOUNDARY_BYTES_MAX {
        let length = boundary.len();
        return malformed(&format!("boundary has {length} bytes, bound 1 to {BOUNDARY_BYTES_MAX}"));
    }
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? *#!$%&^`{|}~".contains(byte);
    if boundary.iter().all(fits) { Ok(boundary) } else { malformed("boundary holds an invalid character") }
}

fn malformed<T>(reason: &str) -> Result<T, BodyError> {
    Err(BodyError::malformed(format!("multipart: {reason}")))
}
