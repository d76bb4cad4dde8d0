//! `cmdLine`: undoes what shells ignore. Drops `\ " ' ^`, blanks before `/` and `(`; `,` and `;`
//! become blanks; runs of blanks become one; ASCII lower case. (ModSecurity Reference Manual.)

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    // Never longer than the input: written in place, without asking for room at every byte.
    let mut end = out.len();
    out.resize(end + input.len(), 0);
    let mut blank = false;
    for &byte in input {
        let kind = KINDS[usize::from(byte)];
        if kind == DROPPED || kind == BLANK && blank {
            continue;
        }
        // A blank before a slash or a parenthesis is taken back.
        end -= usize::from(kind == JOINING && blank);
        blank = kind == BLANK;
        out[end] = if blank { b' ' } else { byte.to_ascii_lowercase() };
        end += 1;
    }
    out.truncate(end);
}

const KEPT: u8 = 0;
const DROPPED: u8 = 1;
const BLANK: u8 = 2;
const JOINING: u8 = 3;

static KINDS: [u8; 256] = {
    let mut kinds = [KEPT; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte {
            0x22 | 0x27 | 0x5c | 0x5e => DROPPED,
            0x2c | 0x3b | 0x20 | 0x09..=0x0d => BLANK,
            0x2f | 0x28 => JOINING,
            _ => KEPT,
        };
        byte += 1;
    }
    kinds
};
