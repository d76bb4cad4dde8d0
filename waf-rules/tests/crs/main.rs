//! The OWASP CRS, unmodified, in this engine: it loads without a problem, and its own regression
//! tests are run in process.
//!
//! The CRS is not part of the project. `YETT_CRS` names its folder (rules, set-up example, tests);
//! without it `../shared/crs` beside the workspace is tried, and when there is none these tests say
//! so and do nothing.

mod ftw;
mod prefilter;
mod request;

use std::path::PathBuf;

use waf_rules::{Profile, Ruleset};

/// The CRS folder, or a loud remark.
fn crs() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/crs");
    let folder = std::env::var_os("YETT_CRS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    if folder.join("rules").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no CRS at {}; set YETT_CRS to its folder", folder.display());
    None
}

fn load(folder: &std::path::Path, setup: &str) -> Ruleset {
    Ruleset::builder()
        .file(folder.join("crs-setup.conf.example"))
        .text("test-setup", setup)
        .file(folder.join("rules/*.conf"))
        .build()
        .unwrap_or_else(|errors| panic!("{} problems:\n{errors}", errors.len()))
}

#[test]
fn loads_without_a_problem() {
    let Some(folder) = crs() else { return };
    let ruleset = load(&folder, "");
    assert_eq!(ruleset.rules().count(), 630, "{:?}", ruleset.notices());
    assert_eq!(ruleset.version().len(), 12);
    assert!(ruleset.notices().is_empty(), "{:?}", ruleset.notices());
}

/// What the tests assume: the set-up of CRS's own runs, with the two bounds its README asks for.
const SETUP: &str = r#"
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecAction "id:900001,phase:1,pass,nolog,t:none,\
    setvar:tx.arg_name_length=100,\
    setvar:tx.arg_length=400,\
    setvar:tx.max_num_args=255,\
    setvar:tx.total_arg_length=6400,\
    setvar:tx.max_file_size=64100,\
    setvar:tx.combined_file_sizes=65535"
"#;

fn profile(folder: &std::path::Path) -> Profile {
    let options = waf_rules::ProfileOptions {
        blocking_paranoia: 4,
        detection_paranoia: 4,
        bounds: waf_rules::Bounds { body_bytes: 1024 * 1024, ..Default::default() },
        ..Default::default()
    };
    Profile::new(&load(folder, SETUP), options).unwrap_or_else(|errors| panic!("{errors:?}"))
}
