//! Requests that can be read two ways, over a raw socket. Each gets one answer that says why, leaves one event, ends
//! its connection, and never reaches the service.

use std::io::Write;
use std::net::Shutdown;

use crate::harness::client::{Client, Request, Response, chunked, connect, raw};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::{Answer, Origin};

/// One route that takes everything and inspects it.
fn guarded(origin: &Origin) -> Setup {
    Setup::new(&format!(
        r#"
waf: {{ standard: {{ rules: [builtin] }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", waf: standard }}
  - {{ id: plain, match: {{ path: "/plain/*" }}, to: web, public: "a test" }}
"#,
        origin.address()
    ))
}

/// A request with `Host` and what else is given, between request line and empty line.
fn with(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a.test\r\n{fields}\r\n").into_bytes()
}

fn get(target: &str) -> Vec<u8> {
    with(&format!("GET {target} HTTP/1.1"), "")
}

fn field(line: &str) -> Vec<u8> {
    with("GET / HTTP/1.1", &format!("{line}\r\n"))
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    let mut bytes = with("POST / HTTP/1.1", &format!("{fields}\r\n"));
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn host(line: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{line}\r\n").into_bytes()
}

/// Sends each, expects its status and code, one event each, and nothing at the service.
#[track_caller]
fn refuses(cases: &[(Vec<u8>, u16, &str)]) {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for (bytes, status, code) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        let answer = Response::only(&raw(gateway.address(), bytes));
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{shown:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
    }
    let events = gateway.stop();
    let seen: Vec<_> = events.iter().map(action).collect();
    let expected: Vec<_> = cases.iter().map(|(_, _, code)| *code).collect();
    assert_eq!(seen, expected);
    origin.expect_nothing();
}

#[test]
fn request_lines() {
    let line = |line: &str| (with(line, ""), 400, "normalise.request_line");
    refuses(&[
        line("GET"),
        line("POST /"),
        line("GET / HTTP/0.9"),
        line("GET  / HTTP/1.1"),
        line("GET / HTTP/1.1 "),
        line("GET /a b HTTP/1.1"),
        line(" GET / HTTP/1.1"),
        line("\tGET / HTTP/1.1"),
        line("GET\t/\tHTTP/1.1"),
        line("G@T / HTTP/1.1"),
        line("GET\0 / HTTP/1.1"),
        line("GET / http/1.1"),
        line("GET / HTTX/1.1"),
        line("GET / HTTP/1.10"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(), 400, "normalise.request_line"),
    ]);
}

/// What knows no status line gets none.
#[test]
fn http_0_9() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for line in ["GET /secret?token=t0ps3cret", "GET / "] {
        assert_eq!(raw(gateway.address(), &with(line, "")), b"", "{line}");
    }
    let events = gateway.stop();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!(action(event), "normalise.request_line");
        assert!(event["http"]["response"]["status_code"].is_null(), "{event}");
    }
    assert_eq!(events[0]["url"]["path"], "/secret");
    assert_eq!(events[0]["url"]["query"], "token=[redacted]");
    origin.expect_nothing();
}

#[test]
fn versions() {
    let line = |line: &str| (with(line, ""), 505, "normalise.version");
    refuses(&[
        line("GET / HTTP/1.2"),
        line("GET / HTTP/2.0"),
        line("GET / HTTP/3.0"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), 505, "normalise.version"),
    ]);
}

#[test]
fn header_fields() {
    let line = |line: &str| (field(line), 400, "normalise.header");
    refuses(&[
        line("X: a\r\n b"),
        line("X: a\r\n\tb"),
        line("X : a"),
        line("X\t: a"),
        line("no colon"),
        line(": no name"),
        line("X: a\0b"),
        line("X: a\x01b"),
        line("X: a\x7fb"),
        line("X: a\rY: b"),
        line("X: a\nY: b"),
        line("X\0Y: a"),
        line("X(Y): a"),
        line("X Y: a"),
        line("Transfer-Encoding : chunked"),
        line("Content-Length\x0b: 5"),
        (b"GET / HTTP/1.1\nHost: a.test\n\n".to_vec(), 400, "normalise.header"),
        (b"GET / HTTP/1.1\r\n Host: a.test\r\n\r\n".to_vec(), 400, "normalise.header"),
        (b"GET / HTTP/1.1\r\nHost: a.test\r\n\n".to_vec(), 400, "normalise.header"),
    ]);
}

/// CL.TE, TE.CL, TE.TE and what else makes two programs disagree about the end of a message.
#[test]
fn framing() {
    let smuggled = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let body = |fields: &str| (post(fields, smuggled), 400, "normalise.framing");
    refuses(&[
        body("Content-Length: 5\r\nTransfer-Encoding: chunked"),
        body("Transfer-Encoding: chunked\r\nContent-Length: 5"),
        body("Content-Length: 0\r\nTransfer-Encoding: chunked"),
        body("Content-Length: 5\r\nContent-Length: 6"),
        body("Content-Length: 5\r\nContent-Length: 5"),
        body("Content-Length: 5, 5"),
        body("Content-Length: -1"),
        body("Content-Length: +5"),
        body("Content-Length: 0x5"),
        body("Content-Length: 5 5"),
        body("Content-Length: 5_0"),
        body("Content-Length:"),
        body("Content-Length: 99999999999999999999999"),
        body("Content-Length: 18446744073709551617"),
        body("Transfer-Encoding: chunked, identity"),
        body("Transfer-Encoding: identity"),
        body("Transfer-Encoding: gzip, chunked"),
        body("Transfer-Encoding: xchunked"),
        body("Transfer-Encoding: \"chunked\""),
        body("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        body("Transfer-Encoding: chunked\r\nTransfer-Encoding: x"),
        body("Transfer-Encoding:"),
        body("Transfer-Encoding: chunked;q=1"),
        (
            b"POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
            400,
            "normalise.framing",
        ),
    ]);
}

#[test]
fn hosts() {
    let line = |line: &str| (host(line), 400, "normalise.host");
    let absolute = |target: &str| (get(target), 400, "normalise.host");
    refuses(&[
        line(""),
        line("Host: a.test\r\nHost: a.test\r\n"),
        line("Host: a.test\r\nhost: b.test\r\n"),
        line("Host:\r\n"),
        line("Host: a b\r\n"),
        line("Host: a/b\r\n"),
        line("Host: user@a.test\r\n"),
        line("Host: a.test, b.test\r\n"),
        line("Host: a..test\r\n"),
        line("Host: a.test:\r\n"),
        line("Host: a.test:0\r\n"),
        line("Host: a.test:99999\r\n"),
        line("Host: a.test:80:80\r\n"),
        line("Host: [::1\r\n"),
        line("Host: [zz]\r\n"),
        line("Host: \u{e4}.test\r\n"),
        absolute("http://b.test/"),
        absolute("http://a.test:81/"),
        absolute("http://user@a.test/"),
        absolute("http:///x"),
    ]);
}

#[test]
fn targets() {
    let target = |target: &str| (get(target), 400, "normalise.target");
    refuses(&[
        target("/#fragment"),
        target("/?a#b"),
        target("/%"),
        target("/%zz"),
        target("/a%2"),
        target("/a\\b"),
        target("/a\u{e4}"),
        target("/?a=\u{e4}"),
        target("/a\x01"),
        target("/?\x7f"),
        target("relative"),
        target("*"),
        target("ftp://a.test/"),
        target("http://a.test?x"),
        target("a.test:443"),
        target(&format!("/{}", "a".repeat(8192))),
        (b"GET /\xff\xfe HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(), 400, "normalise.target"),
    ]);
}

#[test]
fn paths() {
    let path = |path: &str| (get(path), 400, "normalise.path");
    // These are refused by their route, on a connection that could go on: the client asks to end it.
    let by_route = |target: &str| {
        (with(&format!("GET {target} HTTP/1.1"), "Connection: close\r\n"), 400, "normalise.path")
    };
    refuses(&[
        path("/.."),
        path("/../etc/passwd"),
        path("/a/../../b"),
        path("/%2e%2e/b"),
        path("/.%2E/b"),
        path("/a%00b"),
        by_route("/a%2fb"),
        by_route("/a%2F..%2Fb"),
        by_route("/a%5cb"),
    ]);
}

#[test]
fn heads_beyond_their_bound() {
    let many = "X: y\r\n".repeat(100);
    refuses(&[
        (field(&format!("X: {}", "y".repeat(40_000))), 431, "normalise.head_too_large"),
        (with("GET / HTTP/1.1", &many), 431, "normalise.head_too_large"),
        (vec![b'A'; 40_000], 431, "normalise.head_too_large"),
        (
            format!("GET / HTTP/1.1\r\n{}", "A".repeat(40_000)).into_bytes(),
            431,
            "normalise.head_too_large",
        ),
    ]);
}

/// A flood that never ends is cut off with its answer, long before it could fill anything.
#[test]
fn endless_heads_are_cut_off() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let mut client = Client::connect(gateway.address());
    client.offer(b"GET / HTTP/1.1\r\n");
    for _ in 0..64 {
        client.offer(&b"X-Flood: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(64));
    }
    assert_eq!(client.response().code(), "normalise.head_too_large");
    assert_eq!(action(&gateway.event()), "normalise.head_too_large");
    origin.expect_nothing();
}

#[test]
fn heads_that_take_too_long() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", bounds: {{ head_timeout: 200ms }} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ));
    let answer = Response::only(&raw(gateway.address(), b"GET / HTTP/1.1\r\nHost: a.te"));
    assert_eq!((answer.status, answer.code().as_str()), (408, "normalise.head_timeout"));
    assert_eq!(action(&gateway.event()), "normalise.head_timeout");
    origin.expect_nothing();
}

#[test]
fn a_connection_that_ends_within_the_head() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let mut socket = connect(gateway.address());
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a.te").unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(Client::over(socket).response().code(), "normalise.header");
    assert_eq!(action(&gateway.event()), "normalise.header");
    origin.expect_nothing();
}

/// Chunk framing that two programs could read differently.
const BROKEN_CHUNKS: [&str; 14] = [
    "zz\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\nzz\r\nx\r\n0\r\n\r\n",
    "-1\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "2;\nxx\r\n10\r\n\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX y\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\n\r\n\r\n",
    "5\r\nhello\r\n0\r\n\rX",
];

/// What comes with the head is judged with it.
#[test]
fn chunks_behind_their_head() {
    let cases: Vec<_> = BROKEN_CHUNKS
        .iter()
        .map(|body| (post("Transfer-Encoding: chunked", body), 400, "normalise.framing"))
        .collect();
    refuses(&cases);
}

/// What comes later is judged before anybody takes it for data; the rules want the body first, so the service sees
/// nothing.
#[test]
fn chunks_of_inspected_bodies() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for body in BROKEN_CHUNKS {
        let mut client = Client::connect(gateway.address());
        client.send(
            &Request::new("POST", "/")
                .header("expect", "100-continue")
                .header("transfer-encoding", "chunked")
                .bytes(),
        );
        assert_eq!(client.response().status, 100, "the head was read");
        client.offer(body.as_bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.code().as_str()), (400, "normalise.framing"), "{body:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{body:?}");
        client.expect_close();
    }
    let events = gateway.stop();
    assert_eq!(events.len(), BROKEN_CHUNKS.len());
    assert!(events.iter().all(|event| action(event) == "normalise.framing"));
    origin.expect_nothing();
}

