//! `utf8toUnicode`: every multi-byte character becomes `%uHHHH`, lower-case digits. Bytes that are
//! no UTF-8 stay as they are.

use std::io::Write;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    for chunk in input.utf8_chunks() {
        for character in chunk.valid().chars() {
            push(character, out);
        }
        out.extend_from_slice(chunk.invalid());
    }
}

fn push(character: char, out: &mut Vec<u8>) {
    match u8::try_from(character) {
        Ok(byte) if byte.is_ascii() => out.push(byte),
        // Writing to a vector cannot fail.
        _ => drop(write!(out, "%u{:04x}", u32::from(character))),
    }
}
