//! What reaches the service: one spelling of the target, and no field that is not the client's to say.

use super::guarded;
use crate::harness::client::Request;
use crate::harness::origin::Origin;

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
