//! How go-ftw finds what a request left in the log: it marks the place before and after, by a request whose field a rule
//! logs, and reads what stands between. It reads heads of answers only, and uses a connection for each request.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use super::suite;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::origin::{Answer, Origin, Seen};

/// The rule that the documentation asks for.
const MARKER: &str = r#"SecRule REQUEST_HEADERS:X-CRS-Test "@rx ^.*$" "id:999999,phase:1,pass,log,msg:'%{MATCHED_VAR}',ctl:ruleRemoveById=1-999999""#;
const PAGE: &str = include_str!("../../docs/waf.md");

/// One of each phase, one that refuses, one for requests that are refused at the door, and one for every request.
const RULES: &str = r#"
SecRule ARGS:p "@streq 1" "id:101,phase:1,pass,log"
SecRule ARGS:p "@streq 2" "id:102,phase:2,pass,log"
SecRule ARGS:p "@streq 3" "id:103,phase:3,pass,log"
SecRule RESPONSE_BODY "@contains leak" "id:104,phase:4,pass,log"
SecRule ARGS:p "@streq 5" "id:105,phase:5,pass,log"
SecRule ARGS:p "@streq 6" "id:106,phase:1,deny,status:403,log"
SecRule &REQUEST_HEADERS:Content-Length "@gt 1" "id:107,phase:1,pass,log"
SecAction "id:108,phase:2,pass,log"
"#;

/// Request, status, rules.
const CASES: [(&str, &str, &[u32]); 8] = [
    ("GET /?p=0 HTTP/1.1\r\nHost: a\r\n\r\n", "200", &[108]),
    ("GET /?p=1 HTTP/1.1\r\nHost: a\r\n\r\n", "200", &[101, 108]),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n\r\np=2",
        "200",
        &[102, 108],
    ),
    ("GET /leak?p=3 HTTP/1.1\r\nHost: a\r\n\r\n", "200", &[108, 103, 104]),
    ("GET /?p=5 HTTP/1.1\r\nHost: a\r\n\r\n", "200", &[108, 105]),
    ("GET /?p=6 HTTP/1.1\r\nHost: a\r\n\r\n", "403", &[106]),
    (
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "400",
        &[107, 108],
    ),
    // A body that is not looked into, and does not come before the log is read.
    ("GET /picture?p=3 HTTP/1.1\r\nHost: a\r\n\r\n", "200", &[108, 103]),
];

/// As go-ftw makes them. The digits of all but the first would pass for the number of a payment card.
const IDS: [&str; 4] = [
    "0b9d6a9e-5c1f-4a0e-9b3c-6f1d2e3a4b5c",
    "48620579-8682-4828-8abc-0e02b2c3d479",
    "f47a6616-0534-4468-8826-0e02b2c3d479",
    "f47ac10b-5277-4493-8257-3834cdef0a1b",
];

#[test]
fn go_ftw_finds_between_its_markers_what_matched() {
    assert!(PAGE.contains(MARKER), "docs/waf.md names another rule");
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for (request, status, rules) in CASES {
        for id in IDS {
            let start = mark(&gateway, &format!("{id}-s"));
            assert_eq!(head(&gateway, request), status, "{request}");
            let end = mark(&gateway, &format!("{id}-e"));
            assert_eq!(between(&log(&gateway), &start, &end), rules, "{request}");
        }
    }
}

fn gateway(origin: &Origin) -> Gateway {
    Setup::new(&format!(
        r#"
telemetry: {{ access_log: {{ to: "off" }}, waf_log: {{ to: "@DIR@/waf.log" }} }}
waf: {{ own: {{ rules: ["@DIR@/own.conf"], response: {{ inspect: 1MiB }} }} }}
services: {{ backend: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: own }}
routes: [{{ id: all, match: {{ path: "/*" }}, to: backend, public: "a test" }}]
"#,
        origin.address()
    ))
    .file("own.conf", format!("SecRequestBodyAccess On\n{MARKER}\n{RULES}"))
    .start()
}

fn answer(seen: &Seen) -> Answer {
    match seen.target().split('?').next() {
        Some("/leak") => {
            Answer::Reply(200, vec![("Content-Type".into(), "text/html".into())], b"a leak".into())
        }
        Some("/picture") => Answer::Stream(Box::new(|wire| {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 4\r\n\r\n";
            let _ = wire.write_all(head).and_then(|()| wire.flush());
            // Until the gateway goes.
            let _ = wire.read(&mut [0; 1]);
        })),
        _ => Answer::Reply(200, Vec::new(), Vec::new()),
    }
}

/// Sends a marker; its line, which must be the last one that names the field.
fn mark(gateway: &Gateway, id: &str) -> String {
    let request = format!(
        "GET /status/200 HTTP/1.1\r\nAccept: */*\r\nUser-Agent: go-ftw test agent\r\nHost: localhost\r\n\
         X-CRS-Test: {id}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(head(gateway, &request), "200");
    let log = log(gateway);
    let last = log.lines().rev().find(|line| line.contains("x-crs-test")).unwrap_or_default();
    assert!(last.contains(id), "{id} is not in the last marker: {last}");
    last.to_owned()
}

/// The status of an answer, of which the head alone is read.
fn head(gateway: &Gateway, request: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(crate::harness::DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0; 1];
        stream.read_exact(&mut byte).unwrap();
        bytes.extend(byte);
    }
    String::from_utf8_lossy(&bytes[9..12]).into_owned()
}

/// In small letters, as go-ftw compares.
fn log(gateway: &Gateway) -> String {
    fs::read_to_string(gateway.folder().join("waf.log")).unwrap().to_lowercase()
}

/// Rules of the lines between two others, in the order of the log.
fn between(log: &str, start: &str, end: &str) -> Vec<u32> {
    let lines = log.lines().skip_while(|line| *line != start).skip(1);
    lines.take_while(|line| *line != end).filter_map(suite::id).collect()
}
