//! One statement to one directive.

use super::settings::{self, Setting};
use super::{Problems, actions, arguments, operator, parse_id_ranges, targets};
use crate::seclang::ast::{Directive, Node, RuleSet};
use crate::seclang::lexer::{LexError, Statement, Word};
use crate::seclang::nearest;

/// Directives that make or change rules; the rest are settings.
pub(crate) const RULE_DIRECTIVES: &[&str] = &[
    "Include",
    "IncludeOptional",
    "SecAction",
    "SecComponentSignature",
    "SecDefaultAction",
    "SecMarker",
    "SecRule",
    "SecRuleRemoveById",
    "SecRuleRemoveByMsg",
    "SecRuleRemoveByTag",
    "SecRuleUpdateActionById",
    "SecRuleUpdateTargetById",
    "SecRuleUpdateTargetByMsg",
    "SecRuleUpdateTargetByTag",
];

pub(super) fn parse(statement: &Statement, errors: &mut Vec<LexError>) -> Option<Node> {
    let mut problems = Problems(errors);
    let name = statement.words.first()?;
    let directive = match rule_directive(&name.text) {
        Some(known) => rule(known, statement, &mut problems)?,
        None => setting(name, statement, &mut problems)?,
    };
    Some(Node { span: name.span, directive })
}

fn rule_directive(name: &str) -> Option<&'static str> {
    RULE_DIRECTIVES.iter().find(|known| known.eq_ignore_ascii_case(name)).copied()
}

fn rule(name: &str, statement: &Statement, problems: &mut Problems<'_>) -> Option<Directive> {
    match name {
        "SecRule" => sec_rule(statement, problems),
        "SecAction" => one(statement, problems, |word, p| {
            Some(actions::parse(word, p).map_or_else(|| broken(word), Directive::Action))
        }),
        "SecDefaultAction" => one(statement, problems, |word, p| {
            actions::parse(word, p).map(Directive::DefaultAction)
        }),
        "SecMarker" => {
            one(statement, problems, |word, _| Some(Directive::Marker(word.text.clone())))
        }
        "SecComponentSignature" => {
            one(statement, problems, |word, _| Some(Directive::Component(word.text.clone())))
        }
        "Include" => include(statement, problems, false),
        "IncludeOptional" => include(statement, problems, true),
        "SecRuleRemoveById" => remove_by_id(statement, problems),
        "SecRuleRemoveByTag" => remove(statement, problems, RuleSet::Tag),
        "SecRuleRemoveByMsg" => remove(statement, problems, RuleSet::Message),
        "SecRuleUpdateActionById" => update_actions(statement, problems),
        "SecRuleUpdateTargetById" => update_targets(statement, problems, ids),
        "SecRuleUpdateTargetByTag" => {
            update_targets(statement, problems, |text| Ok(RuleSet::Tag(text.to_owned())))
        }
        _ => update_targets(statement, problems, |text| Ok(RuleSet::Message(text.to_owned()))),
    }
}

