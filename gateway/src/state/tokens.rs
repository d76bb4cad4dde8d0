//! Verified tokens, so that a signature is checked once and not per request.
//!
//! A token enters only after full success, so a flood of invalid tokens cannot push out good ones; eviction is SIEVE
//! (Zhang et al., NSDI '24), so a scan of valid ones that are never used again leaves those in use alone. Entries are
//! found by a keyed hash and compared byte for byte: a collision costs time, never trust. Whether an entry
//! still counts is for the caller: time, configuration and key epoch are checked on every hit.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use parking_lot::RwLock;
use serde_json::Value;

use crate::base::bounds;
use crate::base::identity::Identity;

/// What was established about one token, and what that depends on.
#[derive(Clone, Debug)]
pub struct Verified {
    pub identity: Arc<Identity>,
    /// Configuration of the issuer that verified it.
    pub stamp: u128,
    /// Epoch of the key set that verified it.
    pub epoch: u64,
    /// First second at which it has expired, skew included.
    pub ends_s: u64,
    /// First second at which it is valid, skew included.
    pub starts_s: u64,
}

/// A bounded map from token to [`Verified`]. Cheap to share; one per process.
#[derive(Debug)]
pub struct TokenCache {
    shards: Box<[RwLock<Shard>]>,
    hasher: RandomState,
}

const SHARDS: usize = 64;

impl Default for TokenCache {
    fn default() -> TokenCache {
        TokenCache::new(bounds::TOKEN_CACHE_BYTES)
    }
}

impl TokenCache {
    /// A cache that holds at most about `bytes` of tokens and claims.
    pub fn new(bytes: usize) -> TokenCache {
        let shard = || RwLock::new(Shard::new(bytes / SHARDS));
        TokenCache {
            shards: std::iter::repeat_with(shard).take(SHARDS).collect(),
            hasher: RandomState::default(),
        }
    }

    pub fn get(&self, token: &str) -> Option<Arc<Verified>> {
        let hash = self.hasher.hash_one(token);
        self.shard(hash).read().get(hash, token)
    }

    /// Inserts or replaces. A token that is larger than a shard is not kept.
    pub fn insert(&self, token: &str, verified: Arc<Verified>) {
        let hash = self.hasher.hash_one(token);
        let hasher = &self.hasher;
        self.shard(hash).write().insert(hash, token, verified, |token| hasher.hash_one(token));
    }

    /// Removes a token that no longer counts.
    pub fn remove(&self, token: &str) {
        let hash = self.hasher.hash_one(token);
        self.shard(hash).write().remove(hash, token);
    }

    /// Tokens held now.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().table.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held now, as counted against the bound.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().bytes).sum()
    }

    /// The table inside a shard uses the low and the top seven bits, so the shard comes from the middle.
    #[allow(clippy::cast_possible_truncation)] // masked to six bits
    fn shard(&self, hash: u64) -> &RwLock<Shard> {
        &self.shards[(hash >> 40) as usize & (SHARDS - 1)]
    }
}

/// Slots in a list from newest to oldest; the hand walks from the oldest and takes the first one that was
/// not used since it last came by.
#[derive(Debug)]
struct Shard {
    table: HashTable<u32>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    newest: u32,
    oldest: u32,
    hand: u32,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Slot {
    token: Box<str>,
    verified: Option<Arc<Verified>>,
    bytes: usize,
    used: AtomicBool,
    newer: u32,
    older: u32,
}

const NONE: u32 = u32::MAX;

impl Shard {
    fn new(bytes_max: usize) -> Shard {
        Shard {
            table: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            hand: NONE,
            bytes: 0,
            bytes_max,
        }
    }

    fn get(&self, hash: u64, token: &str) -> Option<Arc<Verified>> {
        let slot = self.find(hash, token).map(|index| &self.slots[index as usize])?;
        // Only the first use since the hand came by writes: a hot entry's cache line stays shared.
        if !slot.used.load(Ordering::Relaxed) {
            slot.used.store(true, Ordering::Relaxed);
        }
        slot.verified.clone()
    }

