use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};

use super::section::ServiceSection;
use super::{Peer, ServicePlan, Tried, is_idempotent};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::compile::number::{ENDPOINT, HEALTH, RANGE, SERVICE_TLS, TIME};
use crate::base::compile::{Compile, Problem, Step};
use crate::state::endpoints::Endpoints;
use crate::state::endpoints::endpoint::Needed;

/// A service as its configuration would say it.
fn section(json: serde_json::Value) -> ServiceSection {
    serde_json::from_value(json).unwrap()
}

fn compile(
    endpoints: &Endpoints,
    json: serde_json::Value,
) -> (Option<Arc<ServicePlan>>, Vec<Problem>) {
    let mut cx = Compile::new();
    let plan = cx.within("services", |cx| {
        cx.within("orders", |cx| ServicePlan::compile("orders", &section(json), cx, endpoints))
    });
    (plan, cx.into_problems())
}

fn plan(endpoints: &Endpoints, json: serde_json::Value) -> Arc<ServicePlan> {
    let (plan, problems) = compile(endpoints, json);
    assert_eq!(problems, []);
    plan.unwrap()
}

fn three(balance: &str) -> serde_json::Value {
    serde_json::json!({
        "endpoints": ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"],
        "balance": balance, "retries": { "attempts": 3, "budget": "10%" },
        "health": { "path": "/healthz", "interval": "7s" }
    })
}

const ONCE: Needed = Needed { unhealthy_after: 1, healthy_after: 1 };

fn last_octet(peer: &Peer) -> u8 {
    match peer.address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => 0,
    }
}

/// How often each endpoint is picked in `count` requests that end at once.
fn shares(plan: &ServicePlan, count: usize, now: Now) -> HashMap<u8, usize> {
    let mut shares = HashMap::new();
    for _ in 0..count {
        *shares.entry(last_octet(&plan.pick(&Tried::new(), now).unwrap())).or_default() += 1;
    }
    shares
}

#[test]
fn round_robin_is_even_and_stays_even_among_those_that_are_left() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, three("round_robin"));
    assert_eq!(shares(&plan, 300, now), HashMap::from([(1, 100), (2, 100), (3, 100)]));
    plan.service.members()[1].checked(Err("down".into()), ONCE);
    assert_eq!(shares(&plan, 300, now), HashMap::from([(1, 150), (3, 150)]));
}

#[test]
fn least_request_avoids_the_endpoint_that_is_busy() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, three("least_request"));
    let even = shares(&plan, 3000, now);
    assert!(even.values().all(|share| (850..1150).contains(share)), "{even:?}");
    let busy = plan.pick(&Tried::new(), now).unwrap();
    // Of two different endpoints the busy one is never the one with fewer requests.
    assert_eq!(shares(&plan, 300, now).get(&last_octet(&busy)), None);
    plan.service.members()[0].checked(Err("down".into()), ONCE);
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(plan.pick(&Tried::new(), now).unwrap());
    }
    let in_flight: Vec<_> = plan.service.members().iter().map(|e| e.in_flight()).collect();
    assert!(in_flight[1].abs_diff(in_flight[2]) <= 1, "{in_flight:?}");
    drop((held, busy));
    assert!(plan.service.members().iter().all(|endpoint| endpoint.in_flight() == 0));
}

#[test]
fn a_retry_goes_where_the_request_was_not() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    for balance in ["round_robin", "least_request"] {
        let plan = plan(&endpoints, three(balance));
        for _ in 0..50 {
            let mut tried = Tried::new();
            let mut seen = Vec::new();
            for _ in 0..3 {
                let peer = plan.pick(&tried, now).unwrap();
                tried.add(&peer);
                seen.push(last_octet(&peer));
            }
            seen.sort_unstable();
            assert_eq!(seen, [1, 2, 3]);
            let finding = plan.pick(&tried, now).unwrap_err();
            assert_eq!(finding.code, Code::UpstreamUnavailable);
        }
    }
}

#[test]
fn without_a_healthy_endpoint_the_answer_is_503_with_retry_after() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, three("round_robin"));
    for endpoint in plan.service.members().iter() {
        endpoint.checked(Err("down".into()), ONCE);
    }
    let finding = plan.pick(&Tried::new(), now).unwrap_err();
    assert_eq!(finding.code, Code::UpstreamUnavailable);
    assert_eq!(finding.headers, [(header::RETRY_AFTER, "7".parse().unwrap())]);
}

#[test]
fn a_name_that_was_never_resolved_is_503() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    for balance in ["round_robin", "least_request"] {
        let json = serde_json::json!({ "endpoints": ["orders.internal:80"], "balance": balance });
        let finding = plan(&endpoints, json).pick(&Tried::new(), now).unwrap_err();
        assert_eq!(finding.code, Code::UpstreamUnavailable);
    }
}

