//! Chains, captures, `multiMatch`, what counts per value and what counts once.

use super::*;

/// Effects run once per value, whether the chain goes on to match or not.
#[test]
fn effects_run_per_value() {
    let rules = r#"
SecRule ARGS "@rx x" "id:1,phase:2,pass,nolog,setvar:tx.n=+1,chain"
    SecRule ARGS "@rx never" "setvar:tx.m=+1"
SecRule ARGS "@rx x" "id:2,phase:2,pass,nolog,setvar:tx.score=+5"
"#;
    assert_eq!(shown(rules, "%{tx.n} %{tx.m} %{tx.score}", "/?a=x&b=x&c=y"), "2  10");
}

/// A link runs after all values of the one before; `MATCHED_VARS` holds them all, `MATCHED_VAR` the last.
#[test]
fn a_link_sees_all_matches_of_the_one_before() {
    let rules = r#"
SecRule ARGS "@rx ^x" "id:1,phase:2,pass,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}',chain"
    SecRule MATCHED_VARS "@rx 2" "t:none,setvar:tx.hits=+1"
"#;
    let tx = get(&profile(rules), "/?a=x1&b=x2&c=2&d=x22");
    assert_eq!(messages(&tx), ["ARGS:b=x2", "ARGS:d=x22"]);
    assert_eq!(tx.matched_rules(), [1]);
    assert_eq!(tx.matches()[0].target, "ARGS:b");
}

/// Nothing of a chain that fails half way is logged.
#[test]
fn a_failing_chain_is_silent() {
    let rules =
        "SecRule ARGS \"@rx a\" \"id:1,phase:2,deny,chain\"\nSecRule ARGS \"@rx b\" \"t:none\"";
    let tx = get(&profile(rules), "/?x=a");
    assert!(tx.matches().is_empty() && tx.matched_rules().is_empty());
}

/// Captures of one match take the place of all older ones, and only `capture` makes any.
#[test]
fn captures_do_not_leak() {
    let rules = r#"
SecRule ARGS:a "@rx (1)(2)(3)" "id:1,phase:2,pass,capture,msg:'%{tx.0} %{tx.1} %{tx.3}'"
SecRule ARGS:b "@rx (.)" "id:2,phase:2,pass,msg:'%{tx.0}'"
SecRule ARGS:b "@rx (.)" "id:3,phase:2,pass,capture,msg:'%{tx.0}/%{tx.1}/%{tx.2}'"
"#;
    let tx = get(&profile(rules), "/?a=123&b=9");
    assert_eq!(messages(&tx), ["123 1 3", "123", "9/9/"]);
}

#[test]
fn multi_match_asks_after_every_change() {
    let rules = r#"
SecRule ARGS "@rx ." "id:1,phase:2,pass,multiMatch,t:none,t:urlDecodeUni,t:lowercase,msg:'%{MATCHED_VAR}'"
"#;
    assert_eq!(messages(&get(&profile(rules), "/?a=%2541B")), ["%41B", "AB", "ab"]);
    assert_eq!(messages(&get(&profile(rules), "/?a=x")), ["x"]);
}

#[test]
fn transformations_are_inherited_until_none() {
    let rules = r#"
SecDefaultAction "phase:2,log,pass,t:lowercase"
SecRule ARGS "@streq a" "id:1,phase:2,pass,msg:'1'"
SecRule ARGS "@streq A" "id:2,phase:2,pass,t:none,msg:'2'"
SecRule ARGS "@streq a" "id:3,phase:2,pass,t:trim,msg:'3'"
"#;
    assert_eq!(messages(&get(&profile(rules), "/?x=A")), ["1", "2", "3"]);
}

/// A negated operator asks about values that are there; an absent one is no value.
#[test]
fn negation_needs_a_value() {
    let rules = r#"
SecRule ARGS:a "!@rx ^1$" "id:1,phase:2,pass,msg:'not 1'"
SecRule &ARGS:a "@eq 0" "id:2,phase:2,pass,msg:'no a'"
"#;
    let profile = profile(rules);
    assert_eq!(messages(&get(&profile, "/?b=1")), ["no a"]);
    assert_eq!(messages(&get(&profile, "/?a=")), ["not 1"]);
    assert_eq!(messages(&get(&profile, "/?a=1")), [""; 0]);
}
