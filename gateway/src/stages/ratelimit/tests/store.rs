//! Limits over a store: decisions while it is there, and each `on_store_loss` while it is not.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::event::LimitDecision;
use crate::state::counters::Counters;
use crate::state::counters::store::StoreTarget;
use crate::state::counters::store::tests::server::{RedisServer, eventually};

use super::super::decide::Ticket;
use super::{Client, header, limits, plan, shared};

/// A store that nobody answers for: port 1 of loopback.
fn without_store(gateways: u32) -> Arc<Counters> {
    let mut target = StoreTarget::parse("redis://127.0.0.1:1").unwrap();
    target.expected_gateways = gateways;
    let counters = Arc::new(Counters::new());
    counters.configure(Some(target), &Handle::current());
    counters
}

#[tokio::test]
async fn gateways_that_share_a_store_admit_together_what_one_would() {
    let Some(server) = RedisServer::start().await else { return };
    let text = r#"{"rate":"7/1h","key":["client.ip","path.id"]}"#;
    let mut admitted = 0;
    for _ in 0..3 {
        let counters = Arc::new(Counters::new());
        counters.configure(Some(server.target()), &Handle::current());
        eventually("the store is live", async || counters.live_store().is_some()).await;
        // Every gateway has its own names for sets, its own hash seeds and its own mirror.
        let limits = limits(&[shared("per-client", text)], &counters);
        let client = Client::at("2001:db8::1").id("9");
        for _ in 0..5 {
            let verdict = client.settle(&limits.early, Now::read()).await;
            admitted += u32::from(verdict.refusal.is_none());
            assert_ne!(verdict.facts[0].decision, LimitDecision::Fallback);
        }
    }
    assert_eq!(admitted, 7);
}

#[tokio::test]
async fn no_raw_value_reaches_the_store() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = Arc::new(Counters::new());
    counters.configure(Some(server.target()), &Handle::current());
    eventually("the store is live", async || counters.live_store().is_some()).await;
    let limits = limits(&[shared("k", r#"{"rate":"7/1h","key":"header.x-api-key"}"#)], &counters);
    let client = Client::at("192.0.2.1").header("x-api-key", b"very-secret-key");
    assert!(client.settle(&limits.early, Now::read()).await.refusal.is_none());
    let keys = format!("{:?}", server.command(&["KEYS", "*"]).await);
    assert!(keys.contains("yett:limit:1:"), "{keys}");
    assert!(!keys.contains("secret"), "{keys}");
}

/// What the store refuses is given back to the limits of this process.
#[tokio::test]
async fn a_request_that_the_store_refuses_costs_local_limits_nothing() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = Arc::new(Counters::new());
    counters.configure(Some(server.target()), &Handle::current());
    eventually("the store is live", async || counters.live_store().is_some()).await;
    let local = plan("local", r#"{"rate":"10/1h","key":"client.ip","scope":"local"}"#);
    let both =
        limits(&[local.clone(), shared("one", r#"{"rate":"1/1h","key":"client.ip"}"#)], &counters);
    let client = Client::at("192.0.2.1");
    let mut admitted = 0;
    for _ in 0..6 {
        let verdict = client.settle(&both.early, Now::read()).await;
        admitted += u32::from(verdict.refusal.is_none());
    }
    assert_eq!(admitted, 1);
    let alone = limits(&[local], &counters);
    assert_eq!(client.decide(&alone.early, Now::read()).facts[0].remaining, 8);
}

#[tokio::test]
async fn without_the_store_a_limit_does_what_it_says() {
    let counters = without_store(4);
    let now = Now::read();
    for (loss, admitted, decision, code) in [
        ("local", 2, LimitDecision::Fallback, Some(Code::RatelimitExceeded)),
        ("open", 20, LimitDecision::Open, None),
        ("closed", 0, LimitDecision::Closed, Some(Code::RatelimitStoreLost)),
    ] {
        let text = format!(r#"{{"rate":"8/1h","key":"client.ip","on_store_loss":"{loss}"}}"#);
        let limits = limits(&[shared(loss, &text)], &counters);
        let client = Client::at("192.0.2.1");
        let mut passed = 0;
        let mut last = None;
        for _ in 0..20 {
            let verdict = client.decide(&limits.early, now);
            assert_eq!(verdict.facts[0].decision, decision, "{loss}");
            passed += u32::from(verdict.refusal.is_none());
            last = verdict.refusal;
        }
        assert_eq!(passed, admitted, "{loss}");
        assert_eq!(last.as_ref().map(|finding| finding.code), code, "{loss}");
        if let Some(finding) = last {
            assert!(header(&finding.headers, "retry-after").is_some());
        }
    }
    assert!(!counters.status().unwrap().live);
}

#[tokio::test]
async fn a_closed_limit_that_watches_lets_pass_and_a_closed_one_costs_the_others_nothing() {
    let counters = without_store(1);
    let share = shared("share", r#"{"rate":"2/1h","key":"client.ip"}"#);
    let closed = |mode: &str| {
        let text =
            format!(r#"{{"rate":"8/1h","key":"route","on_store_loss":"closed","mode":"{mode}"}}"#);
        shared(mode, &text)
    };
    let (client, now) = (Client::at("192.0.2.1"), Now::read());
    let refused = limits(&[share.clone(), closed("enforce")], &counters);
    for _ in 0..5 {
        let finding = client.decide(&refused.early, now).refusal.unwrap();
        assert_eq!(finding.code, Code::RatelimitStoreLost);
    }
    let watched = limits(&[share, closed("monitor")], &counters);
    let verdict = client.decide(&watched.early, now);
    assert!(verdict.refusal.is_none());
    assert_eq!(verdict.monitored[0].code, Code::RatelimitStoreLost);
    assert_eq!(verdict.facts[0].remaining, 1);
}

/// Requests are polled by whichever worker is free.
#[test]
fn a_request_that_waits_may_move_between_threads() {
    fn is_send(_: impl Send) {}
    fn settle(ticket: Box<Ticket<'_>>) {
        is_send(ticket.settle());
    }
    let _: fn(Box<Ticket<'_>>) = settle;
}
