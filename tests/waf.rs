//! Is it an attack: where the rules look, what they see of a body, and that the service sees nothing before them.

use std::io::Write;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::harness::client::{Client, Request, Response, chunked, connect, raw};
use crate::harness::coding::coded;
use crate::harness::gateway::{Gateway, action};
use crate::harness::h2;
use crate::harness::origin::{Answer, Origin};

const ATTACK: &str = "1' UNION SELECT password FROM users--";
const KIB: usize = 1024;

fn config(origin: &Origin) -> String {
    format!(
        r#"
waf:
  standard: {{ rules: [builtin], body: {{ inspect: 128KiB }} }}
  small: {{ rules: [builtin], body: {{ inspect: 1KiB, timeout: 300ms }} }}
  partial: {{ rules: [builtin], body: {{ inspect: 1KiB, over: partial }} }}
  early: {{ rules: [builtin], early_blocking: true, body: {{ inspect: 1KiB, timeout: 300ms }} }}
  answers: {{ rules: [builtin], response: {{ hold: 10s }} }}
  headless: {{ rules: [builtin], body: {{ inspect: 0B }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: standard }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: small, match: {{ path: "/small" }}, to: web, public: "a test", waf: small }}
  - {{ id: partial, match: {{ path: "/partial" }}, to: web, public: "a test", waf: partial }}
  - {{ id: early, match: {{ path: "/early" }}, to: web, public: "a test", waf: early }}
  - {{ id: sampled, match: {{ path: "/sampled" }}, to: web, public: "a test", waf: {{ sample: 50% }} }}
  - {{ id: leaks, match: {{ path: "/leaks" }}, to: web, public: "a test", waf: answers }}
  - {{ id: borne, match: {{ path: "/leaks-borne" }}, to: web, public: "a test", waf: {{ profile: answers, response: {{ threshold: 1000 }} }} }}
  - {{ id: headless, match: {{ path: "/headless" }}, to: web, public: "a test", waf: headless }}
  - {{ id: watched, match: {{ path: "/watched" }}, to: web, public: "a test", waf: {{ mode: monitor }} }}
  - {{ id: off, match: {{ path: "/off" }}, to: web, public: "a test", waf: "off" }}
  - id: excepted
    match: {{ path: "/excepted" }}
    to: web
    public: "a test"
    waf: {{ except: [{{ tags: [attack-sqli], field: json.note, why: "free text of people" }}] }}
"#,
        origin.address()
    )
}

/// Answers with the size of the body.
fn sizes() -> Origin {
    Origin::start(|seen| Answer::ok(seen.body.len().to_string()))
}

fn gateway(origin: &Origin) -> Gateway {
    Gateway::start(&config(origin))
}

fn multipart(name: &str, value: &str) -> Request {
    let body = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n--frontier--\r\n"
    );
    Request::new("POST", "/x")
        .header("content-type", "multipart/form-data; boundary=frontier")
        .body(body)
}

fn query(text: &str) -> String {
    text.replace(' ', "+")
}

