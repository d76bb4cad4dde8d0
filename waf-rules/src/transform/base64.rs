//! `base64Decode` stops at the first byte outside the alphabet and keeps what it has, as APR does;
//! `base64DecodeExt` skips such bytes (RFC 2045, 6.8) and knows the URL alphabet too.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn decode(input: &[u8], out: &mut Vec<u8>) {
    decode_sextets(input.iter().map_while(|byte| sextet(*byte)), out);
}

pub(super) fn decode_ext(input: &[u8], out: &mut Vec<u8>) {
    let sextets = input.iter().filter_map(|byte| match byte {
        b'-' => Some(62),
        b'_' => Some(63),
        _ => sextet(*byte),
    });
    decode_sextets(sextets, out);
}

pub(super) fn encode(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(STANDARD.encode(input).as_bytes());
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

/// Emits a byte whenever eight bits are gathered; left-over bits are dropped.
fn decode_sextets(sextets: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    let (mut gathered, mut bits) = (0_u16, 0);
    for value in sextets {
        gathered = (gathered << 6) | u16::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push((gathered >> bits).to_le_bytes()[0]);
            gathered &= (1 << bits) - 1;
        }
    }
}
