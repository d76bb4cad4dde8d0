//! The raw head of an HTTP/1 request, read strictly before any other parser sees it (RFC 9112). Whatever two
//! parsers could read differently is refused here: that difference is request smuggling.

use std::sync::LazyLock;

use memchr::memchr;
use memchr::memmem::Finder;

use crate::base::bounds;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};

/// A head that can be read in one way only. Borrows from the bytes it was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    pub method: &'a [u8],
    pub target: &'a [u8],
    pub version: Http1,
    /// Present for HTTP/1.1; syntax is checked later, with the target.
    pub host: Option<&'a [u8]>,
    pub framing: Framing,
    /// The client asks for another protocol after this request (RFC 9110 §7.8).
    pub upgrade: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Http1 {
    V10,
    V11,
}

/// How the end of the body is found (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    None,
    Length(u64),
    Chunked,
}

static END_OF_HEAD: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(b"\r\n\r\n"));

/// Length of the head in `bytes`, with its empty line; `None` while it is incomplete. `seen` bytes were searched
/// before: a head that drips in is not searched again from the start.
pub fn end_of_head(bytes: &[u8], seen: usize) -> Option<usize> {
    let from = seen.saturating_sub(3);
    END_OF_HEAD.find(&bytes[from..]).map(|at| from + at + 4)
}

/// Whether a line already ends in a bare LF. Such a head never completes for [`end_of_head`]: without this the
/// client would wait for the time-out instead of its 400.
pub fn has_bare_line_feed(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'\n', bytes).any(|at| at == 0 || bytes[at - 1] != b'\r')
}

/// Reads a complete head, its empty line included.
pub fn read(bytes: &[u8]) -> Decision<Head<'_>> {
    let mut lines = Lines { rest: bytes };
    let line = lines.next_line(Code::NormaliseRequestLine)?;
    let (method, target, version) = request_line(line)?;
    let mut fields = Fields::default();
    loop {
        let line = lines.next_line(Code::NormaliseHeader)?;
        if line.is_empty() {
            break;
        }
        fields.add(line)?;
    }
    if !lines.rest.is_empty() {
        return refuse(Code::NormaliseHeader, "bytes after the empty line");
    }
    if version == Http1::V11 && fields.host.is_none() {
        return refuse(Code::NormaliseHost, "HTTP/1.1 request without Host");
    }
    let framing = fields.framing(version)?;
    Ok(Head { method, target, version, host: fields.host, framing, upgrade: fields.upgrade })
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The next line without its CRLF. A CR or LF anywhere else is refused.
    fn next_line(&mut self, code: Code) -> Decision<&'a [u8]> {
        let Some(at) = memchr(b'\n', self.rest) else {
            return refuse(code, "head ends without an empty line");
        };
        let (line, rest) = (&self.rest[..at], &self.rest[at + 1..]);
        let Some((b'\r', line)) = line.split_last() else {
            return refuse(code, "line ends in a bare LF");
        };
        if memchr(b'\r', line).is_some() {
            return refuse(code, "bare CR in a line");
        }
        self.rest = rest;
        Ok(line)
    }
}

/// `method SP target SP version`, each once, with exactly one space (RFC 9112 §3).
fn request_line(line: &[u8]) -> Decision<(&[u8], &[u8], Http1)> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return refuse(Code::NormaliseRequestLine, "request line is not method, target, version");
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return refuse(Code::NormaliseRequestLine, "method is not a token");
    }
    if target.is_empty() {
        return refuse(Code::NormaliseRequestLine, "target is empty");
    }
    if target.len() > bounds::TARGET_BYTES {
        let text = format!("target {} bytes, bound {}", target.len(), bounds::TARGET_BYTES);
        return Err(Finding::new(Code::NormaliseTarget, text).detail("the target is too long"));
    }
    let version = match version {
        b"HTTP/1.1" => Http1::V11,
        b"HTTP/1.0" => Http1::V10,
        // No line of HTTP/0.9 ever said so: whoever writes it is no client of any version.
        _ if version.starts_with(b"HTTP/0.") && is_version(version) => {
            return refuse(Code::NormaliseRequestLine, "version is older than 1.0");
        }
        _ if is_version(version) => {
            return refuse(Code::NormaliseVersion, "version is not 1.0 or 1.1");
        }
        _ => return refuse(Code::NormaliseRequestLine, "version is not HTTP/digit.digit"),
    };
    Ok((method, target, version))
}

