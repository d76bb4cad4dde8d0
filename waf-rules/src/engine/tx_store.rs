//! The transaction's own variables at run time.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::buffers::{Buffer, Buffers};
use crate::bytes::atoi;
use crate::tx::{CAPTURES, TxSlot};

/// A number stays one: scores are added up without a text in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TxValue {
    Int(i64),
    Bytes(Buffer),
}

/// Most variables that macros may name in one transaction: names come from the client.
pub(super) const DYNAMIC_MAX: usize = 4_096;

#[derive(Debug, Default)]
pub(super) struct TxStore {
    slots: Vec<Option<TxValue>>,
    dynamic: Vec<(Buffer, TxValue)>,
    places: HashMap<Buffer, usize, RandomState>,
}

impl TxStore {
    /// No variable set, in used memory; `slots` is the number of names known at load.
    pub(super) fn begin(memory: Self, slots: usize) -> Self {
        let Self { slots: mut values, mut dynamic, mut places } = memory;
        values.clear();
        values.resize(slots, None);
        dynamic.clear();
        places.clear();
        Self { slots: values, dynamic, places }
    }

    pub(super) fn get(&self, slot: TxSlot) -> Option<TxValue> {
        self.slots[slot.0 as usize]
    }

    pub(super) fn set(&mut self, slot: TxSlot, value: Option<TxValue>) {
        self.slots[slot.0 as usize] = value;
    }

    /// Forgets the groups of an earlier match from `first` on.
    pub(super) fn clear_captures(&mut self, first: usize) {
        let end = CAPTURES as usize;
        self.slots[first.min(end)..end].fill(None);
    }

    pub(super) fn dynamic(&self) -> &[(Buffer, TxValue)] {
        &self.dynamic
    }

    pub(super) fn get_dynamic(&self, name: Buffer) -> Option<TxValue> {
        self.places.get(&name).map(|place| self.dynamic[*place].1)
    }

    /// Writes a variable named at run time; beyond the bound new names are dropped.
    pub(super) fn set_dynamic(&mut self, name: Buffer, value: TxValue) {
        match self.places.get(&name) {
            Some(place) => self.dynamic[*place].1 = value,
            None if self.dynamic.len() < DYNAMIC_MAX => {
                self.places.insert(name, self.dynamic.len());
                self.dynamic.push((name, value));
            }
            None => {}
        }
    }

    pub(super) fn unset_dynamic(&mut self, name: Buffer) {
        let Some(place) = self.places.remove(&name) else { return };
        self.dynamic.swap_remove(place);
        if let Some((moved, _)) = self.dynamic.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

impl TxValue {
    /// A text that is a number in its shortest form is kept as one.
    pub(super) fn from_bytes(bytes: &[u8], buffers: &mut Buffers) -> Self {
        if is_shortest_number(bytes) {
            return Self::Int(atoi(bytes));
        }
        Self::Bytes(buffers.intern(bytes))
    }

    pub(super) fn number(self, buffers: &Buffers) -> i64 {
        match self {
            Self::Int(number) => number,
            Self::Bytes(buffer) => atoi(buffers.bytes(buffer)),
        }
    }
}

/// Written as the number would be written again.
fn is_shortest_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    match digits {
        [b'0'] => digits.len() == bytes.len(),
        [b'1'..=b'9', rest @ ..] => bytes.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}
