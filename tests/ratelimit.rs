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

/// An address on which there is no store.
fn no_store() -> String {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("redis://{nobody}")
}

#[test]
fn gateways_without_their_store_share_what_there_is() {
    for (gateways, admitted) in [("", 8), (", expected_gateways: 4", 2)] {
        let origin = Origin::echo();
        let gateway = Gateway::start(&format!(
            r#"
store: {{ redis: "{}"{gateways} }}
limits: {{ shared: {{ quota: 8/month, key: route, on_store_loss: local }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", limits: [shared] }}]
"#,
            no_store(),
            origin.address()
        ));
        let statuses: Vec<u16> =
            (0..10).map(|_| Request::get("/").send(gateway.address()).status).collect();
        let expected: Vec<u16> = (0..10).map(|n| if n < admitted { 200 } else { 429 }).collect();
        assert_eq!(statuses, expected, "{gateways}");
    }
}

/// Each key beside a limit that differs in it alone.
#[test]
fn limits_that_are_written_in_their_route() {
    // Path, limit, statuses of three requests of which the second has another `x-tenant`.
    let cases = [
        ("rate", "rate: 2/1h, key: route", [200, 200, 429]),
        ("burst", "rate: 2/1h, burst: 1, key: route", [200, 429, 429]),
        ("quota", "quota: 1/month, key: route", [200, 429, 429]),
        ("key", "rate: 1/1h, key: header.x-tenant", [200, 200, 429]),
        ("keys", "rate: 1/1h, key: [header.x-tenant, route]", [200, 200, 429]),
        ("mode", "rate: 1/1h, key: route, mode: monitor", [200, 200, 200]),
        ("closed", "rate: 1/1h, key: route, on_store_loss: closed", [503, 503, 503]),
        ("open", "rate: 1/1h, key: route, on_store_loss: open", [200, 200, 200]),
        ("scope", "rate: 1/1h, key: route, on_store_loss: closed, scope: local", [200, 429, 429]),
    ];
    let origin = Origin::echo();
    let route = |(name, limit, _): &(&str, &str, _)| {
        format!(
            "  - {{ id: {name}, match: {{ path: /{name} }}, to: web, public: \"a test\", limits: [{{ {limit} }}] }}\n"
        )
    };
    let gateway = Gateway::start(&format!(
        "store: {{ redis: \"{}\" }}\nservices: {{ web: {{ endpoints: [\"{}\"] }} }}\nroutes:\n{}",
        no_store(),
        origin.address(),
        cases.iter().map(route).collect::<String>()
    ));
    for (name, limit, expected) in cases {
        let ask = |tenant| {
            let request = Request::get(&format!("/{name}")).header("x-tenant", tenant);
            request.send(gateway.address()).status
        };
        assert_eq!([ask("one"), ask("two"), ask("one")], expected, "{limit}");
    }
    let watched: Vec<_> = gateway
        .events(cases.len() * 3)
        .into_iter()
        .filter(|event| event["url"]["path"] == "/mode")
        .map(|event| event["yett"]["findings"][0]["enforced"].clone())
        .collect();
    assert_eq!(watched, [json!(null), json!(false), json!(false)]);
}
