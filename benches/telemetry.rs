//! What an event costs: on the worker's thread (`record`, `count`, `trace`), on the writer's (`encode`), at a
//! scrape and at a reload with 10,000 routes.

// The events of the unit tests; `crate::base` in them is this.
use yett::base;
#[path = "../gateway/src/telemetry/tests/events.rs"]
mod events;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use base::code::{Code, Stage};
use base::event::{Event, RouteRef, Timings};
use base::subject::SubjectHasher;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::HeaderMap;
use yett::telemetry::trace::Trace;
use yett::telemetry::{AccessLog, Metrics, Recorded, Target, Telemetry, redact};

/// An ordinary request: a limit was asked, a service answered, every stage took its time.
fn allowed() -> Box<Event> {
    let mut event = events::allowed();
    event.route =
        Some(RouteRef { id: "orders".into(), service: Some("orders-v1".into()), slot: 0 });
    event.timings = Timings::default();
    for stage in Stage::ALL {
        event.timings.add(stage, Duration::from_micros(7));
    }
    let full = events::full();
    event.limits = full.limits;
    event.upstream = full.upstream;
    event
}

fn blocked() -> Box<Event> {
    let mut event = events::refused(Code::WafBlocked, "score 10, threshold 5");
    event.request.query = Some("q=1'+or+1=1--&access_token=0123456789".into());
    event.waf = events::full().waf;
    if let Some(waf) = &mut event.waf {
        waf.matches.push(events::rule_match(942_100, "ARGS:q", "1' or 1=1--"));
    }
    event
}

fn routes(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|number| format!("route-{number}").into()).collect()
}

fn worker(c: &mut Criterion) {
    let off = AccessLog { target: Target::Off, allowed_percent: 100 };
    let telemetry = Telemetry::start(off, Target::Off).expect("it starts");
    telemetry.metrics().begin_generation(1, &["orders".into()]);
    let event = allowed();
    c.bench_function("count", |b| b.iter(|| telemetry.metrics().count(black_box(&event))));
    c.bench_function("record", |b| {
        b.iter_batched(allowed, |event| telemetry.record(event), BatchSize::SmallInput);
    });
    let headers = HeaderMap::new();
    c.bench_function("trace", |b| b.iter(|| Trace::of(black_box(&headers), false)));
    let hasher = SubjectHasher::new(&[7; 32]);
    c.bench_function("subject", |b| {
        b.iter(|| hasher.hash(black_box("https://id.example.com"), "alice"))
    });
}

fn writer(c: &mut Criterion) {
    for (name, event) in [("encode allowed", allowed()), ("encode blocked", blocked())] {
        let recorded = Recorded { sequence: 7, event };
        c.bench_function(name, |b| b.iter(|| black_box(&recorded).line()));
    }
    let query = "fields=id,total&page=2&sort=-created";
    c.bench_function("redact query", |b| b.iter(|| redact::query(black_box(query)).len()));
}

fn scale(c: &mut Criterion) {
    let names = routes(10_000);
    let before = resident_kib();
    let telemetry =
        Telemetry::start(AccessLog { target: Target::Off, allowed_percent: 100 }, Target::Off)
            .expect("it starts");
    telemetry.metrics().begin_generation(1, &names);
    println!("10,000 routes, none used: {} KiB", resident_kib() - before);
    let mut event = allowed();
    for slot in 0..10_000 {
        event.route = Some(RouteRef { id: names[slot as usize].clone(), service: None, slot });
        telemetry.metrics().count(&event);
    }
    println!("10,000 routes, all used: {} KiB", resident_kib() - before);
    c.bench_function("scrape, 10,000 used routes", |b| {
        b.iter(|| telemetry.scrape().map(|text| text.len()))
    });
    c.bench_function("begin_generation, 10,000 routes", |b| {
        b.iter_batched(
            Metrics::new,
            |metrics| metrics.begin_generation(2, &names),
            BatchSize::PerIteration,
        );
    });
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

criterion_group!(benches, scale, worker, writer);
criterion_main!(benches);