#[test]
fn a_killed_endpoint_costs_one_retry_and_comes_back_by_one_trial() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, three("round_robin"));
    let mut first = plan.pick(&Tried::new(), now).unwrap();
    let dead = last_octet(&first);
    first.refused(now);
    drop(first);
    assert_eq!(shares(&plan, 300, now).get(&dead), None);

    // After the pause one request tries it; the others pass it over until that one is answered.
    let later = now.after(Duration::from_secs(1));
    let mut held: Vec<Peer> = (0..30).map(|_| plan.pick(&Tried::new(), later).unwrap()).collect();
    let tries = held.iter().filter(|peer| last_octet(peer) == dead).count();
    assert_eq!(tries, 1);
    held.iter_mut().find(|peer| last_octet(peer) == dead).unwrap().connected();
    assert_eq!(shares(&plan, 300, later).get(&dead), Some(&100));
}

#[test]
fn when_all_refused_one_request_at_a_time_finds_out() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let json = serde_json::json!({ "endpoints": ["10.0.0.1:80"] });
    let plan = plan(&endpoints, json);
    plan.pick(&Tried::new(), now).unwrap().refused(now);
    let mut trial = plan.pick(&Tried::new(), now).unwrap();
    let finding = plan.pick(&Tried::new(), now).unwrap_err();
    assert_eq!(finding.headers, [(header::RETRY_AFTER, "1".parse().unwrap())]);
    trial.connected();
    assert!(plan.pick(&Tried::new(), now).is_ok());
}

#[test]
fn retries_are_for_repeatable_requests_within_attempts_and_budget() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, three("round_robin"));
    let mut tried = Tried::new();
    tried.add(&plan.pick(&tried, now).unwrap());
    assert!(!plan.may_retry(&Method::POST, &tried, now));
    assert!(!plan.may_retry(&Method::PATCH, &tried, now));
    assert!(plan.may_retry(&Method::GET, &tried, now));
    tried.add(&plan.pick(&tried, now).unwrap());
    assert!(plan.may_retry(&Method::PUT, &tried, now));
    tried.add(&plan.pick(&tried, now).unwrap());
    assert!(!plan.may_retry(&Method::GET, &tried, now), "three attempts are used up");

    let mut once = Tried::new();
    once.add(&plan.pick(&once, now).unwrap());
    let granted = (0..100).filter(|_| plan.may_retry(&Method::GET, &once, now)).count();
    assert_eq!(granted, 28, "two of the least budget of 30 were taken above");
    // A reload does not refill it.
    let again = self::plan(&endpoints, three("round_robin"));
    assert!(!again.may_retry(&Method::GET, &once, now));
    assert!(again.may_retry(&Method::GET, &once, now.after(Duration::from_secs(10))));
}

#[test]
fn idempotent_methods_are_those_of_rfc_9110() {
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
        assert!(is_idempotent(&method.parse().unwrap()), "{method}");
    }
    for method in ["POST", "PATCH", "CONNECT", "PURGE", "get"] {
        assert!(!is_idempotent(&method.parse().unwrap()), "{method}");
    }
}

fn place(problem: &Problem) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.to_string(),
        Step::Index(index) => index.to_string(),
    };
    problem.place.iter().skip(2).map(step).collect::<Vec<_>>().join(".")
}