fn is_version(version: &[u8]) -> bool {
    matches!(version, [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
        if major.is_ascii_digit() && minor.is_ascii_digit())
}

/// A head with more than [`bounds::HEADER_FIELDS`] fields.
pub fn too_many_fields() -> Box<Finding> {
    let text = format!("more than {} header fields", bounds::HEADER_FIELDS);
    Finding::new(Code::NormaliseHeadTooLarge, text)
}

/// The fields that decide where the message ends and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    host: Option<&'a [u8]>,
    content_length: Option<u64>,
    chunked: bool,
    upgrade: bool,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a [u8]) -> Decision<()> {
        self.count += 1;
        if self.count > bounds::HEADER_FIELDS {
            return Err(too_many_fields());
        }
        let (name, value) = field(line)?;
        // Only four names matter here: their lengths tell them apart before their letters do.
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.add_host(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.upgrade = true;
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.add_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.add_coding(value),
            _ => Ok(()),
        }
    }

    fn add_host(&mut self, value: &'a [u8]) -> Decision<()> {
        if self.host.replace(value).is_some() {
            return refuse(Code::NormaliseHost, "more than one Host");
        }
        Ok(())
    }

    /// Digits only, once. Even equal repetitions are refused: what forwards one of them and what counts the other
    /// may not be the same program (RFC 9112 §6.3 allows it).
    fn add_length(&mut self, value: &[u8]) -> Decision<()> {
        let digits = !value.is_empty() && value.len() <= 19 && value.iter().all(u8::is_ascii_digit);
        let length = digits
            .then(|| value.iter().fold(0u64, |sum, digit| sum * 10 + u64::from(digit - b'0')));
        let Some(length) = length else {
            return refuse(Code::NormaliseFraming, "Content-Length is not a number");
        };
        if self.content_length.replace(length).is_some() {
            return refuse(Code::NormaliseFraming, "more than one Content-Length");
        }
        Ok(())
    }

    fn add_coding(&mut self, value: &[u8]) -> Decision<()> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return refuse(Code::NormaliseFraming, "Transfer-Encoding is not exactly `chunked`");
        }
        self.chunked = true;
        Ok(())
    }

    fn framing(&self, version: Http1) -> Decision<Framing> {
        let framing = match (self.content_length, self.chunked) {
            (Some(_), true) => {
                return refuse(Code::NormaliseFraming, "Content-Length with Transfer-Encoding");
            }
            (None, true) if version == Http1::V10 => {
                return refuse(Code::NormaliseFraming, "Transfer-Encoding in an HTTP/1.0 request");
            }
            (None, true) => Framing::Chunked,
            (Some(length), false) => Framing::Length(length),
            (None, false) => Framing::None,
        };
        // Whether what follows is this body or the new protocol is for the service to say, after the rules would have
        // had to read it (RFC 9110 §7.8 puts the body first; nobody needs it).
        if self.upgrade && !matches!(framing, Framing::None | Framing::Length(0)) {
            return refuse(Code::NormaliseFraming, "body in an upgrade request");
        }
        Ok(framing)
    }
}

/// `name ":" OWS value OWS` (RFC 9112 §5). Obsolete folding and a space before the colon are refused.
fn field(line: &[u8]) -> Decision<(&[u8], &[u8])> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return refuse(Code::NormaliseHeader, "obsolete line folding");
    }
    let Some(colon) = memchr(b':', line) else {
        return refuse(Code::NormaliseHeader, "field line without a colon");
    };
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return refuse(Code::NormaliseHeader, "field name is not a token");
    }
    // Without an early end the compiler looks at many bytes at once.
    if value.iter().fold(false, |found, byte| found | !is_field_byte(*byte)) {
        return refuse(Code::NormaliseHeader, "control byte in a field value");
    }
    Ok((name, value.trim_ascii()))
}

/// `tchar` of RFC 9110 §5.6.2.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let marks = b"!#$%&'*+-.^_`|~\
        0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut index = 0;
    while index < marks.len() {
        table[marks[index] as usize] = true;
        index += 1;
    }
    table
};

pub(super) fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// Visible ASCII, space, tab and obs-text (RFC 9110 §5.5); no other control byte.
pub(super) fn is_field_byte(byte: u8) -> bool {
    ((byte >= 0x20) & (byte != 0x7f)) | (byte == b'\t')
}

fn refuse<T>(code: Code, evidence: &'static str) -> Decision<T> {
    Err(Finding::new(code, evidence).detail(evidence))
}
