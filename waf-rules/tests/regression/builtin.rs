//! The built-in rules.

use std::collections::BTreeSet;
use std::fs;

use waf_rules::ftw::{self, Test};
use waf_rules::{EngineMode, Profile, ProfileOptions, Ruleset};

use crate::material::package;
use crate::{assert_decides, prefilter_differences, read, run};

fn ruleset() -> Ruleset {
    let responses = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/plain text/html text/xml application/json";
    let builder = Ruleset::builder().builtin().text("responses", responses);
    builder.build().unwrap_or_else(|errors| panic!("{} problems:\n{errors}", errors.len()))
}

pub(crate) fn profile(paranoia: u8, engine: EngineMode) -> Profile {
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(engine),
        ..ProfileOptions::default()
    };
    Profile::new(&ruleset(), options).unwrap_or_else(|errors| panic!("{errors:?}"))
}

pub(crate) fn tests() -> Vec<Test> {
    read(&package().join("rules/tests"))
}

#[test]
fn list_is_what_the_folder_holds() {
    let folder = package().join("rules");
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = files.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let held: BTreeSet<String> = names
        .filter(|name| name.ends_with(".conf"))
        .map(|name| format!("builtin:{name}"))
        .collect();
    let loaded: BTreeSet<String> = ruleset().rules().map(|rule| rule.file().to_owned()).collect();
    assert_eq!(loaded, held);
}

#[test]
fn embedded_tests_are_what_the_folder_holds() {
    let embedded = ftw::builtin().unwrap_or_else(|errors| panic!("{errors:?}"));
    let names = |tests: &[Test]| -> BTreeSet<String> {
        tests.iter().map(|test| test.name.clone()).collect()
    };
    assert_eq!(names(&embedded), names(&tests()));
}

#[test]
fn ids_stay_in_their_range() {
    let strays: Vec<u32> = ruleset()
        .rules()
        .map(|rule| rule.id())
        .filter(|id| !(100_000..=199_999).contains(id))
        .collect();
    assert!(strays.is_empty(), "{strays:?}");
}

#[test]
fn regression_tests() {
    let report = run(&profile(4, EngineMode::DetectionOnly), &tests());
    assert!(report.failed.is_empty(), "{report}");
    assert!(report.passed() > 0);
}

#[test]
fn prefilter_loses_nothing() {
    let differences = prefilter_differences(&profile(4, EngineMode::DetectionOnly), &tests());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn decides_at_every_paranoia_level() {
    for paranoia in 1..=4 {
        assert_decides(&profile(paranoia, EngineMode::On));
    }
}
