//! The regression tests of the Core Rule Set, and the list of those that we answer differently.

use std::path::Path;

use serde::Deserialize;
use waf_rules::ftw::{self, Output, Test};

use super::run::Answered;

/// Tests that we answer differently on purpose, in the form that go-ftw takes.
#[derive(Debug, Deserialize)]
pub struct Overrides {
    test_overrides: Vec<Override>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    rule_id: u32,
    test_ids: Vec<u32>,
    reason: String,
    output: Output,
}

impl Overrides {
    pub fn read(text: &str) -> Overrides {
        serde_norway::from_str(text).unwrap()
    }

    /// Tests that are overridden.
    pub fn count(&self) -> usize {
        self.test_overrides.iter().map(|one| one.test_ids.len()).sum()
    }
}

/// Every test below a folder, those of `overrides` with the expectation that stands there. An override without a
/// reason, or of a test that does not exist, is a failure.
pub fn read(folder: &Path, overrides: &Overrides) -> Vec<Test> {
    let mut tests = ftw::read(folder).unwrap_or_else(|errors| panic!("{errors:?}"));
    for Override { rule_id, test_ids, reason, output } in &overrides.test_overrides {
        for id in test_ids {
            let name = format!("{rule_id}-{id}");
            assert!(!reason.trim().is_empty(), "{name}: an override without a reason");
            let found = tests.iter_mut().find(|one| one.name == name);
            let found = found.unwrap_or_else(|| panic!("{name}: there is no such test"));
            found.stages.iter_mut().for_each(|stage| stage.output = output.clone());
        }
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
pub fn id(line: &str) -> Option<u32> {
    let (_, rest) = line.split_once("[id \"")?;
    rest.split_once('"')?.0.parse().ok()
}
