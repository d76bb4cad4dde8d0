use std::fs;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use waf_rules::{Profile, ProfileOptions, Ruleset, Transaction};

use super::{PATIENCE, full, silent};
use crate::base::event::{AuditFacts, Event};
use crate::telemetry::queue::weight_of;
use crate::telemetry::{AuditFormat, AuditLog, Target};

fn fields(pairs: &[(&str, &[u8])]) -> HeaderMap {
    let pair = |(name, value): &(&str, &[u8])| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// What the engine itself says of a hostile request.
fn facts() -> AuditFacts {
    let rules = r#"SecRule ARGS "@contains x" "id:7,phase:1,pass,msg:'found %{MATCHED_VAR}',logdata:'%{MATCHED_VAR}',severity:CRITICAL,tag:'attack-x',rev:'2',ver:'own/1'"
SecRule ARGS "@contains x" "id:8,phase:1,pass,noauditlog""#;
    let ruleset = Ruleset::builder().text("r.conf", rules).build().unwrap();
    let profile = Profile::new(&ruleset, ProfileOptions::default()).unwrap();
    let mut tx = Transaction::new(profile);
    tx.request_line(
        b"GET",
        b"/?a=x%0A--00f067aa-Z--%0A%1b[2J&password=x-hunter2&c=x4111111111111111",
        b"HTTP/1.1",
    );
    tx.head();
    tx.finish();
    AuditFacts {
        request_fields: Some(fields(&[
            ("host", b"a"),
            ("cookie", b"sid=hunter2"),
            ("authorization", b"Bearer hunter2hunter2"),
            ("x-api-key", b"hunter2"),
            ("referer", b"https://a/?token=hunter2&q=1"),
            ("x-odd", b"\xff\t--00f067aa-Z--"),
        ])),
        answer_fields: Some(fields(&[
            ("content-type", b"text/plain"),
            ("set-cookie", b"sid=hunter2"),
        ])),
        matches: Some(tx.matches().iter().filter(|found| found.audit).cloned().collect()),
        ruleset: ruleset.version().to_owned(),
        components: vec!["OWN/1.0".to_owned()],
        sensor_id: "edge-1".to_owned(),
        server: Some("203.0.113.1:443".parse().unwrap()),
    }
}

fn audited() -> Box<Event> {
    let mut event = full();
    event.audit = Some(Box::new(facts()));
    event.request.query = Some("a=1&password=hunter2".into());
    event
}

/// What is in the file after these events.
fn written(format: AuditFormat, events: impl IntoIterator<Item = Box<Event>>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.log");
    let telemetry = silent();
    telemetry.configure_audit(AuditLog { target: Target::File(path.clone()), format }).unwrap();
    events.into_iter().for_each(|event| telemetry.record(event));
    assert!(telemetry.flush(PATIENCE));
    fs::read_to_string(path).unwrap()
}

#[test]
fn json_records_have_the_fields_and_every_match() {
    let text = written(AuditFormat::Json, [audited(), full(), audited()]);
    let records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2, "an event without facts is none of the audit log's");
    let (transaction, messages) = (&records[0]["transaction"], &records[0]["messages"]);
    assert_eq!(transaction["id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(transaction["client_ip"], "192.0.2.7");
    assert_eq!(
        (&transaction["host_ip"], &transaction["host_port"]),
        (&"203.0.113.1".into(), &443.into())
    );
    assert_eq!(transaction["producer"]["components"][0], "OWN/1.0");
    assert_eq!(transaction["producer"]["sensor_id"], "edge-1");
    assert_eq!(transaction["is_interrupted"], true);
    assert_eq!(transaction["request"]["uri"], "/v1/orders/7?a=1&password=[redacted]");
    assert_eq!(transaction["response"]["http_code"], 403);
    let value = |name: &str| {
        let fields = transaction["request"]["headers"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).map(|field| field["value"].clone())
    };
    assert_eq!(value("host"), Some("a".into()));
    assert_eq!(value("referer"), Some("https://a/?token=[redacted]&q=1".into()));
    assert_eq!(
        messages.as_array().unwrap().len(),
        3,
        "one for each value, none of a rule with noauditlog"
    );
    assert_eq!(messages[0]["details"]["ruleId"], "7");
    assert_eq!(messages[1]["details"]["match"], "ARGS:password");
    assert_eq!(messages[1]["details"]["data"], "[redacted]");
    assert_eq!(messages[0]["details"]["tags"][0]["tag"], "attack-x");
    assert_eq!(
        (&messages[0]["details"]["rev"], &messages[0]["details"]["ver"]),
        (&"2".into(), &"own/1".into())
    );
}

#[test]
fn native_records_have_their_parts_in_order() {
    let text = written(AuditFormat::Native, [audited(), audited()]);
    let boundaries: Vec<&str> = text.lines().filter(|line| line.starts_with("--")).collect();
    let parts = ["A", "B", "F", "H", "Z"].map(|part| format!("--00f067aa-{part}--"));
    assert_eq!(boundaries, [&parts[..], &parts[..]].concat(), "{text}");
    for expected in [
        "[01/Jan/2026:00:00:00.000000 +0000] 4bf92f3577b34da6a3ce929d0e0e4736 192.0.2.7 40000 203.0.113.1 443\n",
        "GET /v1/orders/7?a=1&password=[redacted] HTTP/1.1\nhost: a\n",
        "HTTP/1.1 403\ncontent-type: text/plain\n",
        "[id \"7\"]",
        "Action: Intercepted (code 403)\n",
        "Stopwatch: 1767225600000000 1500 ",
        "; OWN/1.0\nSensor-Id: \"edge-1\"\n",
        "Engine-Mode: \"ENABLED\"\n",
    ] {
        assert!(text.contains(expected), "{expected} in\n{text}");
    }
}

#[test]
fn no_record_shows_a_secret_or_commands_a_terminal() {
    for format in [AuditFormat::Json, AuditFormat::Native] {
        let text = written(format, [audited()]);
        for secret in ["hunter2", "4111111111111111"] {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
        assert!(!text.contains(['\u{1b}', '\t', '\r']), "{text}");
    }
}

/// What waits is weighed, and what a target does not take is counted.
#[test]
fn records_are_bounded_and_drops_are_counted() {
    let (plain, mut heavy) = (full(), audited());
    assert!(weight_of(&heavy) > weight_of(&plain) + 500);
    let folder = tempfile::tempdir().unwrap();
    let telemetry = silent();
    let bad = Target::File(folder.path().join("no/such"));
    assert!(
        telemetry.configure_audit(AuditLog { target: bad, format: AuditFormat::Json }).is_err()
    );
    let facts = heavy.audit.as_mut().unwrap();
    let long = |at: u32| {
        let name = HeaderName::try_from(format!("x-{at}")).unwrap();
        (name, HeaderValue::try_from("v".repeat(4000)).unwrap())
    };
    facts.request_fields = Some((0..500).map(long).collect());
    let text = written(AuditFormat::Json, [heavy]);
    assert!(text.len() < 150_000, "{} bytes", text.len());
    assert!(telemetry.scrape().unwrap().contains("yett_audit_log_dropped_total 0"));
}
