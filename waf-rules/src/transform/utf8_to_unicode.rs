//! `utf8toUnicode`: every multi-byte sequence becomes `%uHHHH`, lower-case digits; also an overlong one, which a lenient
//! reader takes for what it stands for (`\xc0\xbc` is `<`). A lead byte without its sequence goes, as in
//! ModSecurity; what else is no UTF-8 stays as it is.

use std::io::Write;

pub(super) fn apply(mut input: &[u8], out: &mut Vec<u8>) {
    while let Some((lead, rest)) = input.split_first() {
        let length = length(*lead);
        match sequence(input, length) {
            Some(character) => {
                // Writing to a vector cannot fail.
                drop(write!(out, "%u{character:04x}"));
                input = &input[length..];
                continue;
            }
            None if length > 1 => {}
            None => out.push(*lead),
        }
        input = rest;
    }
}

/// Bytes of the sequence that a byte begins; 1 where it begins none.
fn length(lead: u8) -> usize {
    match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}

/// What a complete sequence of several bytes stands for.
fn sequence(input: &[u8], length: usize) -> Option<u32> {
    let (lead, tail) = input.get(..length)?.split_first().filter(|_| length > 1)?;
    let mask = 0x7f_u8 >> length;
    tail.iter().try_fold(u32::from(lead & mask), |character, byte| {
        (byte & 0xc0 == 0x80).then(|| character << 6 | u32::from(byte & 0x3f))
    })
}