#[test]
fn attacks_are_blocked_wherever_they_are() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let post = || Request::new("POST", "/x");
    let cases = [
        ("query", Request::get(&format!("/x?id={}", query(ATTACK)))),
        (
            "path",
            Request::get("/x/%3Cscript%3Ealert(1)%3C%2Fscript%3E").header("connection", "close"),
        ),
        ("header", Request::get("/x").header("referer", "<script>alert(document.cookie)</script>")),
        (
            "shellshock",
            Request::get("/x").header("user-agent", "() { :;}; /bin/bash -c 'cat /etc/passwd'"),
        ),
        ("cookie", Request::get("/x").header("cookie", &format!("session={ATTACK}"))),
        ("form", post().form(&format!("id={}", query(ATTACK)))),
        ("json", post().json(&json!({ "order": { "note": ATTACK } }))),
        ("json list", post().json(&json!([{ "a": ["fine", ATTACK] }]))),
        ("multipart", multipart("id", ATTACK)),
        ("traversal", Request::get("/x?file=../../../../etc/passwd")),
        ("command", Request::get("/x?host=;cat+/etc/passwd")),
        ("scanner", Request::get("/x").header("user-agent", "sqlmap/1.7")),
    ];
    for (what, request) in &cases {
        let answer = request.send(gateway.address());
        if *what == "path" {
            // The encoded slash is refused by its route already.
            assert_eq!(answer.status, 400);
            continue;
        }
        assert_eq!(answer.status, 403, "{what}");
        assert_eq!(answer.code(), "waf.blocked", "{what}");
        assert!(!answer.text().contains("rule"), "{what}: the client does not learn which rule");
    }
    let events = gateway.events(cases.len());
    let blocked = events.iter().filter(|event| action(event) == "waf.blocked");
    for event in blocked {
        assert_eq!(event["event"]["kind"], "alert");
        assert!(
            event["yett"]["waf"]["score"].as_u64() >= event["yett"]["waf"]["threshold"].as_u64()
        );
        assert!(!event["yett"]["waf"]["matches"].as_array().unwrap().is_empty());
    }
    origin.expect_nothing();
}

/// The head alone is enough: the client is not asked for its body, which never comes. Without the key it is awaited.
#[test]
fn early_blocking_answers_before_the_body_is_read() {
    let origin = sizes();
    let gateway = gateway(&origin);
    for (path, status, code) in
        [("/early", 403, "waf.blocked"), ("/small", 408, "waf.body_timeout")]
    {
        let mut client = Client::connect(gateway.address());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: sqlmap/1.7\r\nContent-Length: 9\r\n\r\n"
        );
        client.send(head.as_bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{path}");
    }
    origin.expect_nothing();
}

/// A route may bear more in its answers than its profile.
#[test]
fn a_route_has_its_own_threshold_for_answers() {
    let leak = "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version";
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{leak}",
        leak.len()
    );
    let origin = Origin::start(move |_| Answer::bytes(&answer));
    let gateway = gateway(&origin);
    let status = |path| Request::get(path).send(gateway.address()).status;
    assert_eq!((status("/leaks"), status("/leaks-borne"), status("/x")), (403, 200, 200));
}

/// Half of the attacks pass, and each of these says in its event that nobody looked.
#[test]
fn a_request_that_is_sampled_out_says_so() {
    const COUNT: usize = 40;
    let origin = sizes();
    let gateway = gateway(&origin);
    let request = Request::get(&format!("/sampled?id={}", query(ATTACK)));
    let statuses: Vec<u16> = (0..COUNT).map(|_| request.send(gateway.address()).status).collect();
    let passed = statuses.iter().filter(|status| **status == 200).count();
    assert!((1..COUNT).contains(&passed), "{passed} of {COUNT} passed");
    for event in gateway.events(COUNT) {
        let waf = &event["yett"]["waf"];
        let expected = if action(&event) == "allowed" { "sampled_out" } else { "whole" };
        assert_eq!(waf["inspected"], expected, "{event:#}");
        assert_eq!(waf["profile"], "standard");
    }
}

#[test]
fn ordinary_requests_pass() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let post = || Request::new("POST", "/x");
    let requests = [
        Request::get("/x?q=rock+%26+roll&page=2"),
        post().form("name=O'Brien&city=S%C3%A3o+Paulo"),
        post().json(
            &json!({ "note": "please select the blue one from the union store", "count": 3 }),
        ),
        multipart("comment", "it's 5 o'clock -- time to go"),
        Request::get("/x").header("cookie", "session=0a1b2c; theme=dark"),
    ];
    for request in &requests {
        assert_eq!(request.send(gateway.address()).status, 200);
    }
    for event in gateway.events(requests.len()) {
        assert_eq!(event["yett"]["waf"]["inspected"], "whole");
    }
}

