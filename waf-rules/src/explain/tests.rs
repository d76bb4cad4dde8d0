use super::explain;
use crate::{Exclusion, Profile, ProfileOptions, RuleSelector, Ruleset, Transaction};

const RULES: &str = r#"
SecAction "id:1,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=5"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:2,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@contains x" "id:10,phase:2,pass,setvar:tx.inbound_anomaly_score_pl1=+3"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:3,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@contains y" "id:11,phase:2,pass,setvar:tx.inbound_anomaly_score_pl2=+4"
SecMarker END
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 1" "id:20,phase:2,pass,nolog,setvar:tx.sum=+%{tx.inbound_anomaly_score_pl1}"
SecRule TX:BLOCKING_PARANOIA_LEVEL "@ge 2" "id:21,phase:2,pass,nolog,setvar:tx.sum=+%{tx.inbound_anomaly_score_pl2}"
SecRule TX:SUM "@ge %{tx.inbound_anomaly_score_threshold}" "id:30,phase:2,deny"
"#;

fn profile(exclusions: Vec<Exclusion>) -> Profile {
    let ruleset =
        Ruleset::builder().text("t", RULES).build().unwrap_or_else(|errors| panic!("{errors}"));
    let options = ProfileOptions { exclusions, ..ProfileOptions::default() };
    Profile::new(&ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn feed(mut tx: Transaction) -> Transaction {
    tx.request_line(b"GET", b"/?a=x&b=xy", b"HTTP/1.1");
    tx.head();
    tx.body();
    tx.finish();
    tx
}

#[test]
fn levels_and_weights_are_told_apart() {
    let explained =
        explain(&profile(Vec::new()), feed).unwrap_or_else(|errors| panic!("{errors:?}"));
    let weights: Vec<_> = explained
        .weights
        .iter()
        .map(|weight| (weight.rule_id, weight.matches, weight.score))
        .collect();
    assert_eq!(weights, [(10, 2, 6)], "level 1 of the profile: rule 11 does not run");
    let levels: Vec<_> = explained
        .levels
        .iter()
        .map(|at| (at.level, at.score.inbound, at.decision.as_ref().map(|why| why.rule_id)))
        .collect();
    assert_eq!(levels, [(1, 6, Some(30)), (2, 10, Some(30)), (3, 10, Some(30)), (4, 10, Some(30))]);
    assert!(explained.levels[0].refused_at(6) && !explained.levels[0].refused_at(7));
}

#[test]
fn exclusions_of_the_profile_hold() {
    let exclusion = Exclusion { rules: vec![RuleSelector::Id(10)], target: Some("b".into()) };
    let explained =
        explain(&profile(vec![exclusion]), feed).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(explained.weights[0].score, 3);
    assert_eq!(explained.levels[0].decision, None);
    assert!(explained.transaction.matches().iter().all(|found| found.target == "ARGS:a"));
}
