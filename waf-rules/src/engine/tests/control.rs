//! Markers, skips, `ctl`, disruptive actions, engine modes.

use super::*;

#[test]
fn skips_forward_within_the_phase() {
    let rules = r#"
SecAction "id:1,phase:2,pass,nolog,skipAfter:END"
SecAction "id:2,phase:2,pass,msg:'skipped'"
SecAction "id:3,phase:1,pass,msg:'other phase'"
SecMarker END
SecAction "id:4,phase:2,pass,nolog,skip:1"
SecAction "id:5,phase:2,pass,msg:'skipped'"
SecAction "id:6,phase:2,pass,msg:'end'"
"#;
    assert_eq!(messages(&get(&profile(rules), "/")), ["other phase", "end"]);
}

#[test]
fn ctl_removes_rules_and_targets() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=10-11,ctl:ruleRemoveByTag=^gone/,ctl:ruleRemoveByMsg=bye"
SecRule REQUEST_FILENAME "@streq /x" "id:2,phase:1,pass,nolog,ctl:ruleRemoveTargetById=14;ARGS:pass,ctl:ruleRemoveTargetByTag=kept;ARGS:/^s_/"
SecAction "id:10,phase:2,pass"
SecRule ARGS "@rx ." "id:11,phase:2,pass,chain"
    SecRule ARGS "@rx ." "t:none"
SecAction "id:12,phase:2,pass,tag:'gone/x'"
SecAction "id:13,phase:2,pass,msg:'bye'"
SecRule ARGS "@rx 1" "id:14,phase:2,pass,tag:'kept',msg:'%{MATCHED_VAR_NAME}'"
"#;
    let profile = profile(rules);
    assert_eq!(messages(&get(&profile, "/x?pass=1&s_a=1&q=1")), ["ARGS:q"]);
    assert_eq!(messages(&get(&profile, "/y?pass=1")), ["ARGS:pass"]);
}

/// A marker request silences the rest, phase 5 included.
#[test]
fn ctl_silences_everything_after_it() {
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,msg:'first',ctl:ruleRemoveById=1-999999\"{}",
        show("last")
    );
    assert_eq!(messages(&get(&profile(&rules), "/")), ["first"]);
}

#[test]
fn config_time_changes_act_on_rules_before_them() {
    let rules = r#"
SecRule ARGS "@rx 1" "id:1,phase:2,pass,tag:'t',msg:'one %{MATCHED_VAR_NAME}'"
SecRule ARGS "@rx 1" "id:2,phase:2,pass,tag:'u',msg:'two'"
SecRuleUpdateTargetById 1 "!ARGS:/^x/"
SecRuleUpdateTargetByTag t "REQUEST_HEADERS:X"
SecRuleUpdateActionById 2 "msg:'changed'"
SecRuleRemoveByTag "^gone$"
SecRule ARGS "@rx 1" "id:3,phase:2,pass,tag:'gone',msg:'later'"
SecAction "id:4,phase:2,pass"
SecRuleRemoveById 4
"#;
    let tx = send(&profile(rules), "GET", "/?xa=1", &[("X", "1")], b"");
    assert_eq!(messages(&tx), ["one REQUEST_HEADERS:X", "changed", "later"]);
}

/// An update adds those that may stand several times.
#[test]
fn config_time_changes_of_actions_add_up() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,initcol:ip=x,expirevar:ip.n=60,sanitiseArg:a,setvar:ip.n=1,setvar:tx.a=1"
SecRuleUpdateActionById 1 "initcol:global=y,deprecatevar:ip.n=1/10,sanitiseArg:b,setvar:global.n=2,tag:'t'"
SecAction "id:2,phase:1,pass,msg:'%{ip.n} %{global.n} %{tx.a}'"
"#;
    let tx = get(&profile(rules), "/?a=1&b=2");
    assert_eq!(messages(&tx), ["1 2 1"]);
    assert!(tx.is_sanitised("ARGS:a") && tx.is_sanitised("ARGS:b"));
}

#[test]
fn deny_stops_and_phase_five_still_runs() {
    let rules = format!(
        "SecAction \"id:1,phase:1,deny,status:418,msg:'no'\"\nSecAction \"id:2,phase:1,pass,msg:'x'\"\n\
         SecAction \"id:3,phase:2,pass,msg:'x'\"{}",
        show("end")
    );
    let profile = profile(&rules);
    let mut tx = Transaction::new(profile.clone());
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    let denied = Verdict::Deny(Interruption { rule_id: 1, status: 418, action: Action::Deny });
    assert_eq!(tx.head(), denied);
    assert!(!tx.wants_body());
    assert_eq!(tx.body(), denied);
    tx.finish();
    assert_eq!(messages(&tx), ["no", "end"]);
}

