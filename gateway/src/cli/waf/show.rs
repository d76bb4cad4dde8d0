//! `yett waf show`: all there is to know about a rule.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use waf_rules::ftw::Test;
use waf_rules::{Entry, EntryLink};

use super::list::brief;
use super::paint::{Ink, Paint, cut, safe, safe_lines};
use super::proof::tests;
use super::subject::{Config, Subject, SubjectArgs};
use crate::stages::waf::section::{ExceptSection, WafUse};

/// Tests that are named before the rest is only counted.
const TESTS: usize = 8;
/// Characters of an operator's argument that are shown; the text of the rule has all of it.
const OPERATOR: usize = 160;

/// Which rules to show.
#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Ids.
    #[arg(required = true)]
    ids: Vec<u32>,
    #[command(flatten)]
    subject: SubjectArgs,
    /// Folder of ftw tests, for rules that are not built in.
    #[arg(long, value_name = "DIR", env = "YETT_WAF_TESTS")]
    tests: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn show(args: &ShowArgs) -> Result<String, String> {
    let subject = args.subject.read()?;
    let catalog = subject.catalog()?;
    let (tests, _) = tests(&subject, args.tests.as_deref())?;
    let found = args.ids.iter().map(|id| {
        catalog.get(*id).ok_or_else(|| format!("no rule {id} in {}", safe(&subject.name)))
    });
    let pages = found.map(|entry| entry.map(|entry| Page::of(entry, &subject, &tests)));
    let pages = pages.collect::<Result<Vec<_>, _>>()?;
    if args.json {
        let pages: Vec<Value> = pages.iter().map(Page::json).collect();
        return Ok(format!("{:#}\n", Value::from(pages)));
    }
    let paint = Paint::of_stdout();
    Ok(pages.iter().map(|page| page.text(paint)).collect::<Vec<_>>().join("\n"))
}

/// A rule with what the configuration and the tests say about it.
struct Page<'a> {
    entry: &'a Entry,
    exceptions: Vec<Exception<'a>>,
    tests: Vec<&'a Test>,
}

/// An exception that concerns the rule.
struct Exception<'a> {
    route: &'a str,
    section: &'a ExceptSection,
    at: Option<String>,
}

impl<'a> Page<'a> {
    fn of(entry: &'a Entry, subject: &'a Subject, tests: &'a [Test]) -> Page<'a> {
        let names = |test: &&Test| {
            let expected = test.stages.iter().flat_map(|stage| &stage.output.log.expect_ids);
            test.rule_id == entry.id || expected.into_iter().any(|id| *id == entry.id)
        };
        Page {
            entry,
            exceptions: subject
                .config
                .as_ref()
                .map(|config| exceptions(entry, config))
                .unwrap_or_default(),
            tests: tests.iter().filter(names).collect(),
        }
    }

    fn text(&self, paint: Paint) -> String {
        let entry = self.entry;
        let mut out = String::new();
        let title = format!("rule {}", entry.id);
        let _ = writeln!(out, "{}  {}", paint.ink(Ink::Bold, &title), safe(&entry.message));
        let mut line = |name: &str, text: &str| {
            if !text.is_empty() {
                let _ = writeln!(out, "  {}  {text}", paint.ink(Ink::Dim, &format!("{name:<10}")));
            }
        };
        line("where", &format!("{}:{}", safe(&entry.file), entry.line));
        line("phase", phase(entry.phase));
        line("level", &entry.paranoia.map(|level| level.to_string()).unwrap_or_default());
        line("severity", entry.severity.map_or("", |severity| severity.as_str()));
        line("tags", &safe(&entry.tags.join(", ")));
        for (at, link) in entry.links.iter().enumerate() {
            let then = if at == 0 { "looks at" } else { "and" };
            line(then, &safe(&looks_at(link)));
            line("after", &safe(&link.transforms.join(" > ")));
            line("asks", &cut(&safe(&link.operator), OPERATOR));
        }
        line("then", &safe(&entry.action));
        for write in &entry.writes {
            line("sets", &safe(write));
        }
        if !entry.logs {
            line("log", "none: it matches without a record");
        }
        if entry.removed {
            line(
                "removed",
                &paint.ink(Ink::Yellow, "by a directive of the rule files: it never runs"),
            );
        }
        for exception in &self.exceptions {
            line("exception", &exception.text());
        }
        line("tests", &self.tests_text());
        for (indent, text) in [("  # ", &entry.comment), ("  ", &entry.text)] {
            if !text.is_empty() {
                let _ = writeln!(out);
            }
            for shown in safe_lines(text).lines() {
                let _ = writeln!(out, "{}", paint.ink(Ink::Dim, &format!("{indent}{shown}")));
            }
        }
        out
    }

    fn tests_text(&self) -> String {
        let names: Vec<String> =
            self.tests.iter().take(TESTS).map(|test| safe(&test.name)).collect();
        let more = self.tests.len().saturating_sub(TESTS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{more}", names.join(" "))
    }

    fn json(&self) -> Value {
        let mut value = brief(self.entry);
        value["comment"] = json!(self.entry.comment);
        value["text"] = json!(self.entry.text);
        value["sets"] = json!(self.entry.writes);
        value["logs"] = json!(self.entry.logs);
        let link = |link: &EntryLink| json!({ "targets": link.targets, "transformations": link.transforms, "operator": link.operator });
        value["links"] = self.entry.links.iter().map(link).collect();
        let exception = |exception: &Exception<'_>| json!({ "route": exception.route, "at": exception.at, "except": exception.section });
        value["exceptions"] = self.exceptions.iter().map(exception).collect();
        value["tests"] = self.tests.iter().map(|test| test.name.as_str()).collect();
        value
    }
}

impl Exception<'_> {
    fn text(&self) -> String {
        let section = self.section;
        let field = section.field.as_deref().unwrap_or("everywhere");
        let until =
            section.expires.as_deref().map(|day| format!(" until {day}")).unwrap_or_default();
        let at = self.at.as_deref().unwrap_or_default();
        safe(&format!("route {}: {field}{until}, {}   {at}", self.route, section.why))
    }
}

fn exceptions<'a>(entry: &Entry, config: &'a Config) -> Vec<Exception<'a>> {
    let mut found = Vec::new();
    for (at, route) in config.document.routes.iter().enumerate() {
        let Some(WafUse::Changed(change)) = &route.waf else { continue };
        for (index, section) in change.except.iter().enumerate() {
            let tagged = section.tags.iter().any(|tag| entry.tags.contains(tag));
            if tagged || section.rules.contains(&entry.id) {
                let place =
                    ["routes".into(), at.into(), "waf".into(), "except".into(), index.into()];
                found.push(Exception { route: &route.id, section, at: config.at(&place) });
            }
        }
    }
    found
}

fn looks_at(link: &EntryLink) -> String {
    if link.operator.is_empty() {
        "nothing: it always matches".into()
    } else {
        link.targets.join(" | ")
    }
}

fn phase(phase: u8) -> &'static str {
    match phase {
        1 => "1, the head of the request",
        2 => "2, the body of the request",
        3 => "3, the head of the response",
        4 => "4, the body of the response",
        _ => "5, after the answer",
    }
}
