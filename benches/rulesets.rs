//! What the benches of the rules share: where CRS is, and a profile that only detects.

#[path = "../waf-rules/tests/material/mod.rs"]
mod material;

use waf_rules::{EngineMode, Profile, ProfileOptions, Ruleset};

pub(crate) use material::crs;

/// Only detection: nothing ends a request early but its budget.
pub(crate) fn profile(ruleset: &Ruleset, paranoia: u8) -> Profile {
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(EngineMode::DetectionOnly),
        ..ProfileOptions::default()
    };
    Profile::new(ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
}
