//! Which rules a request matches, here and in libmodsecurity: over the CRS's own tests, labelled traffic and the
//! requests of the bench the sets are equal, but for the differences that `differences.yaml` explains.
//!
//! libmodsecurity is a package of Python's index that `.ci/install.sh test` installs; `YETT_LIBMODSECURITY` names the
//! Python that has it. `YETT_DIFFERENTIAL=all` takes every request of the corpora and only reports.

mod cases;
mod injections;
mod list;
mod peer;
mod transformations;

use std::collections::BTreeSet;
use std::path::Path;

use waf_rules::ftw::{in_parallel, transact};
use waf_rules::{Bounds, EngineMode, Profile, ProfileOptions, Ruleset, Transaction};

use self::cases::Case;
use self::list::{Cause, Difference, Side};
use self::peer::Peer;
use crate::{corpora, crs};

/// What `differences.yaml` is about.
const VERSION: &str = "ModSecurity v3.0.15";
/// Processes that ask at the same time.
const PEERS: usize = 2;

#[test]
fn same_rules_match_as_in_libmodsecurity() {
    let (Some(folder), Some(python)) = (crs::folder(), peer::python()) else { return };
    let cases = cases::all(&folder);
    let found: Vec<Difference> = [1, 4]
        .into_iter()
        .flat_map(|paranoia| differences(&folder, &python, &cases, paranoia))
        .collect();
    let asked: BTreeSet<_> = cases.iter().map(|case| case.set).collect();
    let list: Vec<Cause> = serde_norway::from_str(&own("differences.yaml"))
        .unwrap_or_else(|error| panic!("differences.yaml: {error}"));
    let problems = list::problems(&list, &found, &asked);
    let summary = format!("{} requests at two levels, {} differences", cases.len(), found.len());
    if corpora::takes_all() {
        return eprintln!("{summary}\n{}", problems.join("\n"));
    }
    eprintln!("{summary}");
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

fn differences(crs: &Path, python: &Path, cases: &[Case], paranoia: u8) -> Vec<Difference> {
    let rules = rules(crs, paranoia);
    let ours = ours(&rules, cases, paranoia);
    let theirs = theirs(python, &rules, cases);
    let each = cases.iter().zip(ours.iter().zip(&theirs));
    each.flat_map(|(case, (ours, theirs))| {
        let one = |side| {
            move |rule: &u32| Difference {
                set: case.set,
                request: case.name.clone(),
                paranoia,
                rule: *rule,
                side,
            }
        };
        let only_ours = ours.difference(theirs).map(one(Side::Ours));
        only_ours.chain(theirs.difference(ours).map(one(Side::Theirs))).collect::<Vec<_>>()
    })
    .collect()
}

/// What both load, in order.
fn rules(crs: &Path, paranoia: u8) -> [String; 4] {
    let include = |what: &str| format!("Include {}", crs.join(what).display());
    let level = format!(
        "SecAction \"id:1000,phase:1,pass,nolog,t:none,\
         setvar:tx.blocking_paranoia_level={paranoia},setvar:tx.detection_paranoia_level={paranoia}\""
    );
    [include("crs-setup.conf.example"), own("setup.conf"), level, include("rules/*.conf")]
}

fn ours(rules: &[String], cases: &[Case], paranoia: u8) -> Vec<BTreeSet<u32>> {
    let builder =
        rules.iter().fold(Ruleset::builder(), |builder, text| builder.text("rules", text));
    let ruleset = builder.build().unwrap_or_else(|errors| panic!("{errors}"));
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(EngineMode::DetectionOnly),
        bounds: Bounds {
            body_bytes: 1024 * 1024,
            response_body_bytes: 1024 * 1024,
            matches: usize::MAX,
            work: u64::MAX,
            ..Bounds::default()
        },
        ..ProfileOptions::default()
    };
    let profile = Profile::new(&ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"));
    in_parallel(cases, |case| {
        let tx = transact(Transaction::new(profile.clone()), &case.request, Some(&case.response));
        tx.matches().iter().filter(|found| found.log).map(|found| found.rule_id).collect()
    })
}

/// Each process takes every other case: what is costly stands together.
fn theirs(python: &Path, rules: &[String], cases: &[Case]) -> Vec<BTreeSet<u32>> {
    let ask = |first: usize| -> std::io::Result<Vec<BTreeSet<u32>>> {
        let mut peer = Peer::start(python, rules)?;
        assert!(
            peer.engine.contains(VERSION),
            "the list is about {VERSION}, this is {}",
            peer.engine
        );
        let own = cases.iter().skip(first).step_by(PEERS);
        own.map(|case| Ok(peer.ask(&case.request, &case.response)?.0)).collect()
    };
    let turns: Vec<usize> = (0..PEERS).collect();
    let answers = in_parallel(&turns, |first| ask(*first));
    let mut answers: Vec<_> = answers
        .into_iter()
        .map(|half| half.unwrap_or_else(|error| panic!("{error}")).into_iter())
        .collect();
    (0..cases.len()).filter_map(|at| answers[at % PEERS].next()).collect()
}

fn own(name: &str) -> String {
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let path = Path::new(&manifest).join("tests/regression/oracle").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
