//! `yett waf`: the commands as someone at a terminal or a pipeline sees them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::coding::coded;
use crate::harness::gateway::yett;

const CONFIG: &str = r#"version: 1
listeners: { public: { bind: "127.0.0.1:0" } }
waf:
  standard: { rules: [builtin], detection_paranoia: 2 }
  own: { rules: [own.conf] }
services: { web: { endpoints: ["127.0.0.1:9"] } }
defaults: { waf: standard }
routes:
  - id: notes   # people write here
    match: { path: /notes }
    to: web
    public: "a test"
  - id: watched
    match: { path: /watched }
    to: web
    public: "a test"
    waf: { mode: monitor, except: [{ rules: [170100], field: json.note, why: "free text", expires: "2099-01-01" }] }
  - { id: own, match: { path: /own }, to: web, public: "a test", waf: own }
"#;

const OWN: &str = r#"
# Ends in x.
SecRule ARGS "@endsWith x" "id:7,phase:2,deny,status:418,t:lowercase,msg:'an x',tag:'attack-x'"
"#;

const OWN_TESTS: &str = r#"rule_id: 7
tests:
  - desc: "an x at the end"
    stages:
      - input: { uri: "/own?a=box", headers: { Host: localhost } }
        output: { status: 418, log: { expect_ids: [7] } }
  - stages:
      - input: { uri: "/own?a=boy", headers: { Host: localhost } }
        output: { status: 200, log: { no_expect_ids: [7] } }
"#;

const ATTACK: &str = "1%27%20UNION%20SELECT%20password%20FROM%20users--";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("yett.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("own.conf"), OWN).unwrap();
    fs::write(folder.path().join("own.yaml"), OWN_TESTS).unwrap();
    folder
}

