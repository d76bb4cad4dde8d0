//! `@rx`: a regular expression on bytes, linear in the input.
//!
//! Flags are those CRS is written for (ModSecurity 2): `.` matches every byte, `^` and `$` are the
//! ends of the value only, letters and classes are ASCII.

use regex::bytes::{Regex, RegexBuilder};

use super::{Captures, rx_syntax};

/// Bound on one compiled pattern, in bytes; CRS's largest needs 3 MiB.
const PROGRAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bound on a pattern's lazy state cache, in bytes and per thread: hostile input cannot grow it.
const STATES_BYTES_MAX: usize = 512 * 1024;

#[derive(Debug)]
pub(crate) struct Rx {
    regex: Regex,
    translated: String,
}

impl Rx {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        if let Some(at) = pattern.find("%{")
            && pattern[at + 2..].starts_with(|first: char| first.is_ascii_alphabetic())
        {
            return Err("a macro inside a regular expression is not supported".to_owned());
        }
        let translated = rx_syntax::translate(pattern)?;
        let regex = build(&translated, false)?;
        Ok(Self { regex, translated })
    }

    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let Some(captures) = captures else { return self.regex.is_match(input) };
        if self.regex.captures_len() == 1 {
            return self.regex.find(input).map(|found| captures.push(found.range())).is_some();
        }
        let Some(groups) = self.regex.captures(input) else { return false };
        for group in groups.iter() {
            captures.push(group.map_or(0..0, |group| group.range()));
        }
        true
    }

    /// The pattern in the syntax of the `regex` crate.
    pub(crate) fn pattern(&self) -> &str {
        &self.translated
    }
}

/// A `/pattern/` selector or a tag search; selectors match names in any case.
pub(crate) fn selector_pattern(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    build(&rx_syntax::translate(pattern)?, ignore_case)
}

fn build(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .dot_matches_new_line(true)
        .case_insensitive(ignore_case)
        .size_limit(PROGRAM_BYTES_MAX)
        .dfa_size_limit(STATES_BYTES_MAX)
        .build()
        .map_err(|error| regex_message(&error))
}

/// The reason alone: the caller shows the pattern's place itself.
fn regex_message(error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim();
    format!("regular expression: {}", reason.strip_prefix("error: ").unwrap_or(reason))
}
