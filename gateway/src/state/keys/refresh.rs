//! When a set is loaded again. One load at a time per set: requests that meet an unknown `kid` join it or, for a while
//! after the last attempt, go without. The pause counts from the attempt, whatever came of it, so no answer of
//! the issuer can make a flood reach it.

use std::hash::BuildHasher;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use reqwest::Url;

use super::admit::{self, Admitted};
use super::source::{KeySource, Place, fetchable};
use super::{KeySet, KeySets};
use crate::base::clock::Now;
use crate::base::{bounds, json};

/// State of a set's loads.
#[derive(Debug, Default)]
pub(super) struct Flight {
    pub(super) source: Option<KeySource>,
    pub(super) failures: u32,
    pub(super) error: Option<String>,
    running: bool,
    attempted: Option<Instant>,
    due: Option<Instant>,
    jitter: RandomState,
}

/// Why a load is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// Its time has come.
    Due,
    /// A token names a key that we do not have.
    UnknownKey,
}

enum Begin {
    Started(KeySource),
    Running,
    /// Too soon, or no source.
    Refused,
}

impl KeySets {
    /// Loads what is due, until the task is dropped.
    pub async fn run(&self) {
        loop {
            let changed = self.shared.changed.notified();
            let now = reading();
            match self.begin_due(now) {
                Some(next) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(next.into()) => {}
                        () = changed => {}
                    }
                }
                None => changed.await,
            }
        }
    }

    /// Starts every load that is due and says when the next one will be.
    fn begin_due(&self, now: Now) -> Option<Instant> {
        let mut next = None;
        for set in self.live() {
            let due = set.due();
            if due.is_some_and(|due| due <= now.instant) {
                set.start(now, Cause::Due);
            } else if let Some(due) = due {
                next = Some(next.map_or(due, |next: Instant| next.min(due)));
            }
        }
        next
    }
}

impl KeySet {
    /// Whether waiting for a load could bring a key that is missing now.
    pub fn may_refetch(&self, now: Now) -> bool {
        let flight = self.flight.lock();
        flight.source.is_some() && (flight.running || flight.cooled(now.instant))
    }

    /// Starts or joins a load and waits for its end, at most `wait`. The load itself goes on when the caller
    /// goes away.
    pub async fn refetch(self: &Arc<Self>, now: Now, wait: Duration) {
        let mut done = self.done.subscribe();
        if self.start(now, Cause::UnknownKey) {
            let _ = tokio::time::timeout(wait, done.changed()).await;
        }
    }

    /// Takes a source; a file is read at once.
    pub(super) fn follow(&self, source: KeySource, now: Now) {
        let file = match &source.place {
            Place::File(path) => Some(path.clone()),
            Place::Discovery(_) | Place::Url(_) => None,
        };
        {
            let mut flight = self.flight.lock();
            if flight.source.as_ref() == Some(&source) {
                return;
            }
            flight.source = Some(source);
            flight.due = Some(now.instant);
            flight.failures = 0;
        }
        if let Some(path) = file {
            self.finish(load_file(&path), now);
        }
    }

    /// Starts a load unless one runs; `false` when there is nothing to wait for.
    fn start(self: &Arc<Self>, now: Now, cause: Cause) -> bool {
        match self.begin(now, cause) {
            Begin::Refused => false,
            Begin::Running => true,
            Begin::Started(source) => {
                let landing = Landing(self.clone());
                tokio::spawn(async move {
                    let set = &landing.0;
                    let loaded = set.load(&source).await;
                    // A source that was replaced meanwhile has no say any more.
                    if set.flight.lock().source.as_ref() == Some(&source) {
                        set.finish(loaded, now);
                    }
                });
                true
            }
        }
    }

    fn begin(&self, now: Now, cause: Cause) -> Begin {
        let mut flight = self.flight.lock();
        if flight.running {
            return Begin::Running;
        }
        if cause == Cause::UnknownKey && !flight.cooled(now.instant) {
            return Begin::Refused;
        }
        let Some(source) = flight.source.clone() else { return Begin::Refused };
        flight.running = true;
        flight.attempted = Some(now.instant);
        flight.due = None;
        Begin::Started(source)
    }

    fn due(&self) -> Option<Instant> {
        let flight = self.flight.lock();
        if flight.running { None } else { flight.due }
    }

