//! Answers under the rules: what leaks does not leave, everything else leaves as it came, and nothing waits for long.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::harness::Wire;
use crate::harness::client::{Client, Request, Response, timed};
use crate::harness::gateway::{Gateway, Setup, action, findings};
use crate::harness::h2::{self, H2Client, H2Origin};
use crate::harness::origin::{Answer, Origin, Seen};

const RULES: &str = r#"
SecRule RESPONSE_HEADERS:X-Debug "@rx ." "id:101,phase:3,deny,status:403,msg:'debug field',tag:'attack-disclosure'"
SecRule RESPONSE_STATUS "@streq 599" "id:102,phase:3,deny,status:403,msg:'odd status'"
SecRule RESPONSE_BODY "@contains LEAK" "id:103,phase:4,deny,status:403,msg:'leak in %{REQUEST_FILENAME}',logdata:'%{MATCHED_VAR}'"
"#;

const LEAK: &str = "LEAK";
const KIB: usize = 1024;

fn config(service: &str) -> String {
    format!(
        r#"
waf:
  strict: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 16KiB, hold: 1m }} }}
  whole: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 1KiB, over: reject }} }}
  short: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 16KiB, hold: 50ms }} }}
  watch: {{ rules: ["@DIR@/leaks.conf"], mode: monitor, response: {{ inspect: 16KiB, hold: 1m }} }}
  json: {{ rules: ["@DIR@/leaks.conf"], response: {{ types: [Application/JSON] }} }}
  heads: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 0B }} }}
  blind: {{ rules: ["@DIR@/leaks.conf"] }}
services: {{ web: {{ {service} }} }}
defaults: {{ waf: strict }}
routes:
  - {{ id: strict, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: whole, match: {{ path: "/whole/*" }}, to: web, public: "a test", waf: whole }}
  - {{ id: short, match: {{ path: "/short/*" }}, to: web, public: "a test", waf: short }}
  - {{ id: watch, match: {{ path: "/watch/*" }}, to: web, public: "a test", waf: watch }}
  - {{ id: json, match: {{ path: "/json/*" }}, to: web, public: "a test", waf: json }}
  - {{ id: heads, match: {{ path: "/heads/*" }}, to: web, public: "a test", waf: heads }}
  - {{ id: blind, match: {{ path: "/blind/*" }}, to: web, public: "a test", waf: blind }}
  - {{ id: own, match: {{ path: /own }}, respond: {{ status: 200, body: "LEAK" }}, public: "a test" }}
"#
    )
}

fn setup(config: &str) -> Setup {
    Setup::new(config).file("leaks.conf", RULES)
}

fn gateway(origin: &Origin) -> Gateway {
    setup(&config(&format!("endpoints: [\"{}\"]", origin.address()))).start()
}

/// The same behind TLS, for HTTP/2.
fn gateway_over_tls(service: &str) -> (Gateway, H2Client) {
    h2::gateway(&config(service), &[("leaks.conf", RULES)])
}

/// What the service answers: the last segment of the path says it.
fn answer(seen: &Seen) -> Answer {
    let reply = |fields: &[(&str, &str)], body: &str| {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Answer::Reply(200, fields.iter().map(owned).collect(), body.into())
    };
    let target = seen.target();
    let html = ("content-type", "Text/HTML; charset=utf-8");
    match target.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default() {
        "clean" => reply(&[html], "all is well"),
        "leak" => reply(&[html], "here is a LEAK."),
        "image" => reply(&[("content-type", "image/png")], LEAK),
        "json-leak" => reply(&[("content-type", "application/json")], "{\"a\":\"LEAK\"}"),
        "debug" => reply(&[("x-debug", "1"), ("content-type", "image/png")], "picture"),
        "empty" => reply(&[html], ""),
        "none" => Answer::Reply(204, Vec::new(), Vec::new()),
        "unchanged" => Answer::Reply(304, vec![("etag".into(), "\"a\"".into())], Vec::new()),
        "large" => reply(&[html], &"x".repeat(64 * KIB)),
        "behind" => reply(&[html], &format!("{}{LEAK}", "x".repeat(64 * KIB))),
        "chunked" => Answer::bytes(chunks(&["part one, ", "part two"])),
        "chunked-leak" => Answer::bytes(chunks(&["part one, LE", "AK"])),
        "broken" => Answer::bytes(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 100\r\n\r\nhalf",
        ),
        _ => Answer::status(404),
    }
}

fn chunks(parts: &[&str]) -> String {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html\r\ntransfer-encoding: chunked\r\n\r\n";
    let part = |part: &&str| format!("{:x}\r\n{part}\r\n", part.len());
    format!("{head}{}0\r\n\r\n", parts.iter().map(part).collect::<String>())
}

