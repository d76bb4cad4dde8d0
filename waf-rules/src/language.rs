//! What of SecLang there is: every directive, variable, operator, transformation, action and `ctl` option,
//! from the tables that the parser reads.

use crate::action;
use crate::operator;
use crate::seclang::parser::directive::RULE_DIRECTIVES;
use crate::seclang::parser::settings::{self, DIRECTIVES, Setting};
use crate::transform;
use crate::variable::{self, Kind};

/// One word of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    pub kind: FeatureKind,
    pub name: &'static str,
    pub support: Support,
    /// The only values that are accepted, which say what happens anyway; empty for all else.
    pub values: &'static [&'static str],
    /// What differs, or what to do instead; empty where there is nothing to say.
    pub remark: &'static str,
}

/// What sort of word it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FeatureKind {
    Directive,
    Variable,
    Operator,
    Transformation,
    Action,
    CtlOption,
}

/// How much of a word there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It does what ModSecurity's does.
    Supported,
    /// It is accepted; the remark says what is different.
    Differs,
    /// A rule that uses it is not loaded; the remark says what to do instead.
    Refused,
}

impl Support {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Differs => "differs",
            Self::Refused => "refused",
        }
    }
}

/// Every word, by kind and name.
pub fn features() -> Vec<Feature> {
    let mut features: Vec<Feature> = directives()
        .chain(variables())
        .chain(named(FeatureKind::Operator, operator::NAMES, operator::DIFFERS, operator::REFUSED))
        .chain(transformations())
        .chain(named(FeatureKind::Action, action::NAMES, action::DIFFERS, action::REFUSED))
        .chain(named(FeatureKind::CtlOption, action::CTL, action::CTL_DIFFERS, action::CTL_REFUSED))
        .collect();
    features.sort_by_key(|feature| (feature.kind, feature.name.to_ascii_lowercase()));
    features
}

type Remarks = &'static [(&'static str, &'static str)];

fn named(
    kind: FeatureKind,
    names: &'static [&'static str],
    differs: Remarks,
    refused: Remarks,
) -> impl Iterator<Item = Feature> {
    let refused =
        refused.iter().map(move |(name, remark)| feature(kind, name, Support::Refused, remark));
    names.iter().map(move |name| accepted(kind, name, differs)).chain(refused)
}

fn accepted(kind: FeatureKind, name: &'static str, differs: Remarks) -> Feature {
    match differs.iter().find(|(known, _)| *known == name) {
        Some((_, remark)) => feature(kind, name, Support::Differs, remark),
        None => feature(kind, name, Support::Supported, ""),
    }
}

fn feature(
    kind: FeatureKind,
    name: &'static str,
    support: Support,
    remark: &'static str,
) -> Feature {
    Feature { kind, name, support, values: &[], remark }
}

fn directives() -> impl Iterator<Item = Feature> {
    let kind = FeatureKind::Directive;
    let rules = RULE_DIRECTIVES.iter().map(move |name| accepted(kind, name, &[]));
    rules.chain(DIRECTIVES.iter().map(move |setting| {
        let name = setting.name();
        match setting {
            Setting::Applied { .. } => accepted(kind, name, settings::DIFFERS),
            Setting::Ignored { why, .. } => feature(kind, name, Support::Differs, why),
            Setting::Refused { why, .. } => feature(kind, name, Support::Refused, why),
            Setting::Fixed { values, why, .. } => {
                Feature { values, ..feature(kind, name, Support::Differs, why) }
            }
        }
    }))
}

fn variables() -> impl Iterator<Item = Feature> {
    let kind = FeatureKind::Variable;
    let accepted =
        variable::TABLE.iter().map(move |known| accepted(kind, known.name, variable::DIFFERS));
    accepted.chain(variable::REFUSED.iter().map(move |known| {
        let remark = if let Kind::Refused(why) = known.kind { why } else { "" };
        feature(kind, known.name, Support::Refused, remark)
    }))
}

fn transformations() -> impl Iterator<Item = Feature> {
    let kind = FeatureKind::Transformation;
    let none = std::iter::once("none");
    none.chain(transform::names()).map(move |name| accepted(kind, name, &[]))
}

#[cfg(test)]
mod tests;
