//! `@rx`: a regular expression on bytes, linear in the input.
//!
//! Flags are those CRS is written for (ModSecurity 2): `.` matches every byte, `^` and `$` are the
//! ends of the value only, letters and classes are ASCII.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_automata::{Anchored, Input, PatternID, meta};
use regex_syntax::hir::Hir;

use super::backtrack::{Backtracker, Groups};
use super::rx_find::Finder;
use super::rx_search::{Search, States};
use super::{Captures, OutOfWork, rx_syntax, rx_tail};

/// Bound on one compiled pattern, in bytes; CRS's largest needs 3 MiB.
const PROGRAM_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bound on a pattern's lazy state cache, in bytes and per thread: hostile input cannot grow it.
const STATES_BYTES_MAX: usize = 512 * 1024;
/// The few long patterns need more: too small a cache is thrown away and filled again and again.
const LONG_STATES_BYTES_MAX: usize = 2 * 1024 * 1024;
const LONG_PATTERN_BYTES: usize = 1_000;
/// From this length on the general engine needs so many states to find a match that they have to be paid for.
const FINDER_PATTERN_BYTES: usize = 4_000;
/// Work of finding where the wider pattern matches, a byte.
const VERIFY_BYTE_COST: u64 = 2;

#[derive(Debug)]
pub(crate) struct Rx {
    regex: meta::Regex,
    /// Says whether there is a match, where it is quicker to say than `regex`.
    search: Option<Search>,
    /// Finds matches of a long pattern.
    finder: Option<Finder>,
    /// Has the last word on what the others let pass: they ask for a wider pattern then.
    exact: Option<Backtracker>,
    translated: String,
    /// The pattern as it was read, until [`take_syntax`](Self::take_syntax).
    syntax: Hir,
    /// Groups that stand for a lookahead: no match of theirs is part of the match.
    tails: Vec<usize>,
}

impl Rx {
    /// For rules that ask whether there is a match.
    pub(super) fn compile(pattern: &str) -> Result<Self, String> {
        let Ok(translated) = rx_syntax::translate(pattern) else { return Self::exact(pattern) };
        let hir = parse(&translated)?;
        let search = Search::new(&hir)?;
        let is_long = translated.len() >= FINDER_PATTERN_BYTES && search.is_some();
        let finder = is_long.then(|| Finder::new(&hir)).transpose()?;
        Self::build(translated, hir, search, finder)
    }

    /// For rules that always want to know where the match is.
    pub(super) fn finder(pattern: &str) -> Result<Self, String> {
        let translated = rx_syntax::translate(pattern)?;
        let hir = parse(&translated)?;
        Self::build(translated, hir, None, None)
    }

    /// For what cannot be said in linear time.
    fn exact(pattern: &str) -> Result<Self, String> {
        let (exact, wider) = Backtracker::compile(pattern)?;
        let search = Search::new(&wider)?;
        let mut rx = Self::build(pattern.to_owned(), wider, search, None)?;
        rx.exact = Some(exact);
        Ok(rx)
    }

    fn build(
        translated: String,
        hir: Hir,
        search: Option<Search>,
        finder: Option<Finder>,
    ) -> Result<Self, String> {
        let config = meta::Config::new()
            .utf8_empty(false)
            // It only ever reads what a finder found, and would keep another automaton for the way back.
            .hybrid(finder.is_none())
            // Looking for texts is what takes longest to prepare, and groups are wanted of values that match.
            .auto_prefilter(search.is_none())
            .nfa_size_limit(Some(PROGRAM_BYTES_MAX))
            .hybrid_cache_capacity(if translated.len() < LONG_PATTERN_BYTES {
                STATES_BYTES_MAX
            } else {
                LONG_STATES_BYTES_MAX
            });
        let regex = meta::Builder::new()
            .configure(config)
            .build_from_hir(&hir)
            .map_err(|error| regex_message(&error))?;
        let is_tail =
            |name: Option<&str>| name.is_some_and(|name| name.starts_with(rx_tail::GROUP));
        let names = regex.group_info().pattern_names(PatternID::ZERO).enumerate();
        let tails = names.filter(|(_, name)| is_tail(*name)).map(|(group, _)| group).collect();
        Ok(Self { regex, search, finder, exact: None, translated, syntax: hir, tails })
    }

