use crate::Ruleset;

const RULES: &str = r#"
SecDefaultAction "phase:2,log,pass,t:lowercase,tag:'all',severity:NOTICE,setvar:tx.all=1"

# The first of two lines.
#   The second.
SecRule ARGS|!ARGS:a\
    "@rx a{2}" \
    "id:1,phase:2,block,msg:'two, of them',\
    severity:'CRITICAL',tag:'attack-x',tag:'paranoia-level/3',\
    setvar:'tx.inbound_anomaly_score_pl3=+%{tx.x}',chain"
  SecRule MATCHED_VAR "!@streq b" "t:none,t:urlDecodeUni"

SecRuleUpdateActionById 1 "nolog"
SecAction "id:2,phase:1,nolog,deny"
SecRuleUpdateTargetById 1 "!ARGS:b"
SecRuleRemoveById 2
"#;

#[test]
fn rules_are_told_as_they_are_written() {
    let catalog = Ruleset::builder().text("r.conf", RULES).catalog();
    let catalog = catalog.unwrap_or_else(|errors| panic!("{errors}"));
    let rule = catalog.get(1).unwrap_or_else(|| panic!("rule 1"));
    assert_eq!((rule.file.as_str(), rule.line, rule.phase), ("r.conf", 6, 2));
    assert_eq!(rule.comment, "The first of two lines.\nThe second.");
    assert!(
        rule.text.starts_with("SecRule ARGS") && rule.text.ends_with("t:urlDecodeUni\""),
        "{}",
        rule.text
    );
    assert_eq!(
        (rule.message.as_str(), rule.action.as_str(), rule.paranoia),
        ("two, of them", "block", Some(3))
    );
    assert_eq!(rule.writes, ["tx.all=1", "tx.inbound_anomaly_score_pl3=+%{tx.x}"]);
    assert_eq!(rule.tags, ["all", "attack-x", "paranoia-level/3"]);
    assert_eq!(rule.severity, Some(crate::Severity::Critical));
    assert!(!rule.logs && !rule.removed);
    let links: Vec<_> = rule
        .links
        .iter()
        .map(|link| (link.targets.join("|"), link.transforms.join(","), link.operator.clone()))
        .collect();
    let words = |targets: &str, transforms: &str, operator: &str| {
        (targets.to_owned(), transforms.to_owned(), operator.to_owned())
    };
    assert_eq!(
        links,
        [
            words("ARGS|!ARGS:a|!ARGS:b", "lowercase", "@rx a{2}"),
            words("MATCHED_VAR", "urlDecodeUni", "!@streq b")
        ]
    );
    let action = catalog.get(2).unwrap_or_else(|| panic!("rule 2"));
    assert!(action.removed && !action.logs);
    assert_eq!((action.links[0].operator.as_str(), action.action.as_str()), ("", "deny"));
}

/// Everything that is loaded is listed, and with every text a rule can have.
#[test]
fn the_built_in_rules_are_all_there() {
    let catalog =
        Ruleset::builder().builtin().catalog().unwrap_or_else(|errors| panic!("{errors}"));
    let ruleset = Ruleset::builder().builtin().build().unwrap_or_else(|errors| panic!("{errors}"));
    let listed: Vec<_> =
        catalog.entries.iter().map(|entry| (entry.id, entry.line, entry.message.clone())).collect();
    let loaded: Vec<_> =
        ruleset.rules().map(|rule| (rule.id(), rule.line(), rule.message().to_owned())).collect();
    assert_eq!(listed, loaded);
    let bare: Vec<_> = catalog
        .entries
        .iter()
        .filter(|entry| {
            entry.tags.iter().any(|tag| tag.starts_with("attack-")) && entry.comment.is_empty()
        })
        .map(|entry| entry.id)
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn problems_are_reported() {
    assert!(Ruleset::builder().text("r", "SecRule ARGS").catalog().is_err());
}
