//! `cssDecode`: CSS 2 escapes. One to six hexadecimal digits name a character, of which, as in
//! ModSecurity 2, the low byte is kept (full-width forms become their ASCII twins); one blank after
//! them belongs to the escape. A backslash before a line end vanishes with it.

use super::unicode_map::narrow;
use crate::bytes::{hex, is_space};

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        if input[at] != b'\\' {
            out.push(input[at]);
            at += 1;
            continue;
        }
        let digits =
            input[at + 1..].iter().take(6).take_while(|byte| hex(**byte).is_some()).count();
        at += 1 + if digits > 0 {
            code(&input[at + 1..], digits, out)
        } else {
            single(&input[at + 1..], out)
        };
    }
}

/// Decodes the digits; returns how many bytes after the backslash were read.
fn code(rest: &[u8], digits: usize, out: &mut Vec<u8>) -> usize {
    let value = rest[..digits]
        .iter()
        .filter_map(|byte| hex(*byte))
        .fold(0_u32, |v, d| v << 4 | u32::from(d));
    out.push(narrow(value));
    digits + usize::from(rest.get(digits).is_some_and(|byte| is_space(*byte)))
}

fn single(rest: &[u8], out: &mut Vec<u8>) -> usize {
    match rest.first() {
        None => 0,
        Some(b'\n') => 1,
        Some(&byte) => {
            out.push(byte);
            1
        }
    }
}
