//! Compressed bodies (RFC 9110, section 8.4.1), decoded as they arrive and within bounds, so that rules
//! see what the service will see, and a small body cannot become a large one.

#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Write};

use brotli_decompressor::DecompressorWriter;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// What decoding may yield.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeBounds {
    /// Decoded bytes in all.
    pub output_bytes: usize,
    /// Decoded bytes for each encoded one. Text reaches 20, what is made to be a bomb 1,000.
    pub ratio: usize,
}

/// Why a body could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// A content coding that is not decoded, or several.
    Unsupported(String),
    /// The bytes are not what the coding says, or end too early, or go on behind the end.
    Malformed(String),
    /// More than [`DecodeBounds::output_bytes`], all of which was put out: a large body.
    Output { bound: usize },
    /// More than [`DecodeBounds::ratio`], on this side of the other bound or not far beyond it: a bomb.
    Ratio { bound: usize },
}

/// Decodes one body, chunk by chunk. Memory is bounded by the coding's window (32 KiB for gzip and
/// deflate, 16 MiB for Brotli at worst) and by what a chunk decodes to.
pub struct Decoder {
    coding: Coding,
    bounds: DecodeBounds,
    input_bytes: usize,
}

/// Below this much output the ratio is not looked at: short texts compress to next to nothing.
const RATIO_FLOOR_BYTES: usize = 64 * 1024;
const BROTLI_BUFFER_BYTES: usize = 4 * 1024;
/// Input that is decoded in one go: so far apart the ratio is looked at.
const SLICE_BYTES: usize = 512;
/// How many times the output bound is decoded, unkept, to tell a bomb from a large body.
const BEYOND: usize = 8;

enum Coding {
    Gzip(Box<MultiGzDecoder<Output>>),
    /// `deflate` before the first two bytes, which tell whether it has the header that it should have.
    Undecided(Vec<u8>, Output),
    Zlib(Box<ZlibDecoder<Output>>),
    Deflate(Box<DeflateDecoder<Output>>),
    Brotli(Box<DecompressorWriter<Output>>),
    /// The end was reached, or an error.
    Over,
}

/// Takes decoded bytes up to the bounds.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    /// Decoded in all, and of it what was put out.
    total: usize,
    kept: usize,
    /// Bounds of both, and of the total by the ratio.
    total_most: usize,
    kept_most: usize,
    ratio_most: usize,
}

impl Default for DecodeBounds {
    fn default() -> Self {
        Self { output_bytes: 1024 * 1024, ratio: 100 }
    }
}

impl Decoder {
    /// For the values of all `Content-Encoding` fields, joined by commas. `Ok(None)`: nothing is encoded.
    ///
    /// # Errors
    /// A coding other than `gzip`, `deflate`, `br` and `identity`, or more than one.
    pub fn new(content_encoding: &[u8], bounds: DecodeBounds) -> Result<Option<Self>, DecodeError> {
        let text = String::from_utf8_lossy(content_encoding).to_ascii_lowercase();
        let mut codings =
            text.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity"));
        let Some(coding) = codings.next() else { return Ok(None) };
        if codings.next().is_some() {
            return Err(DecodeError::Unsupported("more than one content coding".to_owned()));
        }
        let output = Output {
            kept_most: bounds.output_bytes,
            total_most: bounds.output_bytes.saturating_mul(BEYOND).max(RATIO_FLOOR_BYTES),
            ..Output::default()
        };
        let coding = match coding {
            "gzip" | "x-gzip" => Coding::Gzip(Box::new(MultiGzDecoder::new(output))),
            "deflate" => Coding::Undecided(Vec::new(), output),
            "br" => {
                let writer = DecompressorWriter::new(output, BROTLI_BUFFER_BYTES);
                Coding::Brotli(Box::new(writer))
            }
            other => {
                let name: String =
                    other.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
                return Err(DecodeError::Unsupported(format!("content coding `{name}`")));
            }
        };
        Ok(Some(Self { coding, bounds, input_bytes: 0 }))
    }

