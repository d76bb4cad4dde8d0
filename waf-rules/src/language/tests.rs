//! The page says what the tables say, and the tables what the parser does.

use super::*;
use crate::Ruleset;

/// Below the package, whose tests cargo runs in its folder.
const PAGE: &str = "../docs/seclang.md";

fn heading(kind: FeatureKind) -> &'static str {
    match kind {
        FeatureKind::Directive => "Directives",
        FeatureKind::Variable => "Variables",
        FeatureKind::Operator => "Operators",
        FeatureKind::Transformation => "Transformations",
        FeatureKind::Action => "Actions",
        FeatureKind::CtlOption => "Options of `ctl`",
    }
}

/// The tables as the page has them.
fn tables() -> String {
    let mut text = String::new();
    let mut last = None;
    for feature in features() {
        if last.replace(feature.kind) != Some(feature.kind) {
            let heading = heading(feature.kind);
            text.push_str(&format!("\n### {heading}\n\n| name | | remark |\n|---|---|---|\n"));
        }
        let (name, support, remark) = (feature.name, feature.support.as_str(), feature.remark);
        let only = match feature.values {
            [] => String::new(),
            values => format!("only `{}`: ", values.join("`, `")),
        };
        let remark = format!("{only}{}", remark.replace('|', "\\|"));
        text.push_str(&format!("| `{name}` | {support} | {remark} |\n"));
    }
    text
}

/// `YETT_WRITE_DOCS=1 cargo test -p waf-rules --lib language` writes the page anew.
#[test]
fn page_lists_what_there_is() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let marker = "<!-- tables: generated -->\n";
    let (before, found) = page.split_once(marker).expect("the page has no marker for its tables");
    if std::env::var_os("YETT_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{marker}{}", tables())).unwrap();
        return;
    }
    assert!(found == tables(), "docs/seclang.md is not what the code says: {PAGE}");
}

#[test]
fn names_are_unique_and_remarks_belong_to_names() {
    let all = features();
    for pair in all.windows(2) {
        assert!(
            pair[0].kind != pair[1].kind || !pair[0].name.eq_ignore_ascii_case(pair[1].name),
            "{} is listed twice",
            pair[0].name
        );
    }
    let remarks = [
        operator::DIFFERS,
        action::DIFFERS,
        action::CTL_DIFFERS,
        variable::DIFFERS,
        settings::DIFFERS,
    ];
    for (name, _) in remarks.into_iter().flatten() {
        let listed = all.iter().filter(|feature| feature.name == *name);
        assert!(listed.into_iter().any(|feature| feature.support == Support::Differs), "{name}");
    }
    assert!(
        all.iter()
            .all(|feature| (feature.support == Support::Supported) == feature.remark.is_empty())
    );
}

/// What is refused is an error with its place and the alternative; what is left out by
/// `SecRuleRemoveById` is none.
#[test]
fn refused_words_are_errors_with_the_alternative() {
    for feature in features().iter().filter(|feature| feature.support == Support::Refused) {
        let name = feature.name;
        let (text, removable) = match feature.kind {
            FeatureKind::Directive => (format!("{name} x"), false),
            FeatureKind::Variable => (format!("SecRule {name} \"@rx a\" \"id:1\""), true),
            FeatureKind::Operator => (format!("SecRule ARGS \"@{name} x\" \"id:1\""), true),
            FeatureKind::Action => (format!("SecAction \"id:1,{name}:x\""), true),
            FeatureKind::CtlOption => (format!("SecAction \"id:1,ctl:{name}=x\""), true),
            FeatureKind::Transformation => continue,
        };
        let load = |text: &str| Ruleset::builder().text("t.conf", text).build();
        let errors = load(&text).map(|_| ()).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!((error.file.as_str(), error.line), ("t.conf", 1), "{text}");
        assert!(error.message.contains(feature.remark), "{text}: {}", error.message);
        assert!(error.to_string().contains('^'), "{text}");
        assert_eq!(errors.len(), 1, "{text}: {errors}");
        if removable {
            assert!(load(&format!("{text}\nSecRuleRemoveById 1")).is_ok(), "{text}");
        }
    }
}

#[test]
fn accepted_words_are_accepted() {
    for feature in features().iter().filter(|feature| feature.support != Support::Refused) {
        let name = feature.name;
        let text = match feature.kind {
            FeatureKind::Variable => format!("SecRule {} \"@rx a\" \"id:1\"", with_name(name)),
            FeatureKind::Transformation => format!("SecRule ARGS \"@rx a\" \"id:1,t:{name}\""),
            _ => continue,
        };
        Ruleset::builder()
            .text("t.conf", &text)
            .build()
            .unwrap_or_else(|errors| panic!("{errors}"));
    }
}

/// `ENV` is read by name only.
fn with_name(variable: &str) -> &str {
    if variable == "ENV" { "ENV:WAF_X" } else { variable }
}
