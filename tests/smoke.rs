//! The shortest way through, and what goes with every answer.

use serde_json::json;

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::Origin;
use crate::harness::tokens::{ISSUERS, Tokens};

#[test]
fn a_request_reaches_its_service_and_leaves_one_event() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&format!(
        r#"
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ));
    let answer = Request::get("/hello?a=1").send(gateway.address());
    assert_eq!((answer.status, answer.text().as_str()), (200, "GET /hello?a=1 HTTP/1.1"));

    let seen = origin.request();
    let event = gateway.event();
    assert_eq!(action(&event), "allowed");
    assert_eq!(event["yett"]["route"], "web");
    assert_eq!(event["http"]["response"]["status_code"], 200);
    assert_eq!(answer.header("x-request-id"), event["trace"]["id"].as_str());
    assert_eq!(seen.header("x-request-id").as_deref(), event["trace"]["id"].as_str());
    assert_eq!(gateway.stop().len(), 1);
    assert_eq!(origin.seen().len(), 1);
}

#[test]
fn a_token_opens_a_route_and_its_absence_does_not() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = Setup::new(&format!(
        r#"{ISSUERS}
services: {{ orders: {{ endpoints: ["{}"] }} }}
routes: [{{ id: orders, match: {{ path: "/orders/{{id}}" }}, to: orders, auth: {{ issuers: [corp], scopes: ["orders:read"] }} }}]
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .start();
    let refused = Request::get("/orders/7").send(gateway.address());
    assert_eq!((refused.status, refused.code().as_str()), (401, "identity.missing"));
    origin.expect_nothing();

    let token = tokens.with(&json!({ "sub": "bob" }));
    let allowed = Request::get("/orders/7").bearer(&token).send(gateway.address());
    assert_eq!(allowed.status, 200);
    let events = gateway.stop();
    assert_eq!(events.iter().map(action).collect::<Vec<_>>(), ["identity.missing", "allowed"]);
}