    /// Decodes a chunk and appends what it yields to `out`, up to the bound. Behind the bound it looks for a bomb as far
    /// as the chunk goes, and not much further than that is worth.
    ///
    /// # Errors
    /// Broken data, or more output than the bounds allow; the decoder is of no use after it.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) -> Result<(), DecodeError> {
        for slice in chunk.chunks(SLICE_BYTES) {
            self.input_bytes = self.input_bytes.saturating_add(slice.len());
            let by_ratio = self.input_bytes.saturating_mul(self.bounds.ratio);
            if let Some(output) = self.coding.output() {
                output.ratio_most = by_ratio.max(RATIO_FLOOR_BYTES);
            }
            let result = self.coding.write(slice);
            self.settle(result, out)?;
        }
        self.large()
    }

    /// The body is complete.
    ///
    /// # Errors
    /// It ends before its coding does.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        // No body at all is no broken one: a request may name a coding and have none.
        let result = if self.input_bytes == 0 { Ok(()) } else { self.coding.close() };
        self.settle(result, out)?;
        self.large()?;
        self.coding = Coding::Over;
        Ok(())
    }

    fn settle(&mut self, result: io::Result<()>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (mut bomb, mut large) = (false, false);
        if let Some(output) = self.coding.output() {
            out.append(&mut output.bytes);
            (bomb, large) = (output.is_bomb(), output.is_large());
        }
        let Err(error) = result else { return Ok(()) };
        self.coding = Coding::Over;
        Err(match (bomb, large) {
            (true, _) => DecodeError::Ratio { bound: self.bounds.ratio },
            (false, true) => DecodeError::Output { bound: self.bounds.output_bytes },
            (false, false) => DecodeError::Malformed(error.to_string()),
        })
    }

    /// What has come so far is more than is put out.
    fn large(&mut self) -> Result<(), DecodeError> {
        if !self.coding.output().is_some_and(|output| output.is_large()) {
            return Ok(());
        }
        self.coding = Coding::Over;
        Err(DecodeError::Output { bound: self.bounds.output_bytes })
    }
}

impl Coding {
    fn output(&mut self) -> Option<&mut Output> {
        match self {
            Self::Gzip(decoder) => Some(decoder.get_mut()),
            Self::Undecided(_, output) => Some(output),
            Self::Zlib(decoder) => Some(decoder.get_mut()),
            Self::Deflate(decoder) => Some(decoder.get_mut()),
            Self::Brotli(decoder) => Some(decoder.get_mut()),
            Self::Over => None,
        }
    }

    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Zlib(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
            Self::Brotli(decoder) => decoder.write_all(chunk),
            Self::Undecided(start, _) => {
                start.extend_from_slice(chunk);
                if start.len() < 2 { Ok(()) } else { self.decide() }
            }
            Self::Over => Err(io::Error::other("data after an error or the end")),
        }
    }

    /// RFC 9110 means zlib (RFC 1950); some send the bare stream (RFC 1951), which every browser reads.
    fn decide(&mut self) -> io::Result<()> {
        let Self::Undecided(start, output) = self else { return Ok(()) };
        let (start, output) = (std::mem::take(start), std::mem::take(output));
        let zlib = start[0] & 0x0f == 8 && u16::from_be_bytes([start[0], start[1]]) % 31 == 0;
        *self = if zlib {
            Self::Zlib(Box::new(ZlibDecoder::new(output)))
        } else {
            Self::Deflate(Box::new(DeflateDecoder::new(output)))
        };
        self.write(&start)
    }

    fn close(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(decoder) => decoder.try_finish(),
            Self::Zlib(decoder) => decoder.try_finish(),
            Self::Deflate(decoder) => decoder.try_finish(),
            Self::Brotli(decoder) => decoder.close(),
            Self::Undecided(start, _) if start.is_empty() => Ok(()),
            Self::Undecided(..) => Err(io::ErrorKind::UnexpectedEof.into()),
            Self::Over => Ok(()),
        }
    }
}

impl Output {
    fn is_bomb(&self) -> bool {
        self.total > self.ratio_most
    }

    fn is_large(&self) -> bool {
        self.total > self.kept_most
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let kept = bytes.len().min(self.kept_most - self.kept);
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.kept += kept;
        self.total = self.total.saturating_add(bytes.len());
        match self.is_bomb() || self.total > self.total_most {
            true => Err(io::Error::other("too much output")),
            false => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("bounds", &self.bounds)
            .field("input_bytes", &self.input_bytes)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(what) => write!(f, "{what} is not decoded"),
            Self::Malformed(why) => write!(f, "encoded body is broken: {why}"),
            Self::Output { bound } => write!(f, "decoded body exceeds {bound} bytes"),
            Self::Ratio { bound } => {
                write!(f, "decoded body exceeds {bound} bytes for each encoded one")
            }
        }
    }
}

impl std::error::Error for DecodeError {}
