//! Small facts about bytes that transformations, operators and gates share.

#[cfg(test)]
mod tests;

/// A set of byte values: 256 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(crate) const EMPTY: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::EMPTY;
        let mut at = 0;
        while at < bytes.len() {
            set = set.with(bytes[at]);
            at += 1;
        }
        set
    }

    pub(crate) const fn range(first: u8, last: u8) -> Self {
        let mut set = Self::EMPTY;
        let mut byte = first;
        loop {
            set = set.with(byte);
            if byte == last {
                return set;
            }
            byte += 1;
        }
    }

    pub(crate) const fn with(mut self, byte: u8) -> Self {
        self.0[(byte >> 6) as usize] |= 1 << (byte & 63);
        self
    }

    pub(crate) const fn union(self, other: Self) -> Self {
        let (a, b) = (self.0, other.0);
        Self([a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]])
    }

    pub(crate) fn contains(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & (1 << (byte & 63)) != 0
    }

    pub(crate) fn intersects(&self, other: &Self) -> bool {
        (0..4).any(|word| self.0[word] & other.0[word] != 0)
    }

    pub(crate) const fn complement(self) -> Self {
        let a = self.0;
        Self([!a[0], !a[1], !a[2], !a[3]])
    }

    /// The members, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u8> {
        let words = self.0;
        (0_u8..4).flat_map(move |word| {
            let mut left = words[usize::from(word)];
            std::iter::from_fn(move || {
                let bit = u8::try_from(left.trailing_zeros()).ok().filter(|bit| *bit < 64)?;
                left &= left - 1;
                Some(word << 6 | bit)
            })
        })
    }

    /// The members, ascending, written to the front of `memory`.
    pub(crate) fn list<'a>(&self, memory: &'a mut [u8; 256]) -> &'a [u8] {
        let mut end = 0;
        for (base, word) in [0, 64, 128, 192].into_iter().zip(self.0) {
            let mut left = word;
            while left != 0 {
                memory[end] = base | u8::try_from(left.trailing_zeros()).unwrap_or_default();
                end += 1;
                left &= left - 1;
            }
        }
        &memory[..end]
    }

    pub(crate) fn len(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// ASCII letters, digits and the underscore.
pub(crate) const WORD: ByteSet = ByteSet::range(b'a', b'z')
    .union(ByteSet::range(b'A', b'Z'))
    .union(ByteSet::range(b'0', b'9'))
    .with(b'_');

/// The bytes that occur in `bytes`.
pub(crate) fn present(bytes: &[u8]) -> ByteSet {
    let mut set = ByteSet::EMPTY;
    if bytes.len() < TABLE_BYTES_MIN {
        bytes.iter().for_each(|byte| set.0[(byte >> 6) as usize] |= 1 << (byte & 63));
        return set;
    }
    // Writes that do not wait for each other: three times as quick where the table pays.
    let mut seen = [0_u8; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = 1);
    for (word, seen) in set.0.iter_mut().zip(seen.chunks_exact(64)) {
        *word = seen.chunks_exact(8).rev().fold(0, |word, eight| word << 8 | bits(eight));
    }
    set
}

/// Eight bytes that are 0 or 1, as bits: the product gathers the lowest bit of each in its highest byte.
fn bits(eight: &[u8]) -> u64 {
    let eight = eight.try_into().map_or(0, u64::from_le_bytes);
    eight.wrapping_mul(0x0102_0408_1020_4080) >> 56
}

/// From this length on a table of all bytes pays.
const TABLE_BYTES_MIN: usize = 48;

/// C's `isspace`: blank, tab, line feed, vertical tab, form feed, carriage return.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Appends the bytes to keep. Nothing depends on what the byte before was: several are done at once.
pub(crate) fn retain(input: &[u8], keeps: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    let mut end = out.len();
    out.resize(end + input.len(), 0);
    for byte in input {
        out[end] = *byte;
        end += usize::from(keeps(*byte));
    }
    out.truncate(end);
}

/// Value of a hexadecimal digit.
pub(crate) fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Value of two hexadecimal digits at `at`.
pub(crate) fn hex_pair(bytes: &[u8], at: usize) -> Option<u8> {
    let high = hex(*bytes.get(at)?)?;
    let low = hex(*bytes.get(at + 1)?)?;
    Some(high << 4 | low)
}

/// Value of four hexadecimal digits at `at`.
pub(crate) fn hex_quad(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([hex_pair(bytes, at)?, hex_pair(bytes, at + 2)?]))
}

/// C's `atoi` as ModSecurity uses it: leading blanks, a sign, digits; 0 for anything else. Saturates.
pub(crate) fn atoi(bytes: &[u8]) -> i64 {
    let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
    let (negative, digits) = match bytes[start..].first() {
        Some(b'-') => (true, &bytes[start + 1..]),
        Some(b'+') => (false, &bytes[start + 1..]),
        _ => (false, &bytes[start..]),
    };
    let value = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0_i64, |value, byte| value.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    if negative { -value } else { value }
}

/// Appends a number, an address: anything that prints itself.
pub(crate) fn push_display(value: impl std::fmt::Display, out: &mut Vec<u8>) {
    use std::io::Write;
    // Writing to memory does not fail.
    let _ = write!(out, "{value}");
}

/// Index as the 32-bit number that tables and spans hold. Arenas are bounded far below 4 GiB.
pub(crate) fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}
