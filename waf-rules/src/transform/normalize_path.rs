//! `normalizePath`, `normalizePathWin`: drops empty and `.` segments and resolves `..`; a relative
//! path keeps the `..` that lead out of it, an absolute one cannot leave its root. The Windows form
//! reads `\` as `/` first. One pass: no rescan, whatever the input (CVE-2023-38285).

use smallvec::SmallVec;

pub(super) fn unix(input: &[u8], out: &mut Vec<u8>) {
    resolve(input, |byte| byte == b'/', out);
}

pub(super) fn windows(input: &[u8], out: &mut Vec<u8>) {
    resolve(input, |byte| byte == b'/' || byte == b'\\', out);
}

fn resolve(input: &[u8], is_slash: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    let start = out.len();
    let absolute = input.first().is_some_and(|byte| is_slash(*byte));
    // Where each kept segment begins in `out`, so that `..` can take the last one back.
    let mut kept: SmallVec<[usize; 16]> = SmallVec::new();
    let root = start + usize::from(absolute);
    if absolute {
        out.push(b'/');
    }
    for segment in input.split(|byte| is_slash(*byte)) {
        match segment {
            b"" | b"." => {}
            b".." => match kept.pop() {
                Some(begin) => out.truncate(begin),
                None if absolute => {}
                None => append(b"..", root, out),
            },
            _ => {
                kept.push(out.len());
                append(segment, root, out);
            }
        }
    }
    if out.len() > root && input.last().is_some_and(|byte| is_slash(*byte)) {
        out.push(b'/');
    }
}

fn append(segment: &[u8], root: usize, out: &mut Vec<u8>) {
    if out.len() > root {
        out.push(b'/');
    }
    out.extend_from_slice(segment);
}
