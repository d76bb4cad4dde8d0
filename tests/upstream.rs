//! Where a request goes, and what happens when it does not arrive.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::h2::H2Origin;
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::Authority;

fn config(endpoints: &[SocketAddr], service: &str) -> String {
    let endpoints: Vec<String> = endpoints.iter().map(|address| format!("\"{address}\"")).collect();
    format!(
        r#"
services: {{ web: {{ endpoints: [{}], {service} }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        endpoints.join(", ")
    )
}

fn named(name: &'static str) -> Origin {
    Origin::start(move |_| Answer::ok(name))
}

/// An address where nobody listens.
fn dead() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn round_robin_spreads_evenly() {
    let (a, b) = (named("a"), named("b"));
    let gateway = Gateway::start(&config(&[a.address(), b.address()], "balance: round_robin"));
    for _ in 0..10 {
        assert_eq!(Request::get("/").send(gateway.address()).status, 200);
    }
    assert_eq!((a.seen().len(), b.seen().len()), (5, 5));
}

#[test]
fn least_request_avoids_the_busy_one() {
    let held = || {
        Origin::start(
            |seen| if seen.target() == "/hold" { Answer::Silence } else { Answer::ok("") },
        )
    };
    let (a, b) = (held(), held());
    let gateway = Gateway::start(&config(&[a.address(), b.address()], "balance: least_request"));
    let mut busy = Client::connect(gateway.address());
    busy.send(&Request::get("/hold").bytes());
    eventually("the held request", || (a.seen().len() + b.seen().len() == 1).then_some(()));
    for _ in 0..8 {
        assert_eq!(Request::get("/").send(gateway.address()).status, 200);
    }
    let (free, held) =
        if a.seen()[..].iter().any(|seen| seen.target() == "/hold") { (b, a) } else { (a, b) };
    assert_eq!((free.seen().len(), held.seen().len()), (8, 1));
}

#[test]
fn a_health_check_takes_an_endpoint_out_and_back() {
    let sick = Arc::new(AtomicBool::new(false));
    let switched = |name: &'static str, sick: Arc<AtomicBool>| {
        Origin::start(move |seen| match seen.target().as_str() {
            "/healthz" if sick.load(Ordering::SeqCst) => Answer::status(500),
            _ => Answer::ok(name),
        })
    };
    let (a, b) = (switched("a", sick.clone()), switched("b", Arc::default()));
    let health = "health: { path: /healthz, interval: 100ms, timeout: 5s, unhealthy_after: 2 }";
    let gateway = Gateway::start(&config(&[a.address(), b.address()], health));
    let answers = || -> Vec<String> {
        (0..4).map(|_| Request::get("/").send(gateway.address()).text()).collect()
    };
    assert!(answers().contains(&"a".to_owned()));
    sick.store(true, Ordering::SeqCst);
    eventually("a is taken out", || answers().iter().all(|text| text == "b").then_some(()));
    assert_eq!(answers(), ["b", "b", "b", "b"]);
    sick.store(false, Ordering::SeqCst);
    eventually("a is taken back", || answers().contains(&"a".to_owned()).then_some(()));
}

#[test]
fn no_healthy_endpoint() {
    let origin = Origin::start(|_| Answer::status(500));
    let health = "health: { path: /healthz, interval: 100ms, unhealthy_after: 1 }";
    let gateway = Gateway::start(&config(&[origin.address()], health));
    let refused = eventually("taken out", || {
        let answer = Request::get("/").send(gateway.address());
        (answer.status == 503).then_some(answer)
    });
    assert_eq!(refused.code(), "upstream.unavailable");
}

#[test]
fn a_dead_endpoint_is_left_for_another() {
    let origin = named("alive");
    let gateway = Gateway::start(&config(
        &[dead(), origin.address()],
        "retries: { attempts: 2, budget: 100% }",
    ));
    for request in [
        Request::get("/"),
        Request::new("POST", "/").body("a=1"),
        Request::get("/"),
        Request::new("POST", "/").body("a=2"),
    ] {
        assert_eq!(request.send(gateway.address()).text(), "alive");
    }
    let bodies: Vec<_> = origin.requests(4).into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [b"".to_vec(), b"a=1".to_vec(), b"".to_vec(), b"a=2".to_vec()]);
    let attempts =
        |event: &serde_json::Value| event["yett"]["upstream"]["attempts"].as_u64().unwrap();
    assert!(gateway.events(4).iter().any(|event| attempts(event) == 2));
}

/// What was sent may have been done: only methods that may be done twice are done twice.
#[test]
fn only_idempotent_requests_are_repeated() {
    let (broken, whole) = (Origin::start(|_| Answer::Close), named("whole"));
    let endpoints = [broken.address(), whole.address()];
    let gateway = Gateway::start(&config(&endpoints, "retries: { attempts: 2, budget: 100% }"));
    for _ in 0..4 {
        assert_eq!(Request::get("/").send(gateway.address()).text(), "whole");
    }
    let before = broken.seen().len() + whole.seen().len();
    let answers: Vec<_> =
        (0..4).map(|_| Request::new("POST", "/").body("a=1").send(gateway.address())).collect();
    assert_eq!(broken.seen().len() + whole.seen().len() - before, 4, "each was sent once");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, answer.code().as_str()), (502, "upstream.broken"));
    }
}

