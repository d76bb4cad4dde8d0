//! The boundary parameter of the content type.

use super::Flags;
use crate::body::BodyError;
use crate::body::media_type::is_token_byte;
use crate::bytes::is_space;

const BOUNDARY: &[u8] = b"boundary";
/// Longest boundary, RFC 2046, 5.1.1.
const BOUNDARY_BYTES_MAX: usize = 70;

/// Takes the boundary out of a content type; there must be exactly one.
pub(super) fn parse(content_type: &[u8], flags: &mut Flags) -> Result<Vec<u8>, BodyError> {
    let mut parts = parts(content_type);
    let behind = behind_type(parts.next().unwrap_or_default());
    flags.missing_semicolon |= !behind.is_empty();
    let mut found = from_name(behind).into_iter().chain(parts).filter_map(boundary_parameter);
    let Some((blanks, value)) = found.next() else {
        return malformed("content type has no boundary");
    };
    if found.next().is_some() {
        return malformed("content type has more than one boundary");
    }
    flags.boundary_whitespace |= blanks;
    check(value_of(value, flags)?)
}

/// What stands between the semicolons outside quotes, the media type first.
fn parts(content_type: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    content_type.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    })
}

/// What follows the media type where a semicolon should.
fn behind_type(part: &[u8]) -> &[u8] {
    let part = part.trim_ascii();
    let end = part.iter().position(|byte| *byte != b'/' && !is_token_byte(*byte));
    part[end.unwrap_or(part.len())..].trim_ascii_start()
}

/// Without a semicolon there is no telling where a parameter begins: it is looked for by its name.
fn from_name(text: &[u8]) -> Option<&[u8]> {
    let mut places = text.windows(BOUNDARY.len());
    places.position(|name| name.eq_ignore_ascii_case(BOUNDARY)).map(|at| &text[at..])
}

/// The value, if this is the boundary, and whether there are blanks around its `=`.
fn boundary_parameter(parameter: &[u8]) -> Option<(bool, &[u8])> {
    let equals = memchr::memchr(b'=', parameter)?;
    let (name, value) = (parameter[..equals].trim_ascii_start(), &parameter[equals + 1..]);
    let is_it = name.trim_ascii_end().eq_ignore_ascii_case(BOUNDARY);
    let blanks = name.last().is_some_and(|byte| is_space(*byte))
        || value.first().is_some_and(|byte| is_space(*byte));
    is_it.then(|| (blanks, value.trim_ascii_start()))
}

fn value_of(value: &[u8], flags: &mut Flags) -> Result<Vec<u8>, BodyError> {
    if let Some(quoted) = value.strip_prefix(b"\"") {
        flags.boundary_quoted = true;
        let Some(end) = memchr::memchr(b'"', quoted) else {
            return malformed("boundary quote is not closed");
        };
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
    let fits =
        |byte: &u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? *#!$%&^`{|}~".contains(byte);
    if boundary.iter().all(fits) {
        Ok(boundary)
    } else {
        malformed("boundary holds an invalid character")
    }
}

fn malformed<T>(reason: &str) -> Result<T, BodyError> {
    Err(BodyError::malformed(format!("multipart: {reason}")))
}
