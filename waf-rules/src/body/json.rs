//! JSON (RFC 8259) flattened to arguments: `{"a":[{"b":1}]}` is `json.a.0.b=1`.
//!
//! Reads bytes once, without a tree: duplicate keys are all kept, in order, so that whatever the
//! application takes has been seen. An array and an empty object are an empty argument too, so that
//! their keys are seen without an index behind them (CRS 934210).

use super::{BodyError, Sink, go_on};
use crate::Exceeded;
use crate::bytes::hex_quad;

/// Bytes of all names together: deep keys repeat in every leaf below them.
pub(crate) const NAME_BYTES_MAX: usize = 1024 * 1024;

/// Hands on every leaf, down to `depth` levels.
pub(crate) fn parse(text: &[u8], depth: usize, sink: &mut dyn Sink) -> Result<(), BodyError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut parser = Parser {
        text,
        at: 0,
        depth,
        path: b"json".to_vec(),
        levels: Vec::new(),
        name_bytes: 0,
        sink,
    };
    parser.document()
}

/// An open object or array: where its name ends in the path, and for arrays the next index.
struct Level {
    path: usize,
    index: Option<usize>,
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    path: Vec<u8>,
    levels: Vec<Level>,
    name_bytes: usize,
    sink: &'a mut dyn Sink,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), BodyError> {
        self.value()?;
        while let Some(level) = self.levels.last() {
            if level.index.is_some() { self.next_element()? } else { self.next_member()? }
        }
        self.skip_blanks();
        if self.at < self.text.len() { self.fail("text after the end") } else { Ok(()) }
    }

    /// A scalar is handed on; an object or array is opened and its first member read.
    fn value(&mut self) -> Result<(), BodyError> {
        self.skip_blanks();
        match self.peek() {
            Some(b'{') => self.open(None),
            Some(b'[') => self.open(Some(0)),
            Some(b'"') => {
                let mut value = Vec::new();
                let read = self.string(&mut value);
                // One that breaks off is handed on as far as it goes.
                if matches!(read, Ok(()) | Err(BodyError::Ends(_))) {
                    self.leaf(&value)?;
                }
                read
            }
            Some(b't') => self.word(b"true", b"true"),
            Some(b'f') => self.word(b"false", b"false"),
            Some(b'n') => self.word(b"null", b""),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fail("a value is expected"),
        }
    }

    fn open(&mut self, index: Option<usize>) -> Result<(), BodyError> {
        if self.levels.len() >= self.depth {
            return Err(BodyError::too_deep("JSON", self.depth));
        }
        self.at += 1;
        self.skip_blanks();
        let close = if index.is_some() { b']' } else { b'}' };
        if self.peek() == Some(close) {
            self.at += 1;
            return self.leaf(b"");
        }
        self.levels.push(Level { path: self.path.len(), index });
        if index.is_some() {
            self.leaf(b"")?;
        }
        if index.is_some() { self.element() } else { self.member() }
    }

    fn next_member(&mut self) -> Result<(), BodyError> {
        if self.separator(b'}')? { self.member() } else { Ok(()) }
    }

    fn next_element(&mut self) -> Result<(), BodyError> {
        if self.separator(b']')? { self.element() } else { Ok(()) }
    }

    /// True when another member follows; the level is closed otherwise.
    fn separator(&mut self, close: u8) -> Result<bool, BodyError> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.rewind();
                Ok(true)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                self.rewind();
                self.levels.pop();
                Ok(false)
            }
            _ => self.fail("`,` or the end of the object or array is expected"),
        }
    }

    fn rewind(&mut self) {
        if let Some(level) = self.levels.last() {
            self.path.truncate(level.path);
        }
    }

    fn member(&mut self) -> Result<(), BodyError> {
        self.rewind();
        self.skip_blanks();
        if self.peek() != Some(b'"') {
            return self.fail("a member name is expected");
        }
        let mut name = Vec::new();
        self.string(&mut name)?;
        self.path.push(b'.');
        self.path.extend_from_slice(&name);
        self.skip_blanks();
        if self.peek() != Some(b':') {
            return self.fail("`:` is expected");
        }
        self.at += 1;
        self.value()
    }

    fn element(&mut self) -> Result<(), BodyError> {
        self.rewind();
        if let Some(Level { index: Some(index), .. }) = self.levels.last_mut() {
            self.path.push(b'.');
            self.path.extend_from_slice(index.to_string().as_bytes());
            *index += 1;
        }
        self.value()
    }

    fn leaf(&mut self, value: &[u8]) -> Result<(), BodyError> {
        self.name_bytes += self.path.len();
        if self.name_bytes > NAME_BYTES_MAX {
            let reason = format!("JSON names take more than {NAME_BYTES_MAX} bytes");
            return Err(BodyError::Beyond(Exceeded::Arguments, reason));
        }
        go_on(self.sink.argument(&self.path, value))
    }

    fn word(&mut self, word: &[u8], value: &[u8]) -> Result<(), BodyError> {
        let rest = &self.text[self.at..];
        if !rest.starts_with(word) {
            let length = if word.starts_with(rest) { word.len() } else { 1 };
            return self.fail_within(length, "true, false or null is expected");
        }
        self.at += word.len();
        self.leaf(value)
    }

    /// Any run of number bytes with a digit: the text as written is what is inspected.
    fn number(&mut self) -> Result<(), BodyError> {
        let rest = &self.text[self.at..];
        let length = rest
            .iter()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let number = &rest[..length];
        if is_number(number) {
            self.at += length;
            return self.leaf(number);
        }
        if length == rest.len() {
            // It may break off behind a point or the like.
            self.leaf(number)?;
            self.at += length;
        }
        self.fail("a number is expected")
    }

    fn string(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(value)?,
                Some(0..=0x1f) | None => {
                    return self.fail("a string is not closed or holds a control character");
                }
                Some(byte) => {
                    value.push(byte);
                    self.at += 1;
                }
            }
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

    /// A surrogate without its partner becomes U+FFFD.
    fn unicode_escape(&mut self, value: &mut Vec<u8>) -> Result<(), BodyError> {
        let Some(first) = hex_quad(self.text, self.at + 2) else {
            return self.fail_within(6, "an escape is invalid");
        };
        self.at += 6;
        let second = match (first, self.text.get(self.at..self.at + 2)) {
            (0xd800..=0xdbff, Some(b"\\u")) => hex_quad(self.text, self.at + 2),
            _ => None,
        };
        let mut units = std::iter::once(first).chain(second);
        let mut decoded = char::decode_utf16(&mut units);
        let character = decoded.next().and_then(Result::ok);
        if character.is_some_and(|character| u32::from(character) > 0xffff) {
            self.at += 6;
        }
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        value.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fail<T>(&self, what: &str) -> Result<T, BodyError> {
        self.fail_within(1, what)
    }

    /// Fewer bytes than this may be the beginning of what is missed.
    fn fail_within<T>(&self, length: usize, what: &str) -> Result<T, BodyError> {
        let rest = &self.text[self.at..];
        Err(BodyError::at(format!("JSON: {what} at byte {}", self.at), rest, length))
    }
}

/// RFC 8259, section 6: no leading zeros, digits after a point and after an exponent.
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.iter().position(|byte| *byte == b'.') {
        Some(at) => (&mantissa[..at], Some(&mantissa[at + 1..])),
        None => (mantissa, None),
    };
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let signed = |text: &[u8]| {
        digits(text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text))
    };
    digits(whole)
        && (whole == b"0" || whole[0] != b'0')
        && fraction.is_none_or(digits)
        && exponent.is_none_or(signed)
}

/// What a letter after a backslash stands for (RFC 8259 §7); GraphQL has the same ones.
pub(super) fn escaped(letter: u8) -> Option<u8> {
    Some(match letter {
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'"' | b'\\' | b'/' => letter,
        _ => return None,
    })
}
