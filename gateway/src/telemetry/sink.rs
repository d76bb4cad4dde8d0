//! The record of events: workers push, one background thread writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::access;
use super::audit::{self, AuditFormat, AuditLog};
use super::feed::{Feed, Recorded};
use super::metrics::{DropKind, DropPlace, Metrics};
use super::output::{Output, Target};
use super::process_log;
use super::queue::{Pushed, Queue, QueueBounds, Readers, kind_of};
use crate::base::event::Event;

/// How long events wait for the writer when nothing presses.
const TICK: Duration = Duration::from_millis(50);
/// How long the writer waits for a target that would block.
const PATIENCE_MS: u32 = 20;

/// The access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    pub target: Target,
    /// Share of routine requests that is written, percent. All others always are.
    pub allowed_percent: u8,
}

/// What workers and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) metrics: Arc<Metrics>,
    pub(super) feed: Feed,
    queue: Queue,
    orders: Mutex<Orders>,
    done: Condvar,
}

/// What the writer is to do beside writing.
#[derive(Debug, Default)]
struct Orders {
    reopen: bool,
    replace: Option<(Output, u8)>,
    replace_audit: Option<(Output, AuditFormat)>,
    /// Flushes asked for, and done.
    flush_wanted: u64,
    flush_done: u64,
    stop: bool,
}

/// The writer's thread with the way to it. Dropping it writes what waits.
#[derive(Debug)]
pub(super) struct Sink {
    pub(super) shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

impl Sink {
    pub(super) fn start(
        settings: AccessLog,
        metrics: Arc<Metrics>,
        bounds: QueueBounds,
    ) -> Result<Sink, String> {
        let output = Output::open(settings.target)?;
        let shared = Arc::new(Shared {
            metrics,
            feed: Feed::new(),
            queue: Queue::new(bounds),
            orders: Mutex::default(),
            done: Condvar::new(),
        });
        let percent = settings.allowed_percent;
        let mut writer = Writer {
            shared: shared.clone(),
            output,
            percent,
            audit: Output::open(Target::Off)?,
            format: AuditFormat::default(),
            failing: false,
        };
        let writer = std::thread::Builder::new()
            .name("yett-events".into())
            .spawn(move || writer.run())
            .map_err(|error| format!("thread for events: {error}"))?;
        Ok(Sink { shared, writer: Some(writer) })
    }

    pub(super) fn push(&self, event: Box<Event>) {
        let pushed = self.shared.queue.push(event);
        if pushed != Pushed::default() {
            self.shared.count_drops(pushed);
        }
        if pushed.wake {
            self.wake();
        }
    }

    /// The new target is opened here, so that the caller learns when it cannot be.
    pub(super) fn configure(&self, settings: AccessLog) -> Result<(), String> {
        let output = Output::open(settings.target)?;
        self.shared.orders.lock().replace = Some((output, settings.allowed_percent));
        self.wake();
        Ok(())
    }

    /// As [`configure`](Self::configure), of the audit log.
    pub(super) fn configure_audit(&self, settings: AuditLog) -> Result<(), String> {
        let output = Output::open(settings.target)?;
        self.shared.orders.lock().replace_audit = Some((output, settings.format));
        self.wake();
        Ok(())
    }

    pub(super) fn reopen(&self) {
        self.shared.orders.lock().reopen = true;
        self.wake();
    }

    /// Waits until all that was pushed before is written, for at most `within`. False: it is not.
    pub(super) fn flush(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut orders = self.shared.orders.lock();
        orders.flush_wanted += 1;
        let mine = orders.flush_wanted;
        self.wake();
        while orders.flush_done < mine {
            if self.shared.done.wait_until(&mut orders, deadline).timed_out() {
                return orders.flush_done >= mine;
            }
        }
        true
    }

