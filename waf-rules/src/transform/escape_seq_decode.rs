//! `escapeSeqDecode`: ANSI C escapes `\a \b \f \n \r \t \v \\ \? \' \"`, `\xHH`, `\OOO`.
//! An escape that is none of these stays as written.

use super::js_decode::octal;
use crate::bytes::hex_pair;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let (byte, length) = match input[at] {
            b'\\' => escape(&input[at..]).unwrap_or((b'\\', 1)),
            byte => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
}

/// The escaped byte and the length of the whole escape.
fn escape(rest: &[u8]) -> Option<(u8, usize)> {
    let byte = match *rest.get(1)? {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        same @ (b'\\' | b'?' | b'\'' | b'"') => same,
        b'x' | b'X' => return hex_pair(rest, 2).map(|byte| (byte, 4)),
        b'0'..=b'7' => return Some(octal(rest, 1)).map(|(byte, digits)| (byte, 1 + digits)),
        _ => return None,
    };
    Some((byte, 2))
}
