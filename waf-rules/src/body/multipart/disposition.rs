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

/// The extended form (`filename*`) wins, as RFC 6266 says; one name given twice is a doubt, and so is
/// one given in pieces (RFC 2231, section 3), which RFC 7578 does not have: the pieces are joined.
fn collect(parameters: Vec<(Vec<u8>, Vec<u8>)>, flags: &mut Flags) -> Disposition {
    let mut found = [Given::default(), Given::default()];
    for (name, value) in parameters {
        let star = memchr::memchr(b'*', &name);
        let place = match &name[..star.unwrap_or(name.len())] {
            b"name" => 0,
            b"filename" => 1,
            _ => {
                flags.invalid_part = true;
                continue;
            }
        };
        let suffix = star.map(|star| &name[star + 1..]);
        flags.invalid_part |= !found[place].take(suffix, value);
    }
    let [name, filename] = found.map(Given::value);
    flags.invalid_part |= name.is_none();
    Disposition { name, filename }
}

/// All forms in which one parameter was given.
#[derive(Debug, Default)]
struct Given {
    plain: Option<Vec<u8>>,
    extended: Option<Vec<u8>>,
    /// Number, whether it is percent-encoded, and text.
    pieces: Vec<(u32, bool, Vec<u8>)>,
}

impl Given {
    /// Notes a form by what stands behind the star; false for a doubt.
    fn take(&mut self, suffix: Option<&[u8]>, value: Vec<u8>) -> bool {
        let first = self.plain.is_none() && self.extended.is_none() && self.pieces.is_empty();
        match suffix {
            None => {
                self.plain = Some(value);
                first
            }
            Some(b"") => {
                self.extended = Some(decode_extended(&value));
                first
            }
            Some(number) => {
                let encoded = number.ends_with(b"*");
                let digits = number.strip_suffix(b"*").unwrap_or(number);
                let number =
                    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                self.pieces.push((number.unwrap_or(u32::MAX), encoded, value));
                false
            }
        }
    }

    fn value(mut self) -> Option<Vec<u8>> {
        if self.pieces.is_empty() {
            return self.extended.or(self.plain);
        }
        self.pieces.sort_by_key(|(number, _, _)| *number);
        let mut joined = Vec::new();
        for (at, (_, encoded, text)) in self.pieces.iter().enumerate() {
            match (encoded, at) {
                (true, 0) => joined.extend(decode_extended(text)),
                (true, _) => joined.extend(percent_decoded(text)),
                (false, _) => joined.extend_from_slice(text),
            }
        }
        Some(joined)
    }
}

/// `charset'language'percent-encoded`, RFC 8187; the bytes are taken as they are.
fn decode_extended(value: &[u8]) -> Vec<u8> {
    percent_decoded(value.splitn(3, |byte| *byte == b'\'').nth(2).unwrap_or(value))
}

fn percent_decoded(text: &[u8]) -> Vec<u8> {
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
