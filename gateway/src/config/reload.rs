//! Start and reload are one path: read, parse, compile, run the configuration's own tests, prepare, swap. A refused
//! configuration changes nothing and says why.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::compile::{Day, compile};
use super::document::{Document, TestSection};
use super::files::{self, Checksum};
use super::live::Live;
use super::load::{self, Loaded};
use super::paths;
use super::report::Report;
use super::snapshot::Snapshot;
use crate::base::clock::Now;
use crate::base::compile::{Compile, number};
use crate::state::State;

/// Where a configuration comes from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file or a directory.
    Path(PathBuf),
    /// Text in the binary: the demo's.
    Embedded { name: &'static str, text: String },
}

/// Runs a configuration's own tests; failures are problems. Given by the pipeline, which this folder does not know.
pub type Trial = fn(&Arc<Snapshot>, &[TestSection], &mut Compile);

/// What takes over a generation: listeners, logs, metrics.
pub trait Host: Send + Sync {
    /// May still refuse: binds what is new. Undone when dropped without [`Host::adopt`].
    fn prepare(&self, next: &Arc<Snapshot>) -> Result<(), String>;
    /// The generation serves from now on.
    fn adopt(&self, next: &Arc<Snapshot>);
    /// The configuration was refused, the old generation goes on.
    fn refused(&self, why: &str);
}

/// A configuration that may serve, with its warnings.
#[derive(Debug)]
pub struct Accepted {
    pub snapshot: Arc<Snapshot>,
    /// What it was compiled from. Not to be kept: it is larger than the snapshot.
    pub document: Document,
    pub warnings: Report,
    pub checksum: Checksum,
}

/// Reads, compiles and tests a configuration. Nothing of `state` changes.
pub fn accept(
    source: &Source,
    state: &Arc<State>,
    trial: Trial,
    generation: u64,
) -> Result<Accepted, Report> {
    let Loaded { mut document, source: map, checksum, directory } = match source {
        Source::Path(path) => load::load(path)?,
        Source::Embedded { name, text } => load::load_str(name, text)?,
    };
    paths::resolve(&mut document, &directory);
    let mut cx = Compile::new();
    let today = Day::of(Now::read().unix_s());
    let snapshot = apart(|| compile(&document, state, today, &mut cx)).map(|mut snapshot| {
        snapshot.generation = generation;
        Arc::new(snapshot)
    });
    if let Some(snapshot) = &snapshot {
        trial(snapshot, &document.tests, &mut cx);
    }
    let failed = cx.has_errors();
    let report = Report::new(cx, &map);
    match snapshot {
        Some(snapshot) if !failed => {
            Ok(Accepted { snapshot, document, warnings: report, checksum })
        }
        _ => Err(report),
    }
}

/// Runs `work` on a thread of its own, which has a heap of its own: what lasts does not come to lie between the remains
/// of the text's tree, where each name would hold 64 KiB that nobody else can use (a third of a gateway with 10,000 routes).
fn apart<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let done = scope.spawn(work).join();
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Swaps generations, one at a time.
pub struct Reloader {
    source: Source,
    live: Arc<Live>,
    trial: Trial,
    host: Arc<dyn Host>,
    generations: AtomicU64,
    /// Checksum of what was last tried, accepted or not: a broken file is reported once, not every two seconds.
    tried: Mutex<Option<Checksum>>,
}

impl Reloader {
    /// `first` serves already.
    pub fn new(
        source: Source,
        first: &Accepted,
        live: Arc<Live>,
        trial: Trial,
        host: Arc<dyn Host>,
    ) -> Reloader {
        Reloader {
            source,
            live,
            trial,
            host,
            generations: AtomicU64::new(first.snapshot.generation),
            tried: Mutex::new(Some(first.checksum)),
        }
    }

    /// Reads the configuration again. The new generation, or why it was refused.
    pub fn reload(&self) -> Result<u64, String> {
        let mut tried = self.tried.lock();
        let generation = self.generations.load(Ordering::Relaxed) + 1;
        let state = self.live.load().state.clone();
        let accepted = match accept(&self.source, &state, self.trial, generation) {
            Ok(accepted) => accepted,
            Err(report) => {
                *tried = self.checksum();
                return Err(self.refuse(report.to_string()));
            }
        };
        *tried = Some(accepted.checksum);
        self.host.prepare(&accepted.snapshot).map_err(|why| self.refuse(why))?;
        self.generations.store(generation, Ordering::Relaxed);
        if !accepted.warnings.is_empty() {
            log::warn!(target: "yett::config", "configuration accepted with warnings\n{}", accepted.warnings);
        }
        self.live.swap(accepted.snapshot.clone());
        self.host.adopt(&accepted.snapshot);
        Ok(generation)
    }

    /// Reloads when the files changed since the last try.
    pub fn reload_if_changed(&self) {
        let current = self.checksum();
        if current.is_some() && current != *self.tried.lock() {
            match self.reload() {
                Ok(generation) => {
                    log::info!(target: "yett::config", "configuration changed, generation {generation} serves");
                }
                Err(_) => {
                    log::error!(target: "yett::config", "configuration changed and was refused")
                }
            }
        }
    }

    fn checksum(&self) -> Option<Checksum> {
        match &self.source {
            Source::Path(path) => files::checksum(path).ok(),
            Source::Embedded { .. } => None,
        }
    }

    fn refuse(&self, why: String) -> String {
        log::error!(target: "yett::config", "configuration refused, generation {} goes on\n{why}",
            self.live.load().generation);
        self.host.refused(&why);
        why
    }
}

/// A test of the configuration that failed, for [`Trial`].
pub fn failed(cx: &mut Compile, index: usize, why: String) {
    cx.within("tests", |cx| {
        cx.within(index, |cx| {
            cx.within("expect", |cx| {
                cx.error(number::TEST_FAILED, why);
            });
        });
    });
}
