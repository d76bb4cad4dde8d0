//! What the benches of the rules share: where CRS is, and a profile that only detects.

#[path = "../waf-rules/tests/material/mod.rs"]
mod material;

use waf_rules::{Bounds, EngineMode, Profile, ProfileOptions, Ruleset};

pub(crate) use material::crs;

/// The gateway's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Only detection: nothing ends a request early but its budget.
pub(crate) fn profile(ruleset: &Ruleset, paranoia: u8) -> Profile {
    bounded(ruleset, paranoia, Bounds::default())
}

/// The same without a bound on work: asking every operator about every value goes beyond it, and would be measured
/// only as far as that.
#[allow(dead_code, reason = "each bench is a crate of its own, and one of them has no use for it")]
pub(crate) fn unbounded(ruleset: &Ruleset, paranoia: u8) -> Profile {
    let bounds = Bounds { work: u64::MAX / 8, ..Bounds::default() };
    bounded(ruleset, paranoia, bounds)
}

fn bounded(ruleset: &Ruleset, paranoia: u8, bounds: Bounds) -> Profile {
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(EngineMode::DetectionOnly),
        bounds,
        ..ProfileOptions::default()
    };
    Profile::new(ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
}
