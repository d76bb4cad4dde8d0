//! Transaction variables: names known at load get a slot, so that the hot ones are array reads;
//! names made at run time (`tx.counter_%{MATCHED_VAR_NAME}`) live in a bounded map beside them.

use std::collections::HashMap;

/// Index of a name known at load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TxSlot(pub(crate) u32);

/// Capture groups `TX:0` to `TX:9` are the first ten slots.
pub(crate) const CAPTURES: u32 = 10;

/// All names the rules mention, lower case.
#[derive(Debug, Clone)]
pub(crate) struct TxNames {
    slots: HashMap<String, TxSlot>,
    names: Vec<Box<str>>,
}

impl Default for TxNames {
    fn default() -> Self {
        let mut names = Self { slots: HashMap::new(), names: Vec::new() };
        for group in 0..CAPTURES {
            names.intern(&group.to_string());
        }
        names
    }
}

impl TxNames {
    /// The slot of a name, made if it is new.
    pub(crate) fn intern(&mut self, name: &str) -> TxSlot {
        let name = name.to_ascii_lowercase();
        if let Some(slot) = self.slots.get(&name) {
            return *slot;
        }
        let slot = TxSlot(crate::bytes::index(self.names.len()));
        self.names.push(name.as_str().into());
        self.slots.insert(name, slot);
        slot
    }

    /// The slot of a name already known, from bytes in lower case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<TxSlot> {
        std::str::from_utf8(name).ok().and_then(|name| self.slots.get(name)).copied()
    }

    pub(crate) fn name(&self, slot: TxSlot) -> &str {
        &self.names[slot.0 as usize]
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TxSlot, &str)> {
        (0..).map(TxSlot).zip(self.names.iter().map(AsRef::as_ref))
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}
