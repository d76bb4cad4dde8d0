//! Whether a pattern matches at all, on an automaton whose states are made as values need them.
//!
//! A state costs a thousand times a step, and whoever writes the value decides how many are needed. So
//! the search pays for them as it goes, and ends where there is nothing left to pay with: no value is
//! too expensive to be begun. States are kept for the thread's later requests, up to a bound. A step costs ten times
//! more where states are many and far from the processor: that is paid for too.

use std::collections::VecDeque;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::{Input, MatchKind};
use regex_syntax::hir::{Hir, HirKind, Repetition, literal};

/// Bytes between two bills.
const BLOCK_BYTES: usize = 64;
/// Work of making states, for each byte of memory that they take.
const STATE_BYTE_COST: u64 = 12;
/// Work of a block that ends in a state which was not met lately.
const FAR_COST: u64 = 400;
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
    ordinary: Cache,
}

/// The states of a thread: of each rule set, of each operator.
#[derive(Debug, Default)]
pub(crate) struct States {
    programs: Vec<(u64, Vec<Option<Box<Cache>>>)>,
    bytes: usize,
}

/// There was not enough work left to find the answer.
#[derive(Debug)]
pub(crate) struct OutOfWork;

impl Search {
    /// Nothing where the pattern begins with a few texts: the general engine leaps from one to the next.
    pub(super) fn new(pattern: &Hir) -> Result<Option<Self>, String> {
        if begins_with_text(pattern) {
            return Ok(None);
        }
        let trimmed = trim(trim(pattern.clone(), End::First), End::Last);
        let nfa = thompson::Compiler::new()
            .configure(
                thompson::Config::new()
                    .utf8(false)
                    .which_captures(thompson::WhichCaptures::None)
                    .nfa_size_limit(Some(PROGRAM_BYTES_MAX)),
            )
            .build_from_hir(&trimmed)
            .map_err(|error| format!("regular expression: {error}"))?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(STATES_BYTES_MAX)
            .skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa);
        automaton.map(|automaton| Some(Self::begin(automaton))).map_err(|error| error.to_string())
    }

    fn begin(automaton: DFA) -> Self {
        let mut ordinary = automaton.create_cache();
        let mut show = |text: &str| {
            // Whether it matches does not matter.
            let _ = run(&automaton, &mut ordinary, text.as_bytes(), &mut |_, _| true);
        };
        for line in SAMPLES.lines() {
            show(line);
            // What common transformations make of it.
            show(&line.to_ascii_lowercase());
            show(&line.replace(' ', ""));
        }
        Self { automaton, ordinary }
    }

    /// Whether the pattern matches anywhere. `pay` is asked for the work of every state that is made.
    pub(super) fn matches(
        &self,
        input: &[u8],
        states: &mut States,
        (program, operator): (u64, u32),
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<bool, OutOfWork> {
        let (cache, mut held) = states.of(program, operator, &self.ordinary);
        let before = held;
        let mut bill = |cache: &Cache, is_far: bool| {
            let now = cache.memory_usage();
            if now == held && !is_far {
                return true;
            }
            // Less than before: all were thrown away and made anew.
            let made = now.checked_sub(held).unwrap_or(now) as u64;
            held = now;
            pay(made * STATE_BYTE_COST + FAR_COST * u64::from(is_far))
        };
        let found = run(&self.automaton, cache, input, &mut bill);
        states.account(before, held);
        found
    }
}

fn run(
    automaton: &DFA,
    cache: &mut Cache,
    input: &[u8],
    bill: &mut impl FnMut(&Cache, bool) -> bool,
) -> Result<bool, OutOfWork> {
    let mut near = Near::default();
    let start = automaton.start_state_forward(cache, &Input::new(input));
    let mut state = start.map_err(|_| OutOfWork)?;
    if state.is_tagged() {
        return Ok(state.is_match());
    }
    for (number, block) in input.chunks(BLOCK_BYTES).enumerate() {
        let end = step(automaton, cache, &mut state, block);
        // The first ones are what asking costs.
        let is_far = near.misses(state) && number > 1;
        let paid = bill(cache, is_far);
        match end {
            Some(answer) => return answer,
            None if !paid => return Err(OutOfWork),
            None => {}
        }
    }
    let last = automaton.next_eoi_state(cache, state).map_err(|_| OutOfWork)?;
    bill(cache, false);
    Ok(last.is_match())
}

/// The states that a search met lately, a stand-in for those that the processor has at hand.
#[derive(Default)]
struct Near([Option<LazyStateID>; NEAR]);

const NEAR: usize = 32;

impl Near {
    /// Notes a state; true if it was not among the last ones.
    fn misses(&mut self, state: LazyStateID) -> bool {
        let place = FixedState::default().hash_one(state) % NEAR as u64;
        let near = usize::try_from(place).ok().and_then(|place| self.0.get_mut(place));
        near.is_none_or(|near| near.replace(state) != Some(state))
    }
}

/// Goes on with a block; the answer, where it is known before the end.
fn step(
    automaton: &DFA,
    cache: &mut Cache,
    state: &mut LazyStateID,
    block: &[u8],
) -> Option<Result<bool, OutOfWork>> {
    let mut at = *state;
    for byte in block {
        let mut next = automaton.next_state_untagged(cache, at, *byte);
        // What is tagged ends the search, or is not made yet: none is stepped from.
        if next.is_tagged() {
            if next.is_unknown() {
                next = match automaton.next_state(cache, at, *byte) {
                    Ok(made) => made,
                    // An automaton gives up only where it was told when to: these are not.
                    Err(_) => return Some(Err(OutOfWork)),
                };
            }
            if next.is_tagged() {
                return Some(if next.is_quit() { Err(OutOfWork) } else { Ok(next.is_match()) });
            }
        }
        at = next;
    }
    *state = at;
    None
}

impl States {
    /// The states of an operator, and the memory that they take.
    fn of(&mut self, program: u64, operator: u32, ordinary: &Cache) -> (&mut Cache, usize) {
        let known = self.programs.iter().position(|(known, _)| *known == program);
        if known.is_none() && self.programs.len() == PROGRAMS_MAX || self.bytes > THREAD_BYTES_MAX {
            *self = Self::default();
        }
        let at = known.filter(|at| *at < self.programs.len()).unwrap_or_else(|| {
            self.programs.push((program, Vec::new()));
            self.programs.len() - 1
        });
        let operator = operator as usize;
        let caches = &mut self.programs[at].1;
        if caches.len() <= operator {
            caches.resize_with(operator + 1, || None);
        }
        let bytes = &mut self.bytes;
        let cache = caches[operator].get_or_insert_with(|| {
            let cache = Box::new(ordinary.clone());
            *bytes += cache.memory_usage();
            cache
        });
        let held = cache.memory_usage();
        (cache, held)
    }

    fn account(&mut self, before: usize, after: usize) {
        self.bytes = (self.bytes + after).saturating_sub(before);
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