/// Path, status, finding ("" for none), body of what passes.
const CASES: &[(&str, u16, &str, &str)] = &[
    ("/clean", 200, "", "all is well"),
    ("/leak", 403, "waf.response_blocked", ""),
    ("/debug", 403, "waf.response_blocked", ""),
    ("/chunked", 200, "", "part one, part two"),
    ("/chunked-leak", 403, "waf.response_blocked", ""),
    ("/image", 200, "", LEAK),
    ("/empty", 200, "", ""),
    ("/none", 204, "", ""),
    ("/unchanged", 304, "", ""),
    ("/json/json-leak", 403, "waf.response_blocked", ""),
    ("/json/leak", 200, "", "here is a LEAK."),
    ("/heads/leak", 200, "", "here is a LEAK."),
    ("/heads/debug", 403, "waf.response_blocked", ""),
    ("/blind/leak", 200, "", "here is a LEAK."),
    ("/blind/debug", 200, "", "picture"),
    ("/watch/leak", 200, "~waf.response_blocked", "here is a LEAK."),
    ("/watch/debug", 200, "~waf.response_blocked", "picture"),
    ("/whole/clean", 200, "", "all is well"),
    ("/whole/large", 502, "waf.response_too_large", ""),
    ("/own", 200, "", LEAK),
];

#[test]
fn what_leaks_does_not_leave() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for (path, status, finding, body) in CASES {
        let answer = Request::get(path).send(gateway.address());
        check(path, &answer, *status, finding, body);
    }
    for (event, (path, status, finding, _)) in gateway.events(CASES.len()).iter().zip(CASES) {
        assert_eq!(event["http"]["response"]["status_code"], *status, "{path}");
        let code = finding.trim_start_matches('~');
        assert_eq!(findings(event), Vec::from_iter(Some(code).filter(|code| !code.is_empty())));
        let expected = if finding.starts_with("waf.") { finding } else { "allowed" };
        assert_eq!(action(event), expected, "{path}");
    }
}

#[track_caller]
fn check(path: &str, answer: &Response, status: u16, finding: &str, body: &str) {
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    if finding.starts_with("waf.") {
        assert_eq!(answer.code(), finding, "{path}");
        assert!(!answer.text().contains(LEAK) && answer.header("x-debug").is_none(), "{path}");
        return;
    }
    assert_eq!(answer.text(), body, "{path}");
}

#[test]
fn what_leaks_does_not_leave_over_http2() {
    let origin = Origin::start(answer);
    let (gateway, client) = gateway_over_tls(&format!("endpoints: [\"{}\"]", origin.address()));
    for (path, status, finding, body) in CASES {
        let answer = client.send(h2::request("GET", &format!("https://a.test{path}"), ""));
        assert_eq!(answer.status().as_u16(), *status, "{path}");
        let text = String::from_utf8_lossy(answer.body());
        match finding.starts_with("waf.") {
            true => assert!(text.contains(finding) && !text.contains(LEAK), "{path}: {text}"),
            false => assert_eq!(text, *body, "{path}"),
        }
    }
    assert_eq!(gateway.stop().len(), CASES.len());
}

/// A service may end its answer with trailers, or with nothing at all.
#[test]
fn services_over_http2() {
    let origin = H2Origin::start(None);
    let service = format!("endpoints: [\"{}\"], protocol: h2", origin.address());
    let (gateway, client) = gateway_over_tls(&service);
    for (path, status) in [
        ("/fine", 200),
        ("/LEAK", 403),
        ("/trailers/fine", 200),
        ("/trailers/LEAK", 403),
        ("/watch/trailers/LEAK", 200),
    ] {
        let answer = client.send(h2::request("GET", &format!("https://a.test{path}"), ""));
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert_eq!(String::from_utf8_lossy(answer.body()).contains(path), status == 200, "{path}");
    }
    let events = gateway.stop();
    let seen: Vec<_> = events.iter().flat_map(findings).collect();
    assert_eq!(seen, ["waf.response_blocked"; 3]);
}

/// The service is asked for what the rules can read: whole (CVE-2022-39958), and without a coding.
#[test]
fn what_the_service_is_asked_for() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for (path, watched) in [("/clean", true), ("/blind/clean", false)] {
        let request = Request::get(path)
            .header("accept-encoding", "gzip, br")
            .header("range", "bytes=0-3")
            .header("if-range", "\"a\"")
            .header("request-range", "bytes=0-1");
        assert_eq!(request.send(gateway.address()).status, 200);
        let seen = origin.seen().pop().unwrap();
        let coding = if watched { "identity" } else { "gzip, br" };
        assert_eq!(seen.all("accept-encoding"), [coding], "{path}");
        assert_eq!(seen.header("range").is_none(), watched, "{path}");
        assert_eq!(seen.header("if-range").is_none(), watched, "{path}");
        assert_eq!(seen.header("request-range").is_none(), watched, "{path}");
    }
}

