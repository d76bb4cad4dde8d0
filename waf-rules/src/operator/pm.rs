//! `@pm`, `@pmFromFile`: any of many phrases, anywhere, ASCII letters in any case.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Captures, DataFiles};

#[derive(Debug)]
pub(crate) struct Pm {
    phrases: Vec<Box<[u8]>>,
    automaton: AhoCorasick,
}

impl Pm {
    /// Phrases given one by one; blanks inside a phrase are part of it.
    pub(super) fn phrases<'a>(phrases: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let phrases: Vec<Box<[u8]>> = phrases.map(|phrase| phrase.as_bytes().into()).collect();
        if phrases.is_empty() {
            return Err("no phrase given".to_owned());
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&phrases)
            .map_err(|error| error.to_string())?;
        Ok(Self { phrases, automaton })
    }

    /// One or more files, a phrase a line, `#` for comments.
    pub(super) fn from_lists(argument: &str, files: DataFiles<'_>) -> Result<Self, String> {
        let texts = argument.split_ascii_whitespace().map(files).collect::<Result<Vec<_>, _>>()?;
        let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
        Self::phrases(lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let Some(found) = self.automaton.find(input) else { return false };
        if let Some(captures) = captures {
            captures.push(found.range());
        }
        true
    }

    /// The phrases, as written.
    pub(crate) fn literals(&self) -> &[Box<[u8]>] {
        &self.phrases
    }
}
