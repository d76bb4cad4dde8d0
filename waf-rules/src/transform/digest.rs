//! `length` (decimal), `md5` and `sha1` (raw bytes; rules add `hexEncode`).

pub(super) fn length(input: &[u8], out: &mut Vec<u8>) {
    crate::bytes::push_display(input.len(), out);
}

pub(super) fn md5(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&md5::compute(input).0);
}

pub(super) fn sha1(input: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&sha1_smol::Sha1::from(input).digest().bytes());
}
