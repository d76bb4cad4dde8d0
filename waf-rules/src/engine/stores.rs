//! What a request brought, by collection.

use super::buffers::Buffer;
use crate::variable::{STORES, Store};

/// A named value; scalars have an empty name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) key: Buffer,
    pub(super) value: Buffer,
}

#[derive(Debug)]
pub(super) struct Stores([Vec<Entry>; STORES]);

impl Stores {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| Vec::new()))
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
}
