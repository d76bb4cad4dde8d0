//! `t:parityEven7bit`, `t:parityOdd7bit`, `t:parityZero7bit`: the eighth bit of every byte as a parity of
//! the other seven, or cleared.

pub(super) fn even(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(|byte| with_parity(*byte, 0)));
}

pub(super) fn odd(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(|byte| with_parity(*byte, 1)));
}

pub(super) fn zero(input: &[u8], out: &mut Vec<u8>) {
    out.extend(input.iter().map(|byte| byte & 0x7f));
}

/// Sets the eighth bit where the number of set bits would otherwise not have this remainder by two.
fn with_parity(byte: u8, remainder: u32) -> u8 {
    let low = byte & 0x7f;
    if low.count_ones() % 2 == remainder { low } else { low | 0x80 }
}
