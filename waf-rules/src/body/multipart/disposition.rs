//! `Content-Disposition: form-data; name="a"; filename="b"` with its RFC 2231 forms.

use super::Flags;
use crate::bytes::{hex_pair, is_space};

/// All that a part calls itself, what readers prefer last.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Disposition {
    pub(super) names: Vec<Vec<u8>>,
    pub(super) filenames: Vec<Vec<u8>>,
}

/// Reads the values of all such headers of a part. Anything that is not read as one clear form-data header
/// sets a flag; what can be read is kept.
pub(super) fn parse<'a>(values: impl Iterator<Item = &'a [u8]>, flags: &mut Flags) -> Disposition {
    let (mut parameters, mut headers) = (Vec::new(), 0);
    for value in values {
        read(value, &mut parameters, flags);
        headers += 1;
    }
    flags.invalid_part |= headers != 1;
    collect(parameters, flags)
}

fn read(value: &[u8], parameters: &mut Vec<(Vec<u8>, Vec<u8>)>, flags: &mut Flags) {
    let mut rest = skip_blanks(value);
    let kind = rest.iter().position(|byte| *byte == b';' || is_space(*byte)).unwrap_or(rest.len());
    flags.invalid_part |= !rest[..kind].eq_ignore_ascii_case(b"form-data");
    rest = &rest[kind..];
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
                // `;` at the very end is harmless; anything else is no parameter, and readers find those behind it.
                flags.invalid_part |= !rest.is_empty();
                rest = memchr::memchr(b';', rest).map_or(b"", |next| &rest[next..]);
            }
        }
    }
}

type Parameter<'a> = (Vec<u8>, Vec<u8>, &'a [u8]);

fn parameter<'a>(rest: &'a [u8], flags: &mut Flags) -> Option<Parameter<'a>> {
    let end = rest.iter().position(|byte| matches!(byte, b'=' | b';') || is_space(*byte))?;
    let name = rest[..end].to_ascii_lowercase();
    let behind = skip_blanks(&rest[end..]).strip_prefix(b"=")?;
    let after = skip_blanks(behind);
    // To some readers a name with a blank behind it is another name, and a value begins at the `=`.
    flags.invalid_part |= rest[end] != b'=' || after.len() < behind.len();
    if let Some(quoted) = after.strip_prefix(b"\"") {
        let (value, used) = quoted_value(quoted, flags);
        return Some((name, value, &quoted[used..]));
    }
    let end = after.iter().position(|byte| *byte == b';' || is_space(*byte)).unwrap_or(after.len());
    let bare = after[..end].to_vec();
    // PHP quotes with apostrophes too; a value of RFC 8187 has two.
    let apostrophes = memchr::memchr_iter(b'\'', &bare).count();
    let extended = apostrophes == 2 && name.ends_with(b"*");
    flags.invalid_quoting |= bare.contains(&b'"') || (apostrophes > 0 && !extended);
    flags.invalid_part |= bare.is_empty();
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
            (b'"', _) => {
                // PHP takes `\\"` for a quote that is escaped.
                flags.invalid_quoting |= quoted[..at].ends_with(b"\\");
                return (value, at + 1);
            }
            (byte, _) => value.push(byte),
        }
        at += 1;
    }
    flags.invalid_quoting = true;
    (value, at)
}

/// A name is plain and given once; a file name is so too, or there is an extended one (`filename*`, which
/// RFC 7578 forbids and some clients send) beside it. Of everything else some reader takes a part for a
/// field that others take for a file, or under another name.
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
        found[place].take(star.map(|star| &name[star + 1..]), value);
    }
    let [name, filename] = found;
    flags.invalid_part |= !name.is_plain() || !filename.is_clear();
    Disposition { names: name.values(), filenames: filename.values() }
}

/// All forms in which one parameter was given.
#[derive(Debug, Default)]
struct Given {
    plain: Vec<Vec<u8>>,
    extended: Vec<Vec<u8>>,
    /// Number, whether it is percent-encoded, and text (RFC 2231, section 3).
    pieces: Vec<(u32, bool, Vec<u8>)>,
}

impl Given {
    /// Notes a form by what stands behind the star.
    fn take(&mut self, suffix: Option<&[u8]>, value: Vec<u8>) {
        match suffix {
            None => self.plain.push(value),
            Some(b"") => self.extended.push(decode_extended(&value)),
            Some(number) => {
                let encoded = number.ends_with(b"*");
                let digits = number.strip_suffix(b"*").unwrap_or(number);
                let number =
                    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
                self.pieces.push((number.unwrap_or(u32::MAX), encoded, value));
            }
        }
    }

    fn is_plain(&self) -> bool {
        self.plain.len() == 1 && self.extended.is_empty() && self.pieces.is_empty()
    }

    /// Every reader finds a value, or none does. One that is plain and empty is what browsers send for a
    /// file that was not chosen.
    fn is_clear(&self) -> bool {
        match (self.plain.as_slice(), self.extended.as_slice()) {
            _ if !self.pieces.is_empty() => false,
            ([], []) | ([_], []) => true,
            ([plain], [extended]) => !plain.is_empty() && !extended.is_empty(),
            _ => false,
        }
    }

    /// The extended form is what RFC 6266 prefers; pieces are joined.
    fn values(mut self) -> Vec<Vec<u8>> {
        let mut values = self.plain;
        values.append(&mut self.extended);
        if !self.pieces.is_empty() {
            values.push(joined(self.pieces));
        }
        values.dedup();
        values
    }
}

/// The pieces may come in any order.
fn joined(mut pieces: Vec<(u32, bool, Vec<u8>)>) -> Vec<u8> {
    pieces.sort_by_key(|(number, _, _)| *number);
    let mut joined = Vec::new();
    for (at, (_, encoded, text)) in pieces.iter().enumerate() {
        match (encoded, at) {
            (true, 0) => joined.extend(decode_extended(text)),
            (true, _) => joined.extend(percent_decoded(text)),
            (false, _) => joined.extend_from_slice(text),
        }
    }
    joined
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
