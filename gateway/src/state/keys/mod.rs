//! Key sets of issuers. A set lives as long as a configuration names its issuer: reloads keep it, and it
//! keeps its last good keys through every failure of its source.
//!
//! - [`source`]: where a set comes from
//! - [`admit`]: which keys of a set are taken
//! - [`fetch`]: documents over HTTP, guarded against being steered into private networks
//! - [`refresh`]: when a set is loaded again; one load at a time, floods of unknown `kid`s included

pub mod admit;
pub mod fetch;
mod refresh;
pub mod source;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::base::bounds;
use crate::base::clock::Now;
use admit::Key;
use fetch::Fetch;
use refresh::Flight;
use source::KeySource;

/// The key sets of all issuers. One per process.
pub struct KeySets {
    sets: Mutex<HashMap<Id, Arc<KeySet>>>,
    shared: Shared,
}

/// A set belongs to a name and an `iss`: a name that is given to another issuer must not inherit keys.
type Id = (Arc<str>, Arc<str>);

#[derive(Clone)]
struct Shared {
    fetch: Arc<dyn Fetch>,
    /// Epochs are unique in the process, so that a set made anew never meets old cache entries.
    epochs: Arc<AtomicU64>,
    /// Something became due earlier than the background task knows.
    changed: Arc<Notify>,
}

/// The keys of one issuer.
pub struct KeySet {
    name: Arc<str>,
    issuer: Arc<str>,
    keys: ArcSwapOption<Keys>,
    /// Epoch of `keys`; 0 while there are none.
    epoch: AtomicU64,
    /// Last successful load, Unix seconds.
    confirmed_s: AtomicU64,
    flight: Mutex<Flight>,
    /// Counts finished loads, to wait for one.
    done: watch::Sender<u64>,
    shared: Shared,
}

/// One loaded generation of a set.
#[derive(Debug)]
pub struct Keys {
    /// Changes when a key is withdrawn or replaced, not when one is added.
    pub epoch: u64,
    pub keys: Vec<Key>,
    /// Why keys of the document were passed over.
    pub skipped: Vec<String>,
}

/// Health of one set, for metrics and the admin listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetStatus {
    /// Name of the issuer in the configuration.
    pub issuer: Arc<str>,
    pub source: String,
    pub keys: usize,
    pub skipped: Vec<String>,
    /// Since the last successful load; `None` when there was none.
    pub age: Option<Duration>,
    /// Failed loads since the last successful one.
    pub failures: u32,
    /// Why the last load failed; `None` when it did not.
    pub error: Option<String>,
}

/// Whether a key set file can be read and holds usable keys.
pub fn check_file(path: &Path) -> Result<(), String> {
    refresh::load_file(path).map(drop)
}

impl KeySets {
    pub fn new(fetch: Arc<dyn Fetch>) -> KeySets {
        let shared =
            Shared { fetch, epochs: Arc::new(AtomicU64::new(1)), changed: Arc::new(Notify::new()) };
        KeySets { sets: Mutex::default(), shared }
    }

    /// The set of an issuer, made when there is none. It has no source, and is never loaded, until a configuration
    /// that names it is [adopted](KeySets::adopt).
    pub fn handle(&self, name: &str, issuer: &str) -> Arc<KeySet> {
        let id: Id = (name.into(), issuer.into());
        if let Some(set) = self.sets.lock().get(&id) {
            return set.clone();
        }
        Arc::new(KeySet::new(id, self.shared.clone()))
    }

    /// Makes exactly these sets live: called when a configuration is swapped in. Known sets keep their keys; a changed
    /// source is loaded at once, the keys of the old one serve until then. Files are read here, so that the first
    /// request finds them.
    pub fn adopt(&self, wanted: impl IntoIterator<Item = (Arc<KeySet>, KeySource)>, now: Now) {
        let mut live = HashMap::new();
        for (set, source) in wanted {
            set.follow(source, now);
            live.insert((set.name.clone(), set.issuer.clone()), set);
        }
        *self.sets.lock() = live;
        self.shared.changed.notify_one();
    }

