//! Action lists: `id:1,phase:2,msg:'it is, quoted',setvar:tx.a=1`.

use std::ops::Range;

use super::Problems;
use crate::action;
use crate::seclang::ast::ActionNode;
use crate::seclang::lexer::Word;

/// Reads an action list; a bad action is reported, the others are read on.
pub(super) fn parse(word: &Word, problems: &mut Problems<'_>) -> Option<Vec<ActionNode>> {
    let mut complete = true;
    let mut actions = Vec::new();
    for range in split(&word.text) {
        let span = word.locate(range.start, range.end);
        let text = &word.text[range];
        let (name, value) =
            text.split_once(':').map_or((text, None), |(n, v)| (n, Some(unquote(v.trim()))));
        match action::parse(name.trim(), value.as_deref()) {
            Ok(action) => actions.push(ActionNode { span, action }),
            Err(message) => {
                complete = false;
                problems.fail::<()>(span, message);
            }
        }
    }
    complete.then_some(actions)
}

/// The list holds `chain`, whatever else is wrong in it.
pub(super) fn holds_chain(text: &str) -> bool {
    split(text).into_iter().any(|range| text[range].eq_ignore_ascii_case("chain"))
}

/// Splits at commas outside single quotes, without the blanks around each part.
fn split(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut parts, mut start, mut quoted, mut at) = (Vec::new(), 0, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quoted => at += 1,
            // A quote opens only where a value begins: `msg:it's` is text.
            b'\'' if quoted || matches!(bytes[..at].last(), Some(b':' | b'=' | b',') | None) => {
                quoted = !quoted
            }
            b',' if !quoted => {
                parts.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    parts.push(start..bytes.len());
    parts.into_iter().map(|part| trim(text, part)).filter(|part| !part.is_empty()).collect()
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let part = &text[range.clone()];
    let start = range.start + (part.len() - part.trim_start().len());
    start..(start + part.trim().len())
}

/// Takes single quotes off and resolves `\'` inside them.
fn unquote(value: &str) -> String {
    match value.strip_prefix('\'').and_then(|inner| inner.strip_suffix('\'')) {
        Some(inner) => inner.replace("\\'", "'"),
        None => value.to_owned(),
    }
}
