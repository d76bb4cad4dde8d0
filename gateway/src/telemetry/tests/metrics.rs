use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;

use super::{allowed, full, names, refused, silent};
use crate::base::code::Code;
use crate::base::event::{LimitDecision, Outcome, RouteRef, UpstreamFacts};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{DropKind, DropPlace, GaugeValues, Gauges, Kind, Metric, NO_ROUTE};

/// Gives a value for every metric that is asked for.
#[derive(Debug)]
struct Everything;

impl Gauges for Everything {
    fn read(&self, into: &mut GaugeValues) {
        for metric in Metric::ALL.iter().filter(|metric| metric.is_asked()) {
            let labels = vec!["x"; metric.labels().len()];
            into.set(*metric, &labels, 1.0);
        }
    }
}

/// Lines that are values.
fn series(text: &str) -> BTreeSet<String> {
    let values = text.lines().filter(|line| line.starts_with("yett_"));
    values.filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect()
}

fn value(text: &str, series: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.starts_with(&format!("{series} ")))?;
    line.rsplit_once(' ')?.1.parse().ok()
}

#[test]
fn every_declared_metric_is_exported_and_documented() {
    let telemetry = silent();
    telemetry.metrics().begin_generation(1, &names(&["orders"]));
    telemetry.metrics().ask(Arc::new(Everything));
    telemetry.record(full());
    let text = telemetry.scrape().unwrap();
    let documented = include_str!("../../../../docs/telemetry.md");
    for metric in Metric::ALL {
        let (name, kind) = (metric.name(), format!("{:?}", metric.kind()).to_lowercase());
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is not exported");
        let labels = metric.labels().join(", ");
        let row = format!("| `{name}` | {kind} | {labels} |");
        assert!(documented.contains(&row), "docs/telemetry.md has no `{row}`");
        assert!(!metric.help().is_empty());
        assert_eq!(metric.kind() == Kind::Counter, name.ends_with("_total"), "{name}");
    }
    for process in ["process_cpu_seconds_total", "process_resident_memory_bytes"] {
        assert!(text.contains(process), "{process}");
    }
}

