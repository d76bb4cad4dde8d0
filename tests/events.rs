//! One event for each request, refused ones too, and no secret in any of them.

use serde_json::json;

use crate::harness::client::{Client, Request, raw};
use crate::harness::gateway::{ADMIN_TOKEN, Setup, action, findings};
use crate::harness::origin::Origin;
use crate::harness::tokens::{ISSUERS, Tokens};

#[test]
fn exactly_one_event_per_request() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = Setup::new(&format!(
        r#"{ISSUERS}
waf: {{ standard: {{ rules: [builtin] }} }}
limits: {{ one: {{ rate: 1/1h, key: route }} }}
services: {{ web: {{ endpoints: ["{}"] }}, gone: {{ endpoints: ["127.0.0.1:9"] }} }}
defaults: {{ waf: standard }}
routes:
  - {{ id: web, match: {{ path: "/*", methods: [GET, POST] }}, to: web, public: "a test" }}
  - {{ id: own, match: {{ path: /own }}, respond: {{ status: 200, body: hello }}, public: "a test" }}
  - {{ id: token, match: {{ path: /token }}, to: web, auth: {{ issuers: [corp], scopes: [missing] }} }}
  - {{ id: limited, match: {{ path: /limited }}, to: web, public: "a test", limits: [one] }}
  - {{ id: gone, match: {{ path: /gone }}, to: gone, public: "a test" }}
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .start();
    let send = |request: Request| _ = request.send(gateway.address());
    send(Request::get("/"));
    send(Request::get("/own"));
    send(Request::new("PUT", "/"));
    send(Request::get("/token"));
    send(Request::get("/token").bearer(&tokens.good()));
    send(Request::get("/limited"));
    send(Request::get("/limited"));
    send(Request::get("/gone"));
    send(Request::new("POST", "/").json(&json!({ "q": "1' UNION SELECT password FROM users--" })));
    raw(gateway.address(), b"nonsense\r\n\r\n");
    // A connection that never says anything is no request.
    drop(Client::connect(gateway.address()));
    let events = gateway.stop();
    let actions: Vec<_> = events.iter().map(action).collect();
    let expected = [
        "allowed",
        "allowed",
        "route.method_not_allowed",
        "identity.missing",
        "policy.scope",
        "allowed",
        "ratelimit.exceeded",
        "upstream.connect",
        "waf.blocked",
        "normalise.request_line",
    ];
    assert_eq!(actions, expected);
    for event in &events {
        assert!(findings(event).len() <= 1, "{event}");
        assert_eq!(event["yett"]["generation"], 1);
        assert_eq!(event["trace"]["id"].as_str().map(str::len), Some(32));
    }
}

#[test]
fn a_banned_address() {
    let origin = Origin::echo();
    let gateway = Setup::new(&format!(
        r#"
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ))
    .start();
    let ban = json!({ "address": "127.0.0.1", "for": "10m", "reason": "a test" });
    let answer = Request::new("POST", "/bans")
        .host("localhost")
        .bearer(ADMIN_TOKEN)
        .json(&ban)
        .send(gateway.admin_address());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let refused = Request::get("/").send(gateway.address());
    assert_eq!((refused.status, refused.code().as_str()), (403, "screen.banned"));
    origin.expect_nothing();
    assert_eq!(gateway.admin("DELETE", "/bans/127.0.0.1").status, 204);
    assert_eq!(Request::get("/").send(gateway.address()).status, 200);
    assert_eq!(action(&gateway.events(2)[0]), "screen.banned");
}

/// Secrets of clients and of ours, in every place where a client can put one, in no place where we write.
#[test]
fn no_secret_in_any_sink() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = Setup::new(&format!(
        r#"{ISSUERS}
waf: {{ standard: {{ rules: [builtin] }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: standard }}
routes:
  - {{ id: token, match: {{ path: /token }}, to: web, auth: {{ issuers: [corp] }} }}
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .args(&["--log", "debug"])
    .start();
    let good = tokens.with(&json!({ "sub": "ada-secret-subject" }));
    let attack = "1' UNION SELECT card FROM users--";
    let send = |request: Request| _ = request.send(gateway.address());
    send(Request::get("/token").bearer(&good));
    send(Request::get("/token").bearer(&format!("{good}x")));
    send(Request::get(&format!("/token?access_token={good}")));
    send(Request::get("/?password=hunter2hunter2&token=tok-secret-1"));
    send(Request::get("/").header("cookie", &format!("session=ck-secret-1 {attack}")));
    send(Request::get("/").header("authorization", "Basic YmFzaWMtc2VjcmV0LTE6eA=="));
    send(Request::new("POST", "/").form(&format!("password=pw-secret-1 {attack}&user=a")));
    send(Request::new("POST", "/").json(&json!({ "password": format!("js-secret-1 {attack}") })));
    send(Request::get("/").header("x-api-key", &format!("ak-secret-1 {attack}")));
    raw(
        gateway.address(),
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer hd-secret-1\r\nX : y\r\n\r\n",
    );
    gateway.events(10);
    let sinks = [
        ("access log", gateway.access_log()),
        ("log", gateway.log()),
        ("metrics", gateway.metrics()),
        ("config", gateway.admin("GET", "/config").text()),
        ("routes", gateway.admin("GET", "/routes").text()),
    ];
    let signature = good.rsplit('.').next().unwrap();
    let claims = good.split('.').nth(1).unwrap();
    let secrets = [
        signature,
        claims,
        ADMIN_TOKEN,
        "ada-secret-subject",
        "hunter2hunter2",
        "tok-secret-1",
        "ck-secret-1",
        "YmFzaWMtc2VjcmV0LTE6eA",
        "pw-secret-1",
        "js-secret-1",
        "ak-secret-1",
        "hd-secret-1",
    ];
    for (sink, text) in &sinks {
        assert!(!text.is_empty(), "{sink}");
        for secret in secrets {
            assert!(!text.contains(secret), "{sink} holds {secret}");
        }
    }
}

#[test]
fn traces_are_continued_for_whom_we_trust() {
    let origin = Origin::echo();
    for (trust, continued) in [("127.0.0.0/8", true), ("10.0.0.0/8", false)] {
        let gateway = Setup::new(&format!(
            r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", trace: {{ trust: [{trust}] }} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
            origin.address()
        ))
        .start();
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let answer = Request::get("/")
            .header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-01"))
            .header("tracestate", "vendor=1")
            .send(gateway.address());
        assert_eq!(answer.status, 200);
        let sent = origin.seen().pop().unwrap();
        assert_eq!(sent.all("traceparent").len(), 1);
        assert_eq!(sent.header("traceparent").unwrap().contains(trace), continued);
        assert_eq!(sent.header("tracestate").is_some(), continued);
        assert_eq!(gateway.event()["trace"]["id"] == trace, continued);
    }
}
