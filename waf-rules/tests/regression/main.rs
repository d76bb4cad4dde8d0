//! Rule sets against their regression tests (go-ftw format), in process: the built-in rules, and
//! the OWASP CRS, unmodified.
//!
//! The CRS is not part of the project. `YETT_CRS` names its folder (rules, set-up example, tests);
//! without it `../shared/crs` beside the workspace is tried, and when there is none its tests say
//! so and do nothing.
#![allow(clippy::panic, reason = "tests only: every failure to set up is one")]

mod builtin;
mod crs;
mod ftw;
mod request;

use waf_rules::{Match, Profile, Transaction};

/// The prefilter against asking every operator about every value: over all stages the same rules
/// match the same values, in the same order, with the same scores.
fn prefilter_differences(profile: &Profile, tests: &[ftw::Test]) -> Vec<String> {
    let difference = |name: &str, stage: &ftw::Stage| {
        let request = stage.input.request();
        let gated = summary(&ftw::feed(Transaction::new(profile.clone()), &request));
        let plain = summary(&ftw::feed(Transaction::exhaustive(profile.clone()), &request));
        (gated != plain).then(|| format!("{name}: gated {gated:?}, exhaustive {plain:?}"))
    };
    let stages = |test: &ftw::Test| -> Vec<String> {
        test.stages.iter().filter_map(|stage| difference(&test.name, stage)).collect()
    };
    ftw::in_parallel(tests, stages).into_iter().flatten().collect()
}

/// Rules that matched, and (rule, target, data, score) of each match.
type Summary = (Vec<u32>, Vec<(u32, String, String, i64)>);

fn summary(tx: &Transaction) -> Summary {
    let one =
        |found: &Match| (found.rule_id, found.target.clone(), found.data.clone(), found.score);
    (tx.matched_rules().to_vec(), tx.matches().iter().map(one).collect())
}
