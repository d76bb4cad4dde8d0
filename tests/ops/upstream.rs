//! A service dies and comes back.

use super::load::{Load, Style};
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::gateway::Gateway;
use crate::harness::origin::{Answer, Origin};

/// Answers with its name.
fn named(name: &'static str) -> Origin {
    Origin::start(move |_| Answer::ok(name))
}

fn two(first: &Origin, second: &Origin, rest: &str) -> String {
    format!(
        r#"
services: {{ web: {{ endpoints: ["{}", "{}"], {rest} }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        first.address(),
        second.address()
    )
}

fn styles() -> [Style; 3] {
    [Style::KeepAlive, Style::KeepAlive, Style::Fresh]
}

/// Waits until the gateway answers with this name.
fn answers(gateway: &Gateway, name: &str) {
    eventually(&format!("answers of {name}"), || {
        let answer = Request::get("/").send(gateway.address());
        (answer.text() == name).then_some(())
    });
}

#[test]
fn an_endpoint_that_dies_under_load_costs_no_get() {
    let (first, second) = (named("first"), named("second"));
    let rest = "retries: { attempts: 2, budget: 100% }";
    let gateway = Gateway::start(&two(&first, &second, rest));
    let load = Load::start(gateway.address(), &Request::get("/"), &styles());
    load.more(50);
    let address = first.stop();
    load.more(200);
    let back = Origin::restart(address, |_| Answer::ok("first"));
    answers(&gateway, "first");
    load.more(50);
    let tally = load.stop();
    tally.expect_only_200();
    assert!(!back.seen().is_empty());
    gateway.stop();
}

#[test]
fn a_service_that_dies_is_answered_for_and_returns() {
    let (first, second) = (named("first"), named("second"));
    let gateway = Gateway::start(&two(&first, &second, "retries: { attempts: 2 }"));
    let load = Load::start(gateway.address(), &Request::get("/"), &styles());
    load.more(20);
    let (one, two) = (first.stop(), second.stop());
    let refused = eventually("nobody there", || {
        let answer = Request::get("/").send(gateway.address());
        (answer.status != 200).then_some(answer)
    });
    assert!([502, 503].contains(&refused.status), "{refused:?}");
    assert!(refused.code().starts_with("upstream."), "{refused:?}");
    load.more(50);
    let back = [one, two].map(|address| Origin::restart(address, |_| Answer::ok("back")));
    answers(&gateway, "back");
    let tally = load.stop();
    // The outage is told by answers, never by closed connections.
    assert!(tally.failures.is_empty(), "{:?}", tally.failures);
    assert!(tally.statuses.keys().all(|status| [200, 502, 503].contains(status)), "{tally:?}");
    drop(back);
    gateway.stop();
}

#[test]
fn a_post_is_not_sent_twice() {
    let first = Origin::start(|_| Answer::Close);
    let second = Origin::start(|_| Answer::Close);
    let gateway = Gateway::start(&two(&first, &second, "retries: { attempts: 3, budget: 100% }"));
    for _ in 0..4 {
        let answer = Request::new("POST", "/").body("x").send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream.broken"));
    }
    assert_eq!(first.seen().len() + second.seen().len(), 4);
}

#[test]
fn the_checks_take_an_endpoint_out_and_back_under_load() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let sick = Arc::new(AtomicBool::new(false));
    let state = sick.clone();
    let first = Origin::start(move |seen| match state.load(Ordering::SeqCst) {
        true if seen.target() == "/healthz" => Answer::status(500),
        true => Answer::ok("sick"),
        false => Answer::ok("first"),
    });
    let second = named("second");
    let health = "health: { path: /healthz, interval: 1s, unhealthy_after: 1, healthy_after: 1 }";
    let gateway = Gateway::start(&two(&first, &second, health));
    answers(&gateway, "first");
    let load = Load::start(gateway.address(), &Request::get("/"), &styles());
    sick.store(true, Ordering::SeqCst);
    eventually("the endpoint is out", || {
        gateway.log().contains("is unhealthy: status 500").then_some(())
    });
    let texts = (0..10).map(|_| Request::get("/").send(gateway.address()).text());
    assert!(texts.into_iter().all(|text| text == "second"));
    sick.store(false, Ordering::SeqCst);
    answers(&gateway, "first");
    load.stop().expect_only_200();
}
