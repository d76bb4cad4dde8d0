//! What a request brought, by collection.

use super::buffers::Buffer;
use crate::variable::{STORES, Store};

/// A named value; scalars have an empty name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: Buffer,
    pub(super) value: Buffer,
}

/// One list of entries per [`Store`].
#[derive(Debug, Default)]
pub(super) struct Stores(Vec<Vec<Entry>>);

impl Stores {
    /// Empty stores in used memory.
    pub(super) fn begin(mut memory: Self) -> Self {
        memory.0.iter_mut().for_each(Vec::clear);
        memory.0.resize_with(STORES, Vec::new);
        memory
    }

    pub(super) fn get(&self, store: Store) -> &[Entry] {
        &self.0[store as usize]
    }

    pub(super) fn add(&mut self, store: Store, key: Buffer, value: Buffer) {
        self.0[store as usize].push(Entry { key, value });
    }

    /// Sets a scalar.
    pub(super) fn set(&mut self, store: Store, value: Buffer) {
        let entries = &mut self.0[store as usize];
        entries.clear();
        entries.push(Entry { key: Buffer::EMPTY, value });
    }

    pub(super) fn scalar(&self, store: Store) -> Option<Buffer> {
        self.get(store).first().map(|entry| entry.value)
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.0.iter().map(|entries| entries.capacity() * size_of::<Entry>()).sum()
    }
}
