//! The audit log: which requests it holds, in which form, and that it holds no secret.

use std::fs;

use serde_json::Value;

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::origin::Origin;

const ATTACK: &str = "/x?id=1'+UNION+SELECT+password+FROM+users--&password=hunter2";

fn config(origin: &Origin, audit: &str) -> String {
    format!(
        r#"
telemetry: {{ access_log: {{ to: access.ndjson }}, audit_log: {audit} }}
waf: {{ standard: {{ rules: [builtin, "@DIR@/own.conf"] }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: standard }}
routes:
  - {{ id: web, match: {{ path: /x }}, to: web, public: "a test" }}
  - {{ id: watched, match: {{ path: /watched }}, to: web, public: "a test", waf: {{ mode: monitor }} }}
"#,
        origin.address()
    )
}

/// A field that only the rules know to be secret.
fn setup(origin: &Origin, audit: &str) -> Setup {
    let own = r#"SecAction "id:9,phase:1,pass,nolog,sanitiseRequestHeader:X-Personnel""#;
    Setup::new(&config(origin, audit)).file("own.conf", own)
}

fn attack(path: &str) -> Request {
    Request::get(&ATTACK.replace("/x", path))
        .header("authorization", "Bearer hunter2hunter2")
        .header("cookie", "sid=hunter2")
        .header("x-personnel", "p-271828")
        .header("x-note", "card 4111 1111 1111 1111")
}

/// An attack that is refused, one that is only watched, an ordinary request, one without a route, one that is none.
fn send_all(gateway: &Gateway) {
    let statuses = [
        attack("/x").send(gateway.address()).status,
        attack("/watched").send(gateway.address()).status,
        Request::get("/x?q=shoes")
            .header("user-agent", "Mozilla/5.0")
            .header("accept", "*/*")
            .send(gateway.address())
            .status,
        Request::get("/nowhere").send(gateway.address()).status,
    ];
    assert_eq!(statuses, [403, 200, 200, 404]);
    crate::harness::client::raw(gateway.address(), b"GET /x HTTP/1.1\r\n\r\n");
}

/// The log of a gateway that has ended: everything is written by then.
fn log_of(audit: &str) -> String {
    let origin = Origin::echo();
    let gateway = setup(&origin, audit).start();
    let path = gateway.folder().join("audit.log");
    send_all(&gateway);
    let copy = tempfile::NamedTempFile::new().unwrap();
    gateway.events(5);
    // The same thread writes both, this one first.
    fs::copy(path, copy.path()).unwrap();
    gateway.stop();
    fs::read_to_string(copy.path()).unwrap()
}

fn statuses(log: &str) -> Vec<u64> {
    let records = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut codes: Vec<u64> = records
        .map(|record| record["transaction"]["response"]["http_code"].as_u64().unwrap())
        .collect();
    // Requests end in any order.
    codes.sort_unstable();
    codes
}

#[test]
fn the_audit_log_holds_the_requests_that_it_is_asked_for() {
    for (requests, expected) in [
        ("matched", vec![200, 403]),
        ("refused", vec![400, 403, 404]),
        ("all", vec![200, 200, 400, 403, 404]),
    ] {
        let log = log_of(&format!("{{ to: audit.log, requests: {requests} }}"));
        assert_eq!(statuses(&log), expected, "{requests}");
        let blocked = log.lines().find(|line| line.contains("\"http_code\":403")).unwrap();
        let first: Value = serde_json::from_str(blocked).unwrap();
        let names: Vec<&str> = first["transaction"]["request"]["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|field| field["name"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"authorization") && names.contains(&"x-note"), "{names:?}");
        assert!(!first["messages"].as_array().unwrap().is_empty());
        assert!(!first["transaction"]["response"]["headers"].as_array().unwrap().is_empty());
        assert!(
            !log.contains("hunter2") && !log.contains("4111") && !log.contains("271828"),
            "{log}"
        );
    }
}

#[test]
fn the_audit_log_is_written_in_the_native_form() {
    let log = log_of("{ to: audit.log, format: native }");
    let parts: String = log
        .lines()
        .filter(|line| line.starts_with("--"))
        .filter_map(|line| line.chars().rev().nth(2))
        .collect();
    assert_eq!(parts, "ABFHZABFHZ");
    assert!(
        log.contains("GET /x?id=")
            && log.contains("Action: Intercepted (code 403)")
            && log.contains("[msg \""),
        "{log}"
    );
    assert!(!log.contains("hunter2") && !log.contains("4111") && !log.contains("271828"), "{log}");
}

/// Parts that the rules leave out of the records of a request are not in them.
#[test]
fn records_have_the_parts_that_the_rules_want() {
    let origin = Origin::echo();
    for (format, expected) in
        [("native", ["ABZ", "AFHZ"]), ("json", ["headers", "headers messages"])]
    {
        let rules = r#"
SecAuditLogParts AFHZ
SecRule ARGS:only "@streq B" "id:1,phase:1,pass,nolog,ctl:auditLogParts=B"
SecRule ARGS:x "@rx ." "id:2,phase:1,pass,msg:'a match'"
"#;
        let audit = format!("{{ to: audit.log, format: {format}, requests: all }}");
        let config = config(&origin, &audit).replace("builtin, ", "");
        let gateway = Setup::new(&config).file("own.conf", rules).start();
        for (at, (path, expected)) in ["/x?x=1&only=B", "/x?x=1"].iter().zip(expected).enumerate() {
            Request::get(path).header("x-asked", "1").send(gateway.address());
            gateway.events(at + 1);
            let log = fs::read_to_string(gateway.folder().join("audit.log")).unwrap();
            let parts: String = if format == "native" {
                let marks = log.lines().filter(|line| line.starts_with("--"));
                let letters: String = marks.filter_map(|line| line.chars().rev().nth(2)).collect();
                letters.rsplit('A').next().map(|last| format!("A{last}")).unwrap()
            } else {
                let record: Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
                assert_eq!(log.lines().last().unwrap().contains("x-asked"), at == 0, "{record}");
                let messages = record.get("messages").map_or("", |_| " messages");
                assert_eq!(record["transaction"].get("messages_total").is_some(), at == 1);
                format!("headers{messages}")
            };
            assert_eq!(parts, expected, "{format} {path}: {log}");
        }
    }
}

/// Switched on and off by a reload; off is no file.
#[test]
fn the_audit_log_follows_the_configuration() {
    let origin = Origin::echo();
    let gateway = setup(&origin, "{ to: off }").start();
    attack("/x").send(gateway.address());
    gateway.events(1);
    let path = gateway.folder().join("audit.log");
    assert!(!path.exists());
    assert_eq!(gateway.reload(&config(&origin, "{ to: audit.log }")).status, 200);
    attack("/x").send(gateway.address());
    gateway.events(2);
    assert_eq!(statuses(&fs::read_to_string(&path).unwrap()), [403]);
}
