//! The second word of a rule: `!@name argument`, or a bare regular expression.

use super::Problems;
use crate::operator;
use crate::seclang::ast::Operator;
use crate::seclang::lexer::Word;
use crate::seclang::nearest;

/// Reads an operator; its argument is compiled later, when files and macros can be resolved.
pub(super) fn parse(word: &Word, problems: &mut Problems<'_>) -> Option<Operator> {
    let text = word.text.as_str();
    let blank = text.len() - text.trim_start().len();
    let negated = text[blank..].starts_with('!');
    let mut at = blank + usize::from(negated);
    at += text[at..].len() - text[at..].trim_start().len();
    let named = text[at..].starts_with('@');
    let (name, argument_at) = if named { name(text, at + 1) } else { ("rx", at) };
    let span = word.locate(at, argument_at.max(at + 1));
    let refused = operator::REFUSED.iter().map(|(known, _)| known);
    let mut known = operator::NAMES.iter().chain(refused);
    let Some(name) = known.find(|known| known.eq_ignore_ascii_case(name)) else {
        return problems.fail(span, unknown(name));
    };
    Some(Operator {
        negated,
        name,
        argument: text[argument_at..].to_owned(),
        argument_span: word.locate(argument_at, text.len()),
    })
}

/// The operator's name and where its argument begins.
fn name(text: &str, at: usize) -> (&str, usize) {
    let end = text[at..].find([' ', '\t']).map_or(text.len(), |length| at + length);
    let argument = text[end..].len() - text[end..].trim_start_matches([' ', '\t']).len();
    (&text[at..end], end + argument)
}

fn unknown(name: &str) -> String {
    match nearest(name, operator::NAMES.iter().copied()) {
        Some(near) => format!("unknown operator `@{name}`, did you mean `@{near}`?"),
        None => format!("unknown operator `@{name}`"),
    }
}
