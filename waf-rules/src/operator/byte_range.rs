//! `@validateByteRange 32-36,38-126`: matches a value that holds a byte outside the ranges.

use crate::bytes::ByteSet;

#[derive(Debug)]
pub(crate) struct ByteRange {
    allowed: ByteSet,
}

impl ByteRange {
    pub(super) fn parse(argument: &str) -> Result<Self, String> {
        let mut allowed = ByteSet::EMPTY;
        for part in argument.split([',', ' ']).filter(|part| !part.is_empty()) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            match (first.trim().parse::<u8>(), last.trim().parse::<u8>()) {
                (Ok(first), Ok(last)) if first <= last => {
                    allowed = allowed.union(ByteSet::range(first, last))
                }
                _ => {
                    return Err(format!(
                        "byte range `{part}`, expected N or N-M with 0 <= N <= M <= 255"
                    ));
                }
            }
        }
        if allowed == ByteSet::EMPTY {
            return Err("no byte range given".to_owned());
        }
        Ok(Self { allowed })
    }

    pub(crate) fn allowed(&self) -> ByteSet {
        self.allowed
    }

    pub(super) fn outside(&self, input: &[u8]) -> bool {
        input.iter().any(|byte| !self.allowed.contains(*byte))
    }
}
