//! Statements to syntax tree. Reports every problem of a source, never only the first.

mod actions;
pub(crate) mod directive;
mod operator;
pub(crate) mod settings;
mod targets;

use super::ast::{IdRange, Node};
use super::lexer::{LexError, Statement, Word};
use super::source::Span;

pub(crate) use targets::parse_targets_text;

/// Parses one source. The nodes that could be read come back even when others could not.
pub(crate) fn parse(source: u32, text: &str) -> (Vec<Node>, Vec<LexError>) {
    let (statements, mut errors) = super::lexer::statements(source, text);
    let nodes = statements
        .iter()
        .filter_map(|statement| directive::parse(statement, &mut errors))
        .collect();
    (nodes, errors)
}

/// `942100`, `942100-942199`, lists of them with blanks or commas between.
pub(crate) fn parse_id_ranges(text: &str) -> Result<Vec<IdRange>, String> {
    let parts: Vec<&str> = text.split([' ', ',', '\t']).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err("no rule id given".to_owned());
    }
    parts.into_iter().map(parse_id_range).collect()
}

fn parse_id_range(text: &str) -> Result<IdRange, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let parse =
        |id: &str| id.parse::<u32>().map_err(|_| format!("rule id `{text}`, expected N or N-M"));
    let (first, last) = (parse(first)?, parse(last)?);
    if first > last {
        return Err(format!("rule id range `{text}` ends before it begins"));
    }
    Ok(IdRange { first, last })
}

/// `On` or `Off`.
pub(crate) fn parse_switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("`{text}`, expected On or Off")),
    }
}

/// Problems of one statement; `fail` turns a message into one and yields nothing.
struct Problems<'a>(&'a mut Vec<LexError>);

impl Problems<'_> {
    fn fail<T>(&mut self, span: Span, message: impl Into<String>) -> Option<T> {
        self.0.push(LexError { span, message: message.into() });
        None
    }

    fn check<T>(&mut self, span: Span, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.0.push(LexError { span, message })).ok()
    }
}

/// The words after the directive's name, counted.
fn arguments<'s>(
    statement: &'s Statement,
    least: usize,
    most: usize,
    problems: &mut Problems<'_>,
) -> Option<&'s [Word]> {
    let (name, rest) = statement.words.split_first()?;
    if (least..=most).contains(&rest.len()) {
        return Some(rest);
    }
    let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
    problems
        .fail(name.span, format!("{} takes {expected} arguments, got {}", name.text, rest.len()))
}
