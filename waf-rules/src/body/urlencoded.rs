//! `application/x-www-form-urlencoded`, of a query or a body: `a=1&b=2` (or another separator, `SecArgumentSeparator`), split before decoding
//! (CVE-2024-1019), `+` for a blank, escapes that are none kept as written.

use super::{BodyError, Sink, go_on};
use crate::bytes::hex_pair;

/// Memory for one pair at a time.
#[derive(Debug, Default)]
pub(crate) struct Pair {
    name: Vec<u8>,
    value: Vec<u8>,
}

/// Hands on every pair. `Ok(false)`: some escape was invalid.
pub(crate) fn parse(
    text: &[u8],
    separator: u8,
    pair: &mut Pair,
    sink: &mut dyn Sink,
) -> Result<bool, BodyError> {
    let mut valid = true;
    let Pair { name, value } = pair;
    for pair in text.split(|byte| *byte == separator).filter(|pair| !pair.is_empty()) {
        let equals = memchr::memchr(b'=', pair);
        name.clear();
        value.clear();
        valid &= decode(&pair[..equals.unwrap_or(pair.len())], name);
        valid &= decode(equals.map_or(b"", |at| &pair[at + 1..]), value);
        go_on(sink.argument(name, value))?;
    }
    Ok(valid)
}

/// Without an escape that a body breaks off within.
pub(crate) fn whole_escapes(text: &[u8]) -> &[u8] {
    let end = &text[text.len() - text.len().min(2)..];
    let piece = memchr::memchr(b'%', end).map_or(0, |at| end.len() - at);
    &text[..text.len() - piece]
}

/// Appends a path with its escapes decoded; `+` is no blank there.
pub(crate) fn decode_path(path: &[u8], out: &mut Vec<u8>) {
    decode_with(path, b'+', out);
}

/// Appends the decoded text; false when an escape was invalid.
pub(crate) fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    decode_with(text, b' ', out)
}

fn decode_with(text: &[u8], plus: u8, out: &mut Vec<u8>) -> bool {
    let (mut at, mut valid) = (0, true);
    while at < text.len() {
        match text[at] {
            b'+' => out.push(plus),
            b'%' => match hex_pair(text, at + 1) {
                Some(byte) => {
                    out.push(byte);
                    at += 2;
                }
                None => {
                    out.push(b'%');
                    valid = false;
                }
            },
            byte => out.push(byte),
        }
        at += 1;
    }
    valid
}
