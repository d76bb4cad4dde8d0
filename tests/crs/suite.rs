//! The regression tests of the Core Rule Set, and the list of those that we answer differently.

use std::path::Path;

use serde::Deserialize;
use waf_rules::ftw::{self, Output, Test};

use super::run::Answered;

/// A test that we answer differently, on purpose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    test: String,
    why: String,
    output: Output,
}

/// Every test below a folder, those of `overrides` with the expectation that stands there. An override without a
/// reason, or of a test that does not exist, is a failure.
pub fn read(folder: &Path, overrides: &str) -> Vec<Test> {
    let mut tests = ftw::read(folder).unwrap_or_else(|errors| panic!("{errors:?}"));
    let overrides: Vec<Override> = serde_norway::from_str(overrides).unwrap();
    for Override { test, why, output } in overrides {
        assert!(!why.trim().is_empty(), "{test}: an override without a reason");
        let found = tests.iter_mut().find(|one| one.name == test);
        let found = found.unwrap_or_else(|| panic!("{test}: there is no such test"));
        found.stages.iter_mut().for_each(|stage| stage.output = output.clone());
    }
    tests
}

/// What is wrong with an answer and the lines of the log that belong to it, if anything is.
pub fn problem(expected: &Output, answered: &Answered, log: &[&str]) -> Option<String> {
    if expected.expect_error.is_some_and(|error| error == answered.status.is_some()) {
        let wanted = if answered.status.is_some() { "no" } else { "an" };
        return Some(format!("status {:?}, {wanted} answer expected", answered.status));
    }
    if expected.status.is_some() && expected.status != answered.status {
        return Some(format!("status {:?}, expected {:?}", answered.status, expected.status));
    }
    if let Some(pattern) = &expected.response_contains
        && !regex::bytes::Regex::new(pattern).unwrap().is_match(&answered.bytes)
    {
        return Some(format!("the answer has no match of {pattern}"));
    }
    let ids: Vec<u32> = log.iter().filter_map(|line| id(line)).collect();
    expected.log_problem(&ids, &log.join("\n"))
}

/// The rule of a line: `[id "942100"]`.
fn id(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("[id \"")?;
    rest.split_once('"')?.0.parse().ok()
}
