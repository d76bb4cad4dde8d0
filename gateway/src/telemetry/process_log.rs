//! The gateway's own log: one JSON object a line on stderr, with the names of the Elastic Common Schema.
//!
//! Bounded twice: a record has at most [`LINE_BYTES`] bytes, and each target (module) has its own rate, so a flood
//! of failing handshakes fills no disk and hides no other module's records. A stderr that takes no more loses
//! records; the thread that logs never waits for it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

use super::json::Json;
use super::output::is_writable;
use super::redact;
use crate::base::clock::Now;

/// Longest line: what a pipe takes in one piece (`PIPE_BUF`, pipe(7)).
pub const LINE_BYTES: usize = 4096;
/// Records of one target that may come at once.
const BURST: u32 = 50;
/// Time that gives one record back.
const REFILL: Duration = Duration::from_millis(500);
/// Targets with a rate of their own; all others share one.
const TARGETS: usize = 256;

static SUPPRESSED: AtomicU64 = AtomicU64::new(0);

/// Records held back since the process started.
pub fn suppressed() -> u64 {
    SUPPRESSED.load(Ordering::Relaxed)
}

/// What is logged: the longest prefix of the record's target decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub default: LevelFilter,
    /// By prefix of the target, e.g. `("pingora_core", LevelFilter::Warn)`.
    pub targets: Vec<(String, LevelFilter)>,
}

impl Filter {
    fn level(&self, target: &str) -> LevelFilter {
        let fits = self.targets.iter().filter(|(prefix, _)| target.starts_with(prefix.as_str()));
        fits.max_by_key(|(prefix, _)| prefix.len()).map_or(self.default, |(_, level)| *level)
    }

    fn most(&self) -> LevelFilter {
        self.targets.iter().map(|(_, level)| *level).fold(self.default, Ord::max)
    }
}

/// Makes this the process's log. Once for each process.
///
/// # Errors
/// There is one already.
pub fn install(filter: Filter) -> Result<(), log::SetLoggerError> {
    let most = filter.most();
    log::set_boxed_logger(Box::new(ProcessLog::new(filter, Box::new(write_stderr))))?;
    log::set_max_level(most);
    Ok(())
}

/// Takes one line with its line break; false when it could not be written now.
type Write = dyn Fn(&[u8]) -> bool + Send + Sync;

pub(in crate::telemetry) struct ProcessLog {
    filter: Filter,
    rates: Mutex<Rates>,
    turn: Mutex<()>,
    write: Box<Write>,
}

impl ProcessLog {
    pub(in crate::telemetry) fn new(filter: Filter, write: Box<Write>) -> ProcessLog {
        ProcessLog { filter, rates: Mutex::default(), turn: Mutex::new(()), write }
    }
}

impl Log for ProcessLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= self.filter.level(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let now = Now::read();
        let admitted = self.rates.lock().admit(record.target(), now.instant);
        let written = admitted.is_some_and(|held_back| {
            let line = line(record, now.unix_us, held_back);
            // One at a time: lines are never mixed, and the pipe that was polled is still free.
            let _turn = self.turn.lock();
            (self.write)(&line)
        });
        if !written {
            SUPPRESSED.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn flush(&self) {}
}

fn write_stderr(line: &[u8]) -> bool {
    let stderr = std::io::stderr();
    is_writable(&stderr, 0).unwrap_or(false) && rustix::io::write(&stderr, line).is_ok()
}

/// Escaping may make a text six times as long: one that does not fit is cut shorter.
fn line(record: &Record<'_>, unix_us: u64, held_back: u64) -> Vec<u8> {
    let message = record.args().to_string();
    let message = redact::prose(&message);
    let mut line = Vec::with_capacity(512);
    for bound in [2048, 512] {
        line.clear();
        write_line(&mut line, record, &message, bound, (unix_us, held_back));
        if line.len() <= LINE_BYTES {
            break;
        }
    }
    line
}

fn write_line(
    line: &mut Vec<u8>,
    record: &Record<'_>,
    message: &str,
    bound: usize,
    (unix_us, held_back): (u64, u64),
) {
    static PROCESS: LazyLock<u32> = LazyLock::new(std::process::id);
    Json::object(line, |json| {
        json.plain("@timestamp", super::access::timestamp(unix_us));
        json.nest("log", |json| {
            json.plain("level", level(record.level()));
            json.text("logger", record.target(), 128);
        });
        json.text("message", message, bound);
        json.nest("process", |json| json.number("pid", *PROCESS));
        if held_back > 0 {
            json.nest("yett", |json| json.number("suppressed", held_back));
        }
    });
    line.push(b'\n');
}

fn level(level: log::Level) -> &'static str {
    match level {
        log::Level::Error => "error",
        log::Level::Warn => "warn",
        log::Level::Info => "info",
        log::Level::Debug => "debug",
        log::Level::Trace => "trace",
    }
}

/// A token bucket for each target.
#[derive(Debug, Default)]
struct Rates(HashMap<Box<str>, Bucket>);

#[derive(Debug)]
struct Bucket {
    left: u32,
    refilled: Instant,
    held_back: u64,
}

impl Rates {
    /// Records held back since the last admitted one; `None` when this one is held back as well.
    fn admit(&mut self, target: &str, now: Instant) -> Option<u64> {
        let target =
            if self.0.len() < TARGETS || self.0.contains_key(target) { target } else { "" };
        let full = || Bucket { left: BURST, refilled: now, held_back: 0 };
        let bucket = self.0.entry_ref(target).or_insert_with(full);
        bucket.refill(now);
        if bucket.left == 0 {
            bucket.held_back += 1;
            return None;
        }
        bucket.left -= 1;
        Some(std::mem::take(&mut bucket.held_back))
    }
}

impl Bucket {
    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        let given = u32::try_from(elapsed.as_millis() / REFILL.as_millis()).unwrap_or(u32::MAX);
        if given > 0 {
            self.left = self.left.saturating_add(given).min(BURST);
            self.refilled = now;
        }
    }
}
