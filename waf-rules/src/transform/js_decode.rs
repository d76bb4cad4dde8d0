//! `jsDecode`: JavaScript escapes `\uHHHH` (low byte; full-width forms become ASCII), `\xHH`,
//! `\OOO`, `\n` and its kin. Any other escaped character stands for itself.

use super::unicode_map::narrow;
use crate::bytes::{hex_pair, hex_quad};

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let (byte, length) = match input[at] {
            b'\\' if at + 1 < input.len() => escape(&input[at..]),
            byte => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
}

/// The escaped byte and the length of the whole escape; `rest` holds at least two bytes.
fn escape(rest: &[u8]) -> (u8, usize) {
    match rest[1] {
        b'u' => match hex_quad(rest, 2) {
            Some(code) => (narrow(u32::from(code)), 6),
            None => (b'u', 2),
        },
        b'x' => match hex_pair(rest, 2) {
            Some(byte) => (byte, 4),
            None => (b'x', 2),
        },
        b'0'..=b'7' => {
            // Two digits where three would pass 255.
            let most = if rest[1] <= b'3' { 3 } else { 2 };
            let (byte, digits) = octal(rest, 1, most);
            (byte, 1 + digits)
        }
        b'a' => (0x07, 2),
        b'b' => (0x08, 2),
        b'f' => (0x0c, 2),
        b'n' => (b'\n', 2),
        b'r' => (b'\r', 2),
        b't' => (b'\t', 2),
        b'v' => (0x0b, 2),
        other => (other, 2),
    }
}

/// Octal digits at `at`, at most so many: the byte, eight bits of them, and the digits read.
pub(super) fn octal(bytes: &[u8], at: usize, most: usize) -> (u8, usize) {
    let digits =
        bytes[at..].iter().take(most).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let value = bytes[at..at + digits].iter().fold(0_u8, |value, byte| value << 3 | (byte - b'0'));
    (value, digits)
}
