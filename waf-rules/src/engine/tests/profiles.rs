//! Profiles: paranoia, thresholds, exclusions.

use super::*;

const SCORING: &str = r#"
SecAction "id:10,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=1,setvar:tx.inbound_anomaly_score_threshold=100"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:11,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@rx a" "id:12,phase:2,pass,tag:'sqli',tag:'paranoia-level/1',msg:'one',setvar:tx.inbound_anomaly_score_pl1=+5"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:13,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@rx a" "id:14,phase:2,pass,tag:'paranoia-level/2',msg:'two',setvar:tx.inbound_anomaly_score_pl2=+3"
SecMarker END
"#;

fn options(blocking: u8, detection: u8, threshold: Option<u32>) -> ProfileOptions {
    ProfileOptions {
        blocking_paranoia: blocking,
        detection_paranoia: detection,
        inbound_threshold: threshold,
        ..Default::default()
    }
}

#[test]
fn sets_levels_and_threshold_over_the_rules() {
    for (blocking, detection, threshold, inbound, shown) in
        [(1, 1, None, 5, 100), (1, 2, Some(7), 5, 7), (2, 2, Some(7), 8, 7)]
    {
        let tx = get(&with(SCORING, options(blocking, detection, threshold)), "/?x=a");
        let score = tx.score();
        assert_eq!(
            (score.inbound, score.inbound_threshold),
            (inbound, shown),
            "{blocking}/{detection}"
        );
        assert_eq!(score.inbound_levels, [5, if detection == 2 { 3 } else { 0 }, 0, 0]);
        assert_eq!(tx.matches()[0].score, 5);
    }
}

#[test]
fn excludes_rules_and_targets() {
    let exclusion = |rules: Vec<RuleSelector>, target: Option<&str>| Exclusion {
        rules,
        target: target.map(Into::into),
    };
    for (exclusion, target, expected) in [
        (exclusion(vec![RuleSelector::Id(12)], None), "/?x=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Range(10, 12)], None), "/?x=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Tag("sqli".into())], None), "/?x=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Id(12)], Some("ARGS:x")), "/?x=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Id(12)], Some("ARGS:/^x/")), "/?xy=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Id(12)], Some("json.x")), "/?json.x=a", vec!["two"]),
        (exclusion(vec![RuleSelector::Id(12)], Some("x")), "/?y=a", vec!["one", "two"]),
        (exclusion(vec![RuleSelector::Id(12)], Some("header.x")), "/?x=a", vec!["one", "two"]),
    ] {
        let profile = with(
            SCORING,
            ProfileOptions { exclusions: vec![exclusion.clone()], ..options(1, 2, None) },
        );
        assert_eq!(messages(&get(&profile, target)), expected, "{exclusion:?}");
    }
}

/// Header and cookie exclusions reach their own collections.
#[test]
fn excludes_headers_and_cookies() {
    let rules = "SecRule REQUEST_HEADERS|REQUEST_COOKIES \"@rx bad\" \"id:1,phase:1,pass,msg:'%{MATCHED_VAR_NAME}'\"";
    let exclusions = ["header.x-note", "cookie.c"]
        .map(|target| Exclusion { rules: vec![RuleSelector::Id(1)], target: Some(target.into()) });
    let profile =
        with(rules, ProfileOptions { exclusions: exclusions.into(), ..Default::default() });
    let headers = [("X-Note", "bad"), ("Cookie", "c=bad; d=bad"), ("Y", "bad")];
    let tx = send(&profile, "GET", "/", &headers, b"");
    let mut found = messages(&tx);
    found.sort_unstable();
    assert_eq!(found, ["REQUEST_COOKIES:d", "REQUEST_HEADERS:Cookie", "REQUEST_HEADERS:Y"]);
}

#[test]
fn reports_every_bad_choice() {
    let exclusions = vec![
        Exclusion { rules: vec![RuleSelector::Id(12)], target: None },
        Exclusion {
            rules: vec![RuleSelector::Id(99), RuleSelector::Tag("none".into())],
            target: None,
        },
        Exclusion { rules: vec![RuleSelector::Id(12)], target: Some("AGRS:x".into()) },
    ];
    let options = ProfileOptions { exclusions, ..options(3, 2, None) };
    let errors = Profile::new(&ruleset(SCORING), options).map(|_| ()).unwrap_err();
    assert_eq!(errors[0], ProfileError::Paranoia { blocking: 3, detection: 2 });
    let texts: Vec<String> = errors.iter().skip(1).map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "exclusion 1: no rule matches rule 99",
            "exclusion 1: no rule matches tag `none`",
            "exclusion 2: target `AGRS:x`: unknown variable `AGRS`, did you mean `ARGS`?",
        ]
    );
}

