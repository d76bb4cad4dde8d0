//! `@rx` with macros. A pattern that changes with the request would have to be compiled while it
//! waits, and whoever can write the variable could write the pattern. So macros are taken only of
//! transaction variables that are set to constants: every pattern that can come about is compiled at load.

use std::collections::HashMap;

use super::{Captures, Rx};
use crate::template::{Part, Template};
use crate::tx::TxNames;

/// Constants that each transaction variable is set to, where it is set to nothing else.
pub(crate) type Constants = HashMap<String, Vec<String>>;

/// Most patterns that one operator may stand for.
const CHOICES_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct RxChoice {
    pub(super) argument: Template,
    choices: Vec<(Box<[u8]>, Rx)>,
}

impl RxChoice {
    pub(super) fn compile(
        pattern: &str,
        names: &mut TxNames,
        constants: &Constants,
    ) -> Result<Self, String> {
        let argument = Template::parse(pattern, names)?;
        let mut patterns = vec![String::new()];
        for part in argument.parts() {
            let texts = match part {
                Part::Text(text) => vec![String::from_utf8_lossy(text).into_owned()],
                Part::Tx(slot) => values(names.name(*slot), constants)?,
                Part::Variable(..) | Part::Rule(_) => return Err(changing("a variable")),
            };
            patterns = combine(&patterns, &texts)?;
        }
        let choices = patterns.into_iter().map(|pattern| {
            let rx = Rx::finder(&pattern).map_err(|error| format!("as `{pattern}`: {error}"))?;
            Ok((pattern.into_bytes().into(), rx))
        });
        Ok(Self { argument, choices: choices.collect::<Result<_, String>>()? })
    }

    /// `argument` is one of the patterns: nothing else can come about.
    pub(super) fn matches(
        &self,
        input: &[u8],
        argument: &[u8],
        captures: Option<&mut Captures>,
    ) -> bool {
        let chosen = self.choices.iter().find(|(pattern, _)| **pattern == *argument);
        chosen.is_some_and(|(_, rx)| rx.matches(input, captures))
    }
}

/// What a variable can be: unset, or one of its constants.
fn values(name: &str, constants: &Constants) -> Result<Vec<String>, String> {
    let known = constants.get(name).ok_or_else(|| changing(&format!("tx.{name}")))?;
    let mut values = vec![String::new()];
    values.extend(known.iter().cloned());
    values.sort_unstable();
    values.dedup();
    Ok(values)
}

fn combine(patterns: &[String], texts: &[String]) -> Result<Vec<String>, String> {
    if patterns.len() * texts.len() > CHOICES_MAX {
        return Err(format!("the macros stand for more than {CHOICES_MAX} patterns"));
    }
    let pairs = patterns.iter().flat_map(|pattern| texts.iter().map(move |text| (pattern, text)));
    Ok(pairs.map(|(pattern, text)| format!("{pattern}{text}")).collect())
}

fn changing(what: &str) -> String {
    format!(
        "a macro inside a regular expression must be a tx variable that is only set to constants, which {what} is not: use @within, @contains or @streq"
    )
}
