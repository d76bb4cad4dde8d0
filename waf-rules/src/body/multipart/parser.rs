//! Bytes to parts, as they arrive. What is held is what is not a file: the content of files is counted
//! and dropped, unless some rule looks at it.
//!
//! A boundary is a line of its own. Where its text stands otherwise, some readers take it for one and some do
//! not: it is flagged, and what both of them read is handed on.

use std::ops::ControlFlow;

use memchr::memmem::Finder;

use super::disposition::{self, Disposition};
use super::inner::{self, dispositions, without_line_end};
use super::{Flags, Part, PartBounds, boundary};
use crate::Exceeded;
use crate::body::charset::Charset;
use crate::body::{BodyError, go_on};
use crate::bytes::is_space;

/// Blanks behind a boundary that are still taken for its line's; RFC 2046 allows them without a bound.
const PADDING_BYTES_MAX: usize = 1_024;

/// Receives each part when it is complete.
pub(crate) type PartSink<'s> = &'s mut dyn FnMut(Part<'_>) -> ControlFlow<()>;

/// One body being read.
#[derive(Debug)]
pub(crate) struct Parser {
    /// Two hyphens and the boundary.
    delimiter: Finder<'static>,
    bounds: PartBounds,
    flags: Flags,
    /// Doubts that were there before the headers of this part, as long as they are read.
    flags_before: Flags,
    place: Place,
    /// The line being read, as long as it may be a boundary or is a header.
    line: Vec<u8>,
    /// The beginning of this line was taken for text already.
    in_text: bool,
    /// A line end that belongs to the boundary, if one follows.
    line_end: Vec<u8>,
    parts: usize,
    files: usize,
    headers: Vec<Vec<u8>>,
    disposition: Disposition,
    /// This part's content is an argument, as far as is known.
    is_field: bool,
    /// Of a file that is dropped, what follows a boundary within; outside of parts, the text there.
    content: Vec<u8>,
    content_bytes: usize,
    /// The end of a line that was dropped, shorter than a boundary.
    tail: Vec<u8>,
    read: usize,
    dropped: usize,
}

/// Where in the body the next line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Preamble,
    Headers,
    Content,
    Epilogue,
}

/// What a line is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    Text,
    Delimiter,
    Last,
}

impl Parser {
    /// For a content type; its doubts are in the flags whatever the result.
    pub(crate) fn new(
        content_type: &[u8],
        bounds: PartBounds,
        flags: &mut Flags,
    ) -> Result<Self, BodyError> {
        let boundary = boundary::parse(content_type, flags)?;
        Ok(Self {
            delimiter: Finder::new(&[b"--".as_slice(), &boundary].concat()).into_owned(),
            bounds,
            flags: *flags,
            flags_before: Flags::default(),
            place: Place::Preamble,
            line: Vec::new(),
            in_text: false,
            line_end: Vec::new(),
            parts: 0,
            files: 0,
            headers: Vec::new(),
            disposition: Disposition::default(),
            is_field: false,
            content: Vec::new(),
            content_bytes: 0,
            tail: Vec::new(),
            read: 0,
            dropped: 0,
        })
    }

    pub(crate) fn flags(&self) -> Flags {
        self.flags.and(self.flags_before)
    }

    /// Bytes read so far that were not dropped as the content of files.
    pub(crate) fn held(&self) -> usize {
        self.read - self.dropped
    }

    /// Reads on. After an error there is nothing more to read.
    pub(crate) fn push(&mut self, chunk: &[u8], sink: PartSink<'_>) -> Result<(), BodyError> {
        self.read += chunk.len();
        let mut rest = chunk;
        while !rest.is_empty() {
            let line = memchr::memchr(b'\n', rest).map(|end| end + 1);
            let (piece, after) = rest.split_at(line.unwrap_or(rest.len()));
            self.piece(piece, line.is_some(), sink)?;
            rest = after;
        }
        Ok(())
    }

