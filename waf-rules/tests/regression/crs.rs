//! The OWASP CRS, unmodified.

use std::path::{Path, PathBuf};

use waf_rules::ftw::Test;
use waf_rules::{Bounds, EngineMode, Profile, ProfileOptions, Ruleset};

use crate::{assert_decides, material, prefilter_differences, read, run};

/// Tests that pass; a ratchet. The four that do not ask what only an HTTP server decides: which of two
/// framing headers it drops (920181-1), what it refuses (920430-5, 921140-1), what it merges (920620-1).
const PASSING_FLOOR: usize = 5_020;

/// What the tests assume, and what a gateway has in its own configuration: that answers are looked at, and which.
const SETUP: &str = concat!(
    "SecResponseBodyAccess On\n",
    "SecResponseBodyMimeType text/plain text/html text/xml application/json\n",
    include_str!("../material/crs-tests.conf")
);

/// The CRS folder, or a loud remark.
pub(crate) fn folder() -> Option<PathBuf> {
    material::crs().inspect_err(|remark| eprintln!("{remark}")).ok()
}

fn load(folder: &Path, setup: &str) -> Ruleset {
    Ruleset::builder()
        .file(folder.join("crs-setup.conf.example"))
        .text("test-setup", setup)
        .file(folder.join("rules/*.conf"))
        .build()
        .unwrap_or_else(|errors| panic!("{} problems:\n{errors}", errors.len()))
}

fn profile(folder: &Path) -> Profile {
    profile_at(folder, 4)
}

pub(crate) fn profile_at(folder: &Path, paranoia: u8) -> Profile {
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(EngineMode::DetectionOnly),
        bounds: Bounds { body_bytes: 1024 * 1024, work: u64::MAX, ..Bounds::default() },
        ..ProfileOptions::default()
    };
    Profile::new(&load(folder, SETUP), options).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Some tests, as seeds for fuzzing; none where there is no CRS.
pub(crate) fn sample() -> Vec<Test> {
    let tests = folder().map(|folder| tests(&folder)).unwrap_or_default();
    tests.into_iter().step_by(10).collect()
}

pub(crate) fn tests(folder: &Path) -> Vec<Test> {
    read(&folder.join("tests/regression/tests"))
}

#[test]
fn loads_without_a_problem() {
    let Some(folder) = folder() else { return };
    let ruleset = load(&folder, "");
    assert!(ruleset.rules().count() > 600);
    assert_eq!(ruleset.version().len(), 12);
    assert!(ruleset.notices().is_empty(), "{:?}", ruleset.notices());
}

#[test]
fn regression_tests() {
    let Some(folder) = folder() else { return };
    let report = run(&profile(&folder), &tests(&folder));
    eprintln!("CRS regression tests: {report}");
    assert!(
        report.passed() >= PASSING_FLOOR,
        "{} tests pass, floor {PASSING_FLOOR}",
        report.passed()
    );
}

#[test]
fn prefilter_loses_nothing() {
    let Some(folder) = folder() else { return };
    let differences = prefilter_differences(&profile(&folder), &tests(&folder));
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

#[test]
fn decides_at_every_paranoia_level() {
    let Some(folder) = folder() else { return };
    let ruleset = load(&folder, "");
    for paranoia in 1..=4 {
        let options = ProfileOptions {
            blocking_paranoia: paranoia,
            detection_paranoia: paranoia,
            ..ProfileOptions::default()
        };
        assert_decides(
            &Profile::new(&ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}")),
        );
    }
}