    fn wake(&self) {
        if let Some(writer) = &self.writer {
            writer.thread().unpark();
        }
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.shared.orders.lock().stop = true;
        self.wake();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn count_drops(&self, pushed: Pushed) {
        self.metrics.dropped(DropKind::Routine, DropPlace::Queue, pushed.dropped_routine);
        self.metrics.dropped(DropKind::Security, DropPlace::Queue, pushed.dropped_security);
    }
}

struct Writer {
    shared: Arc<Shared>,
    output: Output,
    percent: u8,
    audit: Output,
    format: AuditFormat,
    /// The last write failed: one record in the process log for a series of failures.
    failing: bool,
}

impl Writer {
    fn run(&mut self) {
        loop {
            std::thread::park_timeout(TICK);
            let (flush, stop) = self.obey();
            self.shared.queue.set_readers(self.readers());
            for event in self.shared.queue.drain() {
                self.record(event);
            }
            self.write();
            self.shared.metrics.process_log_suppressed(process_log::suppressed());
            let mut orders = self.shared.orders.lock();
            if !self.output.has_pending() && !self.audit.has_pending() {
                orders.flush_done = orders.flush_done.max(flush);
                self.shared.done.notify_all();
            }
            if stop {
                return;
            }
        }
    }

    fn readers(&self) -> Readers {
        match (self.output.is_off(), self.shared.feed.is_watched()) {
            (false, _) => Readers::Log,
            (true, true) => Readers::Watchers,
            (true, false) => Readers::None,
        }
    }

    /// Carries out what was ordered; yields the flushes wanted so far and whether to stop.
    fn obey(&mut self) -> (u64, bool) {
        let mut orders = self.shared.orders.lock();
        let (flush, stop) = (orders.flush_wanted, orders.stop);
        let (reopen, replace) = (std::mem::take(&mut orders.reopen), orders.replace.take());
        let replace_audit = orders.replace_audit.take();
        drop(orders);
        if let Some((audit, format)) = replace_audit {
            self.write();
            let old = std::mem::replace(&mut self.audit, audit);
            self.audit.inherit(old);
            self.format = format;
        }
        if let Some((output, percent)) = replace {
            self.write();
            let old = std::mem::replace(&mut self.output, output);
            self.output.inherit(old);
            self.percent = percent;
        }
        if reopen {
            self.write();
            for output in [&mut self.output, &mut self.audit] {
                if let Err(error) = output.reopen() {
                    self.shared.metrics.log_error();
                    log::error!("log not reopened, the old file stays: {error}");
                }
            }
        }
        (flush, stop)
    }

    fn record(&mut self, event: Box<Event>) {
        let kind = kind_of(&event);
        let recorded = self.shared.feed.add(event);
        self.record_audit(&recorded);
        if self.output.is_off() || !self.is_sampled(kind, &recorded) {
            return;
        }
        let output = &mut self.output;
        let written = catch_unwind(AssertUnwindSafe(|| {
            output.append(kind, |line| access::encode(&recorded, line))
        }));
        match written {
            Ok(true) => {}
            Ok(false) => self.shared.metrics.dropped(kind, DropPlace::Target, 1),
            Err(_) => self.shared.metrics.panic_caught(),
        }
    }

    fn record_audit(&mut self, recorded: &Recorded) {
        if self.audit.is_off() || recorded.event.audit.is_none() {
            return;
        }
        let (output, format) = (&mut self.audit, self.format);
        let written = catch_unwind(AssertUnwindSafe(|| {
            output.append(DropKind::Security, |out| audit::encode(recorded, format, out))
        }));
        match written {
            Ok(true) => {}
            Ok(false) => self.shared.metrics.audit_log_dropped(),
            Err(_) => self.shared.metrics.panic_caught(),
        }
    }

    /// By our own span, which nobody else chooses.
    fn is_sampled(&self, kind: DropKind, recorded: &Recorded) -> bool {
        kind == DropKind::Security || recorded.event.trace.span_id % 100 < u64::from(self.percent)
    }

    fn write(&mut self) {
        let (audit, access) = (self.audit.write(PATIENCE_MS), self.output.write(PATIENCE_MS));
        let failures: Vec<_> = [access.err(), audit.err()].into_iter().flatten().collect();
        for error in &failures {
            self.shared.metrics.log_error();
            if !std::mem::replace(&mut self.failing, true) {
                log::error!("log cannot be written: {error}");
            }
        }
        self.failing = !failures.is_empty();
    }
}
