//! GraphQL documents (specification of October 2021, section 2): the strings that they hold, unescaped, as
//! arguments. All else in a document is names, numbers and punctuation, which carry no attack.

use super::json::escaped;
use super::{BodyError, Sink, go_on};
use crate::bytes::hex_quad;

/// Hands on every string as `PREFIX.NAME`, after the argument or field it is given to.
pub(crate) fn parse(
    text: &[u8],
    prefix: &[u8],
    depth: usize,
    sink: &mut dyn Sink,
) -> Result<(), BodyError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader =
        Reader { text, at: 0, prefix, bound: depth, depth: 0, name: b"", label: b"", tokens: 0 };
    while reader.token(sink)? {}
    match (reader.depth, reader.tokens) {
        (_, 0) => Err(BodyError::Ends("GraphQL: the document is empty".to_owned())),
        (0, _) => Ok(()),
        _ => reader.fail("a bracket is not closed"),
    }
}

/// A JSON value called `query` may be a document.
pub(crate) fn looks_like_document(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    [b"{".as_slice(), b"#", b"query", b"mutation", b"subscription", b"fragment"]
        .iter()
        .any(|start| text.starts_with(start))
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    prefix: &'a [u8],
    bound: usize,
    depth: usize,
    /// The name read last, and the last one that a colon followed.
    name: &'a [u8],
    label: &'a [u8],
    tokens: usize,
}

impl<'a> Reader<'a> {
    /// Reads one token; false at the end.
    fn token(&mut self, sink: &mut dyn Sink) -> Result<bool, BodyError> {
        self.skip();
        let Some(byte) = self.text.get(self.at).copied() else { return Ok(false) };
        self.tokens += 1;
        match byte {
            b'"' => {
                let mut value = Vec::new();
                let read = self.string(&mut value);
                // One that breaks off is handed on as far as it goes.
                if matches!(read, Ok(()) | Err(BodyError::Ends(_))) {
                    let name = self.argument_name();
                    go_on(sink.argument(&name, &value))?;
                }
                read?;
            }
            b'{' | b'[' | b'(' => self.open()?,
            b'}' | b']' | b')' => self.close()?,
            b':' => {
                self.label = self.name;
                self.at += 1;
            }
            b'!' | b'$' | b'&' | b'=' | b'@' | b'|' => self.at += 1,
            b'.' if self.text[self.at..].starts_with(b"...") => self.at += 3,
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.name = self.run(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            }
            b'-' | b'0'..=b'9' => {
                self.run(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
            }
            b'.' => return self.fail_within(3, "a character belongs to no token"),
            _ => return self.fail("a character belongs to no token"),
        }
        Ok(true)
    }

    /// White space, commas and comments.
    fn skip(&mut self) {
        while let Some(byte) = self.text.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b',' => self.at += 1,
                b'#' => {
                    let rest = &self.text[self.at..];
                    self.at += memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn open(&mut self) -> Result<(), BodyError> {
        self.depth += 1;
        self.at += 1;
        if self.depth > self.bound {
            return Err(BodyError::too_deep("GraphQL", self.bound));
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), BodyError> {
        self.at += 1;
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => self.fail("a bracket closes nothing"),
        }
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.text[self.at..];
        let length = rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn argument_name(&self) -> Vec<u8> {
        match self.label {
            b"" => self.prefix.to_vec(),
            label => [self.prefix, label].join(&b'.'),
        }
    }

    fn string(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        if self.text[self.at..].starts_with(b"\"\"\"") {
            return self.block_string(value);
        }
        self.at += 1;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(value)?,
                None | Some(b'\n' | b'\r') => return self.fail("a string is not closed"),
                Some(byte) => {
                    value.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// Taken as written: only `\"""` is an escape.
    fn block_string(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        self.at += 3;
        loop {
            let rest = &self.text[self.at..];
            if rest.starts_with(b"\"\"\"") {
                self.at += 3;
                return Ok(());
            }
            if rest.starts_with(b"\\\"\"\"") {
                value.extend_from_slice(b"\"\"\"");
                self.at += 4;
                continue;
            }
            let Some(byte) = rest.first() else { return self.fail("a block string is not closed") };
            value.push(*byte);
            self.at += 1;
        }
    }

    fn escape(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        match self.text.get(self.at + 1) {
            Some(b'u') => return self.unicode_escape(value),
            letter => match letter.and_then(|letter| escaped(*letter)) {
                Some(byte) => value.push(byte),
                None => return self.fail_within(2, "an escape is invalid"),
            },
        }
        self.at += 2;
        Ok(())
    }

    /// `\u0041` or `\u{41}`; half a surrogate pair becomes U+FFFD.
    fn unicode_escape(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        let (code, length) = if self.text.get(self.at + 2) == Some(&b'{') {
            let rest = &self.text[self.at + 3..];
            let digits = rest.iter().take(9).position(|byte| *byte == b'}');
            let code = digits
                .and_then(|digits| std::str::from_utf8(&rest[..digits]).ok())
                .and_then(|digits| u32::from_str_radix(digits, 16).ok());
            (code, digits.map_or(0, |digits| digits + 4))
        } else {
            (hex_quad(self.text, self.at + 2).map(u32::from), 6)
        };
        let braced = self.text.get(self.at + 2) == Some(&b'{');
        let Some(code) = code else {
            return self.fail_within(if braced { 12 } else { 6 }, "an escape is invalid");
        };
        self.at += length;
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn fail<T>(&self, what: &str) -> Result<T, BodyError> {
        self.fail_within(1, what)
    }

    /// Fewer bytes than this may be the beginning of what is missed.
    fn fail_within<T>(&self, length: usize, what: &str) -> Result<T, BodyError> {
        let rest = &self.text[self.at..];
        Err(BodyError::at(format!("GraphQL: {what} at byte {}", self.at), rest, length))
    }
}