#[test]
fn an_answer_beyond_the_bound() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for path in ["/large", "/behind"] {
        let answer = Request::get(path).send(gateway.address());
        assert_eq!((answer.status, answer.body.len() >= 64 * KIB), (200, true), "{path}");
    }
    let said: Vec<_> = gateway
        .events(2)
        .iter()
        .map(|event| event["yett"]["waf"]["response"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(said, ["partial", "partial"]);
}

#[test]
fn the_event_says_how_much_of_an_answer_was_seen() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    let cases =
        [("/clean", "whole"), ("/image", "head"), ("/none", "head"), ("/watch/clean", "whole")];
    for (path, _) in cases {
        Request::get(path).send(gateway.address());
    }
    Request::get("/blind/clean").send(gateway.address());
    let events = gateway.events(cases.len() + 1);
    for (event, (path, seen)) in events.iter().zip(cases) {
        assert_eq!(event["yett"]["waf"]["response"], seen, "{path}");
    }
    assert!(events[cases.len()]["yett"]["waf"]["response"].is_null());
}

/// One finding is not enough where the profile says so, and enough where it says less.
#[test]
fn the_threshold_of_answers() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,setvar:tx.outbound_anomaly_score_threshold=4"
SecRule RESPONSE_BODY "@contains LEAK" "id:2,phase:4,pass,log,msg:'leak',setvar:tx.blocking_outbound_anomaly_score=+3"
SecRule TX:BLOCKING_OUTBOUND_ANOMALY_SCORE "@ge %{tx.outbound_anomaly_score_threshold}" "id:3,phase:4,deny,status:403,msg:'sum'"
"#;
    let origin = Origin::start(answer);
    for (threshold, status) in [("", 200), (", threshold: 3", 403), (", threshold: 9", 200)] {
        let gateway = Setup::new(&format!(
            r#"
waf: {{ scored: {{ rules: ["@DIR@/scored.conf"], response: {{ inspect: 1KiB{threshold} }} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", waf: scored }}]
"#,
            origin.address()
        ))
        .file("scored.conf", rules)
        .start();
        assert_eq!(Request::get("/leak").send(gateway.address()).status, status, "{threshold}");
    }
}

/// The connection goes on after an answer that was held, and HEAD gets no body of it.
#[test]
fn connections_go_on() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    let mut client = Client::connect(gateway.address());
    for (method, path, status) in [
        ("GET", "/clean", 200),
        ("HEAD", "/clean", 200),
        ("GET", "/chunked", 200),
        ("GET", "/none", 204),
    ] {
        client.send(&Request::new(method, path).bytes());
        let answer = client.response_to(method);
        assert_eq!(answer.status, status, "{method} {path}");
        assert_ne!(answer.header("connection"), Some("close"), "{method} {path}");
    }
    assert_eq!(gateway.events(4).iter().filter(|event| action(event) == "allowed").count(), 4);
}

/// Nothing of an answer that was held has gone out when the service breaks off: the client gets a proper error.
#[test]
fn a_service_that_breaks_off() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    let answer = Request::get("/broken").send(gateway.address());
    assert_eq!((answer.status, answer.code().as_str()), (502, "upstream.broken"));
    assert_eq!(origin.connections(), 1, "what has answered once is not asked again");
}

/// A service that answers in steps, each when the test says so.
struct Steps {
    origin: Origin,
    next: Sender<&'static str>,
}

impl Steps {
    fn new(content_type: &'static str) -> Steps {
        let (next, steps) = channel::<&'static str>();
        let steps = Mutex::new(Some(steps));
        let origin = Origin::start(move |_| {
            let steps = steps.lock().unwrap().take().unwrap();
            Answer::stream(move |wire| run(wire, content_type, &steps))
        });
        Steps { origin, next }
    }

    fn say(&self, part: &'static str) {
        self.next.send(part).unwrap();
    }

    fn service(&self) -> String {
        format!("endpoints: [\"{}\"]", self.origin.address())
    }
}

/// An empty part ends the answer.
fn run(wire: &mut dyn Wire, content_type: &str, steps: &Receiver<&'static str>) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    wire.write_all(head.as_bytes()).unwrap();
    while let Ok(part) = steps.recv() {
        // The gateway may be gone: that is what some tests are about.
        if wire.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).is_err() {
            return;
        }
        let _ = wire.flush();
        if part.is_empty() {
            return;
        }
    }
}

