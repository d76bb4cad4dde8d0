//! One address of one service.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::service::Service;
use crate::base::clock::Now;

/// How long an endpoint is passed over after a refused connection; doubles with each further one.
pub const PASSED_OVER_MIN: Duration = Duration::from_secs(1);
/// Longest time that an endpoint is passed over.
pub const PASSED_OVER_MAX: Duration = Duration::from_secs(30);

/// One address of one service. All fields that requests touch are atomics.
#[derive(Debug)]
pub struct Endpoint {
    pub service: Arc<str>,
    pub address: SocketAddr,
    started: Instant,
    in_flight: AtomicU32,
    /// Connections refused in a row.
    refusals: AtomicU32,
    /// Microseconds after `started`; 0: not passed over.
    passed_over_until_us: AtomicU64,
    /// One request is finding out whether the endpoint is back.
    on_trial: AtomicBool,
    unhealthy: AtomicBool,
    checks: Mutex<Checks>,
}

/// What the active checks saw.
#[derive(Debug, Default)]
struct Checks {
    /// Results in a row that contradict the present verdict.
    streak: u32,
    last_failure: Option<String>,
}

/// Whether requests may go to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Ready,
    /// Connections were refused a moment ago.
    PassedOver,
    /// The pause after a refusal is over; one request at a time finds out whether the endpoint is back.
    Returning,
    /// The active checks took it out.
    Unhealthy,
}

impl Availability {
    /// Name in metrics and for operators.
    pub const fn as_str(self) -> &'static str {
        match self {
            Availability::Ready => "ready",
            Availability::PassedOver => "passed_over",
            Availability::Returning => "returning",
            Availability::Unhealthy => "unhealthy",
        }
    }
}

/// One endpoint, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    pub service: Arc<str>,
    pub address: SocketAddr,
    pub availability: Availability,
    pub in_flight: u32,
    /// Why the last check failed, while it does.
    pub last_failure: Option<String>,
}

impl Endpoint {
    pub(super) fn new(service: Arc<str>, address: SocketAddr, started: Instant) -> Endpoint {
        Endpoint {
            service,
            address,
            started,
            in_flight: AtomicU32::new(0),
            refusals: AtomicU32::new(0),
            passed_over_until_us: AtomicU64::new(0),
            on_trial: AtomicBool::new(false),
            unhealthy: AtomicBool::new(false),
            checks: Mutex::default(),
        }
    }

    /// `checked`: the service has active checks, so their verdict counts.
    pub fn availability(&self, checked: bool, now: Now) -> Availability {
        if checked && self.unhealthy.load(Ordering::Relaxed) {
            return Availability::Unhealthy;
        }
        match self.passed_over_until_us.load(Ordering::Relaxed) {
            0 => Availability::Ready,
            until if until > self.since_start_us(now) => Availability::PassedOver,
            _ => Availability::Returning,
        }
    }

    /// Requests that are at the endpoint now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// A connection was made: the endpoint is back.
    pub fn connected(&self) {
        if self.refusals.load(Ordering::Relaxed) != 0 {
            self.refusals.store(0, Ordering::Relaxed);
            self.passed_over_until_us.store(0, Ordering::Relaxed);
        }
    }

    /// No connection could be made: pass the endpoint over for a time that doubles from 1 s to 30 s. Requests that
    /// were under way together count once.
    pub fn refused(&self, now: Now) {
        if self.availability(false, now) == Availability::PassedOver
            && !self.on_trial.load(Ordering::Relaxed)
        {
            return;
        }
        let before = self.refusals.fetch_add(1, Ordering::Relaxed).min(16);
        let pause = PASSED_OVER_MIN.saturating_mul(1 << before).min(PASSED_OVER_MAX);
        let until = self.since_start_us(now).saturating_add(micros(pause));
        self.passed_over_until_us.store(until.max(1), Ordering::Relaxed);
    }

    /// Takes the result of an active check; returns whether the verdict changed.
    pub fn checked(&self, result: Result<(), String>, needed: Needed) -> bool {
        let unhealthy = self.unhealthy.load(Ordering::Relaxed);
        let mut checks = self.checks.lock();
        let contradicts = result.is_ok() == unhealthy;
        checks.streak = if contradicts { checks.streak.saturating_add(1) } else { 0 };
        checks.last_failure = result.err();
        let needed = if unhealthy { needed.healthy_after } else { needed.unhealthy_after };
        if checks.streak < needed {
            return false;
        }
        checks.streak = 0;
        self.unhealthy.store(!unhealthy, Ordering::Relaxed);
        if unhealthy {
            self.connected();
        }
        true
    }

    pub(super) fn status(&self, service: &Service, now: Now) -> EndpointStatus {
        EndpointStatus {
            service: Arc::clone(&self.service),
            address: self.address,
            availability: self.availability(service.is_checked(), now),
            in_flight: self.in_flight(),
            last_failure: self.checks.lock().last_failure.clone(),
        }
    }

    fn since_start_us(&self, now: Now) -> u64 {
        micros(now.instant.saturating_duration_since(self.started))
    }
}

/// Results in a row that change a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    pub unhealthy_after: u32,
    pub healthy_after: u32,
}

/// One request at an endpoint; ends when dropped.
#[derive(Debug)]
pub struct InFlight {
    endpoint: Arc<Endpoint>,
    trial: bool,
}

impl InFlight {
    pub fn new(endpoint: Arc<Endpoint>) -> InFlight {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight { endpoint, trial: false }
    }

    /// One request at a time may try an endpoint that refused its last connection.
    pub fn trial(endpoint: Arc<Endpoint>) -> Option<InFlight> {
        if endpoint.on_trial.swap(true, Ordering::Relaxed) {
            return None;
        }
        let mut in_flight = InFlight::new(endpoint);
        in_flight.trial = true;
        Some(in_flight)
    }

    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// The connection stands: others may follow at once.
    pub fn connected(&mut self) {
        self.endpoint.connected();
        self.end_trial();
    }

    /// No connection could be made.
    pub fn refused(&mut self, now: Now) {
        self.endpoint.refused(now);
        self.end_trial();
    }

    fn end_trial(&mut self) {
        if std::mem::take(&mut self.trial) {
            self.endpoint.on_trial.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.end_trial();
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}
