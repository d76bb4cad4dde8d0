//! `cmdLine`: undoes what shells ignore. Drops `\ " ' ^`, blanks before `/` and `(`; `,` and `;`
//! become blanks; runs of blanks become one; ASCII lower case. (ModSecurity Reference Manual.)

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    // Never longer than the input: written in place, without asking for room at every byte, and without a branch, because
    // where words end is hard to foresee.
    let mut end = out.len();
    out.resize(end + input.len(), 0);
    let mut blank = false;
    for &byte in input {
        let kind = KINDS[usize::from(byte)];
        let (is_blank, dropped) = (kind == BLANK, kind == DROPPED);
        // A blank before a slash or a parenthesis is taken back.
        end -= usize::from((kind == JOINING) & blank);
        out[end] = LETTERS[usize::from(byte)];
        end += usize::from(!(dropped | is_blank & blank));
        blank = is_blank | dropped & blank;
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

/// What stands for each byte that is kept.
static LETTERS: [u8; 256] = {
    let mut letters = [b' '; 256];
    let mut byte: u8 = 0;
    loop {
        if KINDS[byte as usize] != BLANK {
            letters[byte as usize] = byte.to_ascii_lowercase();
        }
        if byte == u8::MAX {
            break letters;
        }
        byte += 1;
    }
};
