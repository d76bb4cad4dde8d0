//! Counters of routes. A request finds its route's cells by slot, without a lookup; a reload finds them by name,
//! so totals go on. Cells of a route that is never asked for take no memory.

use std::collections::VecDeque;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hashbrown::HashMap;

use super::cells::{Histogram, HistogramTotal, REQUEST_BOUNDS_US, add, read, shard_of, zeros};
use crate::base::code::Code;
use crate::base::event::{Outcome, RouteRef};

/// `code_class` of a request without status, then 1xx to 5xx.
pub(super) const CLASSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];
/// Label of requests that ended before a route was found.
pub const NO_ROUTE: &str = "_none";
/// Blocks of all routes together when every route is used by every thread: about 10 MB.
const BLOCKS_MAX: usize = 16_384;
/// Routes that are gone from the configuration and whose totals are kept in case they return.
const RETIRED_MAX: usize = 4096;

const OUTCOMES: usize = Outcome::ALL.len();
const CODES: usize = Code::ALL.len();

/// The routes of the serving generation, and the totals of earlier ones.
#[derive(Debug)]
pub(super) struct Routes {
    generation: u64,
    /// By slot: the position of the route in its generation's list.
    live: Vec<(Arc<str>, Arc<RouteCells>)>,
    by_name: HashMap<Arc<str>, Arc<RouteCells>>,
    /// Names in `by_name` that are not in `live`, oldest first.
    retired: VecDeque<Arc<str>>,
    pub(super) none: Arc<RouteCells>,
}

impl Routes {
    pub(super) fn new(shards: usize) -> Routes {
        Routes {
            generation: 0,
            live: Vec::new(),
            by_name: HashMap::new(),
            retired: VecDeque::new(),
            none: Arc::new(RouteCells::new(shards)),
        }
    }

    /// The table of the next generation: known names keep their cells.
    pub(super) fn next(&self, generation: u64, names: &[Arc<str>], shards: usize) -> Routes {
        let shards = shards.min(prior_power_of_two(BLOCKS_MAX / names.len().max(1)));
        let mut by_name = HashMap::with_capacity(names.len());
        let live = names.iter().map(|name| {
            let cells = self.by_name.get(name).cloned();
            let cells = cells.unwrap_or_else(|| Arc::new(RouteCells::new(shards)));
            by_name.insert(name.clone(), cells.clone());
            (name.clone(), cells)
        });
        let live = live.collect();
        let mut retired = self.retired.clone();
        retired.extend(self.live.iter().map(|(name, _)| name.clone()));
        retired.retain(|name| !by_name.contains_key(name));
        retired.drain(..retired.len().saturating_sub(RETIRED_MAX));
        for name in &retired {
            if let Some(cells) = self.by_name.get(name) {
                by_name.insert(name.clone(), cells.clone());
            }
        }
        Routes { generation, live, by_name, retired, none: self.none.clone() }
    }

    /// A request of an earlier generation has a slot of that generation: the name decides.
    pub(super) fn cells(&self, route: &RouteRef, generation: u64) -> &RouteCells {
        match self.live.get(route.slot as usize) {
            Some((_, cells)) if self.generation == generation => cells,
            Some((name, cells)) if *name == route.id => cells,
            _ => self.by_name.get(&route.id).unwrap_or(&self.none),
        }
    }

    /// Routes to export: those of the serving generation, and requests without one.
    pub(super) fn exported(&self) -> impl Iterator<Item = (&str, &RouteCells)> {
        let none = std::iter::once((NO_ROUTE, &*self.none));
        none.chain(self.live.iter().map(|(name, cells)| (&**name, &**cells)))
    }

    pub(super) fn named(&self, name: &str) -> Option<&RouteCells> {
        self.by_name.get(name).map(|cells| &**cells)
    }
}

fn prior_power_of_two(number: usize) -> usize {
    1 << number.max(1).ilog2()
}

/// Counters of one route: one block for each shard that ever counted.
#[derive(Debug)]
pub(super) struct RouteCells {
    shards: Box<[OnceLock<Box<Block>>]>,
}

/// Aligned so that two threads' blocks never share a cache line.
#[derive(Debug)]
#[repr(align(64))]
struct Block {
    requests: [[AtomicU64; CLASSES.len()]; OUTCOMES],
    duration: Histogram,
    /// By code and by enforced. Most routes never have one.
    findings: OnceLock<Box<[[AtomicU64; 2]; CODES]>>,
}

impl RouteCells {
    fn new(shards: usize) -> RouteCells {
        RouteCells { shards: (0..shards).map(|_| OnceLock::new()).collect() }
    }

    pub(super) fn request(&self, outcome: Outcome, status: u16, duration: Duration) {
        let block = self.block();
        let class = usize::from(status / 100).min(CLASSES.len() - 1);
        add(&block.requests[outcome as usize][class], 1);
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        block.duration.observe(&REQUEST_BOUNDS_US, duration_us);
    }

    pub(super) fn finding(&self, code: Code, enforced: bool) {
        let findings = self.block().findings.get_or_init(|| Box::new([const { zeros() }; CODES]));
        add(&findings[code as usize][usize::from(enforced)], 1);
    }

    pub(super) fn totals(&self) -> RouteTotals {
        let mut totals = RouteTotals::default();
        for block in self.shards.iter().filter_map(OnceLock::get) {
            block.add_to(&mut totals);
        }
        totals
    }

    fn block(&self) -> &Block {
        self.shards[shard_of(self.shards.len())].get_or_init(|| {
            Box::new(Block {
                requests: [const { zeros() }; OUTCOMES],
                duration: Histogram::new(),
                findings: OnceLock::new(),
            })
        })
    }
}

impl Block {
    fn add_to(&self, totals: &mut RouteTotals) {
        for (sums, cells) in totals.requests.iter_mut().zip(&self.requests) {
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += read(cell));
        }
        self.duration.add_to(&mut totals.duration);
        for (sums, cells) in totals
            .findings
            .iter_mut()
            .zip(self.findings.get().into_iter().flat_map(|all| all.iter()))
        {
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += read(cell));
        }
    }
}

/// A route's counters, summed over the shards.
#[derive(Debug)]
pub(super) struct RouteTotals {
    pub(super) requests: [[u64; CLASSES.len()]; OUTCOMES],
    pub(super) findings: [[u64; 2]; CODES],
    pub(super) duration: HistogramTotal,
}

impl Default for RouteTotals {
    fn default() -> RouteTotals {
        RouteTotals {
            requests: [[0; CLASSES.len()]; OUTCOMES],
            findings: [[0; 2]; CODES],
            duration: HistogramTotal::default(),
        }
    }
}
