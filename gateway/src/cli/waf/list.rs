//! `yett waf list`: the rules, one line each.

use clap::Args;
use serde_json::{Value, json};
use waf_rules::{Catalog, Entry};

use super::paint::{Ink, Paint, Table, cut, safe};
use super::subject::SubjectArgs;

/// Characters of a message that a line shows.
const MESSAGE: usize = 70;

/// Which rules to list.
#[derive(Debug, Args)]
pub(in crate::cli) struct ListArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Only rules with a tag that contains this text; given again: one of them.
    #[arg(long = "tag", value_name = "TEXT")]
    tags: Vec<String>,
    /// Only rules that run at this paranoia level: those of it and below.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=4))]
    level: Option<u8>,
    /// Rules that only prepare and count, too.
    #[arg(long)]
    all: bool,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn list(args: &ListArgs) -> Result<String, String> {
    let subject = args.subject.read()?;
    let catalog = subject.catalog()?;
    let chosen: Vec<&Entry> = catalog.entries.iter().filter(|entry| args.takes(entry)).collect();
    if args.json {
        let rules: Vec<Value> = chosen.iter().map(|entry| brief(entry)).collect();
        return Ok(format!("{:#}\n", Value::from(rules)));
    }
    Ok(text(&catalog, &chosen, &subject.name, Paint::of_stdout()))
}

impl ListArgs {
    fn takes(&self, entry: &Entry) -> bool {
        let tagged = |wanted: &String| entry.tags.iter().any(|tag| tag.contains(wanted.as_str()));
        (self.all || !entry.message.is_empty())
            && self.level.is_none_or(|level| entry.paranoia.unwrap_or(1) <= level)
            && (self.tags.is_empty() || self.tags.iter().any(tagged))
    }
}

fn text(catalog: &Catalog, chosen: &[&Entry], name: &str, paint: Paint) -> String {
    let mut table = Table::new(&["rule", "level", "phase", "severity", "class", "message"], &[0]);
    for entry in chosen {
        let level = entry.paranoia.map_or_else(|| "-".to_owned(), |level| level.to_string());
        table.row([
            (Ink::Bold, entry.id.to_string()),
            (Ink::Plain, level),
            (Ink::Plain, entry.phase.to_string()),
            severity(entry),
            (Ink::Cyan, class(entry).to_owned()),
            (if entry.removed { Ink::Dim } else { Ink::Plain }, message(entry)),
        ]);
    }
    let count = format!("{} of {} rules of {}", chosen.len(), catalog.entries.len(), safe(name));
    format!("{}{}\n", table.text(paint, ""), paint.ink(Ink::Dim, &count))
}

fn message(entry: &Entry) -> String {
    let removed = if entry.removed { "(removed) " } else { "" };
    format!("{removed}{}", cut(&safe(&entry.message), MESSAGE))
}

fn severity(entry: &Entry) -> (Ink, String) {
    let Some(severity) = entry.severity else { return (Ink::Dim, "-".into()) };
    let ink = match severity.as_str() {
        "WARNING" | "ERROR" => Ink::Yellow,
        "NOTICE" | "INFO" | "DEBUG" => Ink::Plain,
        _ => Ink::Red,
    };
    (ink, severity.as_str().to_lowercase())
}

/// The tag that says what it stops.
pub(super) fn class(entry: &Entry) -> &str {
    entry.tags.iter().find(|tag| tag.starts_with("attack-")).map_or("-", String::as_str)
}

/// A rule as a program reads it.
pub(super) fn brief(entry: &Entry) -> Value {
    json!({
        "id": entry.id,
        "phase": entry.phase,
        "level": entry.paranoia,
        "severity": entry.severity.map(|severity| severity.as_str()),
        "tags": entry.tags,
        "message": entry.message,
        "action": entry.action,
        "removed": entry.removed,
        "file": entry.file,
        "line": entry.line,
    })
}
