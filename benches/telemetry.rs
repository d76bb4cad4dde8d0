//! What an event costs: on the worker's thread (`record`, `count`, `trace`), on the writer's (`encode`), at a
//! scrape and at a reload with 10,000 routes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, Method, Version};
use yett::base::code::{Code, Stage};
use yett::base::decision::{Finding, Mode};
use yett::base::event::{
    Event, Inspected, LimitDecision, LimitFacts, Outcome, RequestFacts, RouteRef, RuleMatch,
    Timings, TraceContext, UpstreamFacts, WafFacts,
};
use yett::base::net::Client;
use yett::base::subject::SubjectHasher;
use yett::telemetry::trace::Trace;
use yett::telemetry::{AccessLog, Metrics, Recorded, Target, Telemetry, redact};

fn allowed(slot: u32) -> Box<Event> {
    let mut timings = Timings::default();
    for stage in Stage::ALL {
        timings.add(stage, Duration::from_micros(7));
    }
    Box::new(Event {
        unix_us: 1_767_225_600_000_000,
        trace: TraceContext { trace_id: 1 << 100, span_id: 99, parent_id: None, sampled: true },
        listener: "public".into(),
        generation: 1,
        route: Some(RouteRef { id: "orders".into(), service: Some("orders-v1".into()), slot }),
        request: RequestFacts {
            client: Client::direct(([192, 0, 2, 7], 40000).into()),
            method: Some(Method::GET),
            secure: true,
            host: "api.example.com".into(),
            path: "/v1/orders/7/items".into(),
            query: Some("fields=id,total&page=2&sort=-created".into()),
            version: Version::HTTP_11,
            user_agent: Some(
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
            ),
        },
        identity: None,
        findings: Default::default(),
        waf: None,
        audit: None,
        limits: std::iter::once(LimitFacts {
            name: "per-client".into(),
            decision: LimitDecision::Allowed,
            remaining: 99,
        })
        .collect(),
        token_cached: None,
        upstream: Some(UpstreamFacts {
            service: "orders-v1".into(),
            endpoint: Some(([10, 0, 1, 11], 8080).into()),
            attempts: 1,
            reused: true,
            response: Some(Duration::from_micros(900)),
            status: Some(200),
        }),
        timings,
        bytes_in: 312,
        bytes_out: 2048,
        status: 200,
        outcome: Outcome::Allowed,
        duration: Duration::from_micros(1500),
    })
}

fn blocked() -> Box<Event> {
    let mut event = allowed(0);
    let mut finding = Finding::new(Code::WafBlocked, "score 10, threshold 5");
    finding.enforced = true;
    event.findings.push(finding);
    event.outcome = Outcome::Blocked;
    event.request.query = Some("q=1'+or+1=1--&access_token=0123456789".into());
    event.waf = Some(WafFacts {
        response: None,
        profile: "standard".into(),
        mode: Mode::Enforce,
        score: 10,
        threshold: 5,
        inspected: Inspected::Whole,
        matches: vec![
            RuleMatch {
                rule_id: 942_100,
                message: "SQL injection".into(),
                severity: "critical",
                class: "attack-sqli".into(),
                target: "ARGS:q".into(),
                matched: "1' or 1=1--".into(),
                score: 5,
            };
            2
        ],
    });
    event
}

fn routes(count: usize) -> Vec<Arc<str>> {
    (0..count).map(|number| format!("route-{number}").into()).collect()
}

fn worker(c: &mut Criterion) {
    let off = AccessLog { target: Target::Off, allowed_percent: 100 };
    let telemetry = Telemetry::start(off, Target::Off).expect("it starts");
    telemetry.metrics().begin_generation(1, &["orders".into()]);
    let event = allowed(0);
    c.bench_function("count", |b| b.iter(|| telemetry.metrics().count(black_box(&event))));
    c.bench_function("record", |b| {
        b.iter_batched(|| allowed(0), |event| telemetry.record(event), BatchSize::SmallInput);
    });
    let headers = HeaderMap::new();
    c.bench_function("trace", |b| b.iter(|| Trace::of(black_box(&headers), false)));
    let hasher = SubjectHasher::new(&[7; 32]);
    c.bench_function("subject", |b| {
        b.iter(|| hasher.hash(black_box("https://id.example.com"), "alice"))
    });
}

fn writer(c: &mut Criterion) {
    for (name, event) in [("encode allowed", allowed(0)), ("encode blocked", blocked())] {
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
    let mut event = allowed(0);
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