#[test]
fn services_that_fail() {
    let cut = || Answer::bytes("HTTP/1.1 200 OK\r\ncontent-le");
    let origin = Origin::start(move |seen| match seen.target().as_str() {
        "/close" => Answer::Close,
        "/nonsense" => Answer::bytes("220 mail.test ESMTP\r\n\r\n"),
        "/cut" => cut(),
        _ => Answer::Silence,
    });
    let service = "timeouts: { connect: 2s, response: 300ms }, retries: { attempts: 1 }";
    let gateway = Gateway::start(&config(&[origin.address()], service));
    let cases = [
        ("/close", 502, "upstream.broken"),
        ("/nonsense", 502, "upstream.broken"),
        ("/cut", 502, "upstream.broken"),
        ("/silence", 504, "upstream.timeout"),
    ];
    for (path, status, code) in cases {
        let answer = Request::get(path).send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{path}");
    }
    let codes: Vec<String> =
        gateway.events(4).iter().map(|event| action(event).to_owned()).collect();
    assert_eq!(codes, cases.map(|case| case.2));
}

#[test]
fn a_service_that_is_not_there() {
    let gateway = Gateway::start(&config(&[dead()], ""));
    let answer = Request::get("/").send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream.connect"));
    assert_eq!(action(&gateway.event()), "upstream.connect");
}

/// Who was told to continue still gets an answer, and its body still goes to another endpoint.
#[test]
fn a_failure_after_100_continue() {
    let origin = Origin::start(|seen| Answer::ok(&seen.body));
    for (endpoints, status) in [(vec![dead()], 502), (vec![dead(), origin.address()], 200)] {
        let service = "retries: { attempts: 2, budget: 100% }";
        let guarded = config(&endpoints, service).replace("to: web", "to: web, waf: standard");
        let gateway =
            Gateway::start(&format!("waf: {{ standard: {{ rules: [builtin] }} }}\n{guarded}"));
        for _ in 0..2 {
            let mut client = Client::connect(gateway.address());
            let request = Request::new("POST", "/x").header("expect", "100-continue").body("hello");
            let bytes = request.bytes();
            client.send(&bytes[..bytes.len() - 5]);
            assert_eq!(client.response().status, 100);
            client.send(b"hello");
            let answer = client.response();
            assert_eq!(answer.status, status);
            match status {
                200 => assert_eq!(answer.body, b"hello"),
                _ => assert_eq!(answer.code(), "upstream.connect"),
            }
        }
        assert!(
            gateway.stop().iter().all(|event| event["http"]["response"]["status_code"] == status)
        );
    }
}

