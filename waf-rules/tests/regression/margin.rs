//! How far honest requests stay from the bound on work: the heaviest kinds, each on a thread that has
//! seen nothing yet, so that every state of every pattern is made and paid for.

#[path = "../../../benches/heavy.rs"]
mod heavy;

use waf_rules::{EngineMode, Profile, ProfileOptions, Ruleset, Transaction};

use crate::crs;
use heavy::{Heavy, heavy};

/// Least parts of the bound, in per cent, that an honest request leaves: the first of its kind on a
/// thread, and any later one.
const FIRST_LEAVES: u64 = 10;
const LATER_LEAVES: u64 = 25;

/// Work of a request on a new thread, of the same once more, and the bound.
fn cost(profile: &Profile, heavy: &Heavy) -> (u64, u64, u64) {
    let run = || {
        let mut tx = Transaction::new(profile.clone());
        heavy.inspect(&mut tx);
        (tx.work(), tx.work_bound())
    };
    let both = || (run().0, run());
    let (first, (later, bound)) =
        std::thread::scope(|scope| scope.spawn(both).join().unwrap_or_default());
    (first, later, bound)
}

fn rulesets() -> Vec<(String, Profile)> {
    let answers = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html";
    let mut rulesets = vec![("built-in", Ruleset::builder().builtin())];
    if let Some(folder) = crs::folder() {
        let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
        rulesets.push(("CRS", builder.file(folder.join("rules/*.conf"))));
    }
    let mut profiles = Vec::new();
    for (name, builder) in rulesets {
        let ruleset = builder.text("test", answers).build();
        let ruleset = ruleset.unwrap_or_else(|errors| panic!("{errors}"));
        for paranoia in [1, 4] {
            let options = ProfileOptions {
                blocking_paranoia: paranoia,
                detection_paranoia: paranoia,
                engine: Some(EngineMode::DetectionOnly),
                ..ProfileOptions::default()
            };
            let profile = Profile::new(&ruleset, options);
            let profile = profile.unwrap_or_else(|errors| panic!("{errors:?}"));
            profiles.push((format!("{name}, paranoia {paranoia}"), profile));
        }
    }
    profiles
}

#[test]
fn honest_requests_stay_away_from_the_bound() {
    let mut close = Vec::new();
    for (rules, profile) in rulesets() {
        for heavy in heavy() {
            let (first, later, bound) = cost(&profile, &heavy);
            let line = format!("{rules}, {}: {first}, then {later} of {bound}", heavy.name);
            eprintln!("{line}");
            assert!(first > 0, "{line}");
            let leaves = |work: u64| 100 * bound.saturating_sub(work) / bound;
            if leaves(first) < FIRST_LEAVES || leaves(later) < LATER_LEAVES {
                close.push(line);
            }
        }
    }
    assert!(close.is_empty(), "close to the bound:\n{}", close.join("\n"));
}
