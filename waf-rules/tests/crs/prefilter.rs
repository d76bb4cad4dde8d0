//! The prefilter against asking every operator about every value: over all requests of the CRS tests
//! the same rules match the same values, in the same order.

use waf_rules::{Match, Transaction};

use crate::ftw;

#[test]
fn matches_what_an_exhaustive_run_matches() {
    let Some(folder) = crate::crs() else { return };
    let profile = crate::profile(&folder);
    let mut differences = Vec::new();
    for (name, stages) in &ftw::tests(&folder) {
        for stage in stages {
            let request = stage.input.request();
            let gated = summary(&ftw::feed(Transaction::new(profile.clone()), &request));
            let plain = summary(&ftw::feed(Transaction::exhaustive(profile.clone()), &request));
            if gated != plain {
                differences.push(format!("{name}: gated {gated:?}, exhaustive {plain:?}"));
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn summary(tx: &Transaction) -> (Vec<u32>, Vec<(u32, String, String, i64)>) {
    let one =
        |found: &Match| (found.rule_id, found.target.clone(), found.data.clone(), found.score);
    (tx.matched_rules().to_vec(), tx.matches().iter().map(one).collect())
}