    async fn load(&self, source: &KeySource) -> Result<Admitted, String> {
        let address = match &source.place {
            Place::File(path) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || load_file(&path));
                return read.await.unwrap_or_else(|error| Err(error.to_string()));
            }
            Place::Url(url) => url.clone(),
            Place::Discovery(url) => {
                self.discover(url, source.private).await.map_err(|error| at(url, &error))?
            }
        };
        let body = self.shared.fetch.get(&address, source.private).await;
        body.and_then(|body| admit::read(&body)).map_err(|error| at(&address, &error))
    }

    /// `jwks_uri` of a discovery document that is this issuer's own (OpenID Connect Discovery §4.3).
    async fn discover(&self, url: &Url, private: bool) -> Result<Url, String> {
        let body = self.shared.fetch.get(url, private).await?;
        let document = json::read_document(&body)?;
        if document.get("issuer").and_then(|value| value.as_str()) != Some(&*self.issuer) {
            return Err(format!("the document's `issuer` is not `{}`", self.issuer));
        }
        let keys = document.get("jwks_uri").and_then(|value| value.as_str());
        fetchable(keys.ok_or("no `jwks_uri`")?, private)
    }

    fn finish(&self, loaded: Result<Admitted, String>, now: Now) {
        match loaded {
            Ok(admitted) => {
                self.take(admitted, now);
                self.flight.lock().succeeded(&self.name, now);
            }
            Err(error) => self.flight.lock().failed(&self.name, error, now),
        }
    }
}

impl Flight {
    fn cooled(&self, now: Instant) -> bool {
        self.attempted.is_none_or(|attempted| {
            now.saturating_duration_since(attempted) >= bounds::KEY_FETCH_COOL_DOWN
        })
    }

    fn succeeded(&mut self, name: &str, now: Now) {
        if self.error.take().is_some() {
            log::info!("keys of issuer `{name}` loaded again after {} failures", self.failures);
        }
        self.failures = 0;
        let period = self.period();
        self.due = Some(now.instant + self.spread(period));
    }

    fn failed(&mut self, name: &str, error: String, now: Now) {
        let error = bounded(&error);
        if self.error.as_ref() != Some(&error) {
            log::warn!("keys of issuer `{name}` could not be loaded: {error}");
        }
        self.error = Some(error);
        self.failures = self.failures.saturating_add(1);
        let backoff = Duration::from_secs(1 << self.failures.min(9));
        self.due = Some(now.instant + self.spread(backoff.min(self.period())));
    }

    fn period(&self) -> Duration {
        match &self.source {
            Some(KeySource { place: Place::File(_), .. }) | None => bounds::KEY_FILE_POLL,
            Some(source) => source.refresh,
        }
    }

    /// 75 % to 100 % of a period: gateways that started together do not call together for ever.
    fn spread(&self, period: Duration) -> Duration {
        let draw = self.jitter.hash_one((self.failures, self.attempted)) % 256;
        period.mul_f64(0.75 + 0.25 * (draw as f64 / 256.0))
    }
}

/// Ends a load whatever became of it, a panic included: a set that stayed "running" would never load again.
struct Landing(Arc<KeySet>);

impl Drop for Landing {
    fn drop(&mut self) {
        {
            let mut flight = self.0.flight.lock();
            flight.running = false;
            if flight.due.is_none() {
                flight.due =
                    flight.attempted.map(|attempted| attempted + bounds::KEY_FETCH_COOL_DOWN);
            }
        }
        self.0.done.send_modify(|count| *count = count.wrapping_add(1));
        self.0.shared.changed.notify_one();
    }
}

/// Reads a key set file.
pub(super) fn load_file(path: &Path) -> Result<Admitted, String> {
    use std::io::Read;
    let named =
        |error: &dyn std::fmt::Display| format!("key set file `{}`: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| named(&error))?;
    let mut body = Vec::new();
    let bound = bounds::KEY_SET_BYTES as u64;
    file.take(bound + 1).read_to_end(&mut body).map_err(|error| named(&error))?;
    if body.len() > bounds::KEY_SET_BYTES {
        return Err(named(&format!("larger than {bound} bytes")));
    }
    admit::read(&body).map_err(|error| named(&error))
}

/// Errors may quote the issuer's document: one line, at most [`bounds::EVIDENCE_BYTES`] characters.
fn bounded(error: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    error.chars().take(bounds::EVIDENCE_BYTES).map(plain).collect()
}

fn at(url: &Url, error: &str) -> String {
    if error.contains(url.as_str()) { error.to_owned() } else { format!("{url}: {error}") }
}

/// The background task is where time enters; it follows the runtime's clock.
fn reading() -> Now {
    Now { instant: tokio::time::Instant::now().into_std(), ..Now::read() }
}
