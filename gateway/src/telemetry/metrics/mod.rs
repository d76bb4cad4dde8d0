//! Counters, and their export to Prometheus.
//!
//! | file | what |
//! |---|---|
//! | [`names`] | every metric, declared once |
//! | [`cells`] | counters sharded by thread |
//! | [`routes`] | counters of routes, kept over reloads by name |
//! | [`export`] | the sums, as `prometheus` families, at scrape time only |
//!
//! No label takes a value that a client chooses: the number of series is bounded by the configuration.

mod cells;
mod export;
mod names;
mod routes;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use self::cells::{Histogram, STAGE_BOUNDS_US, Tally, add, shard_count, shard_of, zeros};
pub(super) use self::cells::{shard_count as shards, shard_of as shard};
pub(super) use self::export::text;
pub use self::export::{GaugeValues, Gauges};
pub use self::names::{Kind, Metric};
pub use self::routes::NO_ROUTE;
use self::routes::Routes;
use crate::base::code::{Code, Stage};
use crate::base::event::{Event, LimitDecision, Outcome, UpstreamFacts};

/// `result` of tokens that were good; the finding codes follow.
const TOKEN_RESULTS: [&str; 2] = ["verified", "cached"];
const TOKEN_CELLS: usize = TOKEN_RESULTS.len() + Code::ALL.len();
/// `result` of requests to a service: how it failed, or the class of its status.
const UPSTREAM_RESULTS: [&str; 10] =
    ["aborted", "1xx", "2xx", "3xx", "4xx", "5xx", "unavailable", "connect", "timeout", "broken"];

/// The process's counters. Counting takes no lock that another thread holds for long, and allocates only for
/// a name's first count.
#[derive(Debug)]
pub struct Metrics {
    routes: ArcSwap<Routes>,
    reload: Mutex<()>,
    stages: Box<[Stages]>,
    waf_matches: Tally<1>,
    limits: Tally<{ LimitDecision::ALL.len() }>,
    tokens: Tally<TOKEN_CELLS>,
    upstreams: Tally<{ UPSTREAM_RESULTS.len() }>,
    retries: Tally<1>,
    generation: AtomicU64,
    last_reload_success: AtomicU64,
    /// Refused, taken.
    reloads: [AtomicU64; 2],
    /// By [`DropKind`], then by [`DropPlace`].
    dropped: [[AtomicU64; 2]; 2],
    log_errors: AtomicU64,
    waf_log_dropped: AtomicU64,
    audit_log_dropped: AtomicU64,
    panics: AtomicU64,
    process_log_suppressed: AtomicU64,
    asked: RwLock<Vec<Arc<dyn Gauges>>>,
}

#[derive(Debug)]
#[repr(align(64))]
struct Stages([Histogram; Stage::ALL.len()]);

/// What kind of event was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropKind {
    /// An allowed request without findings.
    Routine,
    Security,
}

/// Where it was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropPlace {
    /// Between the workers and the writer.
    Queue,
    /// Between the writer and the access log's target.
    Target,
}

/// A route's totals for people; the export has them in detail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteSummary {
    pub requests: u64,
    /// Requests by outcome, without those that never happened.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Findings by code: enforced ones, and those that only were recorded.
    pub findings: Vec<(Code, u64, u64)>,
    /// Mean duration.
    pub duration_mean: Duration,
}

impl Metrics {
    pub fn new() -> Metrics {
        let shards = shard_count();
        let stages = || Stages([const { Histogram::new() }; Stage::ALL.len()]);
        Metrics {
            routes: ArcSwap::from_pointee(Routes::new(shards)),
            reload: Mutex::new(()),
            stages: (0..shards).map(|_| stages()).collect(),
            waf_matches: Tally::new(),
            limits: Tally::new(),
            tokens: Tally::new(),
            upstreams: Tally::new(),
            retries: Tally::new(),
            generation: AtomicU64::new(0),
            last_reload_success: AtomicU64::new(0),
            reloads: zeros(),
            dropped: [const { zeros() }; 2],
            log_errors: AtomicU64::new(0),
            waf_log_dropped: AtomicU64::new(0),
            audit_log_dropped: AtomicU64::new(0),
            panics: AtomicU64::new(0),
            process_log_suppressed: AtomicU64::new(0),
            asked: RwLock::default(),
        }
    }

    /// A generation was taken: call it just before the swap. `routes` are the route identifiers in the order of
    /// their [`slot`](crate::base::event::RouteRef::slot). Totals of a known identifier go on; a route that is
    /// gone is not exported any more, and its totals wait for its return.
    pub fn begin_generation(&self, generation: u64, routes: &[Arc<str>]) {
        let _one_at_a_time = self.reload.lock();
        let next = self.routes.load().next(generation, routes, shard_count());
        self.routes.store(Arc::new(next));
        self.generation.store(generation, Ordering::Relaxed);
        self.last_reload_success.store(1, Ordering::Relaxed);
        add(&self.reloads[1], 1);
    }