#[test]
fn monitor_records_and_lets_pass() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let form = format!("id={}", query(ATTACK));
    let request = Request::new("POST", "/watched").form(&form);
    assert_eq!(request.send(gateway.address()).text(), form.len().to_string());
    let event = gateway.event();
    assert_eq!(action(&event), "allowed");
    assert_eq!(event["yett"]["waf"]["mode"], "monitor");
    assert_eq!(event["yett"]["findings"][0]["code"], "waf.blocked");
    assert_eq!(event["yett"]["findings"][0]["enforced"], false);
    assert_eq!(origin.request().body, form.as_bytes());
}

/// Rules about the query hold where bodies are not inspected, and for requests that have none.
#[test]
fn the_query_is_judged_without_a_body() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let target = format!("/headless?id={}", query(ATTACK));
    for request in [
        Request::get(&target),
        Request::new("POST", &target).body("a"),
        Request::new("HEAD", &target),
    ] {
        assert_eq!(request.send(gateway.address()).status, 403);
    }
    origin.expect_nothing();
    assert_eq!(
        Request::new("POST", "/headless")
            .form(&format!("id={}", query(ATTACK)))
            .send(gateway.address())
            .status,
        200
    );
    assert_eq!(gateway.events(4)[3]["yett"]["waf"]["inspected"], "head");
}

#[test]
fn off_inspects_nothing() {
    let origin = sizes();
    let gateway = gateway(&origin);
    assert_eq!(
        Request::get(&format!("/off?id={}", query(ATTACK))).send(gateway.address()).status,
        200
    );
    assert!(gateway.event()["yett"]["waf"].is_null());
}

#[test]
fn an_exception_holds_where_it_says() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let ask = |path: &str, body: Value| {
        Request::new("POST", path).json(&body).send(gateway.address()).status
    };
    assert_eq!(ask("/excepted", json!({ "note": ATTACK })), 200);
    assert_eq!(ask("/excepted", json!({ "title": ATTACK })), 403);
    assert_eq!(ask("/excepted", json!({ "note": "fine", "inner": { "note": ATTACK } })), 403);
    assert_eq!(ask("/excepted", json!({ "note": "<script>alert(1)</script>" })), 403);
    assert_eq!(ask("/x", json!({ "note": ATTACK })), 403);
}

/// A body of this many bytes that no rule minds.
fn form(bytes: usize) -> String {
    format!("text={}", "x".repeat(bytes - 5))
}

