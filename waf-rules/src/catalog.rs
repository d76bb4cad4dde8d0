//! What the rules of a load say, for people: their text, and its parts in words. Built from the sources on demand,
//! so that a running program keeps none of it.

use crate::Severity;
use crate::action::{Action, Disruptive};
use crate::load::Input;
use crate::plan::{Assembly, Draft, DraftLink, Item};
use crate::seclang::ast::ActionNode;
use crate::seclang::error::LoadErrors;
use crate::seclang::source::{Sources, Span};

/// Every rule of a load, in reading order.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub entries: Vec<Entry>,
}

/// A rule, or a chain of them.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: u32,
    /// 1 to 5.
    pub phase: u8,
    pub file: String,
    pub line: u32,
    /// The comment right above it, without its signs.
    pub comment: String,
    /// As it is written, the further rules of a chain included.
    pub text: String,
    /// The message, macros unexpanded; empty when there is none.
    pub message: String,
    pub tags: Vec<String>,
    pub severity: Option<Severity>,
    /// From the tag `paranoia-level/N`.
    pub paranoia: Option<u8>,
    /// What it does with the request when it matches: `block`, `pass`, `deny` ...
    pub action: String,
    /// Variables it writes, those of `SecDefaultAction` first, as written: `tx.inbound_anomaly_score_pl1=+%{tx.critical_anomaly_score}`.
    pub writes: Vec<String>,
    /// False for rules that match without a record.
    pub logs: bool,
    /// A directive of the rule files removed it: it never runs.
    pub removed: bool,
    /// One for each rule of a chain.
    pub links: Vec<EntryLink>,
}

/// What one rule of a chain asks; nothing for a `SecAction`.
#[derive(Debug, Clone, Default)]
pub struct EntryLink {
    /// `ARGS`, `!REQUEST_HEADERS:Cookie`, with those that updates added.
    pub targets: Vec<String>,
    /// In their order; those of `SecDefaultAction` included.
    pub transforms: Vec<String>,
    /// `@rx ...`, `!@within ...`; empty for a `SecAction`.
    pub operator: String,
}

impl Catalog {
    pub(crate) fn read(inputs: &[Input]) -> Result<Self, LoadErrors> {
        crate::load::sources(inputs).map(|(sources, assembly)| Self::of(&sources, &assembly))
    }

    fn of(sources: &Sources, assembly: &Assembly) -> Self {
        let drafts = assembly.items.iter().filter_map(|item| match item {
            Item::Rule(draft) => Some(draft.as_ref()),
            Item::Marker(_) => None,
        });
        Self { entries: drafts.map(|draft| entry(sources, draft)).collect() }
    }

    /// The rule of an id.
    pub fn get(&self, id: u32) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.id == id)
    }
}

fn entry(sources: &Sources, draft: &Draft) -> Entry {
    let place = sources.place(draft.span);
    let tags: Vec<String> = draft.tags().map(str::to_owned).collect();
    Entry {
        id: draft.id().unwrap_or_default(),
        phase: draft.phase(),
        file: place.file.to_owned(),
        line: place.line,
        comment: comment(sources, draft.span),
        text: draft.links.iter().map(|link| written(sources, link)).collect::<Vec<_>>().join(
            "
",
        ),
        message: draft.message().to_owned(),
        severity: draft.inherited().rev().find_map(|node| match node.action {
            Action::Severity(severity) => Some(severity),
            _ => None,
        }),
        paranoia: tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok()),
        tags,
        action: draft
            .inherited()
            .rev()
            .find_map(|node| match &node.action {
                Action::Disruptive(kind) => Some(name(kind)),
                _ => None,
            })
            .unwrap_or_else(|| "pass".to_owned()),
        writes: writes(sources, draft),
        logs: draft.records() != (false, false),
        removed: draft.removed,
        links: draft.links.iter().map(|link| entry_link(sources, draft, link)).collect(),
    }
}

fn entry_link(sources: &Sources, draft: &Draft, link: &DraftLink) -> EntryLink {
    let mut transforms = Vec::new();
    for node in draft.defaults.iter().chain(&link.actions) {
        match node.action {
            Action::ClearTransforms => transforms.clear(),
            Action::Transform(_) => {
                let written = flat(sources, node.span);
                transforms.push(written.trim_start_matches("t:").to_owned());
            }
            _ => {}
        }
    }
    let operator = link.operator.as_ref().map(|operator| {
        let sign = if operator.negated { "!" } else { "" };
        format!("{sign}@{} {}", operator.name, operator.argument).trim_end().to_owned()
    });
    EntryLink {
        targets: link.targets.iter().map(|target| flat(sources, target.span)).collect(),
        transforms,
        operator: operator.unwrap_or_default(),
    }
}

fn writes(sources: &Sources, draft: &Draft) -> Vec<String> {
    let written = draft.all_actions().filter(|node| matches!(node.action, Action::SetVar(_)));
    let text = |node: &ActionNode| {
        let text = flat(sources, node.span);
        let text = text.strip_prefix("setvar:").unwrap_or(&text).trim();
        text.trim_matches('\'').to_owned()
    };
    written.map(text).collect()
}

fn name(kind: &Disruptive) -> String {
    match kind {
        Disruptive::Block => "block".to_owned(),
        Disruptive::Pass => "pass".to_owned(),
        Disruptive::Deny => "deny".to_owned(),
        Disruptive::Drop => "drop".to_owned(),
        Disruptive::Redirect(to) => format!("redirect to {to}"),
        Disruptive::Allow(_) => "allow".to_owned(),
    }
}

/// A directive's lines, those that it continues on included.
fn written<'s>(sources: &'s Sources, link: &DraftLink) -> &'s str {
    let text = sources.get(link.span.source).text.as_str();
    let before = text.get(..link.span.start as usize).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let rest = text.get(start..).unwrap_or_default();
    let mut end = 0;
    for line in rest.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    rest[..end].trim_end()
}

fn slice(sources: &Sources, span: Span) -> &str {
    let text = sources.get(span.source).text.as_str();
    text.get(span.start as usize..span.end as usize).unwrap_or_default()
}

/// A part of a directive without the line breaks that are continued.
fn flat(sources: &Sources, span: Span) -> String {
    let mut parts = slice(sources, span).split("\\\n");
    let first = parts.next().unwrap_or_default();
    parts.fold(first.to_owned(), |text, part| text + part.trim_start())
}

/// The block of comment lines that ends right above a directive.
fn comment(sources: &Sources, span: Span) -> String {
    let text = sources.get(span.source).text.get(..span.start as usize).unwrap_or_default();
    let above = text.rsplit_once('\n').map_or("", |(above, _)| above);
    let mut lines: Vec<&str> =
        above.lines().rev().map_while(|line| line.trim_start().strip_prefix('#')).collect();
    lines.reverse();
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_start_matches('#').trim()).collect();
    lines.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests;
