//! What inspection costs: whole transactions, all five phases, on the built-in rules and, where
//! `YETT_CRS` or `../shared/crs` has it, on the complete OWASP CRS; what loading costs; and CRS in libmodsecurity
//! beside it, in one table.
//!
//! `cargo bench -p waf-rules --bench waf`; `-- beside` for the table alone
#![allow(clippy::panic, reason = "a bench that cannot set up must stop")]

mod beside;
mod kinds;
#[path = "../waf-rules/tests/regression/oracle/peer.rs"]
mod peer;
mod rulesets;

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group};
use rustix::time::{ClockId, clock_gettime};
use waf_rules::{Ruleset, RulesetBuilder, Transaction};

use kinds::{Request, requests};
use rulesets::{crs, profile, unbounded};

fn inspect(mut tx: Transaction, request: &Request) -> Transaction {
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 443);
    tx.request_line(request.method.as_bytes(), request.target.as_bytes(), b"HTTP/1.1");
    request.headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    tx.head();
    tx.body_chunk(request.body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    tx.body();
    tx.response_line(200, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"text/html; charset=utf-8");
    tx.response_head();
    if !request.response.is_empty() && tx.wants_response_body() {
        let body = request.response.as_bytes();
        tx.response_body_chunk(body).unwrap_or_else(|error| panic!("{error}"));
    }
    tx.response_body();
    tx.finish();
    tx
}

fn builders() -> Vec<(&'static str, RulesetBuilder)> {
    let responses = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html";
    let mut builders = vec![("builtin", Ruleset::builder().builtin().text("bench", responses))];
    match crs() {
        Ok(folder) => {
            let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
            let builder = builder.file(folder.join("rules/*.conf"));
            builders.push(("crs", builder.text("bench", responses)));
        }
        Err(remark) => eprintln!("{remark}"),
    }
    builders
}

fn build(builder: RulesetBuilder) -> Ruleset {
    builder.build().unwrap_or_else(|errors| panic!("{errors}"))
}

/// One group a kind of request; in it both rule sets, and CRS without the prefilter for comparison.
fn transactions(criterion: &mut Criterion<CpuTime>) {
    let rulesets: Vec<_> =
        builders().into_iter().map(|(name, builder)| (name, build(builder))).collect();
    for request in requests() {
        for paranoia in [1, 4] {
            let mut group = criterion.benchmark_group(format!("{}_pl{paranoia}", request.name));
            for (name, ruleset) in &rulesets {
                let profile = profile(ruleset, paranoia);
                measure(&mut group, name, &request, || Transaction::new(profile.clone()));
                if *name == "crs" {
                    group.sample_size(10);
                    let profile = unbounded(ruleset, paranoia);
                    let new = || Transaction::exhaustive(profile.clone());
                    measure(&mut group, "crs_naive", &request, new);
                }
            }
            group.finish();
        }
    }
}

fn measure(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    name: &str,
    request: &Request,
    new: impl Fn() -> Transaction,
) {
    let mut number = 100_000_u32;
    let mut fresh = || {
        number = number.wrapping_add(1);
        request.fresh(number)
    };
    group.bench_function(name, |bencher| {
        // Ended at once, as in a gateway: the next one works in its memory.
        let whole = |request: Request| drop(inspect(new(), &request));
        bencher.iter_batched(&mut fresh, whole, BatchSize::SmallInput);
    });
}

fn load(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for (name, builder) in builders() {
        group.bench_function(name, |bencher| bencher.iter(|| build(builder.clone())));
    }
    group.finish();
}

/// Processor time of this thread, so that what else the machine does is not measured.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }

    fn end(&self, start: Duration) -> Duration {
        cpu_time().saturating_sub(start)
    }

    fn add(&self, left: &Duration, right: &Duration) -> Duration {
        *left + *right
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = transactions, load
}

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    beside::run();
}
