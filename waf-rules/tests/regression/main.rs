//! Rule sets against their regression tests (go-ftw format), in process: the built-in rules, and
//! the OWASP CRS, unmodified.
//!
//! The CRS is not part of the project. `YETT_CRS` names its folder (rules, set-up example, tests);
//! without it `../shared/crs` beside the workspace is tried, and when there is none its tests say
//! so and do nothing. `YETT_CRS3` names the root below which the files of Debian's `modsecurity-crs` are (its
//! own root by default), with the same remark.
#![allow(clippy::panic, reason = "tests only: every failure to set up is one")]

mod bodies;
mod builtin;
mod corpora;
mod crs;
mod crs3;
mod fuzz;
#[path = "../../../benches/kinds.rs"]
mod kinds;
mod margin;
#[path = "../material/mod.rs"]
mod material;
mod oracle;
mod robust;

use std::path::Path;

use waf_rules::ftw::{self, Test, transact};
use waf_rules::{Match, Profile, Transaction, Verdict};

/// The prefilter against asking every operator about every value: over all stages the same rules
/// match the same values, in the same order, with the same scores.
fn prefilter_differences(profile: &Profile, tests: &[Test]) -> Vec<String> {
    let difference = |name: &str, stage: &ftw::Stage| {
        let request = stage.input.request().unwrap_or_else(|error| panic!("{name}: {error}"));
        let run = |tx| summary(&transact(tx, &request, None));
        let gated = run(Transaction::new(profile.clone()));
        let plain = run(Transaction::exhaustive(profile.clone()));
        (gated != plain).then(|| format!("{name}: gated {gated:?}, exhaustive {plain:?}"))
    };
    let stages = |test: &Test| -> Vec<String> {
        test.stages.iter().filter_map(|stage| difference(&test.name, stage)).collect()
    };
    ftw::in_parallel(tests, stages).into_iter().flatten().collect()
}

fn run(profile: &Profile, tests: &[Test]) -> ftw::Report {
    ftw::run(ftw::Rules { profile, decide: false }, tests)
}

fn read(path: &Path) -> Vec<Test> {
    ftw::read(path).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// Rules that matched, and (rule, target, data, score) of each match.
type Summary = (Vec<u32>, Vec<(u32, String, String, i64)>);

fn summary(tx: &Transaction) -> Summary {
    let one =
        |found: &Match| (found.rule_id, found.target.clone(), found.data.clone(), found.score);
    (tx.matched_rules().to_vec(), tx.matches().iter().map(one).collect())
}

/// Decisions, not only detections, which is all that regression tests ask for: an ordinary request
/// passes, an attack is denied with 403.
fn assert_decides(profile: &Profile) {
    assert_eq!(verdict(profile, b"/products?category=shoes&page=2"), Verdict::Pass);
    let attack = b"/products?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20-";
    let denied = verdict(profile, attack);
    assert!(matches!(&denied, Verdict::Deny(why) if why.status == 403), "{denied:?}");
}

fn verdict(profile: &Profile, target: &[u8]) -> Verdict {
    let mut tx = Transaction::new(profile.clone());
    tx.request_line(b"GET", target, b"HTTP/1.1");
    tx.header(b"Host", b"shop.example.com");
    tx.header(
        b"User-Agent",
        b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    );
    tx.header(b"Accept", b"text/html,application/xhtml+xml;q=0.9");
    match tx.head() {
        Verdict::Pass => tx.body(),
        denied => denied,
    }
}