/// Streams, and whatever is only watched, are never held: each part arrives before the next is sent.
#[test]
fn streams_pass_at_once() {
    for (path, content_type) in [
        ("/stream", "text/event-stream"),
        ("/watch/page", "text/html"),
        ("/json/page", "text/html"),
    ] {
        let steps = Steps::new(content_type);
        let gateway = setup(&config(&steps.service())).start();
        let mut client = Client::connect(gateway.address());
        client.send(&Request::get(path).bytes());
        for part in ["one", "two LEAK", "three"] {
            steps.say(part);
            if part == "one" {
                client.head();
            }
            assert_eq!(client.chunk(), part.as_bytes(), "{path}");
        }
        steps.say("");
        assert!(client.chunk().is_empty(), "{path}");
        let expected: &[&str] =
            if path.starts_with("/watch") { &["waf.response_blocked"] } else { &[] };
        assert_eq!(findings(&gateway.event()), expected, "{path}");
    }
}

/// The beginning of an answer waits for its rest, but not for ever. What the rules find at its end then only takes the
/// end away: nobody takes it for a whole, and nobody keeps it in a cache.
#[test]
fn an_answer_that_comes_slowly_is_let_go_and_has_no_proper_end_when_it_leaks() {
    for leaks in [false, true] {
        let steps = Steps::new("text/html");
        let gateway = setup(&config(&steps.service())).start();
        let mut client = Client::connect(gateway.address());
        client.send(&Request::get("/short/page").bytes());
        steps.say("a slow begin");
        client.head();
        assert_eq!(client.chunk(), b"a slow begin");
        steps.say("ning");
        assert_eq!(client.chunk(), b"ning");
        let last = if leaks { LEAK } else { ", end" };
        steps.say(last);
        assert_eq!(client.chunk(), last.as_bytes());
        steps.say("");
        if leaks {
            // The last chunk would say that this was the whole.
            client.expect_close();
        } else {
            assert!(client.chunk().is_empty());
        }
        let event = gateway.event();
        assert_eq!(action(&event), if leaks { "waf.response_blocked" } else { "allowed" });
        assert_eq!(event["http"]["response"]["bytes"], if leaks { 20 } else { 21 });
    }
}

#[test]
fn an_answer_that_comes_slowly_over_http2() {
    for leaks in [false, true] {
        let steps = Steps::new("text/html");
        let (gateway, client) = gateway_over_tls(&steps.service());
        steps.say("a slow begin");
        let mut answer = client.open(h2::request("GET", "https://a.test/short/page", ""));
        assert_eq!(answer.status(), 200);
        assert_eq!(client.part(&mut answer).unwrap().unwrap(), "a slow begin");
        steps.say("ning");
        assert_eq!(client.part(&mut answer).unwrap().unwrap(), "ning");
        let last = if leaks { LEAK } else { ", end" };
        steps.say(last);
        assert_eq!(client.part(&mut answer).unwrap().unwrap(), last);
        steps.say("");
        match client.part(&mut answer) {
            Some(Err(_)) => assert!(leaks, "the stream is reset"),
            end => assert!(!leaks && end.is_none_or(|end| end.unwrap().is_empty())),
        }
        let event = gateway.event();
        assert_eq!(action(&event), if leaks { "waf.response_blocked" } else { "allowed" });
        assert_eq!(event["http"]["response"]["bytes"], if leaks { 20 } else { 21 });
    }
}

/// A client that has announced a small window gets an early answer byte for byte all the same.
#[test]
fn a_long_beginning_that_is_let_go_loses_nothing() {
    let part: &'static str = Box::leak("0123456789abcdef".repeat(900).into_boxed_str());
    let steps = Steps::new("text/html");
    let (gateway, client) = gateway_over_tls(&steps.service());
    steps.say(part);
    let mut answer = client.open(h2::request("GET", "https://a.test/short/page", ""));
    for _ in 0..10 {
        steps.say(part);
    }
    steps.say("");
    let mut whole = Vec::new();
    while let Some(part) = client.part(&mut answer) {
        whole.extend_from_slice(&part.unwrap());
    }
    assert_eq!(whole, part.repeat(11).as_bytes());
    assert_eq!(gateway.event()["http"]["response"]["bytes"], part.len() * 11);
}

/// Until its deadline an answer is held: the client sees nothing of what may be replaced.
#[test]
fn an_answer_is_held_until_the_rules_have_decided() {
    let steps = Steps::new("text/html");
    let gateway = setup(&config(&steps.service())).start();
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/page").bytes());
    steps.say("a beginning, ");
    steps.say("a LEAK");
    steps.say("");
    let (answer, time) = timed(|| client.response());
    assert_eq!((answer.status, answer.code().as_str()), (403, "waf.response_blocked"));
    assert!(time.as_secs() < 60, "the end decides, not the deadline: {time:?}");
}

/// A client that leaves while its answer is held costs nothing but its event.
#[test]
fn clients_that_leave() {
    let steps = Steps::new("text/html");
    let gateway = setup(&config(&steps.service())).start();
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/page").bytes());
    steps.say("a beginning");
    steps.origin.requests(1);
    drop(client);
    assert_eq!(action(&gateway.event()), "client_gone");
}