/// Runs `yett waf ...` in the folder; its code, output and errors.
fn waf(folder: &Path, arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut command = yett();
    command.arg("waf").args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env_remove("YETT_WAF_TESTS").spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn json_of(folder: &Path, arguments: &[&str], stdin: &str) -> Value {
    let (_, out, err) = waf(folder, arguments, stdin);
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

fn event(route: &str, profile: &str, matches: Value) -> String {
    json!({
        "trace": { "id": "4bf92f3577b34da6a3ce929d0e0e4736" },
        "http": { "request": { "method": "POST" } },
        "url": { "path": "/notes" },
        "yett": { "route": route, "waf": { "profile": profile, "score": 10, "threshold": 5, "matches": matches } },
    })
    .to_string()
}

fn two_matches() -> Value {
    json!([{ "rule": "170100", "target": "ARGS:q", "score": 5 }, { "rule": "170110", "target": "ARGS:q", "score": 5 }])
}

#[test]
fn rules_are_listed_and_shown() {
    let folder = folder();
    let (code, out, _) = waf(folder.path(), &["list", "--tag", "sqli", "--level", "1"], "");
    assert_eq!(code, 0);
    assert!(out.contains("170110") && !out.contains("170300") && !out.contains("160100"), "{out}");
    assert!(!out.contains('\u{1b}'), "no colour in a pipe");
    let rules = json_of(folder.path(), &["list", "--rules", "own.conf", "--json"], "");
    assert_eq!(
        (rules.as_array().unwrap().len(), &rules[0]["id"], &rules[0]["line"]),
        (1, &json!(7), &json!(3))
    );

    let (code, out, _) = waf(folder.path(), &["show", "170100", "--config", "yett.yaml"], "");
    assert_eq!(code, 0);
    for expected in [
        "@detectSQLi",
        "urlDecodeUni",
        "attack-sqli",
        "route watched: json.note until 2099-01-01",
        "yett.yaml:17",
        "170000-1",
        "SecRule ARGS|",
    ] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    let shown = json_of(
        folder.path(),
        &["show", "7", "--rules", "own.conf", "--tests", "own.yaml", "--json"],
        "",
    );
    assert_eq!(
        shown[0]["links"],
        json!([{ "targets": ["ARGS"], "transformations": ["lowercase"], "operator": "@endsWith x" }])
    );
    assert_eq!(
        (&shown[0]["tests"], &shown[0]["comment"]),
        (&json!(["7-1", "7-2"]), &json!("Ends in x."))
    );
    let (code, _, err) = waf(folder.path(), &["show", "1"], "");
    assert_eq!((code, err.as_str()), (2, "error: no rule 1 in builtin\n"));
}

#[test]
fn requests_are_explained() {
    let folder = folder();
    let path = format!("/watched?q={ATTACK}");
    let arguments = [
        "explain",
        "--config",
        "yett.yaml",
        "--path",
        &path,
        "--header",
        "user-agent: x",
        "--header",
        "accept: */*",
    ];
    let (code, out, _) = waf(folder.path(), &arguments, "");
    assert_eq!(code, 0);
    for expected in [
        "route      watched",
        "standard, monitored, level 1, detection 2, threshold 5, 1 exceptions",
        "170110",
        "ARGS:q",
        "would be refused by rule 190030",
    ] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    let explained = json_of(folder.path(), &[&arguments[..], &["--json"]].concat(), "");
    let by_rule: i64 = explained["by_rule"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["score"].as_i64().unwrap())
        .sum();
    let levels: Vec<i64> = explained["levels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|level| level["score"].as_i64().unwrap())
        .collect();
    assert_eq!((explained["route"].as_str(), levels.len()), (Some("watched"), 4));
    assert!(
        levels.is_sorted() && levels[0] == explained["score"] && by_rule == levels[1],
        "{explained:#}"
    );

    // A raw request: bytes that no flag could give, and that no terminal may act upon.
    let raw = b"POST /own HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\na=\x1b[2Jbox";
    fs::write(folder.path().join("raw"), raw).unwrap();
    let (code, out, _) =
        waf(folder.path(), &["explain", "--config", "yett.yaml", "--raw", "raw"], "");
    assert_eq!(code, 0, "{out}");
    assert!(
        out.contains("418 by rule 7") && out.contains("\\u{1b}[2jbox") && !out.contains('\u{1b}'),
        "{out}"
    );
    let (code, _, err) =
        waf(folder.path(), &["explain", "--config", "yett.yaml", "--path", "/nowhere"], "");
    assert_eq!(code, 2);
    assert!(err.contains("no route takes the request (route.not_found)"), "{err}");
}

/// What the gateway makes of a body is what is explained: its coding, its size, and what is no request at all.
#[test]
fn requests_are_explained_as_the_gateway_reads_them() {
    let folder = folder();
    let explain = |fields: &str, length: usize, body: &[u8]| {
        let kind = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length";
        let head =
            format!("POST /own HTTP/1.1\r\nHost: localhost\r\n{kind}: {length}\r\n{fields}\r\n");
        fs::write(folder.path().join("raw"), [head.as_bytes(), body].concat()).unwrap();
        waf(folder.path(), &["explain", "--config", "yett.yaml", "--raw", "raw"], "")
    };
    let large = [b"a=".to_vec(), vec![b'y'; 200_000]].concat();
    for (fields, body, verdict) in [
        ("Content-Encoding: gzip\r\n", coded("gzip", "a=box"), "refused with 418 by rule 7"),
        ("Content-Encoding: zstd\r\n", b"a=box".to_vec(), "refused with 400 waf.body_unreadable"),
        ("Content-Encoding: gzip\r\n", b"a=box".to_vec(), "refused with 400 waf.body_unreadable"),
        ("", large, "refused with 413 waf.body_too_large"),
        ("", b"a=boy".to_vec(), "passes"),
    ] {
        let (code, out, err) = explain(fields, body.len(), &body);
        assert!(code == 0 && out.contains(verdict), "{fields}: {out}{err}");
    }
    let (code, _, err) = explain("", 9, b"a=box");
    assert!(code == 2 && err.contains("the body has 5 bytes, its Content-Length says 9"), "{err}");
    for (raw, wanted) in [
        ("", "this is no request"),
        ("GARBAGE", "this is no request"),
        ("GET no-slash HTTP/1.1\r\n\r\n", "this is no request"),
        ("GET / HTTP/1.1\r\nHost: a\r\n", "an empty line is missing"),
    ] {
        fs::write(folder.path().join("raw"), raw).unwrap();
        let (code, _, err) =
            waf(folder.path(), &["explain", "--rules", "own.conf", "--raw", "raw"], "");
        assert!(code == 2 && err.contains(wanted), "{raw}: {err}");
    }
}

#[test]
fn tests_pass_and_fail() {
    let folder = folder();
    let own = ["test", "own.yaml", "--config", "yett.yaml", "--profile", "own", "--status"];
    let (code, out, _) = waf(folder.path(), &own, "");
    assert_eq!((code, out.as_str()), (0, "2 pass, 0 fail: 2 tests, rules own\n"));
    let (code, out, _) = waf(folder.path(), &["test", "own.yaml"], "");
    assert_eq!(code, 1);
    assert!(
        out.contains("fail  7-1")
            && out.contains("an x at the end")
            && out.contains("expected 7 in the log, got"),
        "{out}"
    );
    let report = json_of(folder.path(), &["test", "own.yaml", "--json"], "");
    assert_eq!((&report["passed"], &report["tests"][0]["result"]), (&json!(1), &json!("fail")));
    for (file, text) in
        [("typo.yaml", OWN_TESTS.replace("expect_ids", "expect_id")), ("empty.yaml", String::new())]
    {
        fs::write(folder.path().join(file), text).unwrap();
        assert_eq!(waf(folder.path(), &["test", file], "").0, 2, "{file}");
    }
}

#[test]
fn an_exclusion_is_proposed_proved_and_written() {
    let folder = folder();
    let event = event("notes", "standard", two_matches());
    let arguments = ["exclude", "-", "--config", "yett.yaml"];
    let (code, out, err) = waf(folder.path(), &arguments, &event);
    assert_eq!(code, 0, "{out}{err}");
    for expected in [
        "170100, 170110 at arg.q",
        "+        - { rules: [170100, 170110], field: \"arg.q\", why: \"\", expires: \"YYYY-MM-DD\" }",
        "the same request would score 0 of 5: it passes",
        "attack-sqli, the built-in tests: ",
    ] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("yett.yaml")).unwrap(),
        CONFIG,
        "only a proposal"
    );

    // The placeholders of the proposal do not pass.
    let open = CONFIG.replace(
        "    public: \"a test\"\n  - id: watched",
        "    public: \"a test\"\n    waf: { except: [{ rules: [170100], field: arg.q, why: \"\", expires: \"YYYY-MM-DD\" }] }\n  - id: watched",
    );
    fs::write(folder.path().join("open.yaml"), open).unwrap();
    let output = yett()
        .args(["check", "--config", "open.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text.contains("reason of an exception is empty")
            && text.contains("`YYYY-MM-DD` is not a day"),
        "{text}"
    );

    // Written, it holds; and what it is for passes.
    assert_ne!(
        waf(folder.path(), &[&arguments[..], &["--write"]].concat(), &event).0,
        0,
        "no reason, no change"
    );
    let written = ["--write", "--why", "names like \"O'Neil\" # honest", "--expires", "2099-12-31"];
    let (code, out, err) = waf(folder.path(), &[&arguments[..], &written].concat(), &event);
    assert_eq!(code, 0, "{out}{err}");
    let output = yett()
        .args(["check", "--config", "yett.yaml"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let path = format!("/notes?q={ATTACK}");
    let explained = json_of(
        folder.path(),
        &["explain", "--config", "yett.yaml", "--path", &path, "--json"],
        "",
    );
    let rules: Vec<&Value> =
        explained["by_rule"].as_array().unwrap().iter().map(|rule| &rule["rule"]).collect();
    assert!(!rules.contains(&&json!(170100)) && rules.contains(&&json!(170230)), "{rules:?}");
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 4, "nothing is left beside the file");
}

#[test]
fn an_exclusion_that_cannot_be_narrow_or_proved_is_refused() {
    let folder = folder();
    let refused = |event: &str, more: &[&str]| {
        let arguments = [&["exclude", "-", "--config", "yett.yaml"], more].concat();
        let (code, out, err) = waf(folder.path(), &arguments, event);
        assert!(!out.contains('\u{1b}') && !err.contains('\u{1b}'), "{out}{err}");
        (code, format!("{out}{err}"))
    };
    let at = |target: &str| {
        event("notes", "standard", json!([{ "rule": "170100", "target": target, "score": 5 }]))
    };
    let cases = [
        (at("ARGS:/.*/"), 2, "nothing that can be excepted narrowly"),
        (at("REQUEST_BODY"), 2, "would hide every field in it"),
        (at("ARGS:\u{1b}[2J\" }] }\nroutes: []"), 2, "nothing that can be excepted narrowly"),
        (event("gone\u{1b}[2J", "standard", two_matches()), 2, "no route `gone\\u{1b}[2J`"),
        (event("notes", "other", two_matches()), 2, "uses profile `standard` now"),
        (
            event("notes", "standard", json!([{ "rule": "1", "target": "ARGS:q", "score": 5 }])),
            2,
            "has no rule 1",
        ),
        ("{}".to_owned(), 2, "no event in which a rule matched"),
        ("not json".to_owned(), 2, "not an event"),
    ];
    for (event, expected_code, expected) in cases {
        let (code, text) = refused(&event, &[]);
        assert_eq!(code, expected_code, "{event}: {text}");
        assert!(text.contains(expected), "{expected} in {text}");
    }
    // Rules without tests: said loudly, and never written.
    let own = event("own", "own", json!([{ "rule": "7", "target": "ARGS:b", "score": 5 }]));
    let (code, text) = refused(&own, &[]);
    assert!(code == 0 && text.contains("NOTHING WAS PROVED"), "{text}");
    let write = ["--write", "--why", "w", "--expires", "2099-01-01"];
    let (code, text) = refused(&own, &write);
    assert!(code == 2 && text.contains("not written: nothing was proved"), "{text}");
    // With tests it is proved, and refused where it would silence the rule.
    let (code, text) = refused(&own, &["--tests", "own.yaml"]);
    assert!(code == 0 && text.contains("1 of 1 tests fire before, 1 after"), "{text}");
    let silencing = own.replace("ARGS:b", "ARGS:a");
    let (code, text) = refused(&silencing, &["--tests", "own.yaml"]);
    assert!(
        code == 1 && text.contains("rule 7 would fire in none of its tests any more"),
        "{text}"
    );
    assert_eq!(fs::read_to_string(folder.path().join("yett.yaml")).unwrap(), CONFIG);
}
