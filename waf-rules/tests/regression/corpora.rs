//! The prefilter, folded gates and remembered values against asking every operator about every value:
//! labelled traffic, and damaged requests of the CRS's own tests.
//!
//! The corpora are not part of the project. `YETT_CORPORA` names their folder (gzipped JSON lines);
//! without it `../shared/corpora` beside the workspace is tried. `YETT_DIFFERENTIAL=all` takes every
//! request instead of a sample.

use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use waf_rules::{EngineMode, Profile, Transaction};

use waf_rules::ftw::{self, Request, transact};

use crate::material::package;
use crate::{builtin, crs, robust, summary};

/// Requests taken of each file, evenly.
const SAMPLE: usize = 120;
/// Damaged requests of the CRS's tests.
const DAMAGED: usize = 400;

#[derive(Deserialize)]
struct Line {
    id: String,
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    #[serde(default)]
    body_b64: String,
}

#[test]
fn labelled_traffic_is_judged_alike() {
    let Some(folder) = folder() else { return };
    let requests: Vec<Request> = sample(SAMPLE).into_iter().map(|(_, request)| request).collect();
    assert!(!requests.is_empty(), "no requests in {}", folder.display());
    assert_alike(&requests);
}

/// Names and requests: so many of each file, evenly, or all; none where there are no corpora.
pub(crate) fn sample(of_each: usize) -> Vec<(String, Request)> {
    let mut requests = Vec::new();
    for path in folder().iter().flat_map(|folder| files(folder)) {
        let all = read(&path);
        let step = if takes_all() { 1 } else { all.len().div_ceil(of_each).max(1) };
        requests.extend(all.into_iter().step_by(step));
    }
    requests
}

#[test]
fn damaged_requests_are_judged_alike() {
    let Some(folder) = crs::folder() else { return };
    let mut seed = 0x2545_f491_4f6c_dd1d;
    let tests = crs::tests(&folder);
    let step = if takes_all() { 1 } else { tests.len().div_ceil(DAMAGED).max(1) };
    let stages = tests.iter().step_by(step).flat_map(|test| &test.stages);
    let readable = stages.filter_map(|stage| stage.input.request().ok());
    let requests: Vec<Request> =
        readable.map(|request| robust::mutate(request, &mut seed)).collect();
    assert_alike(&requests);
}

/// Under both rule sets and every level: the same rules, values, data and scores, in the same order.
fn assert_alike(requests: &[Request]) {
    let mut profiles: Vec<Profile> =
        [1, 4].map(|paranoia| builtin::profile(paranoia, EngineMode::DetectionOnly)).into();
    if let Some(folder) = crs::folder() {
        profiles.extend([1, 2, 3, 4].map(|paranoia| crs::profile_at(&folder, paranoia)));
    }
    // Levels take turns: each request is judged once, and the sample as a whole under all of them.
    let turns: Vec<(&Request, &Profile)> = requests.iter().zip(profiles.iter().cycle()).collect();
    let differences: Vec<String> = ftw::in_parallel(&turns, |(request, profile)| {
        let gated = summary(&transact(Transaction::new((*profile).clone()), request, None));
        let plain = summary(&transact(Transaction::exhaustive((*profile).clone()), request, None));
        (gated != plain).then(|| format!("{request:?}: gated {gated:?}, exhaustive {plain:?}"))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
}

/// Every request instead of a sample: `YETT_DIFFERENTIAL=all`.
pub(crate) fn takes_all() -> bool {
    std::env::var("YETT_DIFFERENTIAL").is_ok_and(|value| value == "all")
}

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("YETT_CORPORA")
        .map_or_else(|| package().join("../../shared/corpora"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no corpora at {}; set YETT_CORPORA to their folder", folder.display());
    None
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gz"));
    paths.sort();
    paths
}

fn read(path: &Path) -> Vec<(String, Request)> {
    let mut text = String::new();
    let file =
        std::fs::File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |line: &str| {
        let line: Line =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let request = Request {
            method: line.method.into(),
            target: line.target.into(),
            protocol: b"HTTP/1.1".to_vec(),
            headers: line
                .headers
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            body: STANDARD.decode(line.body_b64).unwrap_or_default(),
        };
        (line.id, request)
    };
    text.lines().map(line).collect()
}
