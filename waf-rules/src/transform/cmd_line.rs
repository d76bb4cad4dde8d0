//! `cmdLine`: undoes what shells ignore. Drops `\ " ' ^`, blanks before `/` and `(`; `,` and `;`
//! become blanks; runs of blanks become one; ASCII lower case. (ModSecurity Reference Manual.)

use crate::bytes::is_space;

pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) {
    let mut blank = false;
    for &byte in input {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b',' | b';' => blank = push_blank(blank, out),
            _ if is_space(byte) => blank = push_blank(blank, out),
            b'/' | b'(' => {
                if blank {
                    out.pop();
                }
                out.push(byte);
                blank = false;
            }
            _ => {
                out.push(byte.to_ascii_lowercase());
                blank = false;
            }
        }
    }
}

fn push_blank(blank: bool, out: &mut Vec<u8>) -> bool {
    if !blank {
        out.push(b' ');
    }
    true
}
