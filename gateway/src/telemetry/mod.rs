//! Events in; logs, metrics and a live feed out. Uses `base` only.
//!
//! | file | what |
//! |---|---|
//! | [`metrics`] | counters sharded by thread, exported to Prometheus |
//! | [`sink`] | workers push events, one background thread writes them |
//! | [`queue`] | the bounded buffers between them, and what is given up first |
//! | [`output`] | the access log's target: stdout, stderr or a file |
//! | [`access`] | one event as one line of JSON, Elastic Common Schema names |
//! | [`waf_log`] | the rules' matches in ModSecurity's form, for go-ftw and for those who have tools for it |
//! | [`audit`] | one event as a record for auditors, in JSON or ModSecurity's native form |
//! | [`feed`] | the last events, and those who watch new ones come |
//! | [`redact`] | what must not leave the process |
//! | [`trace`] | W3C trace context, made or continued |
//! | [`subject`] | subjects as keyed hashes |
//! | [`process_log`] | the gateway's own log, one JSON object a line on stderr |
//!
//! A slow or failing target costs events, which are counted, and never time of a request. Allowed requests are
//! given up before security events. No label, key or map grows with what clients send.

mod access;
mod audit;
mod feed;
mod json;
pub mod metrics;
mod output;
pub mod process_log;
mod queue;
pub mod redact;
mod sink;
pub mod trace;
pub mod waf_log;

use std::sync::Arc;
use std::time::Duration;

pub use self::audit::{AuditFormat, AuditLog};
pub use self::feed::{Feed, Recorded};
pub use self::metrics::Metrics;
pub use self::output::Target;
use self::queue::QueueBounds;
pub use self::sink::AccessLog;
use self::sink::Sink;
use self::waf_log::WafLog;
use crate::base::event::Event;

#[cfg(test)]
pub(crate) mod tests;

/// The one place that events go to. One for each process; it outlives every generation.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Arc<Metrics>,
    sink: Sink,
    waf_log: WafLog,
}

impl Telemetry {
    /// Opens the logs and starts the writer's thread: call it after the process has forked.
    ///
    /// # Errors
    /// A log's file cannot be opened, or no thread can be started.
    pub fn start(access_log: AccessLog, waf_log: Target) -> Result<Telemetry, String> {
        Telemetry::with_bounds(access_log, waf_log, QueueBounds::default())
    }

    fn with_bounds(
        access_log: AccessLog,
        waf_log: Target,
        bounds: QueueBounds,
    ) -> Result<Telemetry, String> {
        let metrics = Arc::new(Metrics::new());
        let waf_log = WafLog::open(waf_log, metrics.clone())?;
        let sink = Sink::start(access_log, metrics.clone(), bounds)?;
        Ok(Telemetry { metrics, sink, waf_log })
    }

    /// Counts and keeps one event. Never blocks, never wakes a thread for a single event.
    pub fn record(&self, event: Box<Event>) {
        self.metrics.count(&event);
        self.sink.push(event);
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Where the rules' matches are logged.
    pub fn waf_log(&self) -> &WafLog {
        &self.waf_log
    }

    /// All metrics in the Prometheus text format. Takes milliseconds with thousands of routes: not for a
    /// worker's thread.
    ///
    /// # Errors
    /// The encoder's.
    pub fn scrape(&self) -> Result<String, String> {
        metrics::text(&self.metrics)
    }

    /// The last events, and new ones as they come.
    pub fn feed(&self) -> &Feed {
        &self.sink.shared.feed
    }

    /// Other logs. What was recorded before still goes to the old ones, if they take it.
    ///
    /// # Errors
    /// A file cannot be opened; the old one stays.
    pub fn configure(&self, access_log: AccessLog, waf_log: Target) -> Result<(), String> {
        let access = self.sink.configure(access_log);
        let waf = self.waf_log.configure(waf_log);
        access.and(waf)
    }

    /// Another audit log; there is none at first.
    ///
    /// # Errors
    /// Its file cannot be opened; the old one stays.
    pub fn configure_audit(&self, audit_log: AuditLog) -> Result<(), String> {
        self.sink.configure_audit(audit_log)
    }

    /// Opens the logs' files anew, after a rotation.
    pub fn reopen(&self) {
        self.sink.reopen();
        self.waf_log.reopen();
    }

    /// Waits until everything recorded so far is written; false when `within` was not enough. Call it before
    /// the process ends.
    pub fn flush(&self, within: Duration) -> bool {
        self.sink.flush(within)
    }
}