#[test]
fn every_bad_value_is_named() {
    let many: Vec<_> = (0..1025).map(|n| format!("n{n}:80")).collect();
    let many = serde_json::json!(many).to_string();
    let no_name = r#"{"server_name": "", "ca": "/none.pem"}"#;
    // Key, its value, then number, place and part of the problem.
    let cases = [
        ("endpoints", "[]", ENDPOINT, "endpoints", "0 endpoints"),
        ("endpoints", &many, ENDPOINT, "endpoints", "allowed 1 to 1024"),
        ("endpoints", r#"["a:80", "b"]"#, ENDPOINT, "endpoints.1", "no port"),
        ("endpoints", r#"["a:80", "A:80"]"#, ENDPOINT, "endpoints.1", "twice"),
        ("retries", r#"{"attempts": 0}"#, RANGE, "retries.attempts", "1 to 5"),
        ("retries", r#"{"attempts": 6}"#, RANGE, "retries.attempts", "1 to 5"),
        ("timeouts", r#"{"connect": "0s"}"#, TIME, "timeouts.connect", "1ms"),
        ("timeouts", r#"{"response": "2h"}"#, TIME, "timeouts.response", "1h"),
        ("timeouts", r#"{"idle": "0ms"}"#, TIME, "timeouts.idle", "1ms"),
        ("health", r#"{"path": "x"}"#, HEALTH, "health.path", "absolute"),
        ("health", r#"{"path": "/a b"}"#, HEALTH, "health.path", "absolute"),
        ("health", r#"{"path": "/", "interval": "1ms"}"#, TIME, "health.interval", "100ms"),
        ("health", r#"{"path": "/", "timeout": "0s"}"#, TIME, "health.timeout", "1ms"),
        (
            "health",
            r#"{"path": "/", "unhealthy_after": 0}"#,
            HEALTH,
            "health.unhealthy_after",
            "1 to",
        ),
        (
            "health",
            r#"{"path": "/", "healthy_after": 101}"#,
            HEALTH,
            "health.healthy_after",
            "to 100",
        ),
        ("tls", no_name, SERVICE_TLS, "tls.server_name", "neither"),
    ];
    for (key, value, number, at, part) in cases {
        let mut json = serde_json::json!({ "endpoints": ["10.0.0.1:80"] });
        json[key] = serde_json::from_str(value).unwrap();
        let endpoints = Endpoints::new(Now::read());
        let (plan, found) = compile(&endpoints, json);
        assert!(plan.is_none(), "{key}: {value}");
        assert_eq!((found[0].number, place(&found[0]).as_str()), (number, at), "{key}: {value}");
        assert!(found[0].message.contains(part), "{}", found[0].message);
    }
}

fn ca(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    let made = rcgen::generate_simple_self_signed(vec!["orders.internal".to_owned()]).unwrap();
    std::fs::write(&path, made.cert.pem()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn with_tls(server_name: &str, ca: &str) -> serde_json::Value {
    serde_json::json!({
        "endpoints": ["10.0.0.1:443"], "protocol": "h2", "health": { "path": "/" },
        "tls": { "server_name": server_name, "ca": ca }
    })
}

#[test]
fn a_peer_carries_all_that_a_connection_needs() {
    let folder = tempfile::tempdir().unwrap();
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let plan = plan(&endpoints, with_tls("orders.internal", &ca(folder.path(), "ca.pem")));
    let peer = plan.pick(&Tried::new(), now).unwrap();
    let tls = peer.tls.as_ref().unwrap();
    assert_eq!((peer.address.to_string().as_str(), peer.http2), ("10.0.0.1:443", true));
    assert_eq!(tls.server_name, "orders.internal");
    assert_eq!(tls.ca.as_ref().unwrap().len(), 1);
    assert_eq!(peer.timeouts.connect, Duration::from_secs(1));
    let check = plan.service.check().unwrap();
    assert!(check.http2 && check.tls.is_some());
    assert_eq!(check.authority, "orders.internal");
}

#[test]
fn the_pool_key_changes_with_trust_and_with_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let endpoints = Endpoints::new(Now::read());
    let path = ca(folder.path(), "ca.pem");
    let key = |json| plan(&endpoints, json).group_key;
    let first = key(with_tls("orders.internal", &path));
    assert_eq!(key(with_tls("orders.internal", &path)), first);
    let mut slower = with_tls("orders.internal", &path);
    slower["timeouts"] = serde_json::json!({ "connect": "2s" });
    assert_eq!(key(slower), first);

    let mut others = vec![first];
    others.push(key(with_tls("other.internal", &path)));
    let mut http1 = with_tls("orders.internal", &path);
    http1["protocol"] = "http/1.1".into();
    others.push(key(http1));
    others.push(key(serde_json::json!({ "endpoints": ["10.0.0.1:443"] })));
    // Another authority under the same path, as after a rotation.
    ca(folder.path(), "ca.pem");
    others.push(key(with_tls("orders.internal", &path)));
    let count = others.len();
    others.sort_unstable();
    others.dedup();
    assert_eq!(others.len(), count);
}

#[test]
fn a_bad_ca_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).unwrap();
        name.to_owned()
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let cases = [
        ("missing.pem".to_owned(), "missing.pem"),
        (write("empty.pem", ""), "holds no certificate"),
        (write("text.pem", "not a certificate"), "holds no certificate"),
        (write("broken.pem", broken), "certificate 1"),
        (write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n"), "cut.pem"),
    ];
    for (name, part) in cases {
        let endpoints = Endpoints::new(Now::read());
        let path = folder.path().join(&name);
        let (plan, found) =
            compile(&endpoints, with_tls("orders.internal", path.to_str().unwrap()));
        assert!(plan.is_none());
        assert_eq!((found[0].number, place(&found[0]).as_str()), (SERVICE_TLS, "tls.ca"));
        assert!(found[0].message.contains(part), "{}", found[0].message);
    }
}

#[test]
fn the_system_is_trusted_when_no_ca_is_named() {
    let endpoints = Endpoints::new(Now::read());
    let json = serde_json::json!({ "endpoints": ["10.0.0.1:443"], "tls": { "server_name": "orders.internal" } });
    // A machine without authorities says so; one with them trusts them.
    match compile(&endpoints, json) {
        (Some(plan), _) => assert!(plan.tls.as_ref().unwrap().ca.is_none()),
        (None, found) => assert!(found[0].message.contains("name a `ca` file")),
    }
}
