//! Counters that threads do not fight over: each thread adds to its own shard, a scrape sums the shards.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use hashbrown::HashMap;
use parking_lot::RwLock;

/// Most shards: beyond this many threads they share.
const SHARDS_MAX: usize = 16;
/// Names in one tally. They come from the configuration; this holds even if a custom rule set invents classes.
const NAMES_MAX: usize = 4096;
/// Takes what is counted beyond [`NAMES_MAX`], so that totals stay right.
pub(super) const OVERFLOW: &str = "_overflow";

/// Shards of this process, a power of two.
pub(in crate::telemetry) fn shard_count() -> usize {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    threads.next_power_of_two().min(SHARDS_MAX)
}

/// The calling thread's shard among `count`, a power of two. Threads take turns, so no two of the first
/// `count` share.
pub(in crate::telemetry) fn shard_of(count: usize) -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: usize = NEXT.fetch_add(1, Ordering::Relaxed));
    MINE.with(|mine| mine & (count - 1))
}

pub(super) const fn zeros<const N: usize>() -> [AtomicU64; N] {
    [const { AtomicU64::new(0) }; N]
}

pub(super) fn add(cell: &AtomicU64, by: u64) {
    cell.fetch_add(by, Ordering::Relaxed);
}

pub(super) fn read(cell: &AtomicU64) -> u64 {
    cell.load(Ordering::Relaxed)
}

/// Upper bounds of requests' durations, microseconds: OpenTelemetry's for `http.server.request.duration`.
pub(super) const REQUEST_BOUNDS_US: [u64; 14] = [
    5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000,
    2_500_000, 5_000_000, 7_500_000, 10_000_000,
];

/// Upper bounds of stages' durations, microseconds: our stages compute, only the upstream waits.
pub(super) const STAGE_BOUNDS_US: [u64; 14] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 10_000, 50_000, 250_000, 1_000_000, 10_000_000];

/// Fourteen buckets and the open one, with their sum.
#[derive(Debug)]
pub(super) struct Histogram {
    buckets: [AtomicU64; 15],
    sum_us: AtomicU64,
}

impl Histogram {
    pub(super) const fn new() -> Histogram {
        Histogram { buckets: zeros(), sum_us: AtomicU64::new(0) }
    }

    pub(super) fn observe(&self, bounds_us: &[u64; 14], value_us: u64) {
        let bucket = bounds_us.partition_point(|bound| *bound < value_us);
        add(&self.buckets[bucket], 1);
        add(&self.sum_us, value_us);
    }

    pub(super) fn add_to(&self, total: &mut HistogramTotal) {
        for (sum, bucket) in total.buckets.iter_mut().zip(&self.buckets) {
            *sum += read(bucket);
        }
        total.sum_us += read(&self.sum_us);
    }
}

/// A histogram summed over its shards. Buckets are not cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct HistogramTotal {
    pub(super) buckets: [u64; 15],
    pub(super) sum_us: u64,
}

/// `N` counters for each name of a bounded set that the configuration defines: limits, issuers, services.
#[derive(Debug)]
pub(super) struct Tally<const N: usize> {
    shards: Box<[RwLock<Names<N>>]>,
}

type Names<const N: usize> = HashMap<Arc<str>, Box<[AtomicU64; N]>>;

impl<const N: usize> Tally<N> {
    pub(super) fn new() -> Tally<N> {
        Tally { shards: (0..shard_count()).map(|_| RwLock::default()).collect() }
    }

    pub(super) fn add(&self, name: &Arc<str>, cell: usize, by: u64) {
        let shard = &self.shards[shard_of(self.shards.len())];
        if let Some(cells) = shard.read().get(&**name) {
            return add(&cells[cell], by);
        }
        let mut names = shard.write();
        let name = if names.len() < NAMES_MAX { name.clone() } else { Arc::from(OVERFLOW) };
        add(&names.entry(name).or_insert_with(|| Box::new(zeros()))[cell], by);
    }

    pub(super) fn totals(&self) -> BTreeMap<Arc<str>, [u64; N]> {
        let mut totals = BTreeMap::new();
        for shard in &self.shards {
            for (name, cells) in shard.read().iter() {
                let total = totals.entry(name.clone()).or_insert([0; N]);
                total.iter_mut().zip(&**cells).for_each(|(sum, cell)| *sum += read(cell));
            }
        }
        totals
    }
}
