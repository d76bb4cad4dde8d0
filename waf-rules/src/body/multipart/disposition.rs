//! `Content-Disposition: form-data; name="a"; filename="b"` with its RFC 2231 forms.

use super::Flags;
use crate::bytes::{hex_pair, is_space};

/// What a part calls itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) name: Option<Vec<u8>>,
    pub(super) filename: Option<Vec<u8>>,
}

/// Reads the header's value. Anything that is not read as one clear form-data header sets a flag;
/// what can be read is kept.
pub(super) fn parse(value: &[u8], flags: &mut Flags) -> Disposition {
    let mut rest = skip_blanks(value);
    let kind = rest.iter().position(|byte| *byte == b';' || is_space(*byte)).unwrap_or(rest.len());
    flags.invalid_part |= !rest[..kind].eq_ignore_ascii_case(b"form-data");
    rest = &rest[kind..];
    let mut parameters = Vec::new();
    while !skip_blanks(rest).is_empty() {
        rest = skip_blanks(rest);
        match rest.strip_prefix(b";") {
            Some(after) => rest = skip_blanks(after),
            None => flags.missing_semicolon = true,
        }
        match parameter(rest, flags) {
            Some((name, value, after)) => {
                parameters.push((name, value));
                rest = after;
            }
            None => {
                // `;` at the very end is harmless; anything else is no parameter.
                flags.invalid_part |= !rest.is_empty();
                break;
            }
        }
    }
    collect(parameters, flags)
}

type Parameter<'a> = (Vec<u8>, Vec<u8>, &'a [u8]);

fn parameter<'a>(rest: &'a [u8], flags: &mut Flags) -> Option<Parameter<'a>> {
    let end = rest.iter().position(|byte| matches!(byte, b'=' | b';') || is_space(*byte))?;
    let name = rest[..end].to_ascii_lowercase();
    let after = skip_blanks(&rest[end..]).strip_prefix(b"=")?;
    let after = skip_blanks(after);
    if let Some(quoted) = after.strip_prefix(b"\"") {
        let (value, used) = quoted_value(quoted, flags);
        return Some((name, value, &quoted[used..]));
    }
    flags.invalid_quoting |= after.first() == Some(&b'\'');
    let end = after.iter().position(|byte| *byte == b';' || is_space(*byte)).unwrap_or(after.len());
    let bare = after[..end].to_vec();
    flags.invalid_quoting |= bare.contains(&b'"');
    Some((name, bare, &after[end..]))
}

/// Only `\"` and `\\` are escapes: browsers send Windows paths unescaped. The value, and how many
/// bytes it took with its closing quote.
fn quoted_value(quoted: &[u8], flags: &mut Flags) -> (Vec<u8>, usize) {
    let (mut value, mut at) = (Vec::new(), 0);
    while at < quoted.len() {
        match (quoted[at], quoted.get(at + 1)) {
            (b'\\', Some(escaped @ (b'"' | b'\\'))) => {
                value.push(*escaped);
                at += 1;
            }
            (b'"', _) => return (value, at + 1),
            (byte, _) => value.push(byte),
        }
        at += 1;
    }
    flags.invalid_quoting = true;
    (value, at)
}

/// The extended form (`filename*`) wins, as RFC 6266 says; one name given twice is a doubt.
fn collect(parameters: Vec<(Vec<u8>, Vec<u8>)>, flags: &mut Flags) -> Disposition {
    let mut found = Disposition::default();
    let (mut plain, mut extended) = ([0_u8; 2], [0_u8; 2]);
    for (name, value) in parameters {
        let (place, slot) = match name.strip_suffix(b"*").unwrap_or(&name) {
            b"name" => (0, &mut found.name),
            b"filename" => (1, &mut found.filename),
            _ => {
                flags.invalid_part = true;
                continue;
            }
        };
        if name.ends_with(b"*") {
            extended[place] += 1;
            *slot = Some(decode_extended(&value));
        } else {
            plain[place] += 1;
            if extended[place] == 0 {
                *slot = Some(value);
            }
        }
    }
    flags.invalid_part |= plain.iter().zip(&extended).any(|(plain, extended)| plain + extended > 1);
    flags.invalid_part |= found.name.is_none();
    found
}

/// `charset'language'percent-encoded`, RFC 8187; the bytes are taken as they are.
fn decode_extended(value: &[u8]) -> Vec<u8> {
    let text = value.splitn(3, |byte| *byte == b'\'').nth(2).unwrap_or(value);
    let (mut out, mut at) = (Vec::new(), 0);
    while at < text.len() {
        match (text[at], hex_pair(text, at + 1)) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 3;
            }
            (byte, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
    &text[start..]
}
