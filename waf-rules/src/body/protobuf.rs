//! Protocol buffers without their schema: every length-prefixed field that is text becomes an argument,
//! `protobuf.3.1`, by its field numbers; every one that reads as a message is read as one too, for only
//! the schema tells the two apart.
//!
//! A byte is looked at twice a level, so the work is bounded by size and depth.

use super::{BodyError, Sink, go_on};

/// Deepest nesting that is followed, whatever the profile allows: Google's own readers stop at 100.
const DEPTH_MAX: usize = 32;

/// Reads one message.
pub(crate) fn parse(message: &[u8], depth: usize, sink: &mut dyn Sink) -> Result<(), BodyError> {
    let mut walker = Walker { path: b"protobuf".to_vec(), bound: depth.min(DEPTH_MAX), sink };
    walker.message(message, 0)
}

/// One field: its number, and its content where it is length-prefixed.
type Field<'a> = (u64, Option<&'a [u8]>);

struct Walker<'s> {
    path: Vec<u8>,
    bound: usize,
    sink: &'s mut dyn Sink,
}

impl Walker<'_> {
    fn message(&mut self, message: &[u8], level: usize) -> Result<(), BodyError> {
        let mut fields = Fields { message, at: 0, groups: 0 };
        while let Some((number, content)) = fields.next()? {
            let Some(content) = content else { continue };
            let length = self.path.len();
            self.path.push(b'.');
            self.path.extend_from_slice(number.to_string().as_bytes());
            let result = self.content(content, level);
            self.path.truncate(length);
            result?;
        }
        Ok(())
    }

    fn content(&mut self, content: &[u8], level: usize) -> Result<(), BodyError> {
        if std::str::from_utf8(content).is_ok() {
            go_on(self.sink.argument(&self.path, content))?;
        }
        if content.is_empty() || !is_message(content) {
            return Ok(());
        }
        if level + 1 >= self.bound {
            // A short text may read as a message by chance; only what is no text has to be one.
            return if std::str::from_utf8(content).is_ok() {
                Ok(())
            } else {
                Err(BodyError::too_deep("protocol buffer", self.bound))
            };
        }
        self.message(content, level + 1)
    }
}

/// The whole of it reads as fields.
fn is_message(content: &[u8]) -> bool {
    let mut fields = Fields { message: content, at: 0, groups: 0 };
    loop {
        match fields.next() {
            Ok(Some(_)) => {}
            Ok(None) => return true,
            Err(_) => return false,
        }
    }
}

struct Fields<'a> {
    message: &'a [u8],
    at: usize,
    /// Open groups, the old form of nesting; their fields count as the message's own.
    groups: usize,
}

impl<'a> Fields<'a> {
    fn next(&mut self) -> Result<Option<Field<'a>>, BodyError> {
        if self.at >= self.message.len() {
            return if self.groups == 0 { Ok(None) } else { self.end("a group is not closed") };
        }
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return self.fail("a field number is out of range");
        }
        match tag & 7 {
            0 => self.varint().map(|_| Some((number, None))),
            1 => self.take(8).map(|_| Some((number, None))),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.take(length).map(|content| Some((number, Some(content))))
            }
            3 => {
                self.groups += 1;
                Ok(Some((number, None)))
            }
            4 if self.groups > 0 => {
                self.groups -= 1;
                Ok(Some((number, None)))
            }
            5 => self.take(4).map(|_| Some((number, None))),
            _ => self.fail("a wire type is unknown"),
        }
    }

    /// Seven bits a byte, least first, ten bytes at most.
    fn varint(&mut self) -> Result<u64, BodyError> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let Some(byte) = self.message.get(self.at) else {
                return self.end("a number does not end");
            };
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        self.fail("a number does not end")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], BodyError> {
        let end = self.at.saturating_add(length);
        let Some(content) = self.message.get(self.at..end) else {
            return self.end("a field is longer than the message");
        };
        self.at = end;
        Ok(content)
    }

    fn end<T>(&self, what: &str) -> Result<T, BodyError> {
        Err(BodyError::Ends(self.reason(what)))
    }

    fn fail<T>(&self, what: &str) -> Result<T, BodyError> {
        Err(BodyError::Malformed(self.reason(what)))
    }

    fn reason(&self, what: &str) -> String {
        format!("protocol buffer: {what} at byte {}", self.at)
    }
}
