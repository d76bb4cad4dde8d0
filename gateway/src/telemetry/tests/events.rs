//! Events as requests make them. The bench of the telemetry has its own from here, too: what is measured is what is tested.

use std::time::Duration;

use http::{Method, Version};

use crate::base::code::{Code, Stage};
use crate::base::decision::{Finding, Mode};
use crate::base::event::{
    Event, IdentityFacts, Inspected, LimitDecision, LimitFacts, Outcome, RequestFacts, RouteRef,
    RuleMatch, Timings, TraceContext, UpstreamFacts, WafFacts,
};
use crate::base::net::Client;

/// An allowed request to route `orders` in slot 0.
pub(crate) fn allowed() -> Box<Event> {
    let mut timings = Timings::default();
    timings.add(Stage::Normalise, Duration::from_micros(3));
    timings.add(Stage::Upstream, Duration::from_micros(1200));
    Box::new(Event {
        unix_us: 1_767_225_600_000_000,
        trace: TraceContext {
            trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
            span_id: 0x00f0_67aa_0ba9_02b7,
            parent_id: None,
            sampled: true,
        },
        listener: "public".into(),
        generation: 1,
        route: Some(RouteRef { id: "orders".into(), service: Some("orders-v1".into()), slot: 0 }),
        request: RequestFacts {
            client: Client::direct(([192, 0, 2, 7], 40000).into()),
            method: Some(Method::GET),
            secure: true,
            host: "api.example.com".into(),
            path: "/v1/orders/7".into(),
            query: Some("fields=id,total&page=2".into()),
            version: Version::HTTP_11,
            user_agent: Some("curl/8.14.1".into()),
        },
        identity: None,
        findings: Default::default(),
        waf: None,
        audit: None,
        limits: Default::default(),
        token_cached: None,
        upstream: None,
        timings,
        bytes_in: 312,
        bytes_out: 2048,
        status: 200,
        outcome: Outcome::Allowed,
        duration: Duration::from_micros(1500),
    })
}

/// A request that `code` ended.
pub(crate) fn refused(code: Code, evidence: &str) -> Box<Event> {
    let mut event = allowed();
    let mut finding = Finding::new(code, evidence);
    finding.enforced = true;
    event.findings.push(finding);
    event.outcome = Outcome::of(code);
    event.status = code.status().as_u16();
    event
}

/// A request with everything that an event can hold.
pub(crate) fn full() -> Box<Event> {
    let mut event = refused(Code::WafBlocked, "score 10, threshold 5");
    event.identity = Some(IdentityFacts { issuer: "corp".into(), subject_hash: 0xabc, mfa: true });
    event.token_cached = Some(true);
    event.waf = Some(WafFacts {
        response: None,
        profile: "standard".into(),
        mode: Mode::Enforce,
        score: 10,
        threshold: 5,
        inspected: Inspected::Whole,
        matches: vec![rule_match(942_100, "ARGS:q", "1' or 1=1--")],
    });
    event.limits.push(LimitFacts {
        name: "per-client".into(),
        decision: LimitDecision::Allowed,
        remaining: 99,
    });
    event.upstream = Some(UpstreamFacts {
        service: "orders-v1".into(),
        endpoint: Some(([10, 0, 1, 11], 8080).into()),
        attempts: 3,
        reused: true,
        response: Some(Duration::from_micros(900)),
        status: Some(200),
    });
    event
}

pub(crate) fn rule_match(rule_id: u32, target: &str, matched: &str) -> RuleMatch {
    RuleMatch {
        rule_id,
        message: "SQL injection".into(),
        severity: "critical",
        class: "attack-sqli".into(),
        target: target.into(),
        matched: matched.into(),
        score: 5,
    }
}
