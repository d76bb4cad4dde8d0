//! Regression tests in go-ftw's format 2 against the engine, without a server between.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;
use waf_rules::{Profile, Transaction};

use crate::request::{Input, Request};

/// A test by name, `942100-3`.
pub(crate) struct Test {
    pub(crate) name: String,
    pub(crate) stages: Vec<Stage>,
}

/// What a run of tests came to.
pub(crate) struct Report {
    pub(crate) all: usize,
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    rule_id: u32,
    tests: Vec<FileTest>,
}

#[derive(Debug, Deserialize)]
struct FileTest {
    test_id: Option<u32>,
    stages: Vec<Stage>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Stage {
    pub(crate) input: Input,
    #[serde(default)]
    output: Output,
}

#[derive(Debug, Default, Deserialize)]
struct Output {
    #[serde(default)]
    log: Log,
}

#[derive(Debug, Default, Deserialize)]
struct Log {
    #[serde(default)]
    expect_ids: Vec<u32>,
    #[serde(default)]
    no_expect_ids: Vec<u32>,
    match_regex: Option<String>,
    no_match_regex: Option<String>,
}

/// What a backend answers: `/reflect` says itself what it wants to be answered.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Reflect {
    status: Option<u16>,
    headers: BTreeMap<String, String>,
    body: String,
    #[serde(rename = "encodedBody")]
    encoded_body: String,
}

/// Runs tests that say something about the log; the others ask only the server.
pub(crate) fn run(profile: &Profile, tests: &[Test]) -> Report {
    let judge = |test: &Test| {
        if test.stages.iter().all(|stage| stage.output.log.is_silent()) {
            return None;
        }
        let problems: Vec<String> =
            test.stages.iter().filter_map(|stage| problem(profile, stage)).collect();
        Some(if problems.is_empty() {
            Ok(())
        } else {
            Err(format!("{}: {}", test.name, problems.join("; ")))
        })
    };
    let results: Vec<Result<(), String>> =
        in_parallel(tests, judge).into_iter().flatten().collect();
    let passed = results.iter().filter(|result| result.is_ok()).count();
    Report {
        all: tests.len(),
        passed,
        failed: results.into_iter().filter_map(Result::err).collect(),
    }
}

/// Maps the tests, in order, on as many threads as there are cores.
pub(crate) fn in_parallel<I: Sync, T: Send>(tests: &[I], map: impl Fn(&I) -> T + Sync) -> Vec<T> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let chunk = tests.len().div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        let map = &map;
        let workers: Vec<_> = tests
            .chunks(chunk)
            .map(|chunk| scope.spawn(move || chunk.iter().map(map).collect::<Vec<T>>()))
            .collect();
        workers
            .into_iter()
            .flat_map(|worker| worker.join().unwrap_or_else(|_| panic!("a test thread panicked")))
            .collect()
    })
}

/// Every test below a folder.
pub(crate) fn read(folder: &Path) -> Vec<Test> {
    let mut paths = Vec::new();
    collect(folder, &mut paths);
    paths.sort();
    let files = paths.iter().filter_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let is_empty =
            text.lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '-']));
        (!is_empty).then(|| {
            serde_norway::from_str::<File>(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        })
    });
    files.flat_map(named).collect()
}

fn named(file: File) -> Vec<Test> {
    let rule = file.rule_id;
    let tests = file.tests.into_iter().zip(1..);
    let name = |id: Option<u32>, at| format!("{rule}-{}", id.unwrap_or(at));
    tests.map(|(test, at)| Test { name: name(test.test_id, at), stages: test.stages }).collect()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let silent = self.all - self.passed - self.failed.len();
        let (all, passed, failed) = (self.all, self.passed, self.failed.len());
        write!(f, "{all} in all, {passed} pass, {failed} fail, {silent} ask only the server")?;
        self.failed.iter().try_for_each(|failure| write!(f, "\n  {failure}"))
    }
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
}

/// What is wrong with the log of a stage, if anything is.
fn problem(profile: &Profile, stage: &Stage) -> Option<String> {
    let expected = &stage.output.log;
    if expected.is_silent() {
        return None;
    }
    let tx = feed(Transaction::new(profile.clone()), &stage.input.request());
    let log: Vec<String> = tx.matches().iter().map(|found| found.log_line()).collect();
    let log = log.join("\n");
    let has = |id: &u32| tx.matches().iter().any(|found| found.rule_id == *id);
    let matches =
        |pattern: &String| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&log));
    let ids: Vec<u32> = tx.matches().iter().map(|found| found.rule_id).collect();
    let missing: Vec<_> = expected.expect_ids.iter().filter(|id| !has(id)).collect();
    let surplus: Vec<_> = expected.no_expect_ids.iter().filter(|id| has(id)).collect();
    if !missing.is_empty() {
        return Some(format!("missing {missing:?} in {ids:?}"));
    }
    if !surplus.is_empty() {
        return Some(format!("surplus {surplus:?}"));
    }
    if let Some(pattern) = expected.match_regex.as_ref().filter(|pattern| !matches(pattern)) {
        return Some(format!("no match of {pattern} in\n{log}"));
    }
    expected
        .no_match_regex
        .as_ref()
        .filter(|pattern| matches(pattern))
        .map(|pattern| format!("match of {pattern}"))
}

impl Log {
    fn is_silent(&self) -> bool {
        self.expect_ids.is_empty()
            && self.no_expect_ids.is_empty()
            && self.match_regex.is_none()
            && self.no_match_regex.is_none()
    }
}

/// The whole life of a request, as a gateway in front of the reflecting backend sees it.
pub(crate) fn feed(mut tx: Transaction, request: &Request) -> Transaction {
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 80);
    tx.unique_id(b"regression-test");
    tx.request_line(&request.method, &request.target, &request.protocol);
    request.headers.iter().for_each(|(name, value)| tx.header(name, value));
    tx.head();
    if tx.wants_body() {
        tx.body_chunk(&request.body).unwrap_or_else(|error| panic!("{error}"));
    }
    tx.body();
    respond(&mut tx, request);
    tx.finish();
    tx
}

fn respond(tx: &mut Transaction, request: &Request) {
    let reflects = request.target.ends_with(b"/reflect") && request.method == b"POST";
    let reflect: Reflect = if reflects {
        serde_json::from_slice(&request.body).unwrap_or_default()
    } else {
        Reflect::default()
    };
    tx.response_line(reflect.status.unwrap_or(200), b"HTTP/1.1");
    reflect
        .headers
        .iter()
        .for_each(|(name, value)| tx.response_header(name.as_bytes(), value.as_bytes()));
    if !reflect.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")) {
        tx.response_header(b"Content-Type", b"text/plain; charset=utf-8");
    }
    tx.response_head();
    if tx.wants_response_body() {
        let body = match reflect.encoded_body.as_str() {
            "" => reflect.body.into_bytes(),
            encoded => {
                use base64::Engine;
                base64::engine::general_purpose::STANDARD.decode(encoded).unwrap_or_default()
            }
        };
        tx.response_body_chunk(&body).unwrap_or_else(|error| panic!("{error}"));
    }
    tx.response_body();
}
