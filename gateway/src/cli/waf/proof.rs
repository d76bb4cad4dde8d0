//! Tests of rules: where they come from, and what still fires under another profile.

use std::path::Path;

use waf_rules::ftw::{self, Judgement, Rules, Test};
use waf_rules::{EngineMode, Profile, ProfileOptions};

use super::subject::{Subject, changed};

/// Answers that rules look at in tests, whatever a profile does with those of its services.
const TYPES: [&str; 4] = ["text/plain", "text/html", "text/xml", "application/json"];

/// Where tests were found, for people.
pub(super) type Origin = String;

/// The tests of a folder; without one those of the built-in rules, where these run.
pub(super) fn tests(
    subject: &Subject,
    folder: Option<&Path>,
) -> Result<(Vec<Test>, Origin), String> {
    let read = match folder {
        Some(folder) => ftw::read(folder),
        None if subject.has_builtin() => ftw::builtin(),
        None => Ok(Vec::new()),
    };
    let origin =
        folder.map_or_else(|| "the built-in tests".into(), |folder| folder.display().to_string());
    let join = |errors: Vec<ftw::ReadError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    read.map(|tests| (tests, origin)).map_err(join)
}

/// A profile whose every rule that the level asks for runs to the end of the request, whatever another decides: tests
/// ask which rules match.
pub(super) fn observing(profile: &Profile, level: u8) -> Result<Profile, String> {
    let options = profile.options();
    changed(
        profile.ruleset(),
        ProfileOptions {
            engine: Some(EngineMode::DetectionOnly),
            response_types: Some(TYPES.map(str::to_owned).to_vec()),
            blocking_paranoia: level,
            detection_paranoia: level,
            ..options.clone()
        },
    )
}

/// Names of the tests that pass.
pub(super) fn passing<'t>(profile: &Profile, tests: &'t [Test]) -> Vec<&'t str> {
    let report = ftw::run(Rules { profile, decide: false }, tests);
    let judged = tests.iter().zip(report.judgements);
    judged
        .filter(|(_, judgement)| *judgement == Judgement::Passed)
        .map(|(test, _)| test.name.as_str())
        .collect()
}