/// Accepts, and never shakes hands.
#[test]
fn a_handshake_that_does_not_come() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = "tls: { server_name: web.internal, ca: ca.pem }, timeouts: { connect: 300ms }, retries: { attempts: 1 }";
    let gateway = Setup::new(&config(&[listener.local_addr().unwrap()], service))
        .file("ca.pem", Authority::new("internal").pem)
        .start();
    let answer = Request::get("/").send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream.timeout"));
}

/// The client learns that the answer is not whole, and the event says whose fault it was.
#[test]
fn an_answer_that_breaks_off() {
    let origin =
        Origin::start(|_| Answer::bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhello"));
    let gateway = Gateway::start(&config(&[origin.address()], ""));
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/").bytes());
    let head = client.head();
    let rest = client.rest();
    // Whether the break is known before the head is passed on is a matter of moments; a client is never left without.
    match head.starts_with(b"HTTP/1.1 200") {
        true => assert!(b"hello".starts_with(&rest)),
        false => assert!(head.starts_with(b"HTTP/1.1 502")),
    }
    assert_eq!(gateway.event()["yett"]["outcome"], "upstream_error");
}

#[test]
fn connections_are_kept() {
    let origin = named("a");
    let gateway = Gateway::start(&config(&[origin.address()], ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..5 {
        client.send(&Request::get("/").bytes());
        assert_eq!(client.response().status, 200);
    }
    drop(client);
    assert_eq!(origin.connections(), 1);
    let events = gateway.events(5);
    assert_eq!(events[0]["yett"]["upstream"]["reused"], false);
    assert_eq!(events[4]["yett"]["upstream"]["reused"], true);
}

#[test]
fn a_service_over_http2() {
    let authority = Authority::new("internal");
    let leaf = authority.leaf(&["web.internal"]);
    for tls in [false, true] {
        let origin = H2Origin::start(tls.then(|| leaf.server(&["h2"])));
        let service = match tls {
            true => "protocol: h2, tls: { server_name: web.internal, ca: ca.pem }",
            false => "protocol: h2",
        };
        let gateway = Setup::new(&config(&[origin.address()], service))
            .file("ca.pem", &authority.pem)
            .start();
        for index in 0..3 {
            let request = Request::new("POST", &format!("/x?{index}"))
                .header("connection", "x-hop")
                .header("x-hop", "1");
            let answer = request.body("hello").send(gateway.address());
            assert_eq!((answer.status, answer.text()), (200, format!("/x?{index}")), "tls {tls}");
        }
        let seen = origin.seen();
        assert_eq!((seen.len(), origin.connections()), (3, 1), "tls {tls}");
        assert_eq!((seen[0].method.as_str(), seen[0].body.as_ref()), ("POST", b"hello".as_slice()));
        assert_eq!(seen[2].target, "/x?2");
        assert!(!seen[0].headers.contains_key("x-hop"));
    }
}

#[test]
fn a_service_proves_its_name() {
    let (authority, other) = (Authority::new("internal"), Authority::new("another"));
    let leaf = authority.leaf(&["web.internal"]);
    let cases = [
        ("web.internal", &authority, 200),
        ("other.internal", &authority, 502),
        ("web.internal", &other, 502),
    ];
    for (name, ca, status) in cases {
        let origin = Origin::start_tls(leaf.server(&[]), |_| Answer::ok("proved"));
        let service = format!("tls: {{ server_name: {name}, ca: ca.pem }}");
        let gateway =
            Setup::new(&config(&[origin.address()], &service)).file("ca.pem", &ca.pem).start();
        let answer = Request::get("/").send(gateway.address());
        assert_eq!(answer.status, status, "{name}");
        if status == 502 {
            assert_eq!(answer.code(), "upstream.connect");
            assert!(origin.seen().is_empty());
        }
    }
}
