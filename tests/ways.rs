//! Two ways lead through the edge: the direct one, which most requests take, and the framework's. What the client
//! and the service see of a request does not tell which way it went.

use std::net::SocketAddr;
use std::sync::{Arc, Barrier};

use serde_json::Value;

use crate::harness::client::{Client, Request, Response, chunked};
use crate::harness::gateway::{Gateway, action};
use crate::harness::h2::H2Origin;
use crate::harness::origin::{Answer, Origin, Seen};

fn config(service: SocketAddr, more: &str) -> String {
    format!(
        r#"
services: {{ web: {{ endpoints: ["{service}"], timeouts: {{ response: 2s }} }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}{more}]
"#
    )
}

/// A request that goes the direct way, and one that differs only in what makes it go the other: a field that its
/// `Connection` names has to be taken off, which is the framework's work.
fn both_ways(target: &str) -> [Request; 2] {
    let direct = Request::get(target).header("accept", "*/*").header("x-one", "1");
    let other = direct.clone().header("connection", "x-hop").header("x-hop", "1");
    [direct, other]
}

/// Status, fields that the way has no say in, and body.
fn essence(response: &Response) -> (u16, Vec<(String, String)>, Vec<u8>) {
    let own = ["connection", "date", "x-request-id", "content-length", "transfer-encoding"];
    let mut fields = response.headers.clone();
    fields.retain(|(name, _)| !own.contains(&name.as_str()));
    fields.sort();
    (response.status, fields, response.body.clone())
}

/// Bytes of an answer, and the status and body that the client gets. The connection to the service closes after it.
const ANSWERS: &[(&str, &str, u16, &str)] = &[
    ("/length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"1\"\r\n\r\nhello", 200, "hello"),
    ("/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
    ("/until-close", "HTTP/1.1 200 OK\r\n\r\nall of it", 200, "all of it"),
    ("/until-close-1.0", "HTTP/1.0 200 OK\r\n\r\nall of it", 200, "all of it"),
    (
        "/chunks",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        200,
        "hello world",
    ),
    (
        "/trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n",
        200,
        "hi",
    ),
    // The coding decides, not the length beside it (RFC 9112 §6.3).
    (
        "/both",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        200,
        "hi",
    ),
    (
        "/length-twice",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        200,
        "hi",
    ),
    ("/no-content", "HTTP/1.1 204 No Content\r\nX-Two: 2\r\n\r\n", 204, ""),
    (
        "/not-modified",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\nETag: \"1\"\r\n\r\n",
        304,
        "",
    ),
    (
        "/inside",
        "HTTP/1.1 200 OK\r\nServer: x/1\r\nX-Powered-By: y\r\nX-Request-Id: z\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        200,
        "hi",
    ),
    (
        "/nosniff",
        "HTTP/1.1 200 OK\r\nX-Content-Type-Options: none\r\nContent-Length: 0\r\n\r\n",
        200,
        "",
    ),
    ("/latin-1", "HTTP/1.1 200 OK\r\nX-Name: J\u{f6}rg\r\nContent-Length: 0\r\n\r\n", 200, ""),
    (
        "/too-much",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\n\r\n",
        200,
        "hi",
    ),
    ("/error", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops", 500, "oops"),
];

#[test]
fn answers_are_the_same_both_ways() {
    let origin = Origin::start(|seen| {
        let target = seen.target();
        let (_, bytes, ..) = ANSWERS.iter().find(|(path, ..)| *path == target).unwrap();
        Answer::bytes(bytes)
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    for (path, _, status, body) in ANSWERS {
        let [direct, other] = both_ways(path).map(|request| {
            let mut client = Client::connect(gateway.address());
            client.send(&request.bytes());
            let response = client.response();
            // The client's connection lives on behind it.
            client.send(&Request::get("/empty").bytes());
            assert_eq!(client.response().status, 200, "{path}");
            response
        });
        assert_eq!((direct.status, direct.text().as_str()), (*status, *body), "{path}");
        assert_eq!(essence(&direct), essence(&other), "{path}");
        for hidden in ["server", "x-powered-by", "connection"] {
            assert_eq!(direct.header(hidden), None, "{path}");
        }
        assert_ne!(direct.header("x-request-id"), Some("z"), "{path}");
        let dates = direct.headers.iter().filter(|(name, _)| name == "date").count();
        assert_eq!(dates, 1, "{path}");
    }
}

/// What no client may be given: it would not know where the answer ends, or take it for something else.
#[test]
fn bad_answers_are_refused_both_ways() {
    const BAD: &[(&str, &str)] = &[
        ("/lengths-differ", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!"),
        ("/no-length", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nhi"),
        ("/negative", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi"),
        (
            "/switch",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        ),
        ("/control", "HTTP/1.1 200 OK\r\nX-A: b\u{0}c\r\nContent-Length: 0\r\n\r\n"),
        ("/nonsense", "SSH-2.0-OpenSSH_9.2\r\n\r\n"),
        ("/cut", "HTTP/1.1 200 OK\r\nConte"),
    ];
    let origin = Origin::start(|seen| {
        let target = seen.target();
        Answer::bytes(BAD.iter().find(|(path, _)| *path == target).unwrap().1)
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    for (path, _) in BAD {
        for request in both_ways(path) {
            let answer = request.send(gateway.address());
            assert_eq!((answer.status, answer.code().as_str()), (502, "upstream.broken"), "{path}");
        }
    }
    let events = gateway.events(2 * BAD.len());
    assert!(events.iter().all(|event| action(event) == "upstream.broken"), "{events:?}");
}

#[test]
fn requests_are_the_same_both_ways() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&config(origin.address(), ""));
    let targets = [
        "/a?b=c",
        "/a%20b",
        "//x/../y?q=%27",
        "/?",
        "http://gateway.test/abs?x=1",
        "/caf%c3%a9;v=1",
    ];
    for target in targets {
        for request in both_ways(target) {
            let claims = request
                .header("x-forwarded-for", "9.9.9.9")
                .header("x_real_ip", "9.9.9.9")
                .header("traceparent", "00-11111111111111111111111111111111-1111111111111111-01")
                .header("tracestate", "a=b")
                .header("x-yett-subject", "root")
                .header("x-request-id", "mine")
                .header("cookie", "a=1")
                .header("cookie", "b=2");
            assert_eq!(claims.send(gateway.address()).status, 200, "{target}");
        }
    }
    let seen = origin.requests(2 * targets.len());
    for pair in seen.chunks(2) {
        let [direct, other] = pair else { unreachable!("an even number of requests") };
        assert_eq!(direct.line(), other.line());
        assert_eq!(fields(direct), fields(other), "{}", direct.line());
        assert_eq!(direct.all("x-forwarded-for"), ["127.0.0.1"]);
        assert_eq!(direct.all("cookie"), ["a=1", "b=2"]);
        assert_eq!(direct.all("traceparent").len(), 1);
        for ours in ["x_real_ip", "tracestate", "x-yett-subject", "connection", "x-hop"] {
            assert!(!direct.names().contains(&ours.to_owned()), "{ours}: {}", direct.text());
        }
    }
}

/// A body of declared length is read whole on the direct way; in chunks it goes the framework's.
#[test]
fn bodies_are_the_same_both_ways() {
    let origin = Origin::start(|seen| Answer::ok(&seen.body));
    for waf in ["\"off\"", "standard"] {
        let gateway = Gateway::start(&guarded(origin.address(), waf));
        for size in [0, 1, 100, 2_000, 60_000, 65_536, 65_537, 100_000] {
            let body = "word ".repeat(size / 5 + 1)[..size].to_owned();
            let post = Request::new("POST", "/x").header("content-type", "text/plain");
            let declared = post.clone().body(&body).bytes();
            let mut pieces = post.header("transfer-encoding", "chunked").bytes();
            pieces.extend(match size {
                0 => chunked(&[]),
                _ => chunked(&[body.as_bytes()]),
            });
            let mut client = Client::connect(gateway.address());
            for request in [declared, pieces] {
                client.send(&request);
                let answer = client.response();
                assert_eq!((answer.status, answer.body.len()), (200, size), "waf {waf}");
                assert_eq!(answer.text(), body);
            }
        }
        for event in gateway.events(16).chunks(2) {
            let bytes = |event: &Value| event["http"]["request"]["body"]["bytes"].clone();
            assert_eq!(bytes(&event[0]), bytes(&event[1]), "waf {waf}");
        }
    }
}

/// What came with the head, what comes later, and what comes with the next request, are told apart.
#[test]
fn a_body_that_comes_in_pieces() {
    let origin = Origin::start(|seen| Answer::ok(format!("{} {:?}", seen.line(), seen.body.len())));
    let gateway = Gateway::start(&guarded(origin.address(), "standard"));
    let mut client = Client::connect(gateway.address());
    let request = Request::new("POST", "/x").form(&"a=b&".repeat(300)).bytes();
    let next = Request::get("/next").bytes();
    let both = [request.as_slice(), &next].concat();
    for cut in
        [10, request.len() - 1200, request.len() - 1199, request.len() - 1, request.len() + 5]
    {
        client.send(&both[..cut]);
        // The gateway reads what is there before more comes.
        let other = Request::get("/other").send(gateway.address());
        assert_eq!(other.status, 200);
        client.send(&both[cut..]);
        assert_eq!(client.response().text(), "POST /x HTTP/1.1 1200", "cut at {cut}");
        assert_eq!(client.response().text(), "GET /next HTTP/1.1 0", "cut at {cut}");
    }
}

/// An attack in a body is refused whichever way it takes, and the service sees nothing of it.
#[test]
fn attacks_in_bodies_are_refused_both_ways() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&guarded(origin.address(), "standard"));
    let attack = "id=1' UNION SELECT password FROM users -- ";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let mut pieces = Request::new("POST", "/x")
        .header(form.0, form.1)
        .header("transfer-encoding", "chunked")
        .bytes();
    pieces.extend(chunked(&[attack.as_bytes()]));
    let late = format!("note={}&{attack}", "word+".repeat(2_000));
    for bytes in [
        Request::new("POST", "/x").form(attack).bytes(),
        Request::new("POST", "/x").form(&late).bytes(),
        pieces,
    ] {
        let mut client = Client::connect(gateway.address());
        client.send(&bytes);
        let answer = client.response();
        assert_eq!((answer.status, answer.code().as_str()), (403, "waf.blocked"));
    }
    origin.expect_nothing();
}

/// A refusal reaches a client that is still sending, and its connection ends: what it sends is no request.
#[test]
fn a_refusal_reaches_a_client_that_still_sends() {
    let origin = Origin::echo();
    let get = r#", { id: get, match: { path: /get, methods: [GET] }, to: web, public: "a test" }]"#;
    let config = guarded(origin.address(), "standard").replace("\"/*\"", "/x");
    let gateway = Gateway::start(&config.replace("]\n", get));
    let smuggled = Request::get("/smuggled").bytes();
    for (target, length, status) in [("/get", 100_000, 405), ("/x", 10_000_000, 413)] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n"
        );
        let mut client = Client::connect(gateway.address());
        client.offer(&[head.as_bytes(), &smuggled.repeat(200)].concat());
        assert_eq!(client.response().status, status, "{target}");
        client.expect_close();
    }
    origin.expect_nothing();
}

fn guarded(service: SocketAddr, waf: &str) -> String {
    let config = config(service, "").replace("to: web", &format!("to: web, waf: {waf}"));
    format!("waf: {{ standard: {{ rules: [builtin], body: {{ inspect: 128KiB }} }} }}\n{config}")
}

/// Fields of a request at the service but for those that are new each time.
fn fields(seen: &Seen) -> Vec<(String, Vec<String>)> {
    let mut names = seen.names();
    names.sort();
    names.dedup();
    names.retain(|name| name != "traceparent" && name != "x-request-id");
    names.into_iter().map(|name| (name.clone(), seen.all(&name))).collect()
}

/// A head that the service announces its answer with goes on at once (RFC 8297).
#[test]
fn early_hints_pass() {
    let origin = Origin::start(|_| {
        Answer::stream(|wire| {
            let hints =
                b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nServer: x\r\n\r\n";
            wire.write_all(hints).unwrap();
            wire.flush().unwrap();
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        })
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    for request in both_ways("/") {
        let mut client = Client::connect(gateway.address());
        client.send(&request.bytes());
        let hints = client.response();
        assert_eq!(hints.status, 103);
        assert_eq!(hints.header("link"), Some("</a.css>; rel=preload"));
        assert_eq!(hints.header("server"), None);
        let answer = client.response();
        assert_eq!((answer.status, answer.text().as_str()), (200, "hi"));
    }
}

/// A stream is heard while it goes on, not at its end.
#[test]
fn what_a_service_says_slowly_is_heard_at_once() {
    let origin = Origin::start(|_| {
        Answer::stream(|wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").unwrap();
            wire.write_all(b"data: 1\n\n").unwrap();
            wire.flush().unwrap();
            // Only the gateway's leaving ends it.
            let _ = wire.read(&mut [0; 1]);
        })
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/").bytes());
    assert!(client.head().starts_with(b"HTTP/1.1 200"));
    assert_eq!(client.chunk(), b"data: 1\n\n");
    drop(client);
    assert_eq!(gateway.event()["yett"]["outcome"], "client_gone");
}

/// Nobody needs an answer any more: the service is told by the end of its connection.
#[test]
fn a_client_that_leaves_ends_the_request() {
    let origin = Origin::start(|_| Answer::Silence);
    let gateway = Gateway::start(&config(origin.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/").bytes());
    origin.request();
    drop(client);
    let event = gateway.event();
    assert_eq!(event["yett"]["outcome"], "client_gone");
    assert_eq!(event["http"]["response"]["status_code"], Value::Null, "{event}");
}

/// A failure of the service is answered, and the client keeps its connection.
#[test]
fn a_failure_does_not_cost_the_connection() {
    let origin = Origin::start(|seen| match seen.target().as_str() {
        "/close" => Answer::Close,
        _ => Answer::ok("well"),
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    let mut client = Client::connect(gateway.address());
    for (path, status) in [("/close", 502), ("/", 200), ("/close", 502), ("/", 200)] {
        client.send(&Request::get(path).bytes());
        assert_eq!(client.response().status, status, "{path}");
    }
}

/// The service closes kept connections as it likes: a request that met such a moment is sent again, where it may be.
#[test]
fn a_kept_connection_that_died_costs_no_request() {
    let origin = Origin::start(|seen| match seen.target().as_str() {
        // Promises to keep the connection, and closes it.
        "/last" => Answer::bytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
        _ => Answer::ok("hi"),
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..50 {
        for path in ["/last", "/"] {
            client.send(&Request::get(path).bytes());
            assert_eq!(client.response().status, 200, "{path}");
        }
    }
}

/// A service that talks unasked does not get to answer the next request with it: neither with the answer before, nor
/// later, when the connection is idle.
#[test]
fn what_a_service_says_unasked_answers_nobody() {
    let turn = Arc::new(Barrier::new(2));
    let origin = Origin::start({
        let turn = turn.clone();
        move |seen| {
            let (target, turn) = (seen.target(), turn.clone());
            Answer::stream(move |wire| {
                let first = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";
                let poison = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\npoisoned";
                match target.as_str() {
                    "/at-once" => wire.write_all(&[first.as_slice(), poison].concat()).unwrap(),
                    "/later" => {
                        wire.write_all(first).unwrap();
                        turn.wait();
                        wire.write_all(poison).unwrap();
                        turn.wait();
                    }
                    _ => wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap(),
                }
                let _ = wire.read(&mut [0; 1]);
            })
        }
    });
    let gateway = Gateway::start(&config(origin.address(), ""));
    for path in ["/at-once", "/later"].repeat(5) {
        let mut client = Client::connect(gateway.address());
        client.send(&Request::get(path).bytes());
        assert_eq!(client.response().text(), "first");
        if path == "/later" {
            turn.wait();
            turn.wait();
        }
        client.send(&Request::get("/next").bytes());
        assert_eq!(client.response().text(), "hi", "after {path}");
    }
}

/// The last request of a client gets its answer, and the end.
#[test]
fn a_client_that_says_close_gets_it() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&config(
        origin.address(),
        r#", { id: own, match: { path: /own }, respond: { status: 200, body: "own" }, public: "a test" }"#,
    ));
    for path in ["/", "/own", "/%zz"] {
        let mut client = Client::connect(gateway.address());
        client.send(&Request::get(path).header("connection", "Close").bytes());
        assert_eq!(client.response().header("connection"), Some("close"), "{path}");
        client.expect_close();
    }
}

/// What is decided on the direct way is not decided again when only the framework can carry the request.
#[test]
fn services_over_http2_are_reached_by_the_framework() {
    let origin = H2Origin::start(None);
    let config = config(origin.address(), "").replace("timeouts:", "protocol: h2, timeouts:");
    let limited = format!(
        "limits: {{ all: {{ rate: 1/1m, burst: 3, key: client.ip }} }}\ndefaults: {{ limits: [all] }}\n{config}"
    );
    let gateway = Gateway::start(&limited);
    let mut client = Client::connect(gateway.address());
    for status in [200, 200, 200, 429, 429] {
        client.send(&Request::get("/x").bytes());
        assert_eq!(client.response().status, status);
    }
    let events = gateway.events(5);
    assert_eq!(events[0]["yett"]["route"], "web", "{}", events[0]);
    assert_eq!(origin.seen().len(), 3);
}
