//! A change of a configuration that a program proposes: as few bytes as can be, in the style of the place, and only if
//! reading the result again yields exactly the document that was meant.

use std::ops::Range;

use super::document::Document;
use super::load;
use super::report::Report;
use super::source::{SourceMap, is_direction_mark};
use super::tree::{Node, Place, Value};
use crate::stages::waf::section::{ExceptSection, WafChange, WafUse};

/// One file, as it is and as it would be.
#[derive(Clone, Debug)]
pub struct Amendment {
    /// The file's name, as in reports.
    pub file: String,
    pub before: String,
    pub after: String,
    /// What the configuration says with it; paths as written.
    pub document: Document,
}

/// Adds exceptions to the rules of a route, by its index.
///
/// # Errors
/// The place cannot be found, or what was written there would not read as meant: nothing is proposed then.
pub fn add_exceptions(
    source: &SourceMap,
    document: &Document,
    route: usize,
    exceptions: &[ExceptSection],
) -> Result<Amendment, String> {
    let routes = source.root().get("routes").map_or(&[][..], Node::items);
    let node = routes.get(route).ok_or_else(|| format!("route {route} is not written"))?;
    let texts: Vec<(&str, &str)> = source.texts().collect();
    let file = node.place.file as usize;
    let (name, before) = *texts.get(file).ok_or("the route's file is not there")?;
    let items: Vec<String> = exceptions.iter().map(written).collect();
    let edit = Editor { text: before }.waf(node, &items).ok_or_else(|| unplaced(&items))?;
    let mut after = before.to_owned();
    after.replace_range(edit.at, &edit.text);
    let changed: Vec<(&str, &str)> = texts
        .iter()
        .enumerate()
        .map(|(at, (name, text))| (*name, if at == file { after.as_str() } else { *text }))
        .collect();
    let read = load::load_texts(&changed).map_err(|report: Report| {
        format!("{}\nthe change would break the configuration:\n{report}", unplaced(&items))
    })?;
    if read.document != expected(document, route, exceptions) {
        return Err(unplaced(&items));
    }
    let (file, before) = (name.to_owned(), before.to_owned());
    Ok(Amendment { file, before, after, document: read.document })
}

fn expected(document: &Document, route: usize, exceptions: &[ExceptSection]) -> Document {
    let mut document = document.clone();
    if let Some(route) = document.routes.get_mut(route) {
        let mut change = match route.waf.take() {
            None => WafChange::default(),
            Some(WafUse::Named(name)) => WafChange { profile: Some(name), ..WafChange::default() },
            Some(WafUse::Changed(change)) => change,
        };
        change.except.extend_from_slice(exceptions);
        route.waf = Some(WafUse::Changed(change));
    }
    document
}

fn unplaced(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
    format!("no safe place was found; write under the route's `waf.except`:\n{}", items.join("\n"))
}

/// An exception as one line of YAML.
fn written(section: &ExceptSection) -> String {
    let mut parts = Vec::new();
    if !section.rules.is_empty() {
        let ids: Vec<String> = section.rules.iter().map(u32::to_string).collect();
        parts.push(format!("rules: [{}]", ids.join(", ")));
    }
    if !section.tags.is_empty() {
        let tags: Vec<String> = section.tags.iter().map(|tag| quoted(tag)).collect();
        parts.push(format!("tags: [{}]", tags.join(", ")));
    }
    parts.extend(section.field.as_deref().map(|field| format!("field: {}", quoted(field))));
    parts.push(format!("why: {}", quoted(&section.why)));
    parts.extend(section.expires.as_deref().map(|day| format!("expires: {}", quoted(day))));
    format!("{{ {} }}", parts.join(", "))
}

