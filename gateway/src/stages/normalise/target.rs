//! The request target (RFC 9112 §3.2, RFC 3986 §6.2.2): one spelling for routing, rules and the upstream.

use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};

/// Canonical path and query of an origin-form target.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub path: String,
    pub query: Option<String>,
    pub encoded_separator: bool,
    pub rewritten: bool,
}

pub(super) fn read(raw: &[u8]) -> Decision<Target> {
    let (path, query) = split_query(raw)?;
    if !path.starts_with(b"/") {
        return refuse(Code::NormaliseTarget, "target does not start with a slash");
    }
    let (path, encoded_separator, path_rewritten) = read_path(path)?;
    let (query, query_rewritten) = match query {
        Some(query) => {
            let (query, rewritten) = read_query(query)?;
            (Some(query), rewritten)
        }
        None => (None, false),
    };
    Ok(Target { path, query, encoded_separator, rewritten: path_rewritten || query_rewritten })
}

/// What a byte of a target is. Printable bytes that RFC 3986 forbids but browsers send are encoded; the rest of
/// the forbidden ones are refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Percent,
    Encode,
    Refuse,
}

const CLASS: [Class; 256] = {
    let mut table = [Class::Refuse; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = Class::Plain;
        byte += 1;
    }
    let encoded = b"\"<>^`{|}";
    let mut index = 0;
    while index < encoded.len() {
        table[encoded[index] as usize] = Class::Encode;
        index += 1;
    }
    table[b'%' as usize] = Class::Percent;
    table[b'#' as usize] = Class::Refuse;
    table[b'\\' as usize] = Class::Refuse;
    table
};

fn split_query(raw: &[u8]) -> Decision<(&[u8], Option<&[u8]>)> {
    if memchr::memchr(b'#', raw).is_some() {
        return refuse(Code::NormaliseTarget, "fragment in the target");
    }
    Ok(match memchr::memchr(b'?', raw) {
        Some(at) => (&raw[..at], Some(&raw[at + 1..])),
        None => (raw, None),
    })
}

/// Path, whether it holds an encoded separator, whether it differs from what was sent.
fn read_path(raw: &[u8]) -> Decision<(String, bool, bool)> {
    if is_canonical(raw) {
        return Ok((as_text(raw.to_vec()), false, false));
    }
    let mut separator = false;
    let decoded = decode_unreserved(raw, &mut separator)?;
    let path = remove_dot_segments(&decoded)?;
    let rewritten = path != raw;
    Ok((as_text(path), separator, rewritten))
}

/// Nearly every path: nothing encoded, no empty or dot segment.
fn is_canonical(path: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in path {
        if CLASS[byte as usize] != Class::Plain || (previous == b'/' && matches!(byte, b'/' | b'.'))
        {
            return false;
        }
        previous = byte;
    }
    true
}

/// Decodes `%41` to `A`, writes other escapes in upper case, encodes what has to be.
fn decode_unreserved(raw: &[u8], separator: &mut bool) -> Decision<Vec<u8>> {
    let mut out = Vec::with_capacity(raw.len() + 8);
    let mut at = 0;
    while at < raw.len() {
        match CLASS[raw[at] as usize] {
            Class::Plain => out.push(raw[at]),
            Class::Encode => push_escape(&mut out, raw[at]),
            Class::Refuse => return refuse(Code::NormaliseTarget, "illegal byte in the path"),
            Class::Percent => {
                let Some(byte) = escape_at(raw, at) else {
                    return refuse(Code::NormaliseTarget, "broken percent-encoding in the path");
                };
                match byte {
                    0 => return refuse(Code::NormalisePath, "encoded NUL in the path"),
                    b'/' | b'\\' => {
                        *separator = true;
                        push_escape(&mut out, byte);
                    }
                    _ if is_unreserved(byte) => out.push(byte),
                    _ => push_escape(&mut out, byte),
                }
                at += 2;
            }
        }
        at += 1;
    }
    Ok(out)
}

/// RFC 3986 §5.2.4, and empty segments are merged: `//admin` must not be another path than `/admin` for us and
/// the same one for a service. Climbing above the root is refused, not clamped.
fn remove_dot_segments(path: &[u8]) -> Decision<Vec<u8>> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut directory = false;
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        directory = matches!(segment, b"" | b"." | b"..");
        match segment {
            b"" | b"." => {}
            b".." => {
                if segments.pop().is_none() {
                    return refuse(Code::NormalisePath, "dot segments climb out of the root");
                }
            }
            _ => segments.push(segment),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in &segments {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if directory || segments.is_empty() {
        out.push(b'/');
    }
    Ok(out)
}

/// The query stays as it was sent, but for bytes that must not travel. Its percent-encoding is not judged: `?q=100%`
/// is common, and what it means is the rules' business.
fn read_query(raw: &[u8]) -> Decision<(String, bool)> {
    if raw.iter().all(|byte| matches!(CLASS[*byte as usize], Class::Plain | Class::Percent)) {
        return Ok((as_text(raw.to_vec()), false));
    }
    let mut out = Vec::with_capacity(raw.len() + 8);
    for &byte in raw {
        match CLASS[byte as usize] {
            Class::Plain | Class::Percent => out.push(byte),
            Class::Encode => push_escape(&mut out, byte),
            Class::Refuse if byte == b'\\' => push_escape(&mut out, byte),
            Class::Refuse => return refuse(Code::NormaliseTarget, "illegal byte in the query"),
        }
    }
    Ok((as_text(out), true))
}

fn escape_at(raw: &[u8], at: usize) -> Option<u8> {
    let high = hex(*raw.get(at + 1)?)?;
    let low = hex(*raw.get(at + 2)?)?;
    Some(high << 4 | low)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Every byte that got this far is ASCII; anything else would be a bug and becomes U+FFFD, which no route matches.
fn as_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn refuse<T>(code: Code, evidence: &'static str) -> Decision<T> {
    Err(Finding::new(code, evidence).detail(evidence))
}