/// Where nothing is inspected the head is gone already; the service must not take what it has for a whole request.
#[test]
fn chunks_of_streamed_bodies() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for (index, body) in BROKEN_CHUNKS.iter().enumerate() {
        let mut client = Client::connect(gateway.address());
        client
            .send(&Request::new("POST", "/plain/x").header("transfer-encoding", "chunked").bytes());
        eventually("the head is at the service", || (origin.seen().len() > index).then_some(()));
        client.offer(body.as_bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.code().as_str()), (400, "normalise.framing"), "{body:?}");
        client.expect_close();
    }
    let events = gateway.stop();
    assert!(events.iter().all(|event| action(event) == "normalise.framing"));
    assert!(origin.seen().iter().all(|seen| !seen.complete), "{:?}", origin.seen());
}

/// Extensions and trailers are read and go no further.
#[test]
fn chunk_extensions_and_trailers_end_here() {
    let origin = Origin::start(|seen| Answer::ok(&seen.body));
    let gateway = guarded(&origin).start();
    for path in ["/x", "/plain/x"] {
        let head = Request::new("POST", path).header("transfer-encoding", "chunked").bytes();
        let body =
            b"5;name=\"value\"\r\nhello\r\n00A\r\n0123456789\r\n0;last\r\nX-Trailer: y\r\n\r\n";
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            client.send(&[head.as_slice(), body].concat());
            assert_eq!(client.response().text(), "hello0123456789");
        }
    }
    assert!(origin.requests(4).iter().all(|seen| !seen.names().contains(&"x-trailer".into())));
}

