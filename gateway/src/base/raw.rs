//! The head of an HTTP/1 request as the client sent it. Reads what is there and judges nothing: for rules, which look for
//! what is odd, and for the events of requests that were refused because they can be read in more than one way.

use memchr::{memchr, memchr2, memrchr};

use super::bounds;

/// Request line and fields, byte for byte; the end may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct RawHead<'a>(&'a [u8]);

/// The parts of a request line. Their spaces are taken off, everything else is as it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    pub method: &'a [u8],
    /// All between method and protocol, further spaces included.
    pub target: &'a [u8],
    /// Empty when the line does not end in one.
    pub protocol: &'a [u8],
}

impl<'a> RawHead<'a> {
    pub fn new(bytes: &'a [u8]) -> RawHead<'a> {
        RawHead(bytes)
    }

    /// There is nothing: the request came over HTTP/2, or nobody kept it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn line(&self) -> RawLine<'a> {
        let (line, _) = split_line(self.0);
        let Some(space) = memchr(b' ', line) else {
            return RawLine { method: line, target: b"", protocol: b"" };
        };
        let (method, rest) = (&line[..space], &line[space + 1..]);
        match memrchr(b' ', rest).filter(|at| rest[at + 1..].starts_with(b"HTTP/")) {
            Some(at) => RawLine { method, target: &rest[..at], protocol: &rest[at + 1..] },
            None => RawLine { method, target: rest, protocol: b"" },
        }
    }

    /// `GET target` and nothing else: HTTP/0.9, whose clients know no status line (RFC 1945 §4.1). They take all that
    /// comes back for the document.
    pub fn is_simple(&self) -> bool {
        let line = self.line();
        let target = line.target.trim_ascii_end();
        line.method == b"GET"
            && line.protocol.is_empty()
            && memchr(b' ', target).is_none()
            && !target.is_empty()
    }

    /// Names and values in their order and spelling, without the white space around values; at most
    /// [`bounds::HEADER_FIELDS`]. A line without a colon is a name.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (_, mut rest) = split_line(self.0);
        let lines = std::iter::from_fn(move || {
            let (line, after) = split_line(rest);
            rest = after;
            (!line.is_empty()).then_some(line)
        });
        let field = |line: &'a [u8]| match memchr(b':', line) {
            Some(colon) => (&line[..colon], line[colon + 1..].trim_ascii()),
            None => (line, b"".as_slice()),
        };
        lines.take(bounds::HEADER_FIELDS).map(field)
    }

    /// The first value of a field.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        let is_it = |one: &[u8]| one.eq_ignore_ascii_case(name.as_bytes());
        self.fields().find(|(one, _)| is_it(one)).map(|(_, value)| value)
    }
}

/// The first line without its end, and what follows it. A bare CR ends a line too: such a head is refused because some
/// parsers read it so, and what they would read is shown.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let Some(at) = memchr2(b'\r', b'\n', bytes) else { return (bytes, b"") };
    let rest = &bytes[at + 1..];
    let rest = if bytes[at] == b'\r' { rest.strip_prefix(b"\n").unwrap_or(rest) } else { rest };
    (&bytes[..at], rest)
}
