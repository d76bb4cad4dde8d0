//! Lines to parts. One pass; the content of a part is a slice of the body.

use std::ops::ControlFlow;

use super::disposition::{self, Disposition};
use super::{Flags, Part, PartBounds, boundary};
use crate::body::charset::Charset;
use crate::body::{BodyError, go_on};

/// Reads a body and hands on each part. Flags are set whatever the result.
pub(crate) fn parse<'a>(
    content_type: &[u8],
    body: &'a [u8],
    bounds: PartBounds,
    flags: &mut Flags,
    sink: &mut dyn FnMut(Part<'a>) -> ControlFlow<()>,
) -> Result<(), BodyError> {
    let boundary = boundary::parse(content_type, flags)?;
    let mut reader =
        Reader { body, at: 0, boundary: &boundary, flags, bounds, parts: 0, files: 0, sink };
    let mut more = reader.preamble()?;
    while more {
        more = reader.part()?;
    }
    reader.epilogue();
    Ok(())
}

struct Reader<'a, 'r> {
    body: &'a [u8],
    at: usize,
    boundary: &'r [u8],
    flags: &'r mut Flags,
    bounds: PartBounds,
    parts: usize,
    files: usize,
    sink: &'r mut dyn FnMut(Part<'a>) -> ControlFlow<()>,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Text,
    Delimiter,
    Last,
}

impl<'a> Reader<'a, '_> {
    /// Skips to the first boundary; false when it is the last one: browsers send a form without
    /// fields like that.
    fn preamble(&mut self) -> Result<bool, BodyError> {
        while let Some(line) = self.line() {
            match self.classify(line) {
                Line::Text => self.flags.data_before = true,
                Line::Delimiter => return Ok(true),
                Line::Last => return Ok(false),
            }
        }
        Err(BodyError::malformed("multipart: no boundary in the body"))
    }

    /// Reads the part after a delimiter; false when the last boundary ended it.
    fn part(&mut self) -> Result<bool, BodyError> {
        self.parts += 1;
        if self.parts > self.bounds.parts {
            return Err(BodyError::malformed(format!(
                "multipart: more than {} parts",
                self.bounds.parts
            )));
        }
        let headers = self.headers()?;
        let disposition = self.disposition(&headers);
        let (content, last) = self.content();
        self.hand_on(headers, disposition, content)?;
        match last {
            Some(last) => Ok(!last),
            None => Err(BodyError::malformed("multipart: the last boundary is missing")),
        }
    }

    fn hand_on(
        &mut self,
        headers: Vec<Vec<u8>>,
        found: Disposition,
        content: &'a [u8],
    ) -> Result<(), BodyError> {
        if found.filename.is_some() {
            self.files += 1;
            self.flags.file_limit_exceeded |=
                self.bounds.files.is_some_and(|bound| self.files > bound);
        }
        let name = found.name.unwrap_or_default();
        go_on((self.sink)(Part { name, filename: found.filename, headers, content }))
    }

    /// Header lines up to the empty line; a line that begins with a blank continues the one before.
    fn headers(&mut self) -> Result<Vec<Vec<u8>>, BodyError> {
        let mut headers: Vec<Vec<u8>> = Vec::new();
        while let Some(line) = self.line() {
            self.note_line_end();
            match line.first() {
                None => return Ok(headers),
                Some(b' ' | b'\t') => {
                    self.flags.header_folding = true;
                    match headers.last_mut() {
                        Some(header) => header.extend_from_slice(line),
                        None => self.flags.invalid_header_folding = true,
                    }
                }
                Some(_) => {
                    self.flags.invalid_part |= !line.contains(&b':') || is_doubtful(line);
                    headers.push(line.to_vec());
                }
            }
        }
        Err(BodyError::malformed("multipart: the body ends within part headers"))
    }

    /// A part must have exactly one `Content-Disposition`.
    fn disposition(&mut self, headers: &[Vec<u8>]) -> Disposition {
        let mut values = headers.iter().filter_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let is_it = line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition");
            is_it.then(|| &line[colon + 1..])
        });
        let first = values.next();
        self.flags.invalid_part |= first.is_none() || values.next().is_some();
        first.map(|value| disposition::parse(value, self.flags)).unwrap_or_default()
    }

    /// Content up to the next boundary, without the line end before it; whether that boundary is the
    /// last one, or nothing when there is none.
    fn content(&mut self) -> (&'a [u8], Option<bool>) {
        let start = self.at;
        let mut end = start;
        while let Some(line) = self.line() {
            match self.classify(line) {
                Line::Text => end = self.at,
                kind => {
                    let content = &self.body[start..end];
                    let content = content.strip_suffix(b"\n").unwrap_or(content);
                    return (
                        content.strip_suffix(b"\r").unwrap_or(content),
                        Some(kind == Line::Last),
                    );
                }
            }
        }
        (&self.body[start..], None)
    }

    fn epilogue(&mut self) {
        self.flags.data_after |= !self.body[self.at..].trim_ascii().is_empty();
    }

    /// The next line without its end.
    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = self.body.get(self.at..).filter(|rest| !rest.is_empty())?;
        let Some(end) = memchr::memchr(b'\n', rest) else {
            self.at = self.body.len();
            return Some(rest);
        };
        self.at += end + 1;
        Some(rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]))
    }

    fn note_line_end(&mut self) {
        let read = &self.body[..self.at];
        let crlf = read.ends_with(b"\r\n");
        self.flags.crlf_line |= crlf;
        self.flags.lf_line |= read.ends_with(b"\n") && !crlf;
    }

    fn classify(&mut self, line: &[u8]) -> Line {
        let Some(after) =
            line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(self.boundary))
        else {
            return Line::Text;
        };
        let kind = match after.trim_ascii_end() {
            b"" => Line::Delimiter,
            b"--" => Line::Last,
            _ => {
                self.flags.unmatched_boundary = true;
                return Line::Text;
            }
        };
        self.flags.boundary_whitespace |= after.trim_ascii_end().len() < after.len();
        self.note_line_end();
        kind
    }
}

/// A part that asks to be decoded before it is read: another transfer encoding, or a character set in
/// which ASCII does not mean ASCII (CVE-2022-39956).
fn is_doubtful(header: &[u8]) -> bool {
    let colon = memchr::memchr(b':', header).unwrap_or(header.len());
    let value = header.get(colon + 1..).unwrap_or_default().trim_ascii();
    match header[..colon].trim_ascii().to_ascii_lowercase().as_slice() {
        b"content-transfer-encoding" => !["7bit", "8bit", "binary"]
            .iter()
            .any(|plain| value.eq_ignore_ascii_case(plain.as_bytes())),
        b"content-type" => !matches!(Charset::of(value), Ok(None | Some(Charset::Ascii))),
        _ => false,
    }
}