    /// Waits until each live set was loaded, or has failed once, for `wait` at most; whether all have keys.
    pub async fn loaded(&self, wait: Duration) -> bool {
        let sets = self.live();
        let tried = futures_util::future::join_all(sets.iter().map(|set| set.tried()));
        let _ = tokio::time::timeout(wait, tried).await;
        sets.iter().all(|set| set.keys.load().is_some())
    }

    /// Health of every live set, by name.
    pub fn status(&self, now: Now) -> Vec<KeySetStatus> {
        let mut all: Vec<_> = self.live().iter().map(|set| set.status(now)).collect();
        all.sort_by(|a, b| a.issuer.cmp(&b.issuer));
        all
    }

    fn live(&self) -> Vec<Arc<KeySet>> {
        self.sets.lock().values().cloned().collect()
    }
}

impl KeySet {
    fn new((name, issuer): Id, shared: Shared) -> KeySet {
        KeySet {
            name,
            issuer,
            keys: ArcSwapOption::empty(),
            epoch: AtomicU64::new(0),
            confirmed_s: AtomicU64::new(0),
            flight: Mutex::default(),
            done: watch::Sender::new(0),
            shared,
        }
    }

    async fn tried(&self) {
        if self.keys.load().is_none() {
            // The sender is ours: it cannot be gone.
            let _ = self.done.subscribe().wait_for(|loads| *loads > 0).await;
        }
    }

    /// The keys to verify with; `None` when none were ever loaded, or not for [`bounds::KEY_STALE`].
    pub fn keys(&self, now: Now) -> Option<Arc<Keys>> {
        self.epoch(now)?;
        self.keys.load_full()
    }

    /// Epoch of the keys to verify with: what a cached verification is compared to.
    pub fn epoch(&self, now: Now) -> Option<u64> {
        let epoch = self.epoch.load(Ordering::Acquire);
        let age_s = now.unix_s().saturating_sub(self.confirmed_s.load(Ordering::Relaxed));
        (epoch != 0 && age_s <= bounds::KEY_STALE.as_secs()).then_some(epoch)
    }

    fn status(&self, now: Now) -> KeySetStatus {
        let keys = self.keys.load();
        let flight = self.flight.lock();
        let confirmed_s = self.confirmed_s.load(Ordering::Relaxed);
        KeySetStatus {
            issuer: self.name.clone(),
            source: flight.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            keys: keys.as_ref().map_or(0, |keys| keys.keys.len()),
            skipped: keys.as_ref().map(|keys| keys.skipped.clone()).unwrap_or_default(),
            age: keys
                .as_ref()
                .map(|_| Duration::from_secs(now.unix_s().saturating_sub(confirmed_s))),
            failures: flight.failures,
            error: flight.error.clone(),
        }
    }

    /// Takes a successful load over. Additions keep the epoch: verified tokens stay verified.
    fn take(&self, loaded: admit::Admitted, now: Now) {
        let old = self.keys.load_full();
        let kept = old.as_ref().is_some_and(|old| {
            old.keys.iter().all(|key| loaded.keys.iter().any(|new| new.same(key)))
        });
        let epoch = match &old {
            Some(old) if kept => old.epoch,
            _ => self.shared.epochs.fetch_add(1, Ordering::Relaxed),
        };
        let keys = Keys { epoch, keys: loaded.keys, skipped: loaded.skipped };
        self.confirmed_s.store(now.unix_s(), Ordering::Relaxed);
        self.keys.store(Some(Arc::new(keys)));
        self.epoch.store(epoch, Ordering::Release);
    }
}

impl Keys {
    /// The key with this `kid`; without a `kid`, the only key for which `fits` holds (RFC 7515 §4.1.4 leaves the
    /// choice to us; a guess among several would try keys until one verifies).
    pub fn find(&self, kid: Option<&str>, fits: impl Fn(&Key) -> bool) -> Option<&Key> {
        match kid {
            Some(kid) => self.keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            None => {
                let mut fitting = self.keys.iter().filter(|key| fits(key));
                let only = fitting.next()?;
                fitting.next().is_none().then_some(only)
            }
        }
    }
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
