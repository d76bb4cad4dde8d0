//! `sqlHexDecode`: `0x616263` to `abc`, as MySQL reads it; an odd last digit stays.

use crate::bytes::hex_pair;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while at < input.len() {
        let prefixed = input[at] == b'0' && matches!(input.get(at + 1), Some(b'x' | b'X'));
        if prefixed && hex_pair(input, at + 2).is_some() {
            at += 2;
            while let Some(byte) = hex_pair(input, at) {
                out.push(byte);
                at += 2;
            }
        } else {
            out.push(input[at]);
            at += 1;
        }
    }
}