#[test]
fn absolute_targets_become_paths() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for (target, path) in
        [("http://a.test/x?y=1", "/x?y=1"), ("HTTP://A.test", "/"), ("https://a.test/z", "/z")]
    {
        let answer = Request::get(target).host("a.test").send(gateway.address());
        assert_eq!(answer.text(), format!("GET {path} HTTP/1.1"), "{target}");
    }
}

#[test]
fn one_spelling_reaches_the_service() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let cases = [
        ("/plain/a/./b/../c", "/plain/a/c"),
        ("//plain//x", "/plain/x"),
        ("/pl%61in/x", "/plain/x"),
        ("/plain/%c3%a4", "/plain/%C3%A4"),
        ("/plain/a|b", "/plain/a%7Cb"),
        ("/plain/x?q=a|b", "/plain/x?q=a%7Cb"),
    ];
    for (sent, forwarded) in cases {
        let answer = Request::get(sent).send(gateway.address());
        assert_eq!(answer.text(), format!("GET {forwarded} HTTP/1.1"), "{sent}");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::start(|seen| Answer::ok(format!("{} {}", seen.target(), seen.body.len())));
    let gateway = guarded(&origin).start();
    let mut client = Client::connect(gateway.address());
    let requests = [
        Request::get("/1").bytes(),
        Request::new("POST", "/2").form("a=1").bytes(),
        Request::get("/3").bytes(),
        Request::new("POST", "/plain/4").body("12345").bytes(),
        Request::get("/5").bytes(),
    ];
    client.send(&requests.concat());
    let answers: Vec<_> = (0..5).map(|_| client.response().text()).collect();
    assert_eq!(answers, ["/1 0", "/2 3", "/3 0", "/plain/4 5", "/5 0"]);
    assert_eq!(gateway.events(5).len(), 5);
}