fn stream(path: &str, body: &[u8], part: usize) -> Vec<u8> {
    let head = Request::new("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("transfer-encoding", "chunked");
    let parts: Vec<&[u8]> = body.chunks(part).collect();
    [head.bytes(), chunked(&parts)].concat()
}

#[test]
fn bodies_at_their_bound() {
    for (path, bound) in [("/small", KIB), ("/x", 128 * KIB)] {
        for (size, status) in [(bound - 1, 200), (bound, 200), (bound + 1, 413)] {
            let origin = sizes();
            let gateway = gateway(&origin);
            let body = form(size);
            let mut client = Client::connect(gateway.address());
            client.offer(&Request::new("POST", path).form(&body).bytes());
            let answer = client.response();
            assert_eq!(answer.status, status, "{path} {size}");
            if status == 413 {
                assert_eq!(answer.code(), "waf.body_too_large");
                origin.expect_nothing();
            }
            let mut client = Client::connect(gateway.address());
            client.offer(&stream(path, body.as_bytes(), 5_000));
            let answer = client.response();
            assert_eq!(answer.status, status, "{path} {size} in chunks");
            let seen = origin.seen();
            match status {
                200 => {
                    assert!(seen.iter().all(|one| one.body == body.as_bytes()) && seen.len() == 2)
                }
                _ => assert!(seen.iter().all(|one| one.body.is_empty() && !one.complete)),
            }
        }
    }
}

/// The length alone is enough: nothing of the body is read, nor asked for.
#[test]
fn a_declared_length_beyond_the_bound() {
    let origin = sizes();
    let gateway = gateway(&origin);
    for fields in ["", "Expect: 100-continue\r\n"] {
        let head = format!(
            "POST /x HTTP/1.1\r\nHost: a.test\r\n{fields}Content-Length: 104857600\r\n\r\n"
        );
        let answer = Response::only(&raw(gateway.address(), head.as_bytes()));
        assert_eq!((answer.status, answer.code().as_str()), (413, "waf.body_too_large"));
    }
    assert_eq!(gateway.stop().len(), 2);
    origin.expect_nothing();
}

#[test]
fn a_body_that_is_asked_for() {
    let origin = sizes();
    let gateway = gateway(&origin);
    for (body, status) in [(form(2_000), 200), (format!("id={}", query(ATTACK)), 403)] {
        let mut client = Client::connect(gateway.address());
        let request =
            Request::new("POST", "/x").header("expect", "100-continue").form(&body).bytes();
        let (head, _) = request.split_at(request.len() - body.len());
        client.send(head);
        assert_eq!(client.response().status, 100);
        client.send(body.as_bytes());
        assert_eq!(client.response().status, status);
    }
    let seen = origin.request();
    assert_eq!(seen.body.len(), 2_000);
    assert_eq!(seen.header("expect"), None);
}

#[test]
fn an_attack_in_chunks_is_held_back() {
    let attack = |size: usize| format!("{}&id={}", form(size), query(ATTACK));
    for (size, part) in
        [(100, 3), (100, 50), (30 * KIB, 1_000), (100 * KIB, 8_000), (120 * KIB, 60_000)]
    {
        let origin = sizes();
        let gateway = gateway(&origin);
        let body = attack(size);
        let mut client = Client::connect(gateway.address());
        client.offer(&stream("/x", body.as_bytes(), part));
        let answer = client.response();
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "waf.blocked"),
            "{size} by {part}"
        );
        assert_eq!(action(&gateway.event()), "waf.blocked");
        let seen = origin.seen();
        assert!(seen.iter().all(|one| one.body.is_empty() && !one.complete), "{size} by {part}");
        if size < 64 * KIB {
            origin.expect_nothing();
        }
        // Of a body whose length is declared not even the head goes before the verdict.
        let (origin, declared) = (sizes(), Request::new("POST", "/x").form(&body));
        let gateway = Gateway::start(&config(&origin));
        assert_eq!(declared.send(gateway.address()).code(), "waf.blocked", "{size} declared");
        origin.expect_nothing();
    }
}

/// What was inspected is what is forwarded, however it came.
#[test]
fn a_body_arrives_as_it_was_sent() {
    for (size, part) in
        [(1, 1), (5_000, 7), (64 * KIB, 1_460), (65 * KIB, 8_000), (127 * KIB, 16_384)]
    {
        let origin = Origin::start(|seen| Answer::ok(&seen.body));
        let gateway = gateway(&origin);
        let body: Vec<u8> = (0..size).map(|at| b"abcdefghijklmnopqrstuvwxyz"[at % 26]).collect();
        for bytes in [Request::new("POST", "/x").body(&body).bytes(), stream("/x", &body, part)] {
            let mut client = Client::connect(gateway.address());
            let writer = client_writer(&mut client, bytes);
            assert_eq!(writer.body, body, "{size} by {part}");
        }
        assert!(origin.requests(2).iter().all(|seen| seen.body == body));
    }
}

fn client_writer(client: &mut Client, bytes: Vec<u8>) -> Response {
    client.send(&bytes);
    let answer = client.response();
    assert_eq!(answer.status, 200);
    answer
}

