//! Heads that can be read two ways, or that never end.

use std::io::Write;
use std::net::Shutdown;

use super::{field, get, guarded, host, post, refuses, with};
use crate::harness::client::{Client, Response, connect, raw};
use crate::harness::gateway::{Gateway, action};
use crate::harness::origin::Origin;

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
