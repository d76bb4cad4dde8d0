//! Whether a pattern matches at all, on an automaton whose states are made as values need them.
//!
//! A state costs a thousand times a step, and whoever writes the value decides how many are needed. So
//! the search pays for them as it goes, and ends where there is nothing left to pay with: no value is
//! too expensive to be begun. States are kept for the thread's later requests, up to a bound. A step costs ten times
//! more where states are many and far from the processor: that is paid for too.

use std::collections::VecDeque;
use std::ops::Range;

use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_syntax::hir::{Hir, HirKind, Repetition, literal};
use smallvec::SmallVec;

use super::rx_find::{Finder, FinderStates};
use super::rx_lanes::{LANES, Lane, OutOfWork, walk};

/// Bound on one pattern's states, in bytes: where it is reached all are made anew.
const STATES_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bound on all states of a thread, in bytes.
const THREAD_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Rule sets whose states a thread keeps.
const PROGRAMS_MAX: usize = 4;
/// Bound on one compiled pattern, in bytes.
const PROGRAM_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Lines of what honest requests are made of.
const SAMPLES: &str = include_str!("rx_samples.txt");

#[derive(Debug)]
pub(crate) struct Search {
    automaton: DFA,
    /// The states that ordinary text needs, made at load: a thread begins with them, and its first requests need
    /// neither make them nor pay for them.
    ordinary: Box<Cache>,
}

/// What operators said of a value.
pub(crate) type Answers = SmallVec<[(u32, Result<bool, OutOfWork>); LANES]>;

/// The states of a thread: of each rule set, of each operator.
#[derive(Debug, Default)]
pub(crate) struct States {
    programs: Vec<(u64, Vec<Kept>)>,
    bytes: usize,
}

/// The states of an operator.
#[derive(Debug, Default)]
struct Kept {
    /// Of the search.
    search: Option<Box<Cache>>,
    /// Of what finds the match.
    find: Option<Box<FinderStates>>,
}

impl Search {
    /// Nothing where the pattern begins with a few texts: the general engine leaps from one to the next.
    pub(super) fn new(pattern: &Hir) -> Result<Option<Self>, String> {
        if begins_with_text(pattern) {
            return Ok(None);
        }
        let trimmed = trim(trim(pattern.clone(), End::First), End::Last);
        automaton(&trimmed, false, MatchKind::All).map(|automaton| Some(Self::begin(automaton)))
    }

    fn begin(automaton: DFA) -> Self {
        let mut ordinary = Box::new(automaton.create_cache());
        for line in SAMPLES.lines() {
            // What common transformations make of it too.
            for text in [line, &line.to_ascii_lowercase(), &line.replace(' ', "")] {
                let mut lanes = [Lane::new(0, &automaton, ordinary, text.as_bytes())];
                walk(&mut lanes, text.as_bytes(), |_| true);
                // Whether it matches does not matter.
                let [lane] = lanes;
                ordinary = lane.end().0;
            }
        }
        Self { automaton, ordinary }
    }

    fn lane(&self, input: &[u8], states: &mut States, (program, operator): (u64, u32)) -> Lane<'_> {
        let cache = states.lend(program, operator, &self.ordinary);
        Lane::new(operator, &self.automaton, cache, input)
    }
}

/// An automaton without states yet, which reads values from their end where `is_reverse`.
pub(super) fn automaton(pattern: &Hir, is_reverse: bool, kind: MatchKind) -> Result<DFA, String> {
    let nfa = thompson::Compiler::new()
        .configure(
            thompson::Config::new()
                .utf8(false)
                .reverse(is_reverse)
                .which_captures(thompson::WhichCaptures::None)
                .nfa_size_limit(Some(PROGRAM_BYTES_MAX)),
        )
        .build_from_hir(pattern)
        .map_err(|error| format!("regular expression: {error}"))?;
    let config = DFA::config()
        .match_kind(kind)
        .cache_capacity(STATES_BYTES_MAX)
        .skip_cache_capacity_check(true);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())
}

/// Whether the pattern of an operator matches anywhere in a value. `pay` is asked for the work of every state that is made.
pub(super) fn search(
    search: &Search,
    input: &[u8],
    states: &mut States,
    (program, operator): (u64, u32),
    pay: impl FnMut(u64) -> bool,
) -> Result<bool, OutOfWork> {
    let mut lanes = [search.lane(input, states, (program, operator))];
    walk(&mut lanes, input, pay);
    let [lane] = lanes;
    states.leave(program, lane).1
}