    fn insert(
        &mut self,
        hash: u64,
        token: &str,
        verified: Arc<Verified>,
        rehash: impl Fn(&str) -> u64,
    ) {
        let bytes = cost(token, &verified.identity);
        if bytes > self.bytes_max {
            return;
        }
        self.remove(hash, token);
        while self.bytes + bytes > self.bytes_max {
            self.evict(&rehash);
        }
        let index = self.occupy(token, verified, bytes);
        let slots = &self.slots;
        self.table.insert_unique(hash, index, |other| rehash(&slots[*other as usize].token));
    }

    fn remove(&mut self, hash: u64, token: &str) {
        let slots = &self.slots;
        let found = self.table.find_entry(hash, |index| &*slots[*index as usize].token == token);
        if let Ok(entry) = found {
            let (index, _) = entry.remove();
            self.vacate(index);
        }
    }

    fn find(&self, hash: u64, token: &str) -> Option<u32> {
        self.table.find(hash, |index| &*self.slots[*index as usize].token == token).copied()
    }

    fn evict(&mut self, rehash: &impl Fn(&str) -> u64) {
        let mut victim = if self.hand == NONE { self.oldest } else { self.hand };
        while self.slots[victim as usize].used.swap(false, Ordering::Relaxed) {
            let newer = self.slots[victim as usize].newer;
            victim = if newer == NONE { self.oldest } else { newer };
        }
        self.hand = victim;
        let hash = rehash(&self.slots[victim as usize].token);
        if let Ok(entry) = self.table.find_entry(hash, |index| *index == victim) {
            entry.remove();
        }
        self.vacate(victim);
    }

    /// Fills a free slot and makes it the newest.
    fn occupy(&mut self, token: &str, verified: Arc<Verified>, bytes: usize) -> u32 {
        let slot = Slot {
            token: token.into(),
            verified: Some(verified),
            bytes,
            used: AtomicBool::new(false),
            newer: NONE,
            older: self.newest,
        };
        let index = self.place(slot);
        match self.newest {
            NONE => self.oldest = index,
            newest => self.slots[newest as usize].newer = index,
        }
        self.newest = index;
        self.bytes += bytes;
        index
    }

    #[allow(clippy::cast_possible_truncation)] // a shard of the largest cache holds far fewer than 2^32 slots
    fn place(&mut self, slot: Slot) -> u32 {
        match self.free.pop() {
            Some(index) => {
                self.slots[index as usize] = slot;
                index
            }
            None => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
        }
    }

    /// Takes a slot out of the list and frees what it holds.
    fn vacate(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        let (newer, older) = (slot.newer, slot.older);
        self.bytes -= slot.bytes;
        slot.token = Box::default();
        slot.verified = None;
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
        if self.hand == index {
            self.hand = newer;
        }
        self.free.push(index);
    }
}

/// Bytes that an entry takes: the token, and the claims as the allocator sees them, rounded up.
fn cost(token: &str, identity: &Identity) -> usize {
    const FIXED: usize = 768;
    const NAME: usize = 32;
    let names = identity.scopes.len() + identity.roles.len() + identity.amr.len();
    let claims: usize = identity.claims.iter().map(|(name, value)| member(name, value)).sum();
    FIXED + token.len() + names * NAME + 2 * identity.subject.len() + claims
}

fn member(name: &str, value: &Value) -> usize {
    const MEMBER: usize = 128;
    MEMBER + name.len() + weight(value)
}

fn weight(value: &Value) -> usize {
    const ITEM: usize = 80;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len() + 16,
        Value::Array(items) => items.iter().map(|item| ITEM + weight(item)).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| member(name, value)).sum(),
    }
}

#[cfg(test)]
mod tests;
