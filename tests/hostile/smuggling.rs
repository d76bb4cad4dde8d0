//! Where one request ends and the next begins: nothing else is ever taken for a request.

use super::{field, guarded};
use crate::harness::client::{Client, Request, Response, chunked, raw};
use crate::harness::origin::{Answer, Origin};

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