#[test]
fn a_partly_inspected_body_passes_whole() {
    let origin = Origin::start(|seen| Answer::ok(&seen.body));
    let gateway = gateway(&origin);
    for size in [KIB - 1, KIB, KIB + 1, 70 * KIB, 300 * KIB] {
        let body = form(size);
        for bytes in [
            Request::new("POST", "/partial").form(&body).bytes(),
            stream("/partial", body.as_bytes(), 4_000),
        ] {
            let mut client = Client::connect(gateway.address());
            client.send(&bytes);
            let answer = client.response();
            assert_eq!((answer.status, answer.body.len()), (200, size), "{size}");
            assert_eq!(answer.body, body.as_bytes(), "{size}");
        }
    }
    let events = gateway.events(10);
    assert_eq!(events[0]["yett"]["waf"]["inspected"], "whole");
    assert_eq!(events[9]["yett"]["waf"]["inspected"], "partial");
    // The inspected beginning still counts.
    let early = format!("id={}&{}", query(ATTACK), form(5_000));
    assert_eq!(
        Request::new("POST", "/partial").form(&early).send(gateway.address()).code(),
        "waf.blocked"
    );
}

#[test]
fn a_body_that_does_not_come() {
    let origin = sizes();
    let gateway = gateway(&origin);
    for head in [
        Request::new("POST", "/small").header("content-length", "10").bytes(),
        [
            Request::new("POST", "/small").header("transfer-encoding", "chunked").bytes(),
            b"5\r\nhel".to_vec(),
        ]
        .concat(),
    ] {
        let answer = Response::only(&raw(gateway.address(), &head));
        assert_eq!((answer.status, answer.code().as_str()), (408, "waf.body_timeout"));
    }
    assert_eq!(gateway.stop().len(), 2);
    origin.expect_nothing();
}

#[test]
fn a_client_that_leaves_within_the_body() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let mut socket = connect(gateway.address());
    socket.write_all(&Request::new("POST", "/x").header("content-length", "10").bytes()).unwrap();
    socket.write_all(b"hello").unwrap();
    drop(socket);
    let event = gateway.event();
    assert_eq!(action(&event), "client_gone");
    assert!(event["http"]["response"]["status_code"].is_null());
    origin.expect_nothing();
}

fn coded_form(path: &str, coding: &str, body: &[u8]) -> Request {
    Request::new("POST", path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", coding)
        .body(body)
}

/// The rules see what the service will see, and the service gets what was sent.
#[test]
fn coded_bodies_are_decoded_for_the_rules() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let attack = format!("id={}", query(ATTACK));
    for (name, coding) in [
        ("gzip", "gzip"),
        ("GZIP", "gzip"),
        ("identity, x-gzip", "gzip"),
        ("deflate", "deflate"),
        ("deflate", "raw"),
    ] {
        let answer = coded_form("/x", name, &coded(coding, &attack)).send(gateway.address());
        assert_eq!(answer.code(), "waf.blocked", "{name} {coding}");
    }
    origin.expect_nothing();
    // In chunks, and behind a first member of gzip's file.
    let members = [coded("gzip", "note=fine&"), coded("gzip", &attack)].concat();
    let head = Request::new("POST", "/x")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", "gzip")
        .header("transfer-encoding", "chunked")
        .bytes();
    let parts: Vec<&[u8]> = members.chunks(7).collect();
    let mut client = Client::connect(gateway.address());
    client.send(&[head, chunked(&parts)].concat());
    assert_eq!(client.response().code(), "waf.blocked");
    for (coding, body) in [
        ("gzip", coded("gzip", &form(2_000))),
        ("deflate", coded("deflate", "note=fine")),
        ("br", b"\x0b\x02\x80hello\x03".to_vec()),
        ("identity", b"note=fine".to_vec()),
    ] {
        let answer = coded_form("/x", coding, &body).send(gateway.address());
        assert_eq!((answer.status, answer.text()), (200, body.len().to_string()), "{coding}");
        let sent = origin.seen().pop().unwrap();
        assert_eq!((sent.header("content-encoding"), sent.body), (Some(coding.into()), body));
    }
}

