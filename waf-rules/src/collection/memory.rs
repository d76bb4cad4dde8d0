//! Collections in this process's memory: sharded, bounded, random-keyed.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use foldhash::quality::RandomState;
use hashbrown::HashMap;
use std::hash::BuildHasher;

use super::{CollectionKey, Collections, Snapshot, Update, Write};
use crate::bytes::atoi;

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBounds {
    /// Instances of all collections together. Beyond it the one longest without a write goes.
    pub instances: usize,
    /// Variables of one instance; writes of further ones are dropped.
    pub variables: usize,
    /// Bytes of one instance: names and values. Writes beyond it are dropped.
    pub instance_bytes: usize,
    /// Bytes of an instance's name; longer ones share what their first bytes and length say.
    pub name_bytes: usize,
}

/// Collections that live as long as this value; give every generation of a configuration the same one.
#[derive(Debug)]
pub struct MemoryCollections {
    bounds: MemoryBounds,
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

const SHARDS: usize = 64;
/// How many recently written instances are passed over in search of one to drop.
const SECOND_CHANCES: usize = 8;

#[derive(Debug, Default)]
struct Shard {
    records: HashMap<CollectionKey, Record>,
    /// Every instance once, roughly in the order of the last write.
    order: VecDeque<(u64, CollectionKey)>,
}

#[derive(Debug)]
struct Record {
    created_s: u64,
    updated_s: u64,
    updates: u64,
    timeout_s: u64,
    variables: Vec<Variable>,
}

#[derive(Debug)]
struct Variable {
    name: Box<[u8]>,
    value: Vec<u8>,
    expires_s: Option<u64>,
    decay: Option<Decay>,
}

#[derive(Debug, Clone, Copy)]
struct Decay {
    amount: i64,
    period_s: u64,
    since_s: u64,
}

impl Default for MemoryBounds {
    /// At most about 70 MB, and a small fraction of it for counters.
    fn default() -> Self {
        Self { instances: 64 * 1024, variables: 32, instance_bytes: 1_024, name_bytes: 256 }
    }
}

impl Default for MemoryCollections {
    fn default() -> Self {
        Self::new(MemoryBounds::default())
    }
}

impl MemoryCollections {
    pub fn new(bounds: MemoryBounds) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect();
        Self { bounds, hasher: RandomState::default(), shards }
    }

    /// Instances kept now, those included that have run out and were not touched since.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).records.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn shard(&self, key: &CollectionKey) -> &Mutex<Shard> {
        let hash = self.hasher.hash_one(key);
        &self.shards[usize::try_from(hash >> 58).unwrap_or(0) % SHARDS]
    }

    fn bounded(&self, key: &CollectionKey) -> CollectionKey {
        let mut key = key.clone();
        if key.name.len() > self.bounds.name_bytes {
            // What is cut off still tells names apart.
            let digest = sha1_smol::Sha1::from(&key.name).digest().bytes();
            let kept = self.bounds.name_bytes.saturating_sub(digest.len());
            key.name = [&key.name[..kept], &digest].concat().into();
        }
        key
    }
}

/// A panic while a shard was locked cannot leave it half written: every change is a single assignment.
fn lock(shard: &Mutex<Shard>) -> std::sync::MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collections for MemoryCollections {
    fn open(&self, key: &CollectionKey, now_s: u64) -> Snapshot {
        let key = self.bounded(key);
        let mut shard = lock(self.shard(&key));
        let Some(record) = shard.records.get_mut(&key) else { return Snapshot::default() };
        if record.is_over(now_s) { Snapshot::default() } else { record.snapshot(now_s) }
    }

    fn update(
        &self,
        key: &CollectionKey,
        write: Write<'_>,
        now_s: u64,
        timeout_s: u64,
    ) -> Option<Vec<u8>> {
        let key = self.bounded(key);
        let mut shard = lock(self.shard(&key));
        let most = (self.bounds.instances / SHARDS).max(1);
        let record = shard.record(key, most, now_s, timeout_s);
        record.updated_s = now_s;
        // What a later write makes anew, because it was forgotten meanwhile, has been written to all the same.
        record.updates = record.updates.saturating_add(u64::from(write.first)).max(1);
        record.refresh(now_s);
        record.apply(write.name, write.update, now_s, &self.bounds)
    }
}

