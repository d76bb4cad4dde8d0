//! The regression tests of the Core Rule Set, go-ftw's format 2, and the list of those that we answer differently.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;

use super::run::Answered;
use super::wire::Input;

/// A test by name, `942100-3`.
pub struct Test {
    pub name: String,
    pub stages: Vec<Stage>,
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
pub struct Stage {
    pub input: Input,
    #[serde(default)]
    pub output: Output,
}

/// What a stage expects. An unknown key would be an expectation that nobody checks.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    status: Option<u16>,
    expect_error: Option<bool>,
    response_contains: Option<String>,
    /// Asks the runner to try again once; ours does not need to.
    #[serde(rename = "retry_once")]
    _retry_once: Option<bool>,
    #[serde(default)]
    log: Log,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Log {
    #[serde(default)]
    expect_ids: Vec<u32>,
    #[serde(default)]
    no_expect_ids: Vec<u32>,
    match_regex: Option<String>,
    no_match_regex: Option<String>,
}

/// A test that we answer differently, on purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    test: String,
    why: String,
    output: Output,
}

/// Every test below a folder, those of `overrides` with the expectation that stands there. Errors: an override without
/// a reason, or of a test that does not exist.
pub fn read(folder: &Path, overrides: &str) -> Vec<Test> {
    let mut paths = Vec::new();
    collect(folder, &mut paths);
    paths.sort();
    let mut tests: Vec<Test> = paths.iter().filter_map(|path| file(path)).flat_map(named).collect();
    let overrides: Vec<Override> = serde_norway::from_str(overrides).unwrap();
    for Override { test, why, output } in overrides {
        assert!(!why.trim().is_empty(), "{test}: an override without a reason");
        let found = tests.iter_mut().find(|one| one.name == test);
        let found = found.unwrap_or_else(|| panic!("{test}: there is no such test"));
        found.stages.iter_mut().for_each(|stage| stage.output = output.clone());
    }
    tests
}

impl Output {
    /// What is wrong, if anything is.
    pub fn problem(&self, answered: &Answered, log: &[&str]) -> Option<String> {
        if self.expect_error == Some(true) && answered.status.is_some() {
            return Some(format!("status {:?}, no answer expected", answered.status));
        }
        if self.status.is_some() && self.status != answered.status {
            return Some(format!("status {:?}, expected {:?}", answered.status, self.status));
        }
        if let Some(part) = &self.response_contains
            && !String::from_utf8_lossy(&answered.bytes).contains(part)
        {
            return Some(format!("the answer does not contain {part:?}"));
        }
        self.log.problem(log)
    }
}

impl Log {
    fn problem(&self, log: &[&str]) -> Option<String> {
        let has = |id: &u32| log.iter().any(|line| line.contains(&format!("[id \"{id}\"]")));
        let text = log.join("\n");
        let matches = |pattern: &str| Regex::new(pattern).unwrap().is_match(&text);
        if let Some(id) = self.expect_ids.iter().find(|id| !has(id)) {
            return Some(format!("rule {id} did not match, but {:?} did", ids(log)));
        }
        if let Some(id) = self.no_expect_ids.iter().find(|id| has(id)) {
            return Some(format!("rule {id} matched"));
        }
        if let Some(pattern) = self.match_regex.as_deref().filter(|pattern| !matches(pattern)) {
            return Some(format!("nothing in the log matches {pattern}:\n{text}"));
        }
        let pattern = self.no_match_regex.as_deref().filter(|pattern| matches(pattern));
        pattern.map(|pattern| format!("the log matches {pattern}"))
    }
}

/// Ids of a log's lines.
fn ids<'l>(log: &[&'l str]) -> Vec<&'l str> {
    let id =
        |line: &&'l str| line.split_once("[id \"").and_then(|(_, rest)| rest.split('"').next());
    log.iter().filter_map(id).collect()
}

fn file(path: &Path) -> Option<File> {
    let text = fs::read_to_string(path).unwrap();
    // One file of the suite has no tests.
    let is_empty = text.lines().all(|line| line.trim().is_empty() || line.starts_with(['#', '-']));
    let parse = || {
        serde_norway::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    (!is_empty).then(parse)
}

fn named(file: File) -> impl Iterator<Item = Test> {
    let rule = file.rule_id;
    file.tests.into_iter().zip(1..).map(move |(test, at)| Test {
        name: format!("{rule}-{}", test.test_id.unwrap_or(at)),
        stages: test.stages,
    })
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            paths.push(path);
        }
    }
}
