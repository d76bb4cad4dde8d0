//! Target lists: `ARGS|!ARGS:x|&TX:y|REQUEST_COOKIES:/^a/|XML://@*`.

use std::ops::Range;

use super::Problems;
use crate::seclang::ast::{Selector, Target};
use crate::seclang::lexer::Word;
use crate::seclang::source::Span;
use crate::variable;

/// Reads a target list; a bad target is reported, the others are kept.
pub(super) fn parse(word: &Word, problems: &mut Problems<'_>) -> Option<Vec<Target>> {
    let mut complete = true;
    let mut targets = Vec::new();
    for range in split(&word.text) {
        let span = word.locate(range.start, range.end);
        match one(&word.text[range], span) {
            Ok(target) => targets.push(target),
            Err(message) => {
                complete = false;
                problems.fail::<()>(span, message);
            }
        }
    }
    complete.then_some(targets)
}

/// Targets inside an action's value, which has no place of its own.
pub(crate) fn parse_targets_text(text: &str) -> Result<Vec<Target>, String> {
    split(text).into_iter().map(|range| one(&text[range], Span::default())).collect()
}

/// Splits at `|` and `,`, but not inside a `/pattern/` selector.
fn split(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'|' | b',' => {
                parts.push(start..at);
                start = at + 1;
            }
            b':' if bytes.get(at + 1) == Some(&b'/') && !names_xml(&text[start..at]) => {
                at = pattern_end(bytes, at + 2);
            }
            b':' if bytes[at + 1..].starts_with(b"'/") => at = pattern_end(bytes, at + 3),
            _ => {}
        }
        at += 1;
    }
    parts.push(start..bytes.len());
    parts.into_iter().map(|part| trim(text, part)).filter(|part| !part.is_empty()).collect()
}

/// Index of the slash that closes the pattern, or the last byte.
fn pattern_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && bytes[at] != b'/' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at.min(bytes.len() - 1)
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

fn names_xml(name: &str) -> bool {
    name.trim_start_matches(['!', '&']).trim().eq_ignore_ascii_case("xml")
}

fn one(text: &str, span: Span) -> Result<Target, String> {
    let (exclude, rest) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let (count, rest) = rest.strip_prefix('&').map_or((false, rest), |rest| (true, rest));
    let (name, selector) =
        rest.split_once(':').map_or((rest, None), |(name, sel)| (name, Some(sel)));
    let variable = variable::lookup(name).ok_or_else(|| unknown(name))?;
    if selector.is_some() && !variable.collection {
        return Err(format!("{} is a single value and takes no selector", variable.name));
    }
    if variable.name == "XML" {
        return xml(variable, selector, span, count, exclude);
    }
    let selector = selector.map(parse_selector).transpose()?;
    Ok(Target { span, variable, selector, count, exclude })
}

fn unknown(name: &str) -> String {
    match variable::suggest(name) {
        Some(near) => format!("unknown variable `{name}`, did you mean `{near}`?"),
        None => format!("unknown variable `{name}`"),
    }
}

fn parse_selector(text: &str) -> Result<Selector, String> {
    let text = text.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')).unwrap_or(text);
    if text.is_empty() {
        return Err("empty selector after `:`".to_owned());
    }
    match text.strip_prefix('/') {
        Some(rest) => match rest.strip_suffix('/') {
            Some(pattern) if !pattern.is_empty() => {
                Ok(Selector::Pattern(pattern.replace("\\/", "/")))
            }
            _ => Err(format!("selector `{text}` is a pattern without closing slash")),
        },
        None => Ok(Selector::Name(text.to_owned())),
    }
}

/// The two XPaths that rule sets use: all text, all attribute values.
fn xml(
    variable: &'static variable::Variable,
    selector: Option<&str>,
    span: Span,
    count: bool,
    exclude: bool,
) -> Result<Target, String> {
    let variable = match selector {
        None | Some("/*" | "//*") => variable,
        Some("//@*") => &variable::XML_ATTRIBUTES,
        Some(path) => return Err(format!("XPath `{path}` is not supported, expected /* or //@*")),
    };
    Ok(Target { span, variable, selector: None, count, exclude })
}