#[test]
fn detection_only_notes_and_goes_on() {
    let rules = "SecRuleEngine DetectionOnly\nSecAction \"id:1,phase:1,deny\"\nSecAction \"id:2,phase:2,pass\"";
    let tx = get(&profile(rules), "/");
    assert_eq!(tx.matched_rules(), [1, 2]);
    assert_eq!(tx.detected().map(|would| would.rule_id), Some(1));
    let off = with(rules, ProfileOptions { engine: Some(EngineMode::Off), ..Default::default() });
    assert!(get(&off, "/").matched_rules().is_empty());
}

#[test]
fn block_is_what_the_default_says() {
    let rules =
        "SecDefaultAction \"phase:1,log,deny,status:451\"\nSecAction \"id:1,phase:1,block\"";
    let mut tx = Transaction::new(profile(rules));
    assert_eq!(
        tx.head(),
        Verdict::Deny(Interruption { rule_id: 1, status: 451, action: Action::Deny })
    );
    let mut tx = Transaction::new(profile("SecAction \"id:1,phase:1,block\""));
    assert_eq!(tx.head(), Verdict::Pass);
}

#[test]
fn allow_and_redirect() {
    let rules = |scope: &str| {
        format!(
            "SecAction \"id:1,phase:1,allow{scope},nolog\"\nSecAction \"id:2,phase:1,pass\"\nSecAction \"id:3,phase:2,pass\"\nSecAction \"id:4,phase:3,pass\""
        )
    };
    for (scope, ran) in [("", vec![1]), (":request", vec![1, 4]), (":phase", vec![1, 3, 4])] {
        assert_eq!(get(&profile(&rules(scope)), "/").matched_rules(), ran, "allow{scope}");
    }
    let mut tx = Transaction::new(profile(
        "SecAction \"id:1,phase:1,redirect:'https://x/%{REQUEST_METHOD}'\"",
    ));
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    let action = Action::Redirect("https://x/GET".into());
    assert_eq!(tx.head(), Verdict::Deny(Interruption { rule_id: 1, status: 302, action }));
}

#[test]
fn audit_and_log_are_apart() {
    let recorded = |actions: &str| {
        let tx = get(&profile(&format!("SecAction \"id:1,phase:1,{actions}\"")), "/");
        let records = tx.matches().iter().map(|found| (found.log, found.audit)).collect::<Vec<_>>();
        (records, tx.wants_audit())
    };
    for (actions, records, audited) in [
        ("pass", vec![(true, true)], true),
        ("pass,noauditlog", vec![(true, false)], false),
        ("pass,nolog", vec![], false),
        ("pass,nolog,auditlog", vec![(false, true)], true),
        ("pass,auditlog,nolog", vec![], false),
    ] {
        assert_eq!(recorded(actions), (records, audited), "{actions}");
    }
    // For all rules of a phase, as CRS offers it.
    let rules =
        "SecDefaultAction \"phase:1,nolog,auditlog,pass\"\nSecAction \"id:1,phase:1,msg:'x'\"";
    let tx = get(&profile(rules), "/");
    assert!(tx.wants_audit() && !tx.matches()[0].log);
}

#[test]
fn ctl_chooses_the_body_processor() {
    let rules = r#"
SecRule REQUEST_HEADERS:Content-Type "@streq application/odd" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule ARGS "@rx ." "id:2,phase:2,pass,msg:'%{MATCHED_VAR_NAME} %{REQBODY_PROCESSOR}'"
"#;
    assert_eq!(
        messages(&post(&profile(rules), "application/odd", r#"{"a":"b"}"#)),
        ["ARGS:json.a JSON"]
    );
}

#[test]
fn setvar_writes_what_macros_name() {
    let rules = r#"
SecRule ARGS_NAMES "@rx ." "id:1,phase:2,pass,nolog,setvar:'tx.count_%{MATCHED_VAR}=+1'"
SecRule TX:/^COUNT_/ "@ge 2" "id:2,phase:2,pass,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecAction "id:3,phase:2,pass,nolog,setvar:!tx.count_a,setvar:tx.b=5,setvar:tx.b=-7"
"#;
    let profile = profile(&format!("{rules}{}", show("%{tx.count_a}|%{tx.b}")));
    assert_eq!(
        messages(&get(&profile, "/?a=1&A=2&b=3&zz=1&zz=1")),
        ["TX:count_a=2", "TX:count_zz=2", "|-2"]
    );
}