    /// Nobody counts here.
    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        if self.exact.is_some() {
            return matches!(self.push_exactly(input, 1, captures, |_| true), Ok(true));
        }
        let Some(captures) = captures else { return self.regex.is_match(input) };
        matches!(self.push_groups(input, 1, captures, None, |_| true), Ok(true))
    }

    /// The pattern has to be tried place by place where the linear engines find something.
    pub(super) fn is_exact(&self) -> bool {
        self.exact.is_some()
    }

    /// Whether there is a match where the wider pattern has one.
    pub(super) fn verify(
        &self,
        input: &[u8],
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<bool, OutOfWork> {
        self.each_exactly(input, 1, &mut pay, |_| {}).map(|matches| matches > 0)
    }

    /// The groups of up to `most` matches, for a pattern that [`is_exact`](Self::is_exact); whether there is one.
    pub(super) fn push_exactly(
        &self,
        input: &[u8],
        most: usize,
        captures: Option<&mut Captures>,
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<bool, OutOfWork> {
        let Some(captures) = captures else { return self.verify(input, pay) };
        // A group without part is empty.
        let mut push = |group: Option<Range<usize>>| captures.push(group.unwrap_or(0..0));
        let each = |groups: Groups| groups.into_iter().for_each(&mut push);
        self.each_exactly(input, most, &mut pay, each).map(|matches| matches > 0)
    }

    /// Up to so many matches, one after the other; how many there are.
    fn each_exactly(
        &self,
        input: &[u8],
        most: usize,
        pay: &mut dyn FnMut(u64) -> bool,
        mut each: impl FnMut(Groups),
    ) -> Result<usize, OutOfWork> {
        let Some(exact) = &self.exact else { return Ok(0) };
        let (mut at, mut found) = (0, 0);
        while found < most && at <= input.len() {
            if !pay(VERIFY_BYTE_COST * (input.len() - at) as u64) {
                return Err(OutOfWork);
            }
            // No match begins before the first one of the wider pattern.
            let Some(wider) = self.find_at(input, at) else { break };
            let Some(groups) = exact.find(input, wider.start, pay)? else { break };
            let whole = groups.first().cloned().flatten().unwrap_or(at..at);
            at = whole.end.max(whole.start + 1);
            found += 1;
            each(groups);
        }
        Ok(found)
    }

    /// The groups of up to `most` matches. Reading up to one is paid for before; how long it is shows when it is
    /// found, and groups are read slowly.
    pub(super) fn push_groups(
        &self,
        input: &[u8],
        most: usize,
        captures: &mut Captures,
        mut states: Option<(&mut States, (u64, u32))>,
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<bool, OutOfWork> {
        let mut memory = None;
        let (mut at, mut end, mut found) = (0, None, 0);
        while found < most && at <= input.len() {
            let next = match (&self.finder, &mut states) {
                (Some(finder), Some((states, owner))) => {
                    states.find(finder, *owner, (input, at), &mut pay)?
                }
                _ => self.find_at(input, at),
            };
            let Some(whole) = next else { break };
            if whole.is_empty() && end == Some(whole.end) {
                // Nothing, where the last one ended, is no match of its own.
                at = whole.end + 1;
                continue;
            }
            (at, end, found) = (whole.end, Some(whole.end), found + 1);
            if self.regex.captures_len() == 1 {
                captures.push(whole);
                continue;
            }
            if !pay(self.groups_byte_cost() * whole.len() as u64) {
                return Err(OutOfWork);
            }
            let matched = Input::new(input).span(whole).anchored(Anchored::Yes);
            let groups = memory.get_or_insert_with(|| self.regex.create_captures());
            self.regex.search_captures(&matched, groups);
            self.push(groups, captures);
        }
        Ok(found > 0)
    }

    /// What says quickest whether there is a match, where something does.
    pub(super) fn search(&self) -> Option<&Search> {
        self.search.as_ref()
    }

    /// `@rxGlobal`: the groups of every match, one match after the other.
    pub(super) fn matches_all(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        if self.exact.is_some() {
            return matches!(
                self.push_exactly(input, Captures::MOST, captures, |_| true),
                Ok(true)
            );
        }
        let Some(captures) = captures else { return self.regex.is_match(input) };
        matches!(self.push_groups(input, Captures::MOST, captures, None, |_| true), Ok(true))
    }

    /// Work of asking whether there is a match, beyond what a search asks for on the way.
    pub(super) fn byte_cost(&self) -> u64 {
        if self.search.is_some() { 1 } else { 2 }
    }

    /// Work of finding the groups of a match, a byte of it. Long patterns have many states, and the engine that
    /// finds groups makes them unseen, or does without at a fraction of the speed.
    fn groups_byte_cost(&self) -> u64 {
        match self.translated.len() {
            0..LONG_PATTERN_BYTES => 8,
            LONG_PATTERN_BYTES..FINDER_PATTERN_BYTES => 24,
            FINDER_PATTERN_BYTES.. => 300,
        }
    }

    /// The leftmost match from a place on.
    pub(super) fn find_at(&self, input: &[u8], at: usize) -> Option<Range<usize>> {
        self.regex.find(Input::new(input).span(at..input.len())).map(|found| found.range())
    }

    /// Bytes of the longest match, where there is a longest.
    pub(super) fn longest(&self) -> Option<usize> {
        self.syntax.properties().maximum_len()
    }

    /// What the prefilter draws its facts from, once: reading a pattern again costs a fifth of compiling it,
    /// and keeping it takes more memory than the automata.
    pub(crate) fn take_syntax(&mut self) -> Hir {
        std::mem::replace(&mut self.syntax, Hir::empty())
    }

    fn push(&self, groups: &regex_automata::util::captures::Captures, captures: &mut Captures) {
        let tail = self.tails.iter().find_map(|group| groups.get_group(*group));
        let tail = tail.map(|tail| tail.start);
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

/// Reads a pattern that was translated.
pub(super) fn parse(pattern: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .dot_matches_new_line(true)
        .build()
        .parse(pattern)
        .map_err(|error| regex_message(&error))
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
fn regex_message(error: &dyn std::error::Error) -> String {
    let text = error.to_string();
    let reason = text.lines().last().unwrap_or_default().trim();
    format!("regular expression: {}", reason.strip_prefix("error: ").unwrap_or(reason))
}
