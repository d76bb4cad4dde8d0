//! `hexEncode` (lower case), `hexDecode` (pairs; what is no pair of digits is dropped, so a single
//! trailing digit cannot be read past: CVE-2026-30923).

use crate::bytes::hex_pair;

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in input {
        out.push(DIGITS[(byte >> 4) as usize]);
        out.push(DIGITS[(byte & 15) as usize]);
    }
}

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) {
    out.extend((0..input.len() / 2).filter_map(|pair| hex_pair(input, pair * 2)));
}