/// What follows a chunked body is the next request, however the bytes come.
#[test]
fn a_request_behind_a_chunked_body() {
    for path in ["/x", "/plain/x"] {
        for piece in [1, 7, 1_000] {
            let origin =
                Origin::start(|seen| Answer::ok(format!("{} {}", seen.target(), seen.body.len())));
            let gateway = guarded(&origin).start();
            let mut client = Client::connect(gateway.address());
            let head = Request::new("POST", path).header("transfer-encoding", "chunked").bytes();
            let body = chunked(&[b"hello", b"world"]);
            let requests = [head, body, Request::get("/next").bytes()].concat();
            for bytes in requests.chunks(piece) {
                client.send(bytes);
            }
            assert_eq!(client.response().text(), format!("{path} 10"), "{piece}");
            assert_eq!(client.response().text(), "/next 0", "{piece}");
            drop(client);
            assert_eq!(gateway.stop().len(), 2);
        }
    }
}

/// A body that looks like a request stays a body.
#[test]
fn bodies_are_not_requests() {
    let origin = Origin::start(|seen| Answer::ok(format!("{} {}", seen.target(), seen.body.len())));
    let gateway = guarded(&origin).start();
    let inner = Request::get("/smuggled").bytes();
    let mut client = Client::connect(gateway.address());
    client.send(&Request::new("POST", "/plain/outer").body(&inner).bytes());
    assert_eq!(client.response().text(), format!("/plain/outer {}", inner.len()));
    // A body where none is expected.
    client.send(&Request::get("/plain/get").body(&inner).bytes());
    assert_eq!(client.response().text(), format!("/plain/get {}", inner.len()));
    drop(client);
    assert_eq!(gateway.stop().len(), 2);
    assert_eq!(origin.seen().len(), 2);
}

/// After a refusal nothing that follows on the connection is served.
#[test]
fn nothing_behind_a_malformed_request_is_served() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let bytes = [field("X : y"), Request::get("/behind").bytes()].concat();
    let answer = Response::only(&raw(gateway.address(), &bytes));
    assert_eq!(answer.code(), "normalise.header");
    assert_eq!(gateway.stop().len(), 1);
    origin.expect_nothing();
}