    /// The body is complete.
    pub(crate) fn finish(&mut self, sink: PartSink<'_>) -> Result<(), BodyError> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.end_line(&line, sink)?;
        }
        match self.place {
            Place::Epilogue => self.close(sink),
            Place::Preamble => {
                self.close(sink)?;
                ends("no boundary in the body")
            }
            Place::Headers => ends("the body ends within part headers"),
            Place::Content => {
                let line_end = std::mem::take(&mut self.line_end);
                self.take(&line_end);
                self.close(sink)?;
                ends("the last boundary is missing")
            }
        }
    }

    /// The body was cut: what is there is handed on, and what is missing is no doubt.
    pub(crate) fn cut(&mut self, sink: PartSink<'_>) -> Result<(), BodyError> {
        let line = std::mem::take(&mut self.line);
        if self.place == Place::Headers {
            return self.cut_header(&line, sink);
        }
        let behind = line.strip_prefix(self.delimiter.needle());
        let is_boundary = behind.is_some_and(|end| b"--".starts_with(end.trim_ascii_end()));
        if !is_boundary && !self.delimiter.needle().starts_with(&line) {
            self.text(&line);
        }
        self.close(sink)
    }

    /// A header that is cut says nothing sure, so that its part is in doubt without a flag.
    fn cut_header(&mut self, line: &[u8], sink: PartSink<'_>) -> Result<(), BodyError> {
        let flags = self.flags();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.is_empty() {
            self.header(line, line)?;
        }
        if self.headers.is_empty() {
            return Ok(());
        }
        self.begin_content();
        let result = self.close(sink);
        self.flags = flags;
        result
    }

    /// A line, or as much of one as there is.
    fn piece(&mut self, piece: &[u8], ends: bool, sink: PartSink<'_>) -> Result<(), BodyError> {
        if self.in_text {
            self.in_text = !ends;
            self.text(piece);
            return Ok(());
        }
        self.line.extend_from_slice(piece);
        if ends {
            let mut line = std::mem::take(&mut self.line);
            let result = self.end_line(&line, sink);
            line.clear();
            self.line = line;
            return result;
        }
        if self.place != Place::Headers && !self.may_be_boundary() {
            let line = std::mem::take(&mut self.line);
            self.text(&line);
            self.in_text = true;
        }
        Ok(())
    }

    /// What is read of the line is the beginning of a boundary, or a boundary with little behind it.
    fn may_be_boundary(&self) -> bool {
        let delimiter = self.delimiter.needle();
        let common = self.line.len().min(delimiter.len());
        // One byte more, for a carriage return.
        self.line[..common] == delimiter[..common]
            && self.line.len() <= delimiter.len() + PADDING_BYTES_MAX + 1
    }

    /// A whole line, with its end if it has one.
    fn end_line(&mut self, line: &[u8], sink: PartSink<'_>) -> Result<(), BodyError> {
        let bare = line.strip_suffix(b"\n").map_or(line, |ended| {
            // Without a line feed a carriage return is part of the line.
            ended.strip_suffix(b"\r").unwrap_or(ended)
        });
        if self.place == Place::Headers {
            return self.header(bare, line);
        }
        let kind = self.classify(bare, line);
        if kind == Line::Text {
            self.text(line);
            return Ok(());
        }
        self.close(sink)?;
        self.flags.data_after |= self.place == Place::Epilogue;
        // Browsers send a form without fields as the last boundary alone.
        if kind == Line::Last {
            self.place = Place::Epilogue;
            return Ok(());
        }
        self.begin_part()
    }

    fn begin_part(&mut self) -> Result<(), BodyError> {
        self.place = Place::Headers;
        self.flags_before = std::mem::take(&mut self.flags).and(self.flags_before);
        self.count_part()
    }

    fn count_part(&mut self) -> Result<(), BodyError> {
        self.parts += 1;
        if self.parts > self.bounds.parts {
            let reason = format!("multipart: more than {} parts", self.bounds.parts);
            return Err(BodyError::Beyond(Exceeded::Parts, reason));
        }
        Ok(())
    }

    /// A header, or the empty line behind them; a line that begins with a blank continues the one before.
    fn header(&mut self, bare: &[u8], line: &[u8]) -> Result<(), BodyError> {
        self.note_line_end(line);
        self.flags.invalid_part |= self.delimiter.find(bare).is_some();
        match bare.first() {
            None => self.begin_content(),
            Some(b' ' | b'\t') => {
                self.flags.header_folding = true;
                match self.headers.last_mut() {
                    Some(header) => header.extend_from_slice(bare),
                    None => self.flags.invalid_header_folding = true,
                }
            }
            Some(first) => {
                // Some readers take these for blanks.
                self.flags.invalid_header_folding |= matches!(first, b'\x0b' | b'\x0c');
                self.flags.invalid_part |= !is_header(bare);
                self.headers.push(bare.to_vec());
            }
        }
        Ok(())
    }

    /// A file is one for every reader only if nothing in its headers is in doubt. Without a file's name in
    /// its `filename` it may be a field, which the content will tell.
    fn begin_content(&mut self) {
        self.disposition = disposition::parse(dispositions(&self.headers), &mut self.flags);
        let filenames = &self.disposition.filenames;
        self.is_field = filenames.is_empty()
            || filenames.iter().any(Vec::is_empty)
            || self.flags.is_strict_error();
        self.files += usize::from(!filenames.is_empty());
        self.flags.file_limit_exceeded |= self.bounds.files.is_some_and(|bound| self.files > bound);
        // Only of what it is, not of whether it is a file.
        self.flags.invalid_part |= self.headers.iter().any(|header| is_doubtful(header));
        self.flags = self.flags();
        self.flags_before = Flags::default();
        self.place = Place::Content;
    }

    /// What was read up to a boundary is complete.
    fn close(&mut self, sink: PartSink<'_>) -> Result<(), BodyError> {
        let line_end = std::mem::take(&mut self.line_end);
        if self.place == Place::Content {
            self.note_line_end(&line_end);
        }
        self.tail.clear();
        let mut text = std::mem::take(&mut self.content);
        let inner = self.delimiter.find(&text);
        self.flags.unmatched_boundary |= inner.is_some();
        self.flags.invalid_part |= inner.is_some();
        let result = match self.place {
            Place::Content => self.hand_on(&text, inner, sink),
            // Django reads what stands before the first boundary and behind the last as parts too.
            _ => self.inner_parts(&text, sink),
        };
        text.clear();
        self.content = text;
        result
    }

    /// Hands on a part to those who see no boundary in it, and what the others read.
    fn hand_on(
        &mut self,
        content: &[u8],
        inner: Option<usize>,
        sink: PartSink<'_>,
    ) -> Result<(), BodyError> {
        let found = std::mem::take(&mut self.disposition);
        let unnamed_file = found.filenames.iter().any(Vec::is_empty);
        if unnamed_file && self.content_bytes == 0 {
            // Browsers send a file that was not chosen so.
            self.is_field = false;
        }
        self.flags.invalid_part |= unnamed_file && self.is_field;
        let Some(inner) = inner else {
            let names = found.names;
            return go_on(sink(self.part(names, found.filenames, self.is_field, content)));
        };
        let (names, is_field) = (found.names.clone(), self.is_field);
        go_on(sink(self.part(found.names, found.filenames, true, content)))?;
        if is_field {
            let content = without_line_end(&content[..inner]);
            go_on(sink(self.part(names, Vec::new(), true, content)))?;
        }
        self.inner_parts(&content[inner + self.delimiter.needle().len()..], sink)
    }

    fn part<'c>(
        &mut self,
        names: Vec<Vec<u8>>,
        filenames: Vec<Vec<u8>>,
        is_field: bool,
        content: &'c [u8],
    ) -> Part<'c> {
        let headers = std::mem::take(&mut self.headers);
        let bytes = std::mem::take(&mut self.content_bytes);
        Part { names, filenames, is_field, headers, content, bytes }
    }

    /// What stands before, between and behind boundaries, wherever they are.
    fn inner_parts(&mut self, text: &[u8], sink: PartSink<'_>) -> Result<(), BodyError> {
        let mut rest = Some(text);
        while let Some(text) = rest {
            let end = self.delimiter.find(text);
            rest = end.map(|end| &text[end + self.delimiter.needle().len()..]);
            if let Some(part) = inner::part(&text[..end.unwrap_or(text.len())]) {
                self.count_part()?;
                go_on(sink(part))?;
            }
        }
        Ok(())
    }

    /// A piece of text. A line end at its end is kept apart: before a boundary it is no content.
    fn text(&mut self, piece: &[u8]) {
        if self.place != Place::Content {
            self.flags.data_before |= self.place == Place::Preamble;
            self.flags.data_after |=
                self.place == Place::Epilogue && !piece.trim_ascii().is_empty();
            self.content.extend_from_slice(piece);
            return;
        }
        if self.line_end == b"\r" && piece == b"\n" {
            self.line_end.push(b'\n');
            return;
        }
        let line_end = std::mem::take(&mut self.line_end);
        self.take(&line_end);
        let bare = without_line_end(piece);
        self.take(bare);
        self.line_end.extend_from_slice(&piece[bare.len()..]);
    }

    fn take(&mut self, bytes: &[u8]) {
        self.content_bytes += bytes.len();
        if self.is_field || self.bounds.keep_files || !self.content.is_empty() {
            self.content.extend_from_slice(bytes);
            return;
        }
        self.dropped += bytes.len();
        match self.behind_boundary(bytes) {
            Some(at) => {
                let delimiter = self.delimiter.needle();
                self.dropped -= (bytes.len() - at + delimiter.len()).min(self.dropped);
                self.content.extend_from_slice(delimiter);
                self.content.extend_from_slice(&bytes[at..]);
            }
            None => self.note_tail(bytes),
        }
    }

    /// Where a boundary in dropped bytes ends. It may have begun in those before.
    fn behind_boundary(&mut self, bytes: &[u8]) -> Option<usize> {
        let (length, before) = (self.delimiter.needle().len(), self.tail.len());
        if before > 0 {
            self.tail.extend_from_slice(&bytes[..bytes.len().min(length - 1)]);
            let found = self.delimiter.find(&self.tail);
            self.tail.truncate(before);
            if let Some(at) = found {
                return Some(at + length - before);
            }
        }
        self.delimiter.find(bytes).map(|at| at + length)
    }

    /// A boundary holds no line end.
    fn note_tail(&mut self, bytes: &[u8]) {
        if matches!(bytes.last(), Some(b'\r' | b'\n')) {
            return self.tail.clear();
        }
        let most = self.delimiter.needle().len() - 1;
        self.tail.extend_from_slice(&bytes[bytes.len().saturating_sub(most)..]);
        self.tail.drain(..self.tail.len().saturating_sub(most));
    }

    fn note_line_end(&mut self, line: &[u8]) {
        let crlf = line.ends_with(b"\r\n");
        self.flags.crlf_line |= crlf;
        self.flags.lf_line |= line.ends_with(b"\n") && !crlf;
    }

    fn classify(&mut self, bare: &[u8], line: &[u8]) -> Line {
        let Some(after) = bare.strip_prefix(self.delimiter.needle()) else { return Line::Text };
        if after.len() > PADDING_BYTES_MAX {
            return Line::Text;
        }
        let kind = match after.trim_ascii_end() {
            b"" => Line::Delimiter,
            b"--" => Line::Last,
            _ => return Line::Text,
        };
        self.flags.boundary_whitespace |= after.trim_ascii_end().len() < after.len();
        self.note_line_end(line);
        kind
    }
}

/// A name, with nothing between it and its colon.
fn is_header(line: &[u8]) -> bool {
    memchr::memchr(b':', line)
        .is_some_and(|colon| !line[..colon].iter().any(|byte| is_space(*byte)))
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

fn ends<T>(reason: &str) -> Result<T, BodyError> {
    Err(BodyError::Ends(format!("multipart: {reason}")))
}
