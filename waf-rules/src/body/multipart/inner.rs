//! What readers that take a boundary for one wherever it stands make of a text between two of them.

use super::disposition::{self, Disposition};
use super::{Flags, Part};

/// Header lines, an empty line, content: a part, if one of the lines is a `Content-Disposition`. It is an
/// argument whatever it says, for everything about it is in doubt.
pub(super) fn part(text: &[u8]) -> Option<Part<'_>> {
    let (head, content) = split(text)?;
    let headers = lines(head);
    dispositions(&headers).next()?;
    let Disposition { names, filenames } =
        disposition::parse(dispositions(&headers), &mut Flags::default());
    let content = without_line_end(content);
    Some(Part { names, filenames, is_field: true, headers, content, bytes: content.len() })
}

/// The values of all `Content-Disposition` headers.
pub(super) fn dispositions(headers: &[Vec<u8>]) -> impl Iterator<Item = &[u8]> {
    headers.iter().filter_map(|line| {
        let colon = memchr::memchr(b':', line)?;
        let is_it = line[..colon].trim_ascii().eq_ignore_ascii_case(b"content-disposition");
        is_it.then(|| &line[colon + 1..])
    })
}

/// The line end before a boundary belongs to it.
pub(super) fn without_line_end(text: &[u8]) -> &[u8] {
    let bare = text.strip_suffix(b"\n").unwrap_or(text);
    bare.strip_suffix(b"\r").unwrap_or(bare)
}

/// Head and content. Without an empty line there is no head, and no reader finds a part.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    [b"\r\n\r\n".as_slice(), b"\n\n"].iter().find_map(|end| {
        let at = memchr::memmem::find(text, end)?;
        Some((&text[..at], &text[at + end.len()..]))
    })
}

/// Lines that begin with a blank continue the one before.
fn lines(head: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in head.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match lines.last_mut() {
            Some(last) if matches!(line.first(), Some(b' ' | b'\t')) => {
                last.extend_from_slice(line);
            }
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}
