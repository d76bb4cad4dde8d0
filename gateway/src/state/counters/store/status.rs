//! Figures for metrics and operators.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the latency buckets, microseconds; the last bucket has none.
pub const LATENCY_BOUNDS_US: [u64; 8] = [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000];

/// The store at one moment. Counts are totals since it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Address, without credentials.
    pub address: String,
    /// It is asked; otherwise the breaker is open and limits follow their `on_store_loss`.
    pub live: bool,
    /// Connections made.
    pub connects: u64,
    /// Times that the breaker opened.
    pub trips: u64,
    /// Times that the store was found to have lost its memory.
    pub amnesias: u64,
    /// Calls that were answered.
    pub calls: u64,
    /// Calls without an answer in time, or with an error.
    pub failures: u64,
    /// Requests that those calls decided.
    pub requests: u64,
    /// Decisions by this process's share, of any store since the start.
    pub shares: u64,
    /// Answered calls by latency, one more than [`LATENCY_BOUNDS_US`].
    pub latency: [u64; LATENCY_BOUNDS_US.len() + 1],
    /// Sum of the latencies, microseconds.
    pub latency_sum_us: u64,
}

#[derive(Debug, Default)]
pub(super) struct Figures {
    pub(super) connects: AtomicU64,
    pub(super) trips: AtomicU64,
    pub(super) amnesias: AtomicU64,
    failures: AtomicU64,
    calls: AtomicU64,
    requests: AtomicU64,
    latency: [AtomicU64; LATENCY_BOUNDS_US.len() + 1],
    latency_sum_us: AtomicU64,
}

impl Figures {
    pub(super) fn answered(&self, requests: usize, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = LATENCY_BOUNDS_US.partition_point(|bound| *bound < took_us);
        add(&self.calls, 1);
        add(&self.requests, requests as u64);
        add(&self.latency[bucket], 1);
        add(&self.latency_sum_us, took_us);
    }

    pub(super) fn failed(&self) {
        add(&self.failures, 1);
    }

    pub(super) fn read(&self, address: String, live: bool, shares: u64) -> Status {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Status {
            address,
            live,
            connects: get(&self.connects),
            trips: get(&self.trips),
            amnesias: get(&self.amnesias),
            calls: get(&self.calls),
            failures: get(&self.failures),
            requests: get(&self.requests),
            shares,
            latency: std::array::from_fn(|index| get(&self.latency[index])),
            latency_sum_us: get(&self.latency_sum_us),
        }
    }
}

pub(super) fn add(count: &AtomicU64, by: u64) {
    count.fetch_add(by, Ordering::Relaxed);
}
