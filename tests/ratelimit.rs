//! How often: limits of this process, and of a store.

use serde_json::json;

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::Origin;
use crate::harness::redis;
use crate::harness::tokens::{ISSUERS, Tokens};

#[test]
fn a_burst_is_limited_and_says_when_to_come_back() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&format!(
        r#"
limits: {{ per-client: {{ rate: 1/1m, burst: 3, key: client.ip }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", limits: [per-client] }}]
"#,
        origin.address()
    ));
    let ask = || Request::get("/").send(gateway.address());
    let allowed: Vec<_> = (0..3).map(|_| ask()).collect();
    assert!(allowed.iter().all(|answer| answer.status == 200));
    assert_eq!(allowed[0].header("ratelimit"), None, "far from the limit there is nothing to say");
    assert!(allowed[2].header("ratelimit").unwrap().starts_with("\"per-client\";r=0;t="));

    let refused = ask();
    assert_eq!((refused.status, refused.code().as_str()), (429, "ratelimit.exceeded"));
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit"), Some(format!("\"per-client\";r=0;t={wait}").as_str()));
    assert!(refused.header("ratelimit-policy").unwrap().starts_with("\"per-client\";q="));
    let problem = refused.json();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["violated-policies"], json!(["per-client"]));
    let events = gateway.events(4);
    assert_eq!(action(&events[3]), "ratelimit.exceeded");
    assert_eq!(events[3]["yett"]["limits"][0]["decision"], "exceeded");
    assert_eq!(origin.seen().len(), 3);
}

#[test]
fn keys_are_counted_apart() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = Setup::new(&format!(
        r#"{ISSUERS}
listeners: {{ public: {{ bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] }} }}
limits:
  address: {{ rate: 1/1h, key: client.ip }}
  user: {{ rate: 1/1h, key: token.sub }}
  item: {{ rate: 1/1h, key: [token.sub, path.id] }}
  watched: {{ rate: 1/1h, key: route, mode: monitor }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: address, match: {{ path: /address }}, to: web, public: "a test", limits: [address] }}
  - {{ id: user, match: {{ path: /user }}, to: web, auth: {{ issuers: [corp] }}, limits: [user] }}
  - {{ id: item, match: {{ path: "/item/{{id}}" }}, to: web, auth: {{ issuers: [corp] }}, limits: [item] }}
  - {{ id: watched, match: {{ path: /watched }}, to: web, public: "a test", limits: [watched] }}
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .start();
    let from = |client: &str| {
        Request::get("/address").header("x-forwarded-for", client).send(gateway.address()).status
    };
    assert_eq!([from("192.0.2.1"), from("192.0.2.2"), from("192.0.2.1")], [200, 200, 429]);
    // One /64 is one client: its owner has all of its addresses.
    assert_eq!(
        [from("2001:db8::1"), from("2001:db8::ffff"), from("2001:db8:0:1::1")],
        [200, 429, 200]
    );

    let (ada, bob) = (tokens.with(&json!({ "sub": "ada" })), tokens.with(&json!({ "sub": "bob" })));
    let by =
        |path: &str, token: &str| Request::get(path).bearer(token).send(gateway.address()).status;
    assert_eq!([by("/user", &ada), by("/user", &bob), by("/user", &ada)], [200, 200, 429]);
    assert_eq!([by("/item/1", &ada), by("/item/2", &ada), by("/item/1", &ada)], [200, 200, 429]);
    // Another spelling of the same segment is the same key.
    assert_eq!(by("/item/%31", &ada), 429);

    let watched = || Request::get("/watched").send(gateway.address());
    assert_eq!([watched().status, watched().status], [200, 200]);
    let event = gateway.events(15).pop().unwrap();
    assert_eq!(event["yett"]["findings"][0]["code"], "ratelimit.exceeded");
    assert_eq!(event["yett"]["findings"][0]["enforced"], false);
}

/// Two gateways count together; when the store goes each limit does what it says.
#[test]
fn a_store_is_shared_and_may_be_lost() {
    let Some(store) = redis::start() else { return };
    let origin = Origin::echo();
    let config = format!(
        r#"
store: {{ redis: "{}", deadline: 1s }}
limits:
  shared: {{ rate: 2/1h, key: route }}
  closed: {{ rate: 100/1s, key: route, on_store_loss: closed }}
  open: {{ rate: 1/1h, key: route, on_store_loss: open }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: shared, match: {{ path: /shared }}, to: web, public: "a test", limits: [shared] }}
  - {{ id: closed, match: {{ path: /closed }}, to: web, public: "a test", limits: [closed] }}
  - {{ id: open, match: {{ path: /open }}, to: web, public: "a test", limits: [open] }}
"#,
        store.url(),
        origin.address()
    );
    let (one, two) = (Gateway::start(&config), Gateway::start(&config));
    let ask = |gateway: &Gateway, path: &str| Request::get(path).send(gateway.address());
    // The first connection to the store is made in the background.
    crate::harness::eventually("the store is used", || {
        let used = [&one, &two].iter().all(|gateway| ask(gateway, "/closed").status == 200);
        used.then_some(())
    });
    let statuses = [&one, &two, &one, &two].map(|gateway| ask(gateway, "/shared").status);
    assert_eq!(statuses, [200, 200, 429, 429]);

    store.kill();
    let refused = ask(&one, "/closed");
    assert_eq!((refused.status, refused.code().as_str()), (503, "ratelimit.store_lost"));
    assert!(refused.header("retry-after").is_some());
    assert_eq!([ask(&one, "/open").status, ask(&one, "/open").status], [200, 200]);
}
