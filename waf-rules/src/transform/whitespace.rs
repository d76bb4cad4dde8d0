//! Blanks: `compressWhitespace`, `removeWhitespace`, `trim`, `trimLeft`, `trimRight`. Like
//! ModSecurity, the first two take the no-break space of Latin-1 (0xA0) for a blank, the second that of UTF-8 (0xC2 0xA0) too.

use memchr::memchr;

use crate::bytes::{is_space, retain};

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) {
    let mut blank = false;
    for &byte in input {
        let is_blank = is_space(byte) || byte == 0xa0;
        if !is_blank {
            out.push(byte);
        } else if !blank {
            out.push(b' ');
        }
        blank = is_blank;
    }
}

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) {
    if memchr(0xc2, input).is_none() {
        return retain(input, |byte| !is_space(byte) && byte != 0xa0, out);
    }
    let keeps = |at: &usize| match input[*at] {
        0xc2 => input.get(at + 1) != Some(&0xa0),
        byte => !is_space(byte) && byte != 0xa0,
    };
    out.extend((0..input.len()).filter(keeps).map(|at| input[at]));
}

pub(super) fn trim(input: &[u8], out: &mut Vec<u8>) {
    let rest = left(input);
    out.extend_from_slice(&rest[..right(rest)]);
}

pub(super) fn trim_left(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(left(input));
}

pub(super) fn trim_right(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&input[..right(input)]);
}

fn left(input: &[u8]) -> &[u8] {
    let start = input.iter().position(|byte| !is_space(*byte)).unwrap_or(input.len());
    &input[start..]
}

fn right(input: &[u8]) -> usize {
    input.iter().rposition(|byte| !is_space(*byte)).map_or(0, |at| at + 1)
}
