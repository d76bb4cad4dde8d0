//! What limits have counted. Lives as long as the process: a reload that keeps a limit's id keeps its counters, and a
//! changed rate applies to what was counted so far at once.
//!
//! | file | what it is |
//! |---|---|
//! | [`measure`] | rates and quotas in exact integers |
//! | [`calendar`] | hours, days and months of UTC |
//! | [`table`] | cells of this process, in bounded memory |
//! | [`store`] | cells that gateways share, in Redis |

pub mod calendar;
pub mod measure;
pub mod store;
pub mod table;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwapOption;
use smallvec::SmallVec;
use tokio::runtime::Handle;

use crate::base::clock::Now;

use measure::{Clock, Measure};
use store::{Status, Store, StoreTarget};
use table::Table;
pub use table::{CHARGES_MAX, Charge, Charged, Standing, Subject};

/// Rows of the local table: subjects that are counted at the same time. 6 MiB when all are in use.
const LOCAL_ROWS: usize = 1 << 17;

/// Separates the shares of a lost store from limits of this process.
const SHARE: Subject = 0x7368_6172_6520_6f66_2061_2073_746f_7265;

/// All counters of this process, and the way to the shared ones.
#[derive(Debug)]
pub struct Counters {
    local: Table,
    store: ArcSwapOption<Store>,
    /// Zero of the steady clock.
    origin: Instant,
    sets: AtomicU64,
    shares: AtomicU64,
}

/// Requests counted against this process's shares.
#[derive(Debug)]
pub struct SharedOut {
    pub charged: Charged,
    /// The share of each charge.
    pub measures: SmallVec<[Measure; 2]>,
}

impl Default for Counters {
    fn default() -> Counters {
        Counters::new()
    }
}

impl Counters {
    /// Empty counters, without a store.
    pub fn new() -> Counters {
        Counters {
            local: Table::new(LOCAL_ROWS),
            store: ArcSwapOption::empty(),
            origin: Instant::now(),
            sets: AtomicU64::new(0),
            shares: AtomicU64::new(0),
        }
    }

    /// Takes the store of a new configuration. The connection is kept when address and password are; otherwise it is
    /// made anew on `runtime`, in the background: a store that cannot be reached is a warning, not a failure.
    pub fn configure(&self, target: Option<StoreTarget>, runtime: &Handle) {
        let current = self.store.load_full();
        match (current, target) {
            (Some(store), Some(target)) if store.serves(&target) => store.adjust(&target),
            (_, Some(target)) => {
                self.store.store(Some(Arc::new(Store::start(target, self.origin, runtime))));
            }
            (_, None) => self.store.store(None),
        }
    }

    /// The store as metrics and operators see it; `None` when none is configured.
    pub fn status(&self) -> Option<Status> {
        let shares = self.shares.load(Ordering::Relaxed);
        self.store.load().as_ref().map(|store| store.status(shares))
    }

    /// Counters of this process.
    pub fn local(&self) -> &Table {
        &self.local
    }

    /// Time as counters count it.
    pub fn clock(&self, now: Now) -> Clock {
        Clock { steady_us: steady_us(self.origin, now.instant), unix_us: now.unix_us }
    }

    /// The store, when it can be asked now.
    pub fn live_store(&self) -> Option<Arc<Store>> {
        self.store.load().as_ref().filter(|store| store.is_live()).map(Arc::clone)
    }

    /// A number that no other set of limits has.
    pub fn next_set(&self) -> u64 {
        self.sets.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a request against this process's shares of shared limits, while the store is lost. A share starts as full
    /// as the whole was when it was last seen. `refused`: only looks, because the request is refused anyway.
    pub fn charge_share(&self, charges: &[Charge], refused: bool, clock: Clock) -> SharedOut {
        self.shares.fetch_add(1, Ordering::Relaxed);
        let store = self.store.load();
        let gateways = store.as_ref().map_or(1, |store| store.gateways());
        let shares: SmallVec<[Charge; 2]> = charges
            .iter()
            .map(|whole| Charge {
                subject: whole.subject ^ SHARE,
                limit: whole.limit ^ SHARE,
                measure: whole.measure.share(gateways),
                binding: whole.binding,
            })
            .collect();
        if let Some(store) = &*store {
            for (whole, share) in charges.iter().zip(&shares) {
                let spent = store.last_seen(whole, clock);
                self.local.seed(share, whole.measure.share_spent(spent, gateways), clock);
            }
        }
        let charged = self.local.charge(&shares, clock);
        if refused {
            self.local.refund(&shares, &charged, clock);
        } else if let Some(store) = &*store {
            store.note_admitted(charges, &charged, clock);
        }
        SharedOut { charged, measures: shares.iter().map(|share| share.measure).collect() }
    }
}

/// Microseconds since the origin, and a day: cells of the first second must not look idle.
fn steady_us(origin: Instant, instant: Instant) -> u64 {
    const HEAD_START_US: u64 = 86_400_000_000;
    let since = instant.saturating_duration_since(origin);
    HEAD_START_US.saturating_add(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
