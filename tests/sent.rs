//! What the rules see is what the client sent, in its order and spelling; and the log of what they find is there before
//! the answer ends.

use std::fs;

use http::HeaderValue;
use rustix::process::Signal;

use crate::harness::client::{Client, Request, connect, raw};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::h2;
use crate::harness::origin::{Answer, Origin};

/// Rules that say what they see.
const SHOW: &str = r#"
SecRule REQUEST_LINE "@rx ^(.*)$" "id:1,phase:1,pass,log,msg:'%{MATCHED_VAR}'"
SecRule REQUEST_URI_RAW "@rx ." "id:2,phase:1,pass,log,msg:'%{MATCHED_VAR}'"
SecRule REQUEST_HEADERS_NAMES "@rx ." "id:3,phase:1,pass,log,msg:'%{MATCHED_VAR}'"
SecRule REQUEST_HEADERS "@rx ." "id:4,phase:1,pass,log,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule ARGS:q "@contains attack" "id:5,phase:2,pass,log,msg:'attack',logdata:'%{MATCHED_VAR}'"
SecRule ARGS:password "@rx ." "id:6,phase:2,pass,log,msg:'argument %{MATCHED_VAR}',logdata:'%{MATCHED_VAR}'"
SecAction "id:9,phase:5,pass,log,msg:'the end'"
"#;

fn config(origin: &Origin, log: &str) -> String {
    format!(
        r#"
telemetry: {{ access_log: {{ to: "@DIR@/access.ndjson" }}, {log} }}
waf: {{ show: {{ rules: ["@DIR@/show.conf"], mode: monitor }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: show }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: own, match: {{ path: /own }}, respond: {{ status: 200, body: own }}, public: "a test" }}
"#,
        origin.address()
    )
}

const LOG: &str = "waf_log: { to: \"@DIR@/waf.log\", format: modsecurity }";

fn setup(origin: &Origin, log: &str) -> Setup {
    Setup::new(&config(origin, log)).file("show.conf", SHOW)
}

