//! The regression tests of the OWASP Core Rule Set against the running gateway, over sockets.
//!
//! The rule set is not part of the project. `YETT_CRS` names its folder (rules, set-up example, tests); without it
//! `../shared/crs` beside the workspace is tried, and when there is none this says so and does nothing.

mod markers;
mod run;
mod suite;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use base64::Engine;

use crate::harness::gateway::{Gateway, Setup};
use crate::harness::origin::{Answer, Origin, Seen};
use crate::material;
use waf_rules::ftw::{Response, Test};

/// What the tests assume; in process they run under the same.
const SETUP: &str = include_str!("../../waf-rules/tests/material/crs-tests.conf");
const OVERRIDES: &str = include_str!("overrides.yaml");

#[test]
fn every_regression_test_of_the_core_rule_set() {
    let Some(folder) = folder() else { return };
    let overrides = suite::Overrides::read(OVERRIDES);
    let tests = suite::read(&folder.join("tests/regression/tests"), &overrides);
    assert!(tests.len() > 5_000, "only {} tests in {}", tests.len(), folder.display());
    let origin = Origin::start(reflect);
    let gateway = gateway(&folder, &origin);
    let began = Instant::now();
    let inputs: Vec<_> =
        tests.iter().flat_map(|test| &test.stages).map(|stage| stage.input.clone()).collect();
    let answers = run::send_all(gateway.address(), inputs);
    let log = fs::read_to_string(gateway.folder().join("waf.log")).unwrap();
    let failed = judge(&tests, &answers, &log);
    say(&format!(
        "CRS over a socket: {} of {} pass, {} fail, {} overridden, in {:?}",
        tests.len() - failed.len(),
        tests.len(),
        failed.len(),
        overrides.count(),
        began.elapsed()
    ));
    assert!(failed.is_empty(), "{} tests fail:\n  {}", failed.len(), failed.join("\n  "));
}

/// The folder of the rule set, or a loud remark.
fn folder() -> Option<PathBuf> {
    material::crs().inspect_err(|remark| say(&format!("!!! {remark}"))).ok()
}

/// To be read when tests pass, too: not through the macros, whose output is kept from those.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn gateway(folder: &Path, origin: &Origin) -> Gateway {
    let crs = folder.canonicalize().unwrap();
    let crs = crs.display();
    Setup::new(&format!(
        r#"
telemetry: {{ access_log: {{ to: "off" }}, waf_log: {{ to: "@DIR@/waf.log" }} }}
waf:
  crs:
    rules: ["{crs}/crs-setup.conf.example", "@DIR@/setup.conf", "{crs}/rules/*.conf"]
    paranoia: 4
    mode: monitor
    body: {{ inspect: 1MiB, over: partial }}
    response: {{ inspect: 1MiB }}
services: {{ backend: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: crs }}
routes: [{{ id: all, match: {{ path: "/*" }}, to: backend, public: "a test", normalise: {{ encoded_separators: allow }} }}]
"#,
        origin.address()
    ))
    .file("setup.conf", SETUP)
    .start()
}

/// Name and problem of each test that fails.
fn judge(tests: &[Test], answers: &[run::Answered], log: &str) -> Vec<String> {
    let mut lines: HashMap<String, Vec<&str>> = HashMap::new();
    for line in log.lines() {
        let client = line.split_once("[client ").and_then(|(_, rest)| rest.split(':').next());
        lines.entry(client.unwrap_or_default().to_owned()).or_default().push(line);
    }
    let mut number = 0;
    let mut failed = Vec::new();
    for test in tests {
        for stage in &test.stages {
            let log = lines.remove(&run::address(number).to_string()).unwrap_or_default();
            if let Some(problem) = suite::problem(&stage.output, &answers[number], &log) {
                failed.push(format!("{}: {problem}", test.name));
            }
            number += 1;
        }
    }
    failed
}

/// What the suite's backend answers: `/reflect` says itself what it wants to be answered, all else is empty.
fn reflect(seen: &Seen) -> Answer {
    let wants = seen.method() == "POST" && seen.target() == "/reflect";
    if !wants {
        return Answer::Reply(200, Vec::new(), Vec::new());
    }
    let reflect: Response = serde_json::from_slice(&seen.body).unwrap_or_default();
    let mut headers: Vec<(String, String)> = reflect.headers.into_iter().collect();
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("Content-Type".into(), "text/plain; charset=utf-8".into()));
    }
    let decode = |text: &str| base64::engine::general_purpose::STANDARD.decode(text).unwrap();
    let body = match reflect.encoded_body.as_str() {
        "" => reflect.body.into_bytes(),
        encoded => decode(encoded),
    };
    Answer::Reply(reflect.status.unwrap_or(200), headers, body)
}