/// A double-quoted scalar (YAML 1.2.2 §7.3.1): whatever the text holds, it ends where it should.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            char if char.is_control() || is_direction_mark(char) || is_odd(char) => {
                out.push_str(&format!("\\U{:08X}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

/// Line separators and what YAML does not print.
fn is_odd(char: char) -> bool {
    matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

struct Edit {
    at: Range<usize>,
    text: String,
}

struct Editor<'t> {
    text: &'t str,
}

impl Editor<'_> {
    /// Where and how the items come into the `waf` of a route.
    fn waf(&self, route: &Node, items: &[String]) -> Option<Edit> {
        let list = || format!("[{}]", items.join(", "));
        let Some(waf) = route.get("waf") else {
            let nested = Lines::of(["waf:", "  except:"], "    - ", items);
            return self.entry(route, &format!("waf: {{ except: {} }}", list()), &nested);
        };
        match (&waf.value, waf.get("except")) {
            (Value::Text(_), _) => {
                let at = range(waf.place);
                let name = self.text.get(at.clone())?.trim_end();
                let text = format!("{{ profile: {name}, except: {} }}", list());
                Some(Edit { at: at.start..at.start + name.len(), text })
            }
            (Value::Map(_), None) => {
                let nested = Lines::of(["except:"], "  - ", items);
                self.entry(waf, &format!("except: {}", list()), &nested)
            }
            (Value::Map(_), Some(except)) => self.items(except, items),
            _ => None,
        }
    }

    /// A further entry of a map: `flow` between braces, `block` on lines of its own.
    fn entry(&self, map: &Node, flow: &str, block: &Lines) -> Option<Edit> {
        if self.begins(map, '{') {
            return self.before_closing(map, flow);
        }
        let first = map.entries().first()?;
        let start = first.key_place.start as usize;
        let indent = " ".repeat(start - self.line_start(start));
        Some(self.after(map, &block.indented(&indent)))
    }

    fn items(&self, list: &Node, items: &[String]) -> Option<Edit> {
        if self.begins(list, '[') {
            return self.before_closing(list, &items.join(", "));
        }
        let start = list.items().first()?.place.start as usize;
        let lead = self.text.get(self.line_start(start)..start)?;
        let dashed = lead.trim_end().strip_suffix('-')?;
        if !dashed.chars().all(|char| char == ' ') {
            return None;
        }
        Some(self.after(list, &Lines::of([], "- ", items).indented(dashed)))
    }

    fn begins(&self, node: &Node, bracket: char) -> bool {
        self.text.get(node.place.start as usize..).is_some_and(|rest| rest.starts_with(bracket))
    }

    /// Before the bracket that closes a list or map, found behind its last part: the parser's own end may lie before
    /// a last comma or behind white space.
    fn before_closing(&self, node: &Node, text: &str) -> Option<Edit> {
        let last = node.entries().last().map(|entry| &entry.node).or_else(|| node.items().last());
        let from = last.map_or(node.place.start + 1, |last| last.place.end) as usize;
        let rest = self.text.get(from..)?;
        let between = &rest[..rest.find(['}', ']'])?];
        let kept = between.trim_end().len();
        if !between[..kept].chars().all(|char| char == ',' || char.is_whitespace()) {
            return None;
        }
        let text = match (last.is_none(), between.contains(',')) {
            (true, _) if self.begins(node, '{') => format!(" {text} "),
            (true, _) => text.to_owned(),
            (false, true) => format!(" {text}"),
            (false, false) => format!(", {text}"),
        };
        let at = self.text[..from + kept].trim_end().len();
        Some(Edit { at: at..at, text })
    }

    /// On new lines behind the last one of a node.
    fn after(&self, node: &Node, lines: &[String]) -> Edit {
        let end = (node.place.end as usize).min(self.text.len());
        let end = self.text[..end].trim_end().len();
        let end = end + self.text[end..].find('\n').unwrap_or(self.text.len() - end);
        let end = if self.text[..end].ends_with('\r') { end - 1 } else { end };
        let newline = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let text = lines.iter().map(|line| format!("{newline}{line}")).collect();
        Edit { at: end..end, text }
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }
}

/// Lines of a block, not yet indented.
struct Lines(Vec<String>);

impl Lines {
    fn of<const N: usize>(heads: [&str; N], dash: &str, items: &[String]) -> Lines {
        let items = items.iter().map(|item| format!("{dash}{item}"));
        Lines(heads.iter().map(|head| (*head).to_owned()).chain(items).collect())
    }

    fn indented(&self, indent: &str) -> Vec<String> {
        self.0.iter().map(|line| format!("{indent}{line}")).collect()
    }
}

fn range(place: Place) -> Range<usize> {
    place.start as usize..place.end as usize
}