/// Lines of the log, at once.
fn lines(gateway: &Gateway) -> Vec<String> {
    let text = fs::read_to_string(gateway.folder().join("waf.log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Messages of one rule's lines.
fn said(lines: &[String], id: u32) -> Vec<String> {
    let of_rule = lines.iter().filter(|line| line.contains(&format!("[id \"{id}\"]")));
    let message =
        |line: &String| Some(line.split_once("[msg \"")?.1.split_once("\"]")?.0.to_owned());
    of_rule.filter_map(message).collect()
}

#[test]
fn rules_see_the_bytes_of_http1() {
    let origin = Origin::echo();
    let gateway = setup(&origin, LOG).start();
    let request = "GET /a/../b?q=<x>&r=%41 HTTP/1.1\r\nHOST: A.test:80\r\nx-Twice:  1 \r\nAccept: */*\r\nX-TWICE:\t2\r\nConnection: close\r\n\r\n";
    raw(gateway.address(), request.as_bytes());
    let lines = lines(&gateway);
    assert_eq!(said(&lines, 1), ["GET /a/../b?q=<x>&r=%41 HTTP/1.1"]);
    assert_eq!(said(&lines, 2), ["/a/../b?q=<x>&r=%41"]);
    assert_eq!(said(&lines, 3), ["HOST", "x-Twice", "Accept", "X-TWICE", "Connection"]);
    let fields = said(&lines, 4);
    let expected = ["HOST=A.test:80", "x-Twice=1", "Accept=*/*", "X-TWICE=2", "Connection=close"];
    let expected = expected.map(|field| format!("REQUEST_HEADERS:{field}"));
    assert_eq!(fields, expected);
    assert_eq!(origin.request().target(), "/b?q=%3Cx%3E&r=%41");
    // The line that is not rewritten is the one that was sent as well.
    raw(gateway.address(), b"GET /plain?q=1 HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!(said(&self::lines(&gateway), 1)[1], "GET /plain?q=1 HTTP/1.0");
}

/// Both ends of the connection, the id that logs and events have, and how long it has taken up to each phase.
#[test]
fn rules_know_who_called_whom_under_which_id_and_how_long_it_takes() {
    const CALL: &str = r#"
SecAction "id:1,phase:1,pass,log,msg:'%{SERVER_ADDR} %{SERVER_PORT} %{REMOTE_ADDR} %{REMOTE_PORT} %{UNIQUE_ID}'"
SecAction "id:2,phase:1,pass,log,msg:'%{DURATION}'"
SecAction "id:3,phase:3,pass,log,msg:'%{DURATION}'"
SecAction "id:5,phase:3,pass,log,msg:'%{REQUEST_PROTOCOL} %{RESPONSE_PROTOCOL}'"
SecAction "id:4,phase:5,pass,log,msg:'%{DURATION}'"
"#;
    let origin = Origin::echo();
    let listener = "bind: \"0.0.0.0:0\", trusted_proxies: [127.0.0.0/8]";
    let config = format!("listeners: {{ public: {{ {listener} }} }}\n{}", config(&origin, LOG));
    let config = config.replace("mode: monitor", "mode: monitor, response: { inspect: 0B }");
    let gateway = Setup::new(&config).file("show.conf", CALL).start();
    let mut address = gateway.address();
    address.set_ip([127, 0, 0, 2].into());
    let socket = connect(address);
    let own = socket.local_addr().unwrap();
    let mut client = Client::over(socket);
    client.send(&Request::get("/").bytes());
    client.response();
    client.send(&Request::get("/own").header("x-forwarded-for", "192.0.2.9").bytes());
    client.response();
    let lines = lines(&gateway);
    let port = address.port();
    let of_rule = lines.iter().filter(|line| line.contains("[id \"1\"]"));
    let id = |line: &String| {
        line.split_once("[unique_id \"").unwrap().1.trim_end_matches("\"]").to_owned()
    };
    let ids: Vec<String> = of_rule.map(id).collect();
    let expected = [
        format!("127.0.0.2 {port} 127.0.0.1 {} {}", own.port(), ids[0]),
        // Whose port the proxy's client had nobody knows.
        format!("127.0.0.2 {port} 192.0.2.9 0 {}", ids[1]),
    ];
    assert_eq!(said(&lines, 1), expected);
    assert_eq!(said(&lines, 5), ["HTTP/1.1 HTTP/1.1"]);
    let times: Vec<u64> =
        [2, 3, 4].iter().map(|id| said(&lines, *id)[0].parse().unwrap()).collect();
    assert!(times[0] == 0 && 0 < times[1] && times[1] <= times[2], "{times:?}");
}

#[test]
fn rules_see_what_http2_decodes() {
    let origin = Origin::echo();
    let protocols =
        "SecRule RESPONSE_PROTOCOL \"@rx .\" \"id:8,phase:3,pass,log,msg:'%{MATCHED_VAR}'\"";
    let rules = format!("{SHOW}\n{protocols}");
    let config = config(&origin, LOG).replace("mode: monitor", "mode: monitor, response: {}");
    let (gateway, client) = h2::gateway(&config, &[("show.conf", &rules)]);
    let mut request = h2::request("GET", "https://a.test:8443/a/../b?q=%41", "");
    for value in ["1", "2"] {
        request.headers_mut().append("x-twice", HeaderValue::from_static(value));
    }
    assert_eq!(client.send(request).status(), 200);
    let lines = lines(&gateway);
    assert_eq!(said(&lines, 1), ["GET /a/../b?q=%41 HTTP/2.0"]);
    assert_eq!(said(&lines, 3), ["Host", "x-twice", "x-twice"]);
    assert_eq!(said(&lines, 4)[0], "REQUEST_HEADERS:Host=a.test:8443");
    assert_eq!(said(&lines, 8), ["HTTP/2.0"], "the service speaks HTTP/1.1");
}

/// Whoever has the answer finds the lines, those of the last phase included: what go-ftw relies on.
#[test]
fn matches_are_logged_before_the_answer_ends() {
    let origin = Origin::start(|seen| match seen.target().as_str() {
        "/none" => Answer::Reply(204, Vec::new(), Vec::new()),
        "/long" => Answer::ok("x".repeat(300_000)),
        _ => Answer::ok("fine"),
    });
    let gateway = setup(&origin, LOG).start();
    let mut client = Client::connect(gateway.address());
    let mut expected = 0;
    for (method, path) in
        [("GET", "/"), ("GET", "/own"), ("HEAD", "/"), ("GET", "/none"), ("GET", "/long")]
            .repeat(10)
    {
        client.send(&Request::new(method, path).bytes());
        let answer = client.response_to(method);
        expected += 1;
        let lines = lines(&gateway);
        assert_eq!(said(&lines, 9).len(), expected, "{method} {path}");
        let id = answer.header("x-request-id").map(|id| format!("[unique_id \"{id}\"]"));
        assert!(lines.last().unwrap().contains(id.as_deref().unwrap_or("")), "{method} {path}");
    }
}

#[test]
fn a_line_of_the_log() {
    let origin = Origin::echo();
    let gateway = setup(&origin, LOG).start();
    Request::get("/x?q=attack%22%5d%0a[id+%227%22]").host("a.test").send(gateway.address());
    let lines = lines(&gateway);
    let line = lines.iter().find(|line| line.contains("[id \"5\"]")).unwrap();
    for part in [
        "[client 127.0.0.1:",
        "WAF: Warning. @contains at ARGS:q.",
        "show.conf\"] [line \"6\"] [id \"5\"] [msg \"attack\"]",
        "[hostname \"a.test\"] [uri \"/x\"] [unique_id \"",
    ] {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(line.starts_with("20") && line[..30].contains('T'), "{line}");
    // What a client writes makes no line and no field.
    assert!(!lines.iter().any(|line| line.contains("[id \"7\"]")), "{lines:#?}");
}

#[test]
fn secrets_are_not_logged() {
    let origin = Origin::echo();
    let gateway = setup(&origin, LOG).start();
    Request::get("/?q=attack+eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl")
        .header("authorization", "Bearer hd-secret-1-and-more")
        .header("cookie", "session=ck-secret-1")
        .send(gateway.address());
    Request::new("POST", "/").form("password=pw-secret-1").send(gateway.address());
    let text = lines(&gateway).join("\n");
    assert!(text.contains("[id \"6\"]") && text.contains("[redacted]"), "{text}");
    for secret in ["hd-secret-1", "ck-secret-1", "pw-secret-1", "c2lnbmF0dXJl"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[test]
fn the_log_is_opened_anew_and_follows_the_configuration() {
    let origin = Origin::echo();
    let gateway = setup(&origin, LOG).start();
    let folder = gateway.folder().to_owned();
    Request::get("/one").send(gateway.address());
    assert_eq!(said(&lines(&gateway), 9).len(), 1);
    fs::rename(folder.join("waf.log"), folder.join("waf.log.1")).unwrap();
    gateway.signal(Signal::HUP);
    eventually("a new file", || {
        Request::get("/two").send(gateway.address());
        (!lines(&gateway).is_empty()).then_some(())
    });
    let other = LOG.replace("waf.log", "other.log");
    assert_eq!(gateway.reload(&config(&origin, &other)).status, 200);
    Request::get("/three").send(gateway.address());
    let text = fs::read_to_string(folder.join("other.log")).unwrap();
    assert!(text.contains("GET /three"), "{text}");
    let before = lines(&gateway).len();
    assert_eq!(gateway.reload(&config(&origin, "waf_log: { to: \"off\" }")).status, 200);
    Request::get("/four").send(gateway.address());
    assert_eq!(lines(&gateway).len(), before);
    assert!(!fs::read_to_string(folder.join("other.log")).unwrap().contains("/four"));
}

/// A request that nobody may read is refused; what it said stands in its event, and with the log on what the rules say of it.
#[test]
fn refused_requests_are_shown_to_the_rules() {
    let heads: [(&str, &str); 5] = [
        (
            "PURGE /a?q=attack HTTP/4.0\r\nHost: a.test\r\nUser-Agent: probe\r\n\r\n",
            "normalise.version",
        ),
        (
            "PURGE /a?q=attack HTTP/1.1\r\nHost: a.test\r\nX : 1\r\nUser-Agent: probe\r\n\r\n",
            "normalise.header",
        ),
        ("PURGE /a?q=attack HTTP/1.1\nHost: a.test\nUser-Agent: probe\n\n", "normalise.header"),
        (
            "PURGE /a?q=attack HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nUser-Agent: probe\r\n\r\n",
            "normalise.framing",
        ),
        (
            "PURGE /a?q=attack#x HTTP/1.1\r\nHost: a.test\r\nUser-Agent: probe\r\n\r\n",
            "normalise.target",
        ),
    ];
    for (log, matched) in [(LOG, true), ("waf_log: { to: \"off\" }", false)] {
        let origin = Origin::echo();
        let gateway = setup(&origin, log).start();
        for (head, code) in heads {
            let answer = raw(gateway.address(), head.as_bytes());
            assert!(String::from_utf8_lossy(&answer).contains(code), "{head:?}");
            assert_eq!(said(&lines(&gateway), 5).len(), usize::from(matched), "{head:?}");
            let _ = fs::remove_file(gateway.folder().join("waf.log"));
            gateway.signal(Signal::HUP);
            if matched {
                eventually("a new log", || gateway.folder().join("waf.log").exists().then_some(()));
            }
        }
        for (event, (head, code)) in gateway.events(heads.len()).iter().zip(heads) {
            assert_eq!(action(event), code, "{head:?}");
            assert_eq!(event["http"]["request"]["method"], "PURGE", "{head:?}");
            assert_eq!(event["url"]["path"], "/a", "{head:?}");
            assert!(event["url"]["query"].as_str().unwrap().starts_with("q=attack"), "{head:?}");
            assert_eq!(event["url"]["domain"], "a.test", "{head:?}");
            assert_eq!(event["user_agent"]["original"], "probe", "{head:?}");
            assert_eq!(event["yett"]["waf"]["inspected"] == "head", matched, "{head:?}");
        }
        origin.expect_nothing();
    }
}

/// What is not even a line is an event all the same.
#[test]
fn what_cannot_be_read_at_all() {
    let origin = Origin::echo();
    let gateway = setup(&origin, LOG).start();
    raw(gateway.address(), b"\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n");
    let event = gateway.event();
    assert_eq!(action(&event), "normalise.request_line");
    assert!(event["http"]["request"]["method"].is_null(), "{event}");
}