/// What cannot be read is not let past the rules, and what a few bytes blow up to is not held.
#[test]
fn coded_bodies_that_cannot_be_read() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let whole = coded("gzip", &form(3_000));
    let bomb = coded("gzip", &"a".repeat(8 * 1024 * KIB));
    let zeros = "\0".repeat(1024 * KIB);
    let cases: &[(&str, &str, &[u8], u16, &str)] = &[
        ("/x", "gzip", &[0x1f, 0x8b, 8, 0], 400, "waf.body_unreadable"),
        ("/x", "gzip", &whole[..whole.len() - 9], 400, "waf.body_unreadable"),
        ("/x", "gzip", &[whole.as_slice(), b"&id=1"].concat(), 400, "waf.body_unreadable"),
        ("/x", "gzip", b"note=plain", 400, "waf.body_unreadable"),
        ("/x", "br", b"note=plain", 400, "waf.body_unreadable"),
        ("/x", "zstd", b"note=plain", 400, "waf.body_unreadable"),
        ("/x", "gzip, gzip", &coded("gzip", "a=1"), 400, "waf.body_unreadable"),
        ("/x", "gzip", &bomb, 413, "waf.body_too_large"),
        ("/small", "gzip", &whole, 413, "waf.body_too_large"),
        // A bomb is not a large body, the rest of which may pass.
        ("/partial", "gzip", &bomb, 413, "waf.body_too_large"),
        ("/partial", "deflate", &coded("deflate", &zeros), 413, "waf.body_too_large"),
    ];
    for (path, coding, body, status, code) in cases {
        let answer = coded_form(path, coding, body).send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{path} {coding}");
    }
    origin.expect_nothing();
    for path in ["/off", "/headless", "/watched"] {
        let answer = coded_form(path, "zstd", b"note=plain").send(gateway.address());
        assert_eq!(answer.status, 200, "{path}");
    }
    let event = gateway.events(cases.len() + 3).pop().unwrap();
    assert_eq!(event["yett"]["waf"]["inspected"], "head", "{event}");
}

/// Work has a bound, and who exceeds it is refused: an attack must not hide behind a thousand harmless arguments.
#[test]
fn too_much_to_inspect() {
    let origin = sizes();
    let gateway = gateway(&origin);
    let many: String = (0..5_000).map(|index| format!("a{index}=x&")).collect();
    let answer = Request::new("POST", "/x").form(&many).send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (403, "waf.budget"));
    assert_eq!(action(&gateway.event()), "waf.budget");
    origin.expect_nothing();
}

#[test]
fn bodies_over_http2() {
    let origin = sizes();
    let (gateway, client) = h2::gateway(&config(&origin), &[]);
    let send = |body: &str, part: usize| {
        let parts = body.as_bytes().chunks(part).map(Bytes::copy_from_slice).collect();
        let mut request = h2::streamed("POST", "https://a.test/x", parts);
        let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", form);
        client.send(request)
    };
    for (size, part) in [(100, 10), (60 * KIB, 8_000), (100 * KIB, 16_384), (128 * KIB, 16_384)] {
        let answer = send(&form(size), part);
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_ref()),
            (200, size.to_string().as_bytes())
        );
    }
    let passed = origin.seen().len();
    for (size, part) in [(100, 10), (60 * KIB, 8_000), (100 * KIB, 16_384)] {
        let answer = send(&format!("{}&id={}", form(size), query(ATTACK)), part);
        assert_eq!(answer.status(), 403, "{size}");
    }
    let answer = send(&form(128 * KIB + 1), 16_384);
    assert_eq!(answer.status(), 413);
    assert!(origin.seen()[passed..].iter().all(|seen| seen.body.is_empty()));
    assert_eq!(gateway.events(8).len(), 8);
}
