//! `escapeSeqDecode`: ANSI C escapes `\a \b \f \n \r \t \v \\ \? \' \"`, `\xHH`, `\OOO`.
//! Of an escape that is none of these the backslash goes, as a shell would have it: `w\hoami`. One at the end stays.

use super::js_decode::octal;
use crate::bytes::hex_pair;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let (byte, length) = match input[at] {
            b'\\' => escape(&input[at..]),
            byte => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
}

/// The escaped byte and the length of the whole escape.
fn escape(rest: &[u8]) -> (u8, usize) {
    let Some(&letter) = rest.get(1) else { return (b'\\', 1) };
    let byte = match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        b'x' | b'X' => return hex_pair(rest, 2).map_or((letter, 2), |byte| (byte, 4)),
        b'0'..=b'7' => {
            let (byte, digits) = octal(rest, 1, 3);
            return (byte, 1 + digits);
        }
        same => same,
    };
    (byte, 2)
}