    /// A configuration was refused; the generation that serves stays.
    pub fn reload_refused(&self) {
        self.last_reload_success.store(0, Ordering::Relaxed);
        add(&self.reloads[0], 1);
    }

    /// A panic was caught.
    pub fn panic_caught(&self) {
        add(&self.panics, 1);
    }

    /// Further values for each scrape, e.g. open connections.
    pub fn ask(&self, gauges: Arc<dyn Gauges>) {
        self.asked.write().push(gauges);
    }

    /// Counts one request.
    pub fn count(&self, event: &Event) {
        let routes = self.routes.load();
        let cells = match &event.route {
            Some(route) => routes.cells(route, event.generation),
            None => &routes.none,
        };
        cells.request(event.outcome, event.status, event.duration);
        for finding in &event.findings {
            cells.finding(finding.code, finding.enforced);
        }
        self.count_stages(event);
        self.count_tokens(event);
        for found in event.waf.iter().flat_map(|waf| &waf.matches) {
            self.waf_matches.add(&found.class, 0, 1);
        }
        for limit in &event.limits {
            self.limits.add(&limit.name, limit.decision as usize, 1);
        }
        if let Some(upstream) = &event.upstream {
            self.count_upstream(event, upstream);
        }
    }

    /// Counts an event that will not be written.
    pub fn dropped(&self, kind: DropKind, place: DropPlace, events: u64) {
        add(&self.dropped[kind as usize][place as usize], events);
    }

    /// Events dropped so far, of both kinds, in both places.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().flatten().map(cells::read).sum()
    }

    pub(super) fn log_error(&self) {
        add(&self.log_errors, 1);
    }

    pub(super) fn audit_log_dropped(&self) {
        add(&self.audit_log_dropped, 1);
    }

    pub(super) fn waf_log_dropped(&self) {
        add(&self.waf_log_dropped, 1);
    }

    pub(super) fn process_log_suppressed(&self, total: u64) {
        self.process_log_suppressed.store(total, Ordering::Relaxed);
    }

    /// Totals of one route since the process started; `None` for a name that never was a route.
    pub fn route(&self, id: &str) -> Option<RouteSummary> {
        let routes = self.routes.load();
        let totals = if id == NO_ROUTE { routes.none.totals() } else { routes.named(id)?.totals() };
        let outcomes: Vec<_> = Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, totals.requests[outcome as usize].iter().sum::<u64>()))
            .filter(|(_, count)| *count > 0)
            .collect();
        let findings = Code::ALL.iter().map(|code| {
            let [monitored, enforced] = totals.findings[*code as usize];
            (*code, enforced, monitored)
        });
        let requests: u64 = outcomes.iter().map(|(_, count)| count).sum();
        Some(RouteSummary {
            requests,
            findings: findings
                .filter(|(_, enforced, monitored)| enforced + monitored > 0)
                .collect(),
            outcomes,
            duration_mean: Duration::from_micros(totals.duration.sum_us / requests.max(1)),
        })
    }

    fn count_stages(&self, event: &Event) {
        let Stages(stages) = &self.stages[shard_of(self.stages.len())];
        for (stage, histogram) in Stage::ALL.into_iter().zip(stages) {
            let spent_us = u64::from(event.timings.get(stage));
            if spent_us > 0 {
                histogram.observe(&STAGE_BOUNDS_US, spent_us);
            }
        }
    }

    /// A refused token has no verified issuer: it counts under none.
    fn count_tokens(&self, event: &Event) {
        if let (Some(identity), Some(cached)) = (&event.identity, event.token_cached) {
            self.tokens.add(&identity.issuer, usize::from(cached), 1);
        }
        let refused = event.findings.iter().map(|finding| finding.code);
        for code in refused.filter(|code| code.stage() == Stage::Identity) {
            if code != Code::IdentityMissing {
                let none = || Arc::from(export::NO_ISSUER);
                let issuer =
                    event.identity.as_ref().map_or_else(none, |known| known.issuer.clone());
                self.tokens.add(&issuer, TOKEN_RESULTS.len() + code as usize, 1);
            }
        }
    }

    fn count_upstream(&self, event: &Event, upstream: &UpstreamFacts) {
        let failure = event.decisive().map(|finding| finding.code);
        let result = match (upstream.status, failure) {
            (Some(status), _) => usize::from(status / 100).clamp(1, 5),
            (None, Some(Code::UpstreamUnavailable)) => 6,
            (None, Some(Code::UpstreamConnect)) => 7,
            (None, Some(Code::UpstreamTimeout)) => 8,
            (None, Some(Code::UpstreamBroken)) => 9,
            (None, _) => 0,
        };
        self.upstreams.add(&upstream.service, result, 1);
        if upstream.attempts > 1 {
            self.retries.add(&upstream.service, 0, u64::from(upstream.attempts - 1));
        }
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}
