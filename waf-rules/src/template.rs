//! Texts with macros: `Matched Data: %{TX.0} within %{MATCHED_VAR_NAME}`, split once at load.

use crate::seclang::ast::Selector;
use crate::tx::{TxNames, TxSlot};
use crate::variable::{self, Kind, Variable, environment};

/// A text whose macros are resolved when it is used; an unset variable expands to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Text(Box<[u8]>),
    Tx(TxSlot),
    /// First value of a collection under a name, or a scalar.
    Variable(&'static Variable, Option<Selector>),
    Rule(RuleField),
}

/// What `%{rule.X}` can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RuleField {
    Id,
    Message,
    Severity,
    LogData,
    Revision,
    Version,
}

impl RuleField {
    /// Names in lower case.
    pub(crate) const NAMES: [(&str, Self); 6] = [
        ("id", Self::Id),
        ("msg", Self::Message),
        ("severity", Self::Severity),
        ("logdata", Self::LogData),
        ("rev", Self::Revision),
        ("ver", Self::Version),
    ];
}

impl Template {
    /// Splits a text; names of transaction variables are interned in `names`.
    pub(crate) fn parse(text: &str, names: &mut TxNames) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find("%{") {
            let Some(length) = rest[open..].find('}') else { break };
            push_text(&rest[..open], &mut parts);
            parts.push(macro_part(&rest[open + 2..open + length], names)?);
            rest = &rest[open + length + 1..];
        }
        push_text(rest, &mut parts);
        Ok(Self { parts })
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The text, when it holds no macro.
    pub(crate) fn constant(&self) -> Option<&[u8]> {
        match self.parts.as_slice() {
            [] => Some(b""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

fn push_text(text: &str, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(text.as_bytes().into()));
    }
}

fn macro_part(text: &str, names: &mut TxNames) -> Result<Part, String> {
    let (collection, name) = text
        .split_once(['.', ':'])
        .map_or((text, None), |(collection, name)| (collection, Some(name)));
    if collection.eq_ignore_ascii_case("tx") {
        let name = name.ok_or_else(|| "macro %{tx} has no variable name".to_owned())?;
        return Ok(Part::Tx(names.intern(name)));
    }
    if collection.eq_ignore_ascii_case("rule") {
        return rule_field(name.unwrap_or_default()).map(Part::Rule);
    }
    let variable = variable::lookup(collection)
        .ok_or_else(|| format!("unknown variable in macro `%{{{text}}}`"))?;
    variable.kind.check(variable.name)?;
    let name = name.map(|name| Selector::Name(name.to_owned()));
    if variable.kind == Kind::Environment {
        environment::check(name.as_ref())?;
    }
    if name.is_some() && !variable.collection || matches!(variable.kind, Kind::Tx | Kind::Rule) {
        return Err(format!("macro `%{{{text}}}`: {} takes no name", variable.name));
    }
    Ok(Part::Variable(variable, name))
}

fn rule_field(name: &str) -> Result<RuleField, String> {
    let mut known = RuleField::NAMES.into_iter();
    let field = known.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, field)| field);
    field.ok_or_else(|| format!("unknown rule field in macro `%{{rule.{name}}}`"))
}
