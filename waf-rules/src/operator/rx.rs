//! `@rx`: a regular expression on bytes, linear in the input.
//!
//! Flags are those CRS is written for (ModSecurity 2): `.` matches every byte, `^` and `$` are the
//! ends of the value only, letters and classes are ASCII.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::{Captures, rx_syntax, rx_tail};

/// Bound on one compiled pattern, in bytes; CRS's largest needs 3 MiB.
const PROGRAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bounds on a pattern's lazy state cache, in bytes and per thread: hostile input cannot grow it. A
/// cache that is too small is filled again and again; the few long patterns need more states.
const STATES_BYTES_MAX: usize = 512 * 1024;
const LONG_STATES_BYTES_MAX: usize = 2 * 1024 * 1024;
const LONG_PATTERN_BYTES: usize = 1_000;

#[derive(Debug)]
pub(crate) struct Rx {
    regex: Regex,
    translated: String,
    /// Groups that stand for a lookahead: no match of theirs is part of the match.
    tails: Vec<usize>,
}

impl Rx {
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let translated = rx_syntax::translate(pattern)?;
        let regex = build(&translated, false)?;
        let is_tail =
            |name: Option<&str>| name.is_some_and(|name| name.starts_with(rx_tail::GROUP));
        let names = regex.capture_names().enumerate();
        let tails = names.filter(|(_, name)| is_tail(*name)).map(|(group, _)| group).collect();
        Ok(Self { regex, translated, tails })
    }

    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let Some(captures) = captures else { return self.regex.is_match(input) };
        if self.regex.captures_len() == 1 {
            return self.regex.find(input).map(|found| captures.push(found.range())).is_some();
        }
        let Some(groups) = self.regex.captures(input) else { return false };
        self.push(&groups, captures);
        true
    }

    /// `@rxGlobal`: the groups of every match, one match after the other.
    pub(super) fn matches_all(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let Some(captures) = captures else { return self.regex.is_match(input) };
        let mut any = false;
        for groups in self.regex.captures_iter(input).take(Captures::MOST) {
            any = true;
            self.push(&groups, captures);
        }
        any
    }

    /// The leftmost match from a place on.
    pub(super) fn find_at(&self, input: &[u8], at: usize) -> Option<Range<usize>> {
        self.regex.find_at(input, at).map(|found| found.range())
    }

    /// Bytes of the longest match, where there is a longest.
    pub(super) fn longest(&self) -> Option<usize> {
        let parsed = regex_syntax::ParserBuilder::new()
            .unicode(false)
            .utf8(false)
            .dot_matches_new_line(true)
            .build()
            .parse(&self.translated);
        parsed.ok()?.properties().maximum_len()
    }

    /// The pattern in the syntax of the `regex` crate.
    pub(crate) fn pattern(&self) -> &str {
        &self.translated
    }

    fn push(&self, groups: &regex::bytes::Captures<'_>, captures: &mut Captures) {
        let tail = self.tails.iter().find_map(|group| groups.get(*group)).map(|tail| tail.start());
        for (number, group) in groups.iter().enumerate() {
            if self.tails.contains(&number) {
                continue;
            }
            let range = group.map_or(0..0, |group| group.range());
            let end = range.end.min(tail.unwrap_or(range.end)).max(range.start);
            captures.push(range.start..end);
        }
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
        .dfa_size_limit(if pattern.len() < LONG_PATTERN_BYTES {
            STATES_BYTES_MAX
        } else {
            LONG_STATES_BYTES_MAX
        })
        .build()
        .map_err(|error| regex_message(&error))
}

/// The reason alone: the caller shows the pattern's place itself.
fn regex_message(error: &regex::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim();
    format!("regular expression: {}", reason.strip_prefix("error: ").unwrap_or(reason))
}
