//! `SecDefaultAction`: what the rules of a phase inherit.

use super::*;

fn found(rules: &str, target: &str) -> Vec<crate::Match> {
    get(&profile(rules), target).matches().to_vec()
}

/// What a rule says itself comes before what it inherits; tags add up.
#[test]
fn rules_inherit_what_is_told_of_them() {
    let rules = r#"
SecDefaultAction "phase:2,log,pass,msg:'all',logdata:'%{MATCHED_VAR}',severity:NOTICE,rev:'1',ver:'a/1',tag:'all'"
SecRule ARGS:a "@rx 1" "id:1,phase:2"
SecRule ARGS:a "@rx 1" "id:2,phase:2,msg:'own',logdata:'own',severity:CRITICAL,rev:'2',ver:'b/2',tag:'own'"
SecAction "id:3,phase:1,pass,msg:'another phase'"
"#;
    let tx = get(&profile(rules), "/?a=1");
    let told: Vec<_> =
        tx.matches().iter().map(|found| (found.log_line(), found.tags.join(" "))).collect();
    let ends = [
        (r#"[msg "another phase"]"#, ""),
        (r#"[msg "all"] [data "1"] [severity "NOTICE"] [ver "a/1"] [tag "all"]"#, "all"),
        (
            r#"[msg "own"] [data "own"] [severity "CRITICAL"] [ver "b/2"] [tag "all"] [tag "own"]"#,
            "all own",
        ),
    ];
    for ((line, tags), (end, wanted)) in told.iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
        assert_eq!(tags, wanted);
    }
    assert_eq!(told.len(), 3);
    assert_eq!(shown(rules, "%{HIGHEST_SEVERITY}", "/"), "255");
    assert_eq!(shown(rules, "%{HIGHEST_SEVERITY}", "/?a=1"), "2");
}

/// `capture` and `multiMatch` hold for every rule of a chain.
#[test]
fn rules_inherit_how_they_ask() {
    let rules = r#"
SecDefaultAction "phase:2,log,pass,capture,multiMatch"
SecRule ARGS "@rx ^(A)" "id:1,phase:2,t:lowercase,msg:'%{TX.1}',chain"
    SecRule ARGS "@rx (B)" "t:lowercase"
"#;
    assert_eq!(messages(&get(&profile(rules), "/?x=AB")), ["B"]);
    let without = rules.replace(",capture,multiMatch", "");
    assert!(found(&without, "/?x=AB").is_empty());
}

/// They run once the whole rule has matched, before the rule's own.
#[test]
fn rules_inherit_effects() {
    let rules = r#"
SecDefaultAction "phase:2,nolog,pass,setvar:tx.all=+1,setvar:tx.last=all,ctl:auditEngine=On,initcol:ip=x,setvar:ip.n=+1,sanitiseArg:b"
SecRule ARGS:a "@rx 1" "id:1,phase:2,setvar:tx.own=1,setvar:tx.last=own,chain"
    SecRule ARGS:b "@rx 1" "setvar:tx.own=2"
SecRule ARGS:b "@rx 1" "id:2,phase:2,setvar:tx.last=own"
"#;
    let vars = "%{tx.all} %{tx.own} %{tx.last} %{ip.n}";
    assert_eq!(shown(rules, vars, "/?a=1"), " 1 own ");
    assert_eq!(shown(rules, vars, "/?b=1"), "1  own 1");
    assert_eq!(shown(rules, vars, "/?a=1&b=1"), "2 2 own 2");
    let tx = get(&profile(rules), "/?b=1");
    assert!(tx.wants_audit() && tx.is_sanitised("ARGS:b"));
    // In the last rule of a chain, before its own.
    let order = "SecDefaultAction \"phase:2,pass,nolog,setvar:tx.a=%{tx.b}\"\n\
                 SecAction \"id:1,phase:2,setvar:tx.b=1,chain\"\nSecAction \"setvar:tx.b=2\"";
    assert_eq!(shown(order, "%{tx.a}", "/"), "1");
}

#[test]
fn rules_are_chosen_by_what_they_inherit() {
    for choice in [
        "SecRuleRemoveByTag ^all$",
        "SecRuleRemoveByMsg ^all$",
        "SecRuleUpdateTargetByTag ^all$ !ARGS:a",
        "SecAction \"id:9,phase:1,nolog,pass,ctl:ruleRemoveByTag=^all$\"",
        "SecAction \"id:9,phase:1,nolog,pass,ctl:ruleRemoveByMsg=^all$\"",
        "SecAction \"id:9,phase:1,nolog,pass,ctl:ruleRemoveTargetByTag=^all$;ARGS:a\"",
    ] {
        let rules = format!(
            "SecDefaultAction \"phase:2,log,pass,tag:all,msg:all\"\n\
             SecRule ARGS:a \"@rx 1\" \"id:1,phase:2,tag:own\"\n{choice}"
        );
        assert!(found(&rules, "/?a=1").is_empty(), "{choice}");
    }
    let rules = "SecDefaultAction \"phase:2,log,pass,tag:all,msg:all\"\n\
                 SecAction \"id:1,phase:2,msg:own,tag:own\"\nSecRuleRemoveByMsg ^all$\nSecRuleRemoveByTag ^other$";
    assert_eq!(found(rules, "/").len(), 1);
}

/// What is known at load of variables and collections knows what is inherited.
#[test]
fn inherited_effects_are_known_at_load() {
    let rules = |inherited: &str| {
        format!(
            "SecDefaultAction \"phase:1,nolog,pass,{inherited}\"\nSecAction \"id:1,phase:1\"\nSecAction \"id:3,phase:1\"\n\
             SecRule ARGS:c \"@rx ^(?:%{{tx.allowed}})$\" \"id:2,phase:2,pass,msg:'yes'\""
        )
    };
    assert_eq!(messages(&get(&profile(&rules("setvar:'tx.allowed=a|b'")), "/?c=b")), ["yes"]);
    let changing = Ruleset::builder().text("t", rules("setvar:tx.allowed=+1")).build();
    assert!(changing.is_err());
    for (inherited, notices) in [("initcol:ip=x", 0), ("capture", 1)] {
        let read = "SecRule IP:n \"@eq 1\" \"id:2,phase:1,pass\"";
        let text = format!("SecDefaultAction \"phase:1,pass,{inherited}\"\n{read}");
        assert_eq!(ruleset(&text).notices().len(), notices, "{inherited}");
    }
    let written = "SecDefaultAction \"phase:1,pass,setvar:ip.n=1\"\nSecAction \"id:1,phase:1\"";
    assert_eq!(ruleset(written).notices().len(), 1);
}

/// One mistake is one problem, however many rules inherit it.
#[test]
fn what_is_wrong_with_a_default_is_said_once() {
    let rules = "SecDefaultAction \"phase:1,pass,msg:'%{nothing.x}',setvar:tx.a=%{nothing.x}\"\n\
                 SecAction \"id:1,phase:1\"\nSecAction \"id:2,phase:1\"";
    let errors = Ruleset::builder().text("t.conf", rules).build().map(|_| ()).unwrap_err();
    let lines: Vec<_> = errors.iter().map(|error| error.line).collect();
    assert_eq!(lines, [1, 1], "{errors}");
}
