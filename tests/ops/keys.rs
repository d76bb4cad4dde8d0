//! An issuer that cannot be reached, and one that changes its keys.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::load::{Load, Style};
use crate::harness::client::Request;
use crate::harness::eventually;
use crate::harness::gateway::Gateway;
use crate::harness::origin::{Answer, Origin};
use crate::harness::tokens::{Tokens, claims};
use yett::stages::identity::dev::DevIssuer;

fn config(keys: std::net::SocketAddr, refresh: &str, web: &Origin) -> String {
    format!(
        r#"
issuers:
  corp: {{ issuer: "https://id.example.test", audiences: [orders-api], jwks: "http://{keys}/jwks", algorithms: [ES256],
    dangerous_private_jwks: true, refresh: {refresh} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: own, match: {{ path: "/*" }}, to: web, auth: {{ issuers: [corp] }} }}]
"#,
        web.address()
    )
}

#[test]
fn an_issuer_that_is_not_there_at_start_is_a_state_that_heals() {
    let (web, tokens) = (Origin::echo(), Tokens::new());
    let address = Origin::echo().stop();
    let gateway = Gateway::start(&config(address, "10m", &web));
    let own = Request::get("/").bearer(&tokens.good());
    let answer = own.send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (503, "identity.unavailable"));
    web.expect_nothing();
    assert_eq!(gateway.admin("GET", "/health/ready").status, 200, "degraded, and serving");
    let key_set = tokens.key_set();
    let _keys = Origin::restart(address, move |_| Answer::ok(&key_set));
    eventually("keys", || (own.send(gateway.address()).status == 200).then_some(()));
}

#[test]
fn keys_change_without_a_failed_request() {
    let old = Tokens::new();
    let new = DevIssuer::generate("key-2").unwrap();
    let published = Arc::new(Mutex::new(old.issuer.jwks()));
    let shown = published.clone();
    let keys = Origin::start(move |_| Answer::ok(shown.lock().unwrap().to_string()));
    let web = Origin::echo();
    let gateway = Gateway::start(&config(keys.address(), "10s", &web));
    let known =
        || -> Value { gateway.admin("GET", "/status").json()["issuers"][0]["keys"].clone() };
    let with_old = Request::get("/").bearer(&old.good());
    let with_new = Request::get("/").bearer(&new.sign(&claims(&json!({}))).unwrap());
    assert_eq!(with_old.send(gateway.address()).status, 200);

    let first = Load::start(gateway.address(), &with_old, &[Style::KeepAlive, Style::Fresh]);
    let both: Vec<Value> = [&old.issuer, &new]
        .iter()
        .flat_map(|one| one.jwks()["keys"].as_array().unwrap().clone())
        .collect();
    *published.lock().unwrap() = json!({ "keys": both });
    eventually("both keys", || (known() == 2).then_some(()));
    let second = Load::start(gateway.address(), &with_new, &[Style::KeepAlive, Style::Fresh]);
    second.more(20);
    first.stop().expect_only_200();

    *published.lock().unwrap() = new.jwks();
    eventually("one key", || (known() == 1).then_some(()));
    let answer = with_old.send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (401, "identity.key"), "a withdrawn key");
    second.more(20);
    second.stop().expect_only_200();
}

#[test]
fn an_issuer_that_dies_or_lies_keeps_its_last_good_keys() {
    let (web, tokens) = (Origin::echo(), Tokens::new());
    let answers = Arc::new(Mutex::new(tokens.key_set()));
    let shown = answers.clone();
    let keys = Origin::start(move |_| Answer::ok(shown.lock().unwrap().as_str()));
    let gateway = Gateway::start(&config(keys.address(), "10s", &web));
    let own = Request::get("/").bearer(&tokens.good());
    let load = Load::start(gateway.address(), &own, &[Style::KeepAlive]);
    load.more(5);
    "{ \"keys\": 7 }".clone_into(&mut answers.lock().unwrap());
    eventually("the failure is seen", || {
        let failures = gateway.admin("GET", "/status").json()["issuers"][0]["failures"].as_u64();
        (failures.unwrap() > 0).then_some(())
    });
    drop(keys);
    load.more(20);
    load.stop().expect_only_200();
}