/// The same for several operators, answered in any order.
pub(super) fn search_together<'a>(
    searches: impl Iterator<Item = (u32, &'a Search)>,
    input: &[u8],
    states: &mut States,
    program: u64,
    pay: impl FnMut(u64) -> bool,
) -> Answers {
    let lane =
        |(operator, search): (u32, &'a Search)| search.lane(input, states, (program, operator));
    let mut lanes: SmallVec<[Lane<'_>; LANES]> = searches.map(lane).collect();
    walk(&mut lanes, input, pay);
    lanes.into_iter().map(|lane| states.leave(program, lane)).collect()
}

impl States {
    /// The states of an operator, for one way through a value.
    fn lend(&mut self, program: u64, operator: u32, ordinary: &Cache) -> Box<Cache> {
        self.bound();
        match self.place(program, operator).search.take() {
            Some(known) => {
                self.bytes = self.bytes.saturating_sub(known.memory_usage());
                known
            }
            None => Box::new(ordinary.clone()),
        }
    }

    /// Takes back the states that a lane was lent; whose it was, and its answer.
    fn leave(&mut self, program: u64, lane: Lane<'_>) -> (u32, Result<bool, OutOfWork>) {
        let operator = lane.operator;
        let (cache, answer) = lane.end();
        self.bytes += cache.memory_usage();
        self.place(program, operator).search = Some(cache);
        (operator, answer)
    }

    /// Where a pattern matches first from a place on.
    pub(super) fn find(
        &mut self,
        finder: &Finder,
        (program, operator): (u64, u32),
        (input, from): (&[u8], usize),
        pay: impl FnMut(u64) -> bool,
    ) -> Result<Option<Range<usize>>, OutOfWork> {
        self.bound();
        let kept = self.place(program, operator).find.take();
        let known = kept.as_ref().map_or(0, |states| states.memory_usage());
        self.bytes = self.bytes.saturating_sub(known);
        let mut states = kept.unwrap_or_else(|| Box::new(finder.begin()));
        let found = finder.find(input, from, &mut states, pay);
        self.bytes += states.memory_usage();
        self.place(program, operator).find = Some(states);
        found
    }

    fn bound(&mut self) {
        if self.bytes > THREAD_BYTES_MAX {
            *self = Self::default();
        }
    }

    /// The memory that is counted, and the memory that is held.
    #[cfg(test)]
    pub(super) fn memory(&self) -> (usize, usize) {
        let kept = self.programs.iter().flat_map(|(_, kept)| kept);
        let held = kept.map(|kept| {
            let search = kept.search.as_ref().map_or(0, |cache| cache.memory_usage());
            search + kept.find.as_ref().map_or(0, |states| states.memory_usage())
        });
        (self.bytes, held.sum())
    }

    fn place(&mut self, program: u64, operator: u32) -> &mut Kept {
        let known = self.programs.iter().position(|(known, _)| *known == program);
        let at = known.unwrap_or_else(|| {
            if self.programs.len() == PROGRAMS_MAX {
                *self = Self::default();
            }
            self.programs.push((program, Vec::new()));
            self.programs.len() - 1
        });
        let (kept, operator) = (&mut self.programs[at].1, operator as usize);
        if kept.len() <= operator {
            kept.resize_with(operator + 1, Kept::default);
        }
        &mut kept[operator]
    }
}

/// A side of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum End {
    First,
    Last,
}

/// The pattern without what it may do without on one side: wherever the rest matches, it matches.
fn trim(hir: Hir, end: End) -> Hir {
    match hir.into_kind() {
        HirKind::Repetition(Repetition { min: 0, .. }) => Hir::empty(),
        HirKind::Repetition(Repetition { min: 1, sub, .. }) => trim(*sub, end),
        HirKind::Repetition(Repetition { min, sub, .. }) => {
            Hir::repetition(Repetition { min, max: Some(min), greedy: true, sub })
        }
        HirKind::Capture(capture) => trim(*capture.sub, end),
        HirKind::Alternation(parts) => {
            Hir::alternation(parts.into_iter().map(|part| trim(part, end)).collect())
        }
        HirKind::Concat(parts) => trim_sequence(parts.into(), end),
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(look),
    }
}

fn trim_sequence(mut parts: VecDeque<Hir>, end: End) -> Hir {
    let first = end == End::First;
    while let Some(part) = if first { parts.pop_front() } else { parts.pop_back() } {
        let part = trim(part, end);
        if !matches!(part.kind(), HirKind::Empty) {
            if first {
                parts.push_front(part)
            } else {
                parts.push_back(part)
            }
            break;
        }
    }
    Hir::concat(parts.into())
}

/// Every match begins with one of a few texts that are long enough to be looked for.
fn begins_with_text(pattern: &Hir) -> bool {
    let mut extractor = literal::Extractor::new();
    extractor
        .limit_class(TEXTS_MAX)
        .limit_repeat(2)
        .limit_literal_len(TEXT_BYTES_MIN + 1)
        .limit_total(4 * TEXTS_MAX);
    let mut texts = extractor.extract(pattern);
    texts.optimize_for_prefix_by_preference();
    let few = texts.len().is_some_and(|texts| (1..=TEXTS_MAX).contains(&texts));
    few && texts.min_literal_len().is_some_and(|length| length >= TEXT_BYTES_MIN)
}

const TEXTS_MAX: usize = 64;
const TEXT_BYTES_MIN: usize = 3;
