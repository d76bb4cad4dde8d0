//! The framing of a chunked body, read strictly before any other parser sees it (RFC 9112 §7.1).
//!
//! Lenient parsers take a missing size for the end, a bare LF for part of an extension, and anything for trailers:
//! whoever stands before or behind them sees another end of the message. Nothing is decoded here; the walk says only
//! whether the bytes can be read in one way, and where they end.

use super::head::{is_field_byte, is_token};

/// Hexadecimal digits of a size: 2^60 bytes are enough for anyone, and nothing can overflow.
const SIZE_DIGITS: u8 = 15;
/// Bytes of all extensions of one chunk.
const EXTENSION_BYTES: u32 = 256;
/// Bytes of all trailer fields.
const TRAILER_BYTES: u32 = 8 * 1024;

/// Walks along a chunked body, in as many pieces as it comes.
#[derive(Clone, Debug)]
pub struct Chunks {
    at: At,
    /// Of the present chunk: its size as read so far, then the bytes that are still to come.
    size: u64,
    digits: u8,
    extension: u32,
    trailer: u32,
}

/// Why a body cannot be read in one way only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub &'static str);

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size,
    Extension,
    SizeEnd,
    Data,
    DataEnd,
    DataEndLine,
    /// A trailer field, or the empty line.
    Trailer,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastLine,
    End,
    Broken(Broken),
}

impl Default for Chunks {
    fn default() -> Chunks {
        Chunks { at: At::Size, size: 0, digits: 0, extension: 0, trailer: 0 }
    }
}

impl Chunks {
    /// Reads on. `Some`: the body ends after so many of these bytes.
    ///
    /// # Errors
    /// The framing is broken, now or earlier.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        let mut read = 0;
        while read < bytes.len() {
            if self.at == At::Data {
                read += self.skip(bytes.len() - read);
                continue;
            }
            self.at = match self.step(bytes[read]) {
                Ok(next) => next,
                Err(why) => At::Broken(Broken(why)),
            };
            read += 1;
            match self.at {
                At::End => return Ok(Some(read)),
                At::Broken(why) => return Err(why),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Data is not looked at.
    fn skip(&mut self, available: usize) -> usize {
        let count = usize::try_from(self.size).unwrap_or(usize::MAX).min(available);
        self.size -= count as u64;
        if self.size == 0 {
            self.at = At::DataEnd;
        }
        count
    }

    fn step(&mut self, byte: u8) -> Result<At, &'static str> {
        match (self.at, byte) {
            (At::Size, _) => self.size_byte(byte),
            (At::Extension, b'\r') => Ok(At::SizeEnd),
            (At::Extension, _) => self.extension_byte(byte),
            (At::SizeEnd, b'\n') if self.size == 0 => Ok(At::Trailer),
            (At::SizeEnd, b'\n') => Ok(At::Data),
            (At::DataEnd, b'\r') => Ok(At::DataEndLine),
            (At::DataEndLine, b'\n') => {
                (self.size, self.digits, self.extension) = (0, 0, 0);
                Ok(At::Size)
            }
            (At::Trailer, b'\r') => Ok(At::LastLine),
            (At::LastLine, b'\n') => Ok(At::End),
            (At::Trailer | At::TrailerName | At::TrailerValue, _) => self.trailer_byte(byte),
            (At::TrailerEnd, b'\n') => Ok(At::Trailer),
            (At::SizeEnd | At::TrailerEnd | At::LastLine, _) => Err("bare CR in chunk framing"),
            (At::DataEnd | At::DataEndLine, _) => Err("chunk longer than its size"),
            (At::Broken(why), _) => Err(why.0),
            (At::Data | At::End, _) => Err("bytes after the last chunk"),
        }
    }

    fn size_byte(&mut self, byte: u8) -> Result<At, &'static str> {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            b'\r' if self.digits > 0 => return Ok(At::SizeEnd),
            b';' if self.digits > 0 => return Ok(At::Extension),
            _ => return Err("chunk size is not a hexadecimal number"),
        };
        self.digits += 1;
        if self.digits > SIZE_DIGITS {
            return Err("chunk size has too many digits");
        }
        self.size = self.size << 4 | u64::from(digit);
        Ok(At::Size)
    }

    fn extension_byte(&mut self, byte: u8) -> Result<At, &'static str> {
        self.extension += 1;
        if self.extension > EXTENSION_BYTES {
            return Err("chunk extension too long");
        }
        if is_field_byte(byte) {
            Ok(At::Extension)
        } else {
            Err("control byte in a chunk extension")
        }
    }

    fn trailer_byte(&mut self, byte: u8) -> Result<At, &'static str> {
        self.trailer += 1;
        if self.trailer > TRAILER_BYTES {
            return Err("trailer fields too long");
        }
        match (self.at, byte) {
            (At::TrailerName, b':') => Ok(At::TrailerValue),
            (At::Trailer | At::TrailerName, _) if is_token(byte) => Ok(At::TrailerName),
            (At::TrailerValue, b'\r') => Ok(At::TrailerEnd),
            (At::TrailerValue, _) if is_field_byte(byte) => Ok(At::TrailerValue),
            _ => Err("malformed trailer field"),
        }
    }
}