fn one(
    statement: &Statement,
    problems: &mut Problems<'_>,
    build: impl Fn(&Word, &mut Problems<'_>) -> Option<Directive>,
) -> Option<Directive> {
    let words = arguments(statement, 1, 1, problems)?;
    build(&words[0], problems)
}

fn sec_rule(statement: &Statement, problems: &mut Problems<'_>) -> Option<Directive> {
    let words = arguments(statement, 2, 3, problems)?;
    // All three are read before giving up, so that one run reports all that is wrong.
    let targets = targets::parse(&words[0], problems);
    let operator = operator::parse(&words[1], problems);
    let actions =
        words.get(2).map_or_else(|| Some(Vec::new()), |word| actions::parse(word, problems));
    match (targets, operator, actions) {
        (Some(targets), Some(operator), Some(actions)) => {
            Some(Directive::Rule { targets, operator, actions })
        }
        _ => words.get(2).map(broken).or(Some(Directive::Broken { chain: false })),
    }
}

/// A rule with problems keeps its place in a chain, so that its neighbours are not misread.
fn broken(actions: &Word) -> Directive {
    Directive::Broken { chain: actions::holds_chain(&actions.text) }
}

fn include(
    statement: &Statement,
    problems: &mut Problems<'_>,
    optional: bool,
) -> Option<Directive> {
    one(statement, problems, |word, _| Some(Directive::Include { path: word.clone(), optional }))
}

fn ids(text: &str) -> Result<RuleSet, String> {
    parse_id_ranges(text).map(RuleSet::Ids)
}

fn remove_by_id(statement: &Statement, problems: &mut Problems<'_>) -> Option<Directive> {
    let words = arguments(statement, 1, 1000, problems)?;
    let mut all = Vec::new();
    for word in words {
        all.extend(problems.check(word.span, parse_id_ranges(&word.text))?);
    }
    Some(Directive::Remove(RuleSet::Ids(all)))
}

fn remove(
    statement: &Statement,
    problems: &mut Problems<'_>,
    set: impl Fn(String) -> RuleSet,
) -> Option<Directive> {
    let words = arguments(statement, 1, 1, problems)?;
    Some(Directive::Remove(set(words[0].text.clone())))
}

fn update_targets(
    statement: &Statement,
    problems: &mut Problems<'_>,
    rules: impl Fn(&str) -> Result<RuleSet, String>,
) -> Option<Directive> {
    let words = arguments(statement, 2, 3, problems)?;
    let rules = problems.check(words[0].span, rules(&words[0].text));
    let targets = targets::parse(&words[1], problems);
    let replaced =
        words.get(2).map_or_else(|| Some(Vec::new()), |word| targets::parse(word, problems));
    Some(Directive::UpdateTargets { rules: rules?, targets: targets?, replaced: replaced? })
}

/// `SecRuleUpdateActionById ID[:LINK] ACTIONS`; LINK counts chain members from 0.
fn update_actions(statement: &Statement, problems: &mut Problems<'_>) -> Option<Directive> {
    let words = arguments(statement, 2, 2, problems)?;
    let (id, link) = words[0].text.split_once(':').unwrap_or((&words[0].text, "0"));
    let numbers = id.parse().ok().zip(link.parse().ok());
    let actions = actions::parse(&words[1], problems);
    match numbers {
        Some((id, link)) => Some(Directive::UpdateActions { id, link, actions: actions? }),
        None => problems
            .fail(words[0].span, format!("rule id `{}`, expected N or N:LINK", words[0].text)),
    }
}

fn setting(name: &Word, statement: &Statement, problems: &mut Problems<'_>) -> Option<Directive> {
    match settings::lookup(&name.text) {
        Some(Setting::Ignored { name, why }) => Some(Directive::Ignored { name, why }),
        Some(Setting::Applied { name, least, most }) => {
            let words = arguments(statement, *least, *most, problems)?;
            Some(Directive::Setting { name, values: words.to_vec() })
        }
        Some(Setting::Fixed { values, why, .. }) => fixed(statement, values, why, problems),
        Some(Setting::Refused { name: known, why }) => {
            problems.fail(name.span, format!("{known} is not supported: {why}"))
        }
        None => problems.fail(name.span, unknown(&name.text)),
    }
}

/// A value that says what happens anyway needs no effect.
fn fixed(
    statement: &Statement,
    values: &[&str],
    why: &str,
    problems: &mut Problems<'_>,
) -> Option<Directive> {
    let word = &arguments(statement, 1, 1, problems)?[0];
    if values.iter().any(|value| value.eq_ignore_ascii_case(&word.text)) {
        return Some(Directive::Satisfied);
    }
    let (name, only) = (&statement.words[0].text, values.join(" or "));
    problems.fail(word.span, format!("{name} `{}`, only {only} is supported: {why}", word.text))
}

fn unknown(name: &str) -> String {
    if name.starts_with('<') {
        return format!("`{name}` is Apache's, not SecLang: give the lines inside it without it");
    }
    let known = RULE_DIRECTIVES.iter().copied().chain(settings::names());
    match nearest(name, known) {
        Some(near) => format!("unknown directive `{name}`, did you mean `{near}`?"),
        None => format!("unknown directive `{name}`"),
    }
}