/// The body of a refused request must not become a request, whether it was read before the refusal or not.
#[test]
fn the_body_of_a_refused_request_is_not_a_request() {
    let inner = Request::get("/plain/smuggled").bytes();
    for (target, code) in [("/?q=1'+or+'1'='1'--", "waf.blocked"), ("/plain/%2f", "normalise.path")]
    {
        let origin = Origin::echo();
        let gateway = guarded(&origin).start();
        let mut client = Client::connect(gateway.address());
        client.offer(&Request::new("POST", target).body(&inner).bytes());
        client.offer(&Request::get("/plain/next").header("connection", "close").bytes());
        assert_eq!(client.response().code(), code);
        let rest = String::from_utf8(client.rest()).unwrap();
        assert!(rest.is_empty() || rest.contains("/plain/next"), "{rest}");
        assert!(!rest.contains("smuggled"), "{rest}");
        gateway.stop();
        assert!(origin.seen().iter().all(|seen| seen.target() == "/plain/next"));
    }
}

#[test]
fn hop_by_hop_fields_end_here() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let answer = Request::get("/")
        .header("connection", "keep-alive, x-secret")
        .header("x-secret", "1")
        .header("keep-alive", "timeout=5")
        .header("proxy-connection", "keep-alive")
        .header("te", "trailers")
        .send(gateway.address());
    assert_eq!(answer.status, 200);
    let names = origin.request().names();
    for gone in ["x-secret", "keep-alive", "proxy-connection", "te", "upgrade"] {
        assert!(!names.iter().any(|name| name == gone), "{gone}: {names:?}");
    }
}

/// `Connection` cannot be used to remove what the gateway says.
#[test]
fn connection_cannot_remove_fields_of_ours() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for protected in ["host", "x-forwarded-for", "close, Host"] {
        let answer = Request::get("/").header("connection", protected).send(gateway.address());
        assert_eq!(answer.code(), "normalise.framing", "{protected}");
    }
    origin.expect_nothing();
    let names = "x-request-id, traceparent, content-length";
    let answer =
        Request::new("POST", "/").header("connection", names).form("a=1").send(gateway.address());
    assert_eq!(answer.status, 200);
    let seen = origin.request();
    for (name, count) in
        [("x-forwarded-for", 1), ("x-request-id", 1), ("traceparent", 1), ("host", 1)]
    {
        assert_eq!(seen.all(name).len(), count, "{name}: {seen:?}");
    }
    assert_eq!(seen.body, b"a=1");
}

/// Fields by which a client could claim what only proxies may say.
#[test]
fn override_fields_never_reach_the_service() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    let names = [
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-HTTP-Method",
        "X-Real-IP",
        "Forwarded",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
    ];
    for spelling in [str::to_owned as fn(&str) -> String, |name| name.replace('-', "_")] {
        let request = names
            .iter()
            .fold(Request::get("/plain/x"), |one, name| one.header(&spelling(name), "spoofed"));
        assert_eq!(request.send(gateway.address()).status, 200);
    }
    for seen in origin.requests(2) {
        assert!(!seen.text().contains("spoofed"), "{}", seen.text());
    }
}

/// `Upgrade` must not carry a body past the rules.
#[test]
fn an_upgrade_does_not_hide_a_body() {
    let attack = "q=1' UNION SELECT password FROM users--";
    for fields in [
        [("connection", "upgrade"), ("upgrade", "websocket")],
        [("connection", "keep-alive"), ("upgrade", "websocket")],
        [("connection", "upgrade"), ("upgrade", "h2c")],
        [("connection", "upgrade"), ("upgrade", "anything")],
    ] {
        let origin = Origin::echo();
        let gateway = guarded(&origin).start();
        let request = fields
            .iter()
            .fold(Request::new("POST", "/"), |one, (name, value)| one.header(name, value));
        let bytes = request.clone().form(attack).bytes();
        let answer = Response::only(&raw(gateway.address(), &bytes));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "normalise.framing"),
            "{fields:?}"
        );

        let head = request
            .header("content-type", "application/x-www-form-urlencoded")
            .header("transfer-encoding", "chunked");
        let bytes = [head.bytes(), chunked(&[attack.as_bytes()])].concat();
        let answer = Response::only(&raw(gateway.address(), &bytes));
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "normalise.framing"),
            "{fields:?}"
        );
        origin.expect_nothing();
    }
}
