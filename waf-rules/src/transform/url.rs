//! `urlDecode`, `urlDecodeUni`, `urlEncode`. An escape that is not one stays as written; `+` is a
//! blank. The Uni form also reads `%uHHHH` as IIS does: best fit, else the low byte.

use super::unicode_map::{best_fit, narrow};
use crate::bytes::{hex_pair, hex_quad};

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) {
    decode_with(input, |_| None, out);
}

pub(super) fn decode_uni(input: &[u8], out: &mut Vec<u8>) {
    decode_with(input, unicode_escape, out);
}

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) {
    for &byte in input {
        match byte {
            b' ' => out.push(b'+'),
            b'*' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => {
                out.push(b'%');
                super::hex::encode(&[byte], out);
            }
        }
    }
}

fn decode_with(input: &[u8], unicode: impl Fn(&[u8]) -> Option<u8>, out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let (byte, length) = match input[at] {
            b'+' => (b' ', 1),
            b'%' => match (hex_pair(input, at + 1), unicode(&input[at..])) {
                (Some(byte), _) => (byte, 3),
                (None, Some(byte)) => (byte, 6),
                (None, None) => (b'%', 1),
            },
            byte => (byte, 1),
        };
        out.push(byte);
        at += length;
    }
}

fn unicode_escape(rest: &[u8]) -> Option<u8> {
    if !matches!(rest.get(1), Some(b'u' | b'U')) {
        return None;
    }
    let code = hex_quad(rest, 2)?;
    Some(best_fit(code).unwrap_or_else(|| narrow(u32::from(code))))
}
