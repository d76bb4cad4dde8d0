use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::event::LimitDecision;
use crate::state::counters::Counters;

use super::{Client, header, limits, plan};

const PER_CLIENT: &str = r#"{"rate":"5/1m","key":"client.ip"}"#;

#[test]
fn a_used_up_limit_refuses_until_the_time_it_says() {
    let counters = Arc::new(Counters::new());
    let limits = limits(&[plan("per-client", PER_CLIENT)], &counters);
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    for remaining in (0..5).rev() {
        let verdict = client.decide(&limits.early, now);
        assert!(verdict.refusal.is_none());
        assert_eq!(verdict.facts[0].remaining, remaining);
        assert_eq!(verdict.facts[0].decision, LimitDecision::Allowed);
    }
    let verdict = client.decide(&limits.early, now.after(Duration::from_micros(300)));
    assert_eq!(verdict.facts[0].decision, LimitDecision::Exceeded);
    let finding = verdict.decision().unwrap_err();
    assert_eq!(finding.code, Code::RatelimitExceeded);
    assert_eq!(header(&finding.headers, "retry-after"), Some("12"));
    assert_eq!(header(&finding.headers, "ratelimit"), Some(r#""per-client";r=0;t=12"#));
    assert_eq!(header(&finding.headers, "ratelimit-policy"), Some(r#""per-client";q=5;w=60"#));
    let members = &finding.members;
    assert!(members.contains(&("violated-policies", json!(["per-client"]))));
    let kind = "https://iana.org/assignments/http-problem-types#quota-exceeded";
    assert!(members.contains(&("type", json!(kind))));
    assert_eq!(
        finding.evidence,
        "limit `per-client` (5/1m, burst 5) by client.ip used up, next in 12s"
    );
    assert!(!finding.enforced);

    assert!(
        client
            .decide(&limits.early, now.after(Duration::from_micros(11_999_999)))
            .refusal
            .is_some()
    );
    assert!(client.decide(&limits.early, now.after(Duration::from_secs(12))).refusal.is_none());
    assert!(Client::at("192.0.2.2").decide(&limits.early, now).refusal.is_none());
}

#[test]
fn an_answer_says_what_is_left_when_it_is_little() {
    let counters = Arc::new(Counters::new());
    let limits = limits(&[plan("ten", r#"{"rate":"10/10s","key":"client.ip"}"#)], &counters);
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    let said: Vec<Option<String>> = (0..10)
        .map(|_| {
            let verdict = client.decide(&limits.early, now);
            header(&verdict.fields, "ratelimit").map(str::to_owned)
        })
        .collect();
    assert!(said[..8].iter().all(Option::is_none), "{said:?}");
    assert_eq!(said[8].as_deref(), Some(r#""ten";r=1;t=1"#));
    assert_eq!(said[9].as_deref(), Some(r#""ten";r=0;t=1"#));
}

#[test]
fn a_request_that_one_limit_refuses_costs_the_others_nothing() {
    let counters = Arc::new(Counters::new());
    let (narrow, wide) = (
        plan("narrow", r#"{"rate":"1/1h","key":"route"}"#),
        plan("wide", r#"{"rate":"3/1h","key":"client.ip"}"#),
    );
    let both = limits(&[wide.clone(), narrow], &counters);
    let alone = limits(&[wide], &counters);
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    assert!(client.decide(&both.early, now).refusal.is_none());
    for _ in 0..10 {
        let finding = client.decide(&both.early, now).refusal.unwrap();
        let violated = finding.members.iter().find(|(name, _)| *name == "violated-policies");
        assert_eq!(violated.unwrap().1, json!(["narrow"]));
        // The client hears of both limits.
        assert_eq!(
            header(&finding.headers, "ratelimit"),
            Some(r#""wide";r=2;t=1200, "narrow";r=0;t=3600"#)
        );
    }
    assert_eq!(client.decide(&alone.early, now).facts[0].remaining, 1);
}

#[test]
fn a_limit_that_watches_never_refuses_and_is_never_shown() {
    let counters = Arc::new(Counters::new());
    let all = [
        plan("watch", r#"{"rate":"1/1h","key":"client.ip","mode":"monitor"}"#),
        plan("bind", r#"{"rate":"3/1h","key":"client.ip"}"#),
    ];
    let limits = limits(&all, &counters);
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    let mut monitored = Vec::new();
    for _ in 0..3 {
        let verdict = client.decide(&limits.early, now);
        assert!(verdict.refusal.is_none());
        assert!(!format!("{:?}", verdict.fields).contains("watch"));
        monitored.push(verdict.monitored.len());
    }
    assert_eq!(monitored, [0, 1, 1]);
    let verdict = client.decide(&limits.early, now);
    let finding = verdict.refusal.unwrap();
    assert!(!finding.evidence.contains("watch"));
    assert_eq!(verdict.monitored.len(), 1);
    assert_eq!(verdict.monitored[0].code, Code::RatelimitExceeded);
}

#[test]
fn limits_by_token_know_anonymous_callers_by_address() {
    let counters = Arc::new(Counters::new());
    let limits = limits(&[plan("user", r#"{"rate":"1/1h","key":"token.sub"}"#)], &counters);
    assert!(limits.early.is_empty());
    let now = Now::read();
    let anna = |ip| Client::at(ip).token("https://id", json!({ "sub": "anna" }));
    assert!(anna("192.0.2.1").decide(&limits.late, now).refusal.is_none());
    assert!(anna("192.0.2.2").decide(&limits.late, now).refusal.is_some());
    assert!(Client::at("192.0.2.1").decide(&limits.late, now).refusal.is_none());
    assert!(Client::at("192.0.2.1").decide(&limits.late, now).refusal.is_some());
}

/// Every reload compiles new plans over the same counters.
#[test]
fn a_reload_keeps_what_was_counted() {
    let counters = Arc::new(Counters::new());
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    let mut admitted = 0;
    for _ in 0..200 {
        let generation = limits(&[plan("per-client", PER_CLIENT)], &counters);
        admitted += u32::from(client.decide(&generation.early, now).refusal.is_none());
    }
    assert_eq!(admitted, 5);
    let raised =
        limits(&[plan("per-client", r#"{"rate":"5/1m","burst":8,"key":"client.ip"}"#)], &counters);
    assert_eq!(client.decide(&raised.early, now).facts[0].remaining, 2);
    let quota = limits(&[plan("per-client", r#"{"quota":"5/day","key":"client.ip"}"#)], &counters);
    assert_eq!(client.decide(&quota.early, now).facts[0].remaining, 4);
}

#[test]
fn a_route_without_limits_decides_nothing() {
    let counters = Arc::new(Counters::new());
    let limits = limits(&[], &counters);
    let verdict = Client::at("192.0.2.1").decide(&limits.early, Now::read());
    assert!(verdict.facts.is_empty() && verdict.fields.is_empty() && verdict.refusal.is_none());
}
