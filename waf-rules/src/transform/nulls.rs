//! `removeNulls`, `replaceNulls` (by a blank).

pub(super) fn remove(input: &[u8], out: &mut Vec<u8>) {
    crate::bytes::retain(input, |byte| byte != 0, out);
}

pub(super) fn replace(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(|byte| if *byte == 0 { b' ' } else { *byte }));
}