#[test]
fn an_event_counts_in_every_family_that_it_touches() {
    let telemetry = silent();
    telemetry.metrics().begin_generation(1, &names(&["orders"]));
    telemetry.record(full());
    telemetry.record(refused(Code::IdentityExpired, "exp 1"));
    telemetry.record(refused(Code::IdentityMissing, ""));
    telemetry.metrics().reload_refused();
    telemetry.metrics().panic_caught();
    telemetry.metrics().dropped(DropKind::Security, DropPlace::Target, 3);
    let text = telemetry.scrape().unwrap();
    let cases = [
        (r#"yett_requests_total{route="orders",outcome="blocked",code_class="4xx"}"#, 1.0),
        (r#"yett_requests_total{route="orders",outcome="unauthenticated",code_class="4xx"}"#, 2.0),
        (r#"yett_findings_total{route="orders",code="waf.blocked",enforced="true"}"#, 1.0),
        (r#"yett_request_duration_seconds_count{route="orders"}"#, 3.0),
        (r#"yett_request_duration_seconds_bucket{route="orders",le="0.005"}"#, 3.0),
        (r#"yett_request_duration_seconds_sum{route="orders"}"#, 0.0045),
        (r#"yett_stage_duration_seconds_bucket{stage="normalise",le="0.000005"}"#, 3.0),
        (r#"yett_stage_duration_seconds_count{stage="upstream"}"#, 3.0),
        (r#"yett_waf_matches_total{class="attack-sqli"}"#, 1.0),
        (r#"yett_limit_decisions_total{limit="per-client",decision="allowed"}"#, 1.0),
        (r#"yett_token_verifications_total{issuer="corp",result="cached"}"#, 1.0),
        (r#"yett_token_verifications_total{issuer="_none",result="identity.expired"}"#, 1.0),
        (r#"yett_upstream_requests_total{service="orders-v1",result="2xx"}"#, 1.0),
        (r#"yett_upstream_retries_total{service="orders-v1"}"#, 2.0),
        ("yett_config_last_reload_success", 0.0),
        ("yett_config_generation", 1.0),
        (r#"yett_config_reloads_total{result="taken"}"#, 1.0),
        (r#"yett_config_reloads_total{result="refused"}"#, 1.0),
        (r#"yett_access_log_dropped_total{kind="security",where="target"}"#, 3.0),
        ("yett_panics_total", 1.0),
    ];
    for (series, expected) in cases {
        assert_eq!(value(&text, series), Some(expected), "{series}\n{text}");
    }
    assert!(!text.contains("identity.missing\"} 1\nyett_token"));
}

#[test]
fn ways_that_an_upstream_fails_are_told_apart() {
    let cases = [
        (Code::UpstreamUnavailable, "unavailable"),
        (Code::UpstreamConnect, "connect"),
        (Code::UpstreamTimeout, "timeout"),
        (Code::UpstreamBroken, "broken"),
    ];
    let telemetry = silent();
    for (code, result) in cases {
        let mut event = refused(code, "");
        event.upstream = Some(UpstreamFacts {
            service: "s".into(),
            endpoint: None,
            attempts: 0,
            reused: false,
            response: None,
            status: None,
        });
        telemetry.record(event);
        let series = format!(r#"yett_upstream_requests_total{{service="s",result="{result}"}}"#);
        assert_eq!(value(&telemetry.scrape().unwrap(), &series), Some(1.0), "{series}");
    }
}

#[test]
fn clients_cannot_make_series() {
    let metrics = Metrics::new();
    metrics.begin_generation(1, &names(&["orders"]));
    let telemetry = silent();
    let count = |telemetry: &crate::telemetry::Telemetry, rounds: u32| {
        let mut event = full();
        for round in 0..rounds {
            event.request.host = format!("{round}.example.com");
            event.request.path = format!("/{round}");
            event.request.user_agent = Some(format!("agent {round}").into());
            event.request.method = Method::from_bytes(format!("M{round}").as_bytes()).ok();
            event.request.client.ip = std::net::Ipv4Addr::from(round).into();
            event.identity.as_mut().unwrap().subject_hash = u64::from(round);
            event.route = (round % 2 == 0).then(|| RouteRef {
                id: "orders".into(),
                service: None,
                slot: round,
            });
            telemetry.metrics().count(&event);
        }
    };
    count(&telemetry, 4);
    let before = series(&telemetry.scrape().unwrap());
    count(&telemetry, 1_000_000);
    assert_eq!(series(&telemetry.scrape().unwrap()), before);
}

#[test]
fn routes_go_on_over_reloads_by_name() {
    let telemetry = silent();
    let metrics = telemetry.metrics();
    let requests = |id: &str| metrics.route(id).map(|summary| summary.requests);
    let record = |generation: u64, id: &str, slot: u32| {
        let mut event = allowed();
        event.generation = generation;
        event.route = Some(RouteRef { id: id.into(), service: None, slot });
        telemetry.record(event);
    };
    metrics.begin_generation(1, &names(&["a", "b"]));
    record(1, "a", 0);
    record(1, "b", 1);
    // The order changes, `a` goes.
    metrics.begin_generation(2, &names(&["c", "b"]));
    record(2, "b", 1);
    record(2, "c", 0);
    // Requests of the old generation that end now.
    record(1, "a", 0);
    record(1, "b", 1);
    assert_eq!((requests("a"), requests("b"), requests("c")), (Some(2), Some(3), Some(1)));
    let text = telemetry.scrape().unwrap();
    assert!(!text.contains(r#"route="a""#) && text.contains(r#"route="b""#));
    // `a` returns with its totals.
    metrics.begin_generation(3, &names(&["a"]));
    record(3, "a", 0);
    assert_eq!(requests("a"), Some(3));
    let total = r#"yett_requests_total{route="a",outcome="allowed",code_class="2xx"}"#;
    assert_eq!(value(&telemetry.scrape().unwrap(), total), Some(3.0));
    assert_eq!(requests("never"), None);
}

#[test]
fn a_slot_that_no_generation_has_counts_under_no_route() {
    let telemetry = silent();
    let mut event = allowed();
    event.route = Some(RouteRef { id: "unknown".into(), service: None, slot: u32::MAX });
    telemetry.record(event);
    let mut event = allowed();
    event.route = None;
    event.outcome = Outcome::Refused;
    event.status = 0;
    telemetry.record(event);
    let summary = telemetry.metrics().route(NO_ROUTE).unwrap();
    assert_eq!(summary.outcomes, [(Outcome::Allowed, 1), (Outcome::Refused, 1)]);
}

#[test]
fn names_of_gone_routes_are_bounded() {
    let metrics = Metrics::new();
    for generation in 0..20_u64 {
        let routes: Vec<Arc<str>> =
            (0..1000).map(|n| Arc::from(format!("r{generation}-{n}"))).collect();
        metrics.begin_generation(generation, &routes);
    }
    assert!(metrics.route("r0-0").is_none(), "forgotten");
    assert!(metrics.route("r18-0").is_some(), "kept");
}

#[test]
fn threads_lose_no_counts() {
    let telemetry = silent();
    telemetry.metrics().begin_generation(1, &names(&["orders"]));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let event = full();
                (0..10_000).for_each(|_| telemetry.metrics().count(&event));
            });
        }
    });
    assert_eq!(telemetry.metrics().route("orders").unwrap().requests, 80_000);
    let series = r#"yett_limit_decisions_total{limit="per-client",decision="allowed"}"#;
    assert_eq!(value(&telemetry.scrape().unwrap(), series), Some(80_000.0));
}

#[test]
fn invented_names_are_counted_together_beyond_the_bound() {
    let telemetry = silent();
    let mut event = full();
    for number in 0..10_000 {
        event.limits[0].name = format!("limit{number}").into();
        event.limits[0].decision = LimitDecision::Exceeded;
        telemetry.metrics().count(&event);
    }
    let text = telemetry.scrape().unwrap();
    let limits = text.lines().filter(|line| line.starts_with("yett_limit_decisions_total")).count();
    assert!(limits <= 4097, "{limits}");
    let overflow = r#"yett_limit_decisions_total{limit="_overflow",decision="exceeded"}"#;
    assert!(value(&text, overflow).unwrap() > 5000.0);
}