#[test]
fn tells_about_its_rules() {
    let ruleset = ruleset(SCORING);
    let rule = ruleset.rules().find(|rule| rule.id() == 14).unwrap();
    assert_eq!(
        (rule.phase(), rule.message(), rule.paranoia(), rule.file(), rule.line()),
        (2, "two", Some(2), "t.conf", 6)
    );
    assert_eq!(rule.tags(), ["paranoia-level/2"]);
}

/// Gates of pinned levels are decided at load; whatever takes one away opens what it guarded. Each case
/// is compared with asking everything.
#[test]
fn folded_gates_behave_like_rules() {
    let rules = |before: &str| {
        format!(
            r#"{before}
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 1" "id:1,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@rx a" "id:2,phase:2,pass"
SecRule TX:DETECTION_PARANOIA_LEVEL "@lt 2" "id:3,phase:2,pass,nolog,skipAfter:END"
SecRule ARGS "@rx a" "id:4,phase:2,pass"
SecRule &ARGS "@eq 1" "id:5,phase:2,pass"
SecMarker END
SecRule ARGS "@rx a" "id:6,phase:2,pass"
"#
        )
    };
    let removal = "SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveById=3\"";
    let target = "SecAction \"id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetById=3;TX:detection_paranoia_level\"";
    let jump = "SecRule ARGS \"@rx a\" \"id:9,phase:2,pass,nolog,skipAfter:4\"";
    let write = "SecAction \"id:9,phase:1,pass,nolog,setvar:tx.detection_paranoia_level=4\"";
    for (before, level, matched) in [
        ("", 1, vec![2, 3, 6]),
        ("", 2, vec![2, 4, 5, 6]),
        (removal, 1, vec![9, 2, 4, 5, 6]),
        (target, 1, vec![9, 2, 4, 5, 6]),
        (jump, 1, vec![9, 5, 6]),
        (write, 1, vec![9, 2, 3, 6]),
    ] {
        let profile = with(&rules(before), options(1, level, None));
        assert_eq!(get(&profile, "/?x=a").matched_rules(), matched, "{before}");
        let mut exhaustive = Transaction::exhaustive(profile);
        exhaustive.request_line(b"GET", b"/?x=a", b"HTTP/1.1");
        exhaustive.head();
        exhaustive.body();
        assert_eq!(exhaustive.matched_rules(), matched, "exhaustive {before}");
    }
}

/// A rule that looks at variables wakes when one is written, by name, by capture or by macro.
#[test]
fn rules_on_variables_wake_when_one_is_written() {
    let rules = |write: &str| {
        format!(
            r#"SecRule ARGS "@rx ^(.+)$" "id:1,phase:2,pass,nolog,capture,{write}"
SecRule TX:/^text_/ "@rx evil" "id:2,phase:2,pass"
SecRule TX:0 "@contains evil" "id:3,phase:2,pass"
SecRule TX:named "@contains evil" "id:4,phase:2,pass"
"#
        )
    };
    for (write, matched) in [
        ("setvar:'tx.text_a=%{tx.1}'", vec![1, 2, 3]),
        ("setvar:'tx.text_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'", vec![1, 2, 3]),
        ("setvar:'tx.named=%{tx.1}'", vec![1, 3, 4]),
        ("setvar:'tx.other=%{tx.1}'", vec![1, 3]),
    ] {
        let profile = profile(&rules(write));
        assert_eq!(get(&profile, "/?x=evil").matched_rules(), matched, "{write}");
        assert_eq!(get(&profile, "/?x=good").matched_rules(), [1], "{write}");
    }
}

/// Routes share the way through the rules; what is their own is a bit a rule.
#[test]
fn profiles_of_the_same_levels_share_their_course() {
    let ruleset = ruleset(SCORING);
    let new = |options| Profile::new(&ruleset, options).unwrap();
    let exclusion = Exclusion { rules: vec![RuleSelector::Id(12)], target: None };
    let one = new(options(1, 1, Some(5)));
    let other = new(ProfileOptions { exclusions: vec![exclusion], ..options(1, 1, Some(5)) });
    let another = new(options(1, 2, Some(5)));
    assert!(std::sync::Arc::ptr_eq(&one.inner().course, &other.inner().course));
    assert!(!std::sync::Arc::ptr_eq(&one.inner().course, &another.inner().course));
}
