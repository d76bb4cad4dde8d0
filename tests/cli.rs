//! The commands: what they print, and with which code they end.

use std::fs;
use std::process::Output;

use crate::harness::gateway::{Gateway, Setup, yett};
use crate::material::package;

const GOOD: &str = r#"version: 1
listeners: { public: { bind: "127.0.0.1:0" } }
waf: { standard: { rules: [builtin] } }
limits: { per-client: { rate: 5/1s, key: client.ip } }
services: { web: { endpoints: ["127.0.0.1:9"] } }
routes:
  - { id: web, match: { path: "/v1/{id}", methods: [GET] }, to: web, public: "a test", waf: standard, limits: [per-client] }
tests:
  - { request: { path: /v1/7 }, expect: { status: 200, route: web } }
"#;

/// Three mistakes: all are reported at once.
const BAD: &str = r#"version: 1
listeners: { public: { bind: "127.0.0.1:0" } }
limits: { per-client: { rate: 5/1s, key: client.ip } }
services: { web: { endpoints: ["127.0.0.1:9"] } }
routes:
  - { id: web, match: { path: /x }, to: wbe, public: "a test", limits: [per-clint] }
  - { id: open, match: { path: /y }, to: web }
"#;

fn run(arguments: &[&str], config: &str) -> (Output, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("yett.yaml");
    fs::write(&path, config).unwrap();
    let output = yett().args(arguments).arg("--config").arg(path).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    (output, out, err)
}

#[test]
fn check_finds_nothing() {
    let (output, out, _) = run(&["check"], GOOD);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert_eq!(out, "ok: 1 routes, 1 services, 1 tests passed\n");
}

#[test]
fn check_reports_everything_at_once() {
    let (output, out, _) = run(&["check"], BAD);
    assert_eq!(output.status.code(), Some(2));
    for expected in [
        "unknown service `wbe`",
        "did you mean `web`?",
        "unknown limit `per-clint`",
        "did you mean `per-client`?",
        "yett.yaml:6:",
        "yett.yaml:7:",
    ] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    assert!(out.matches("error[Y").count() >= 3, "{out}");
    let (output, out, _) = run(&["check", "--format", "json"], BAD);
    assert_eq!(output.status.code(), Some(2));
    serde_json::from_str::<serde_json::Value>(&out).unwrap();
}

#[test]
fn check_runs_the_tests_of_a_configuration() {
    let failing = GOOD.replace("expect: { status: 200, route: web }", "expect: { status: 404 }");
    let (output, out, _) = run(&["check"], &failing);
    assert_eq!(output.status.code(), Some(2));
    assert!(out.contains("404") && out.contains("200"), "{out}");
}

/// Nothing is bound: the address is not even looked at.
#[test]
fn run_refuses_a_bad_configuration() {
    let output = Setup::new(BAD).run();
    assert_eq!(output.status.code(), Some(78));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("unknown service `wbe`"), "{text}");
    assert!(!text.contains("listener"), "{text}");
}

#[test]
fn run_says_which_address_is_taken() {
    let taken = Gateway::start(&GOOD.replace("tests:", "# tests:").replace("  - { request", "#"));
    let address = taken.address().to_string();
    let output = Setup::new(&GOOD.replace("127.0.0.1:0", &address)).run();
    assert_eq!(output.status.code(), Some(71));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("`public`") && text.contains(&address), "{text}");
}

#[test]
fn run_without_its_file() {
    let output = yett().args(["run", "--config", "/nonexistent/yett.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nonexistent/yett.yaml"));
}

#[test]
fn the_shipped_schema_is_current() {
    let output = yett().arg("schema").output().unwrap();
    let shipped = package().join("../config/schema.json");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), fs::read_to_string(shipped).unwrap());
}

#[test]
fn explain_an_allowed_and_a_refused_request() {
    let (output, out, _) = run(&["explain", "--path", "/v1/7"], GOOD);
    assert_eq!(output.status.code(), Some(0));
    for expected in [
        "normalise  GET localhost /v1/7",
        "route      web",
        "yett.yaml:7",
        "per-client",
        "profile standard",
        "verdict    200 allowed",
    ] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    let (output, out, _) = run(
        &["explain", "--path", "/v1/1'+UNION+SELECT+password+FROM+users--?q=1'+or+'1'='1'--"],
        GOOD,
    );
    assert_eq!(output.status.code(), Some(0));
    for expected in ["refuses: waf.blocked", "rule ", "ARGS:q", "verdict    403 waf.blocked"] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    let (_, out, _) = run(&["explain", "--path", "/v1/7", "--method", "DELETE"], GOOD);
    assert!(
        out.contains("takes only GET, HEAD")
            && out.contains("verdict    405 route.method_not_allowed"),
        "{out}"
    );
}

#[test]
fn wrong_usage() {
    for arguments in [&["run"][..], &["nonsense"], &["check", "--nonsense"]] {
        let output = yett().args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}
