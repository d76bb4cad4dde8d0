//! Comments: `removeComments` (`/* */`, `<!-- -->`, `--`, `#`), `removeCommentsChar` (only the
//! marks), `replaceComments` (`/* */` becomes one blank, also when it never ends).

use crate::bytes::ByteSet;

/// What a mark of a comment may begin with.
const MARKS: ByteSet = ByteSet::of(b"<-/*#");

/// Removes whole comments; `--` and `#` comment out the rest. The byte after `*/` is kept. One that never ends is a
/// blank.
pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let rest = &input[at..];
        if !MARKS.contains(rest[0]) {
            out.push(rest[0]);
            at += 1;
            continue;
        }
        let comment = [(b"/*".as_slice(), b"*/".as_slice()), (b"<!--", b"-->")]
            .into_iter()
            .find(|(open, _)| rest.starts_with(open));
        if let Some((open, end)) = comment {
            let length = closed(rest, open.len(), end);
            if length < open.len() + end.len() || !rest[..length].ends_with(end) {
                out.push(b' ');
            }
            at += length;
        } else if rest.starts_with(b"--") || rest[0] == b'#' {
            return;
        } else {
            out.push(rest[0]);
            at += 1;
        }
    }
}

pub(super) fn remove_chars(input: &[u8], out: &mut Vec<u8>) {
    const TEXTS: [&[u8]; 6] = [b"<!--", b"-->", b"/*", b"*/", b"--", b"#"];
    let mut at = 0;
    while at < input.len() {
        let rest = &input[at..];
        let mark = TEXTS.iter().find(|mark| MARKS.contains(rest[0]) && rest.starts_with(mark));
        match mark {
            Some(mark) => at += mark.len(),
            None => {
                out.push(rest[0]);
                at += 1;
            }
        }
    }
}

pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        if input[at..].starts_with(b"/*") {
            at += closed(&input[at..], 2, b"*/");
            out.push(b' ');
        } else {
            out.push(input[at]);
            at += 1;
        }
    }
}

/// Length of a comment that opened with `open` bytes, up to and with its end or to the end of input.
fn closed(rest: &[u8], open: usize, end: &[u8]) -> usize {
    memchr::memmem::find(&rest[open..], end).map_or(rest.len(), |at| open + at + end.len())
}
