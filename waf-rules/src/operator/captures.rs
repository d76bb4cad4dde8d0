//! Capture groups of one match: at most ten, as `TX:0` to `TX:9` hold them.

use std::ops::Range;

/// Ranges of the input, or one text of the operator's own (the fingerprint of `@detectSQLi`).
#[derive(Debug, Default)]
pub(crate) struct Captures {
    groups: Vec<Range<usize>>,
    text: Vec<u8>,
}

impl Captures {
    pub(crate) const MOST: usize = crate::tx::CAPTURES as usize;

    pub(crate) fn clear(&mut self) {
        self.groups.clear();
        self.text.clear();
    }

    pub(crate) fn set_whole(&mut self, length: usize) {
        self.push(0..length);
    }

    pub(crate) fn set_text(&mut self, text: &[u8]) {
        self.text.extend_from_slice(text);
    }

    /// A group that took no part is an empty range.
    pub(crate) fn push(&mut self, group: Range<usize>) {
        if self.groups.len() < Self::MOST {
            self.groups.push(group);
        }
    }

    /// The operator's own text, which comes before the groups.
    pub(crate) fn own_text(&self) -> Option<&[u8]> {
        (!self.text.is_empty()).then_some(self.text.as_slice())
    }

    /// The captured ranges of the input, `TX:0` first.
    pub(crate) fn groups(&self) -> impl Iterator<Item = Range<usize>> {
        self.groups.iter().cloned()
    }
}
