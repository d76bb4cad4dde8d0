use serde_json::{Value, json};

use super::{allowed, full, refused, rule_match};
use crate::base::code::Code;
use crate::base::event::Event;
use crate::telemetry::Recorded;

fn line(event: Box<Event>) -> String {
    Recorded { sequence: 7, event }.line()
}

fn parsed(event: Box<Event>) -> Value {
    serde_json::from_str(&line(event)).unwrap()
}

#[test]
fn an_allowed_request_says_what_was_asked_and_answered() {
    let line = parsed(allowed());
    let cases: &[(&str, Value)] = &[
        ("/@timestamp", json!("2026-01-01T00:00:00.001500Z")),
        ("/event/start", json!("2026-01-01T00:00:00.000000Z")),
        ("/event/kind", json!("event")),
        ("/event/category", json!(["web"])),
        ("/event/type", json!(["access", "allowed"])),
        ("/event/action", json!("allowed")),
        ("/event/outcome", json!("success")),
        ("/event/duration", json!(1_500_000)),
        ("/event/sequence", json!(7)),
        ("/http/request/method", json!("GET")),
        ("/http/request/bytes", json!(312)),
        ("/http/response/status_code", json!(200)),
        ("/http/version", json!("1.1")),
        ("/url/scheme", json!("https")),
        ("/url/domain", json!("api.example.com")),
        ("/url/path", json!("/v1/orders/7")),
        ("/url/query", json!("fields=id,total&page=2")),
        ("/client/ip", json!("192.0.2.7")),
        ("/source/port", json!(40000)),
        ("/user_agent/original", json!("curl/8.14.1")),
        ("/trace/id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
        ("/span/id", json!("00f067aa0ba902b7")),
        ("/service/target/name", json!("orders-v1")),
        ("/yett/route", json!("orders")),
        ("/yett/listener", json!("public")),
        ("/yett/outcome", json!("allowed")),
        ("/yett/timings_us", json!({ "normalise": 3, "upstream": 1200 })),
    ];
    for (pointer, expected) in cases {
        assert_eq!(line.pointer(pointer), Some(expected), "{pointer}");
    }
    for absent in ["/rule", "/user", "/yett/findings", "/yett/waf", "/yett/limits"] {
        assert_eq!(line.pointer(absent), None, "{absent}");
    }
}

#[test]
fn a_refusal_says_who_refused_and_why() {
    let line = parsed(full());
    let cases: &[(&str, Value)] = &[
        ("/event/kind", json!("alert")),
        ("/event/category", json!(["web", "intrusion_detection"])),
        ("/event/type", json!(["access", "denied"])),
        ("/event/action", json!("waf.blocked")),
        ("/event/outcome", json!("failure")),
        ("/rule/id", json!("942100")),
        ("/user/id", json!("0000000000000abc")),
        ("/user/domain", json!("corp")),
        ("/yett/mfa", json!(true)),
        ("/yett/findings/0/code", json!("waf.blocked")),
        ("/yett/findings/0/stage", json!("waf")),
        ("/yett/findings/0/enforced", json!(true)),
        ("/yett/findings/0/evidence", json!("score 10, threshold 5")),
        ("/yett/waf/score", json!(10)),
        ("/yett/waf/matches/0/target", json!("ARGS:q")),
        ("/yett/waf/matches/0/matched", json!("1' or 1=1--")),
        ("/yett/limits/0/decision", json!("allowed")),
        ("/yett/upstream/endpoint", json!("10.0.1.11:8080")),
        ("/yett/upstream/attempts", json!(3)),
    ];
    for (pointer, expected) in cases {
        assert_eq!(line.pointer(pointer), Some(expected), "{pointer}");
    }
}

#[test]
fn every_code_is_written_with_its_stage() {
    for code in Code::ALL {
        let line = parsed(refused(*code, "because"));
        assert_eq!(line["event"]["action"], code.as_str());
        assert_eq!(line["yett"]["findings"][0]["stage"], code.stage().as_str());
        assert_eq!(line["event"]["reason"], code.title());
    }
}

/// What an attacker writes to reach whoever reads the log: markup, forged lines, terminal sequences, direction
/// overrides, broken structure.
const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "a\r\n{\"event\":{\"action\":\"forged\"}}",
    "\u{1b}]0;owned\u{7}\u{1b}[2J",
    "\u{9b}31m",
    "\u{202e}txt.exe",
    "\u{2066}a\u{2069}",
    "\"}],\"yett\":{\"route\":\"forged\"}",
    "\\\"\\",
    "\u{2028}\u{2029}\u{0}\u{7f}",
    "\u{e0041}\u{feff}\u{200b}",
    "ünïcödé 漢字 🦀",
    "</script><!--",
];

#[test]
fn hostile_texts_stay_inside_their_member() {
    for hostile in HOSTILE {
        let mut event = full();
        event.request.host = hostile.into();
        event.request.path = format!("/{hostile}");
        event.request.query = Some(format!("q={hostile}"));
        event.request.user_agent = Some(hostile.into());
        event.findings[0].evidence = hostile.into();
        event.waf.as_mut().unwrap().matches = vec![rule_match(1, hostile, hostile)];
        let line = line(event);
        let acting = |found: char| {
            found.is_control()
                || "<>\u{202e}\u{2066}\u{2028}\u{2029}\u{feff}\u{e0041}".contains(found)
        };
        assert!(!line.contains(acting), "{line}");
        let parsed: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["url"]["path"], format!("/{hostile}"));
        assert_eq!(parsed["user_agent"]["original"], hostile);
        assert_eq!(parsed["yett"]["waf"]["matches"][0]["target"], hostile);
        assert_eq!(parsed["yett"]["route"], "orders");
        assert_eq!(parsed["event"]["action"], "waf.blocked");
    }
}

#[test]
fn texts_lists_and_lines_are_bounded() {
    let mut event = full();
    event.request.path = format!("/{}", "é".repeat(100_000));
    event.request.query = Some("\u{1}".repeat(100_000));
    event.request.user_agent = Some("a".repeat(100_000).into());
    event.request.host = "h".repeat(100_000);
    event.findings[0].evidence = "e".repeat(100_000);
    let found = rule_match(1, &"t".repeat(100_000), &"m".repeat(100_000));
    event.waf.as_mut().unwrap().matches = vec![found; 1000];
    let line = line(event);
    assert!(line.len() < 64 * 1024, "{}", line.len());
    let parsed: Value = serde_json::from_str(&line).unwrap();
    let path = parsed["url"]["path"].as_str().unwrap();
    assert!(path.len() <= 2048 + '…'.len_utf8() && path.ends_with('…'));
    assert_eq!(parsed["yett"]["waf"]["matches"].as_array().unwrap().len(), 32);
    assert_eq!(parsed["yett"]["waf"]["matches_total"], 1000);
}
