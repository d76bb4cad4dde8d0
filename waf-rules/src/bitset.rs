//! A set of small numbers: rule indices, operator indices.

#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct BitSet(Vec<u64>);

impl Clone for BitSet {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }

    /// In the memory that is there.
    fn clone_from(&mut self, other: &Self) {
        self.0.clone_from(&other.0);
    }
}

impl BitSet {
    pub(crate) fn with_len(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    pub(crate) fn insert(&mut self, at: u32) {
        let word = at as usize / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 64);
    }

    pub(crate) fn remove(&mut self, at: u32) {
        if let Some(word) = self.0.get_mut(at as usize / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub(crate) fn contains(&self, at: u32) -> bool {
        self.0.get(at as usize / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    /// The smallest member that is not below `from`.
    pub(crate) fn next(&self, from: u32) -> Option<u32> {
        let first = from as usize / 64;
        let mut left = self.0.get(first)? & (u64::MAX << (from % 64));
        let mut word = first;
        while left == 0 {
            word += 1;
            left = *self.0.get(word)?;
        }
        Some(crate::bytes::index(word * 64) + left.trailing_zeros())
    }

    pub(crate) fn union_with(&mut self, other: &Self) {
        if other.0.len() > self.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.fill(0);
    }
}