impl Shard {
    fn record(
        &mut self,
        key: CollectionKey,
        most: usize,
        now_s: u64,
        timeout_s: u64,
    ) -> &mut Record {
        if !self.records.contains_key(&key) {
            if self.records.len() >= most {
                self.make_room(now_s);
            }
            self.order.push_back((now_s, key.clone()));
        }
        let record = self.records.entry(key).or_insert_with(|| Record::new(now_s, timeout_s));
        if record.is_over(now_s) {
            *record = Record::new(now_s, timeout_s);
        }
        record
    }

    /// Drops the oldest instance; one that was written since it was queued gets a second chance.
    fn make_room(&mut self, now_s: u64) {
        for chance in 0..=SECOND_CHANCES {
            let Some((queued_s, key)) = self.order.pop_front() else { return };
            let Some(record) = self.records.get(&key) else { continue };
            if chance < SECOND_CHANCES && !record.is_over(now_s) && record.updated_s > queued_s {
                self.order.push_back((record.updated_s, key));
                continue;
            }
            self.records.remove(&key);
            return;
        }
    }
}

impl Record {
    fn new(now_s: u64, timeout_s: u64) -> Self {
        let variables = Vec::new();
        Self { created_s: now_s, updated_s: now_s, updates: 0, timeout_s, variables }
    }

    fn is_over(&self, now_s: u64) -> bool {
        now_s >= self.updated_s.saturating_add(self.timeout_s)
    }

    /// Forgets what has expired and lowers what decays.
    fn refresh(&mut self, now_s: u64) {
        self.variables.retain(|variable| variable.expires_s.is_none_or(|at| now_s < at));
        self.variables.iter_mut().for_each(|variable| variable.decay(now_s));
    }

    fn snapshot(&mut self, now_s: u64) -> Snapshot {
        self.refresh(now_s);
        let pair = |variable: &Variable| (variable.name.clone(), variable.value.clone());
        Snapshot {
            created_s: self.created_s,
            updated_s: self.updated_s,
            updates: self.updates,
            timeout_s: self.timeout_s,
            variables: self.variables.iter().map(pair).collect(),
        }
    }

    fn apply(
        &mut self,
        name: &[u8],
        update: Update<'_>,
        now_s: u64,
        bounds: &MemoryBounds,
    ) -> Option<Vec<u8>> {
        let at = self.variables.iter().position(|variable| *variable.name == *name);
        let old = at.map_or(b"".as_slice(), |at| &self.variables[at].value);
        match update {
            Update::Set(value) => self.set(at, name, value.to_vec(), bounds),
            Update::Add(number) => {
                let sum = atoi(old).saturating_add(number).to_string().into_bytes();
                self.set(at, name, sum, bounds)
            }
            Update::Unset => {
                at.map(|at| self.variables.swap_remove(at));
                None
            }
            Update::Expire(seconds) => {
                let variable = &mut self.variables[at?];
                variable.expires_s = Some(now_s.saturating_add(seconds));
                Some(variable.value.clone())
            }
            Update::Decay { amount, period_s } => {
                let variable = &mut self.variables[at?];
                variable.decay = Some(Decay { amount, period_s: period_s.max(1), since_s: now_s });
                Some(variable.value.clone())
            }
            Update::Timeout(seconds) => {
                self.timeout_s = seconds;
                None
            }
        }
    }

    /// Writes a value that fits; one that does not leaves the old one.
    fn set(
        &mut self,
        at: Option<usize>,
        name: &[u8],
        value: Vec<u8>,
        bounds: &MemoryBounds,
    ) -> Option<Vec<u8>> {
        let size = |variable: &Variable| variable.name.len() + variable.value.len();
        let others: usize = self
            .variables
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != at)
            .map(|(_, variable)| size(variable))
            .sum();
        let fits = others + name.len() + value.len() <= bounds.instance_bytes;
        match at {
            Some(at) if fits => self.variables[at].value.clone_from(&value),
            Some(at) => return Some(self.variables[at].value.clone()),
            None if fits && self.variables.len() < bounds.variables => {
                self.variables.push(Variable {
                    name: name.into(),
                    value: value.clone(),
                    expires_s: None,
                    decay: None,
                })
            }
            None => return None,
        }
        Some(value)
    }
}

impl Variable {
    fn decay(&mut self, now_s: u64) {
        let Some(decay) = &mut self.decay else { return };
        let periods = now_s.saturating_sub(decay.since_s) / decay.period_s;
        if periods == 0 {
            return;
        }
        decay.since_s += periods * decay.period_s;
        let periods = i64::try_from(periods).unwrap_or(i64::MAX);
        let lowered = atoi(&self.value).saturating_sub(decay.amount.saturating_mul(periods)).max(0);
        self.value = lowered.to_string().into_bytes();
    }
}
