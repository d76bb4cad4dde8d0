//! What the benches of the rules share: where CRS is, and a profile that only detects.

use std::path::PathBuf;

use waf_rules::{EngineMode, Profile, ProfileOptions, Ruleset};

pub(crate) const NO_CRS: &str = "SKIPPED: the CRS half, no CRS found; set YETT_CRS to its folder";

/// The folder of CRS, which is no part of the project.
pub(crate) fn crs() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/crs");
    let folder = std::env::var_os("YETT_CRS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    folder.join("rules").is_dir().then_some(folder)
}

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
