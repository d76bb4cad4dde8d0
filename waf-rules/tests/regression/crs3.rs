//! The OWASP CRS 3.3, unmodified, as Debian's package `modsecurity-crs` has it.

use std::path::{Path, PathBuf};

use waf_rules::{Profile, ProfileOptions, Ruleset, RulesetBuilder};

use crate::assert_decides;

/// The rules that ask for what is refused (docs/seclang.md says why), and what each asks for.
const REFUSED: &[(u32, &str)] = &[
    (910_100, "operator `@geoLookup` is not supported"),
    (910_150, "operator `@rbl` is not supported"),
    (920_120, "lookbehind `(?<!` is not supported"),
    (942_130, "back-reference `\\1` is not supported"),
];

/// What `YETT_CRS3` names, or the root of the file system, where the package puts its files.
fn root() -> Option<PathBuf> {
    let root = std::env::var_os("YETT_CRS3").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    if rules(&root).is_dir() {
        return Some(root);
    }
    eprintln!(
        "SKIPPED: no CRS 3.3 below {}; install modsecurity-crs, or unpack it and set YETT_CRS3",
        root.display()
    );
    None
}

fn rules(root: &Path) -> PathBuf {
    root.join("usr/share/modsecurity-crs/rules")
}

fn builder(root: &Path) -> RulesetBuilder {
    let own = root.join("etc/modsecurity/crs");
    Ruleset::builder()
        .file(own.join("crs-setup.conf"))
        .file(own.join("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"))
        .file(rules(root).join("*.conf"))
        .file(own.join("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"))
}

fn load(root: &Path, setup: &str) -> Ruleset {
    let ids: Vec<String> = REFUSED.iter().map(|(id, _)| id.to_string()).collect();
    let without = format!("SecRuleRemoveById {}\n", ids.join(" "));
    let builder = Ruleset::builder().text("setup", setup);
    drop(builder);
    crs_with(root, setup).text("without", without).build().unwrap_or_else(|errors| {
        panic!("{} problems:\n{errors}", errors.len())
    })
}

/// The set-up goes between CRS's own and its rules.
fn crs_with(root: &Path, setup: &str) -> RulesetBuilder {
    let own = root.join("etc/modsecurity/crs");
    Ruleset::builder()
        .file(own.join("crs-setup.conf"))
        .text("setup", setup)
        .file(rules(root).join("*.conf"))
}
