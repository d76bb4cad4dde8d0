//! Cases for single actions.

use super::{Action, SetVarOp, parse};

#[test]
fn reads_values() {
    assert!(matches!(parse("id", Some("942100")), Ok(Action::Id(942_100))));
    assert!(matches!(parse("PHASE", Some("request")), Ok(Action::Phase(2))));
    assert!(matches!(
        parse("severity", Some("2")),
        Ok(Action::Severity(super::Severity::Critical))
    ));
    assert!(matches!(parse("t", Some("none")), Ok(Action::ClearTransforms)));
}

#[test]
fn reads_setvar() {
    for (text, name, op, value) in [
        ("tx.a=1", "a", SetVarOp::Set, "1"),
        ("TX.A=+%{tx.b}", "a", SetVarOp::Add, "%{tx.b}"),
        ("tx.a=-2", "a", SetVarOp::Subtract, "2"),
        ("!tx.a", "a", SetVarOp::Unset, ""),
        ("tx.a", "a", SetVarOp::Set, "1"),
        ("tx.a.b=c=d", "a.b", SetVarOp::Set, "c=d"),
        ("ip.Count=+1", "count", SetVarOp::Add, "1"),
    ] {
        let Ok(Action::SetVar(write)) = parse("setvar", Some(text)) else { panic!("{text}") };
        assert_eq!(
            (write.name.as_str(), write.op, write.value.as_str()),
            (name, op, value),
            "{text}"
        );
    }
}

#[test]
fn names_what_is_wrong() {
    for (name, value, message) in [
        ("dny", None, "unknown action `dny`, did you mean `deny`?"),
        ("id", Some("x"), "id `x`, expected a number from 1 to 4294967295"),
        ("id", None, "action `id` needs a value"),
        ("phase", Some("6"), "phase `6`, expected 1 to 5, request, response or logging"),
        ("status", Some("99"), "status `99`, expected 200 to 599"),
        ("chain", Some("x"), "action `chain` takes no value, got `x`"),
        ("severity", Some("BAD"), "severity `BAD`, expected 0 to 7 or a name such as CRITICAL"),
        ("setvar", Some("a"), "setvar `a` has no collection, expected tx.NAME"),
        (
            "setvar",
            Some("args.a=1"),
            "setvar writes to tx, ip, global, resource, session or user, not to `args`",
        ),
        ("setvar", Some("ip.is_new=1"), "`ip.is_new` is kept by the engine and cannot be written"),
        ("initcol", Some("tx=1"), "initcol `tx`, expected ip, global, resource, session or user"),
        ("initcol", Some("ip="), "initcol `ip=`, expected COLLECTION=KEY"),
        (
            "expirevar",
            Some("tx.a=1"),
            "expirevar writes to ip, global, resource, session or user, not to `tx`",
        ),
        ("expirevar", Some("ip.a"), "expirevar `ip.a`, expected ip.NAME=SECONDS"),
        (
            "deprecatevar",
            Some("ip.a=1/0"),
            "deprecatevar `ip.a=1/0`, expected ip.NAME=AMOUNT/SECONDS",
        ),
        ("sanitiseArg", None, "sanitisearg needs a name"),
        ("sanitizeArgs", Some("x"), "unknown action `sanitizeArgs`, did you mean `sanitiseArg`?"),
        ("ctl", Some("auditLogParts=+Y"), "audit log part `Y`, expected letters of ABCDEFGHIJKZ"),
        ("ctl", Some("nope=1"), "unknown ctl option `nope`"),
        ("ctl", Some("ruleRemoveTargetById=1"), "ctl value `1`, expected RULES;TARGET"),
        ("ctl", Some("ruleRemoveById=9-1"), "rule id range `9-1` ends before it begins"),
        ("ctl", Some("ruleEngine=maybe"), "engine mode `maybe`, expected On, DetectionOnly or Off"),
        ("allow", Some("all"), "allow `all`, expected phase or request"),
    ] {
        assert_eq!(parse(name, value).map(|_| ()).unwrap_err(), message);
    }
}
