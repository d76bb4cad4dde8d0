//! Several automata walked over one value, side by side.
//!
//! A step waits for the one before it: the state that it leads to says where the next is read. So one
//! walk leaves the processor idle most of the time, and a few at once take little longer than one.

use std::array::from_fn;
use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};

/// Lanes of a walk: from more on, steps take longer than they save.
pub(crate) const LANES: usize = 4;
/// Bytes between two bills.
pub(super) const BLOCK_BYTES: usize = 64;
/// Work of making states, for each byte of memory that they take.
const STATE_BYTE_COST: u64 = 16;
/// Work of a block that ends in a state which was not met lately.
const FAR_COST: u64 = 400;

/// There was not enough work left to find the answer.
#[derive(Debug)]
pub(crate) struct OutOfWork;

/// The memory of an automaton's states that is paid for.
pub(super) struct Paid(usize);

impl Paid {
    /// All that there are.
    pub(super) fn up_to(cache: &Cache) -> Self {
        Self(cache.memory_usage())
    }

    /// Bytes of the states that were made since.
    pub(super) fn made(&mut self, cache: &Cache) -> u64 {
        let now = cache.memory_usage();
        // Less than before: all were thrown away and made anew.
        let made = now.checked_sub(self.0).unwrap_or(now) as u64;
        self.0 = now;
        made
    }
}

/// An automaton on its way.
pub(super) struct Lane<'a> {
    /// Whose it is, for the caller: lanes change places.
    pub(super) operator: u32,
    automaton: &'a DFA,
    cache: Box<Cache>,
    state: LazyStateID,
    paid: Paid,
    near: Near,
    answer: Option<Result<bool, OutOfWork>>,
}

impl<'a> Lane<'a> {
    /// At the start of a value.
    pub(super) fn new(
        operator: u32,
        automaton: &'a DFA,
        mut cache: Box<Cache>,
        input: &[u8],
    ) -> Self {
        let paid = Paid::up_to(&cache);
        let start = automaton.start_state_forward(&mut cache, &Input::new(input));
        let (state, answer) = match start {
            Ok(state) => (state, state.is_tagged().then_some(Ok(state.is_match()))),
            Err(_) => (LazyStateID::default(), Some(Err(OutOfWork))),
        };
        Self { operator, automaton, cache, state, paid, near: Near::default(), answer }
    }

    /// The states, and whether the automaton matches.
    pub(super) fn end(self) -> (Box<Cache>, Result<bool, OutOfWork>) {
        (self.cache, self.answer.unwrap_or(Err(OutOfWork)))
    }

    /// A step to a state that may have to be made, or that is the answer.
    fn turn(&mut self, at: LazyStateID, byte: u8) -> LazyStateID {
        // An automaton gives up only where it was told when to: these are not.
        match self.automaton.next_state(&mut self.cache, at, byte) {
            Err(_) => self.answer = Some(Err(OutOfWork)),
            Ok(next) if next.is_quit() => self.answer = Some(Err(OutOfWork)),
            Ok(next) if next.is_tagged() => self.answer = Some(Ok(next.is_match())),
            Ok(next) => return next,
        }
        at
    }

    /// Pays for the states that were made and for the way to far ones.
    fn bill(&mut self, is_far: bool, pay: &mut impl FnMut(u64) -> bool) {
        let work = STATE_BYTE_COST * self.paid.made(&self.cache) + FAR_COST * u64::from(is_far);
        if work > 0 && !pay(work) && self.answer.is_none() {
            self.answer = Some(Err(OutOfWork));
        }
    }

    fn finish(&mut self, pay: &mut impl FnMut(u64) -> bool) {
        let last = self.automaton.next_eoi_state(&mut self.cache, self.state);
        self.bill(false, pay);
        self.answer = Some(last.map(|state| state.is_match()).map_err(|_| OutOfWork));
    }
}

/// Walks all lanes to their answers. `pay` is asked for the work of every state that is made.
pub(super) fn walk(lanes: &mut [Lane<'_>], input: &[u8], mut pay: impl FnMut(u64) -> bool) {
    let mut left = unanswered_first(lanes);
    for (number, block) in input.chunks(BLOCK_BYTES).enumerate() {
        if left == 0 {
            return;
        }
        step_all(&mut lanes[..left], block);
        for lane in &mut lanes[..left] {
            // The first ones are what asking costs.
            let is_far = lane.near.misses(lane.state) && number > 1;
            lane.bill(is_far, &mut pay);
        }
        left = unanswered_first(&mut lanes[..left]);
    }
    lanes[..left].iter_mut().for_each(|lane| lane.finish(&mut pay));
}

/// Moves the lanes that have no answer to the front; how many they are.
fn unanswered_first(lanes: &mut [Lane<'_>]) -> usize {
    let (mut at, mut left) = (0, lanes.len());
    while at < left {
        if lanes[at].answer.is_none() {
            at += 1;
        } else {
            left -= 1;
            lanes.swap(at, left);
        }
    }
    left
}

fn step_all(lanes: &mut [Lane<'_>], block: &[u8]) {
    for group in lanes.chunks_mut(LANES) {
        match group {
            [a] => step([a], block),
            [a, b] => step([a, b], block),
            [a, b, c] => step([a, b, c], block),
            [a, b, c, d] => step([a, b, c, d], block),
            _ => {}
        }
    }
}

/// Takes the lanes through a block, or to their answers.
fn step<const N: usize>(mut lanes: [&mut Lane<'_>; N], block: &[u8]) {
    let mut done = 0;
    while done < block.len() {
        done += leap(&mut lanes, &block[done..]);
        let Some(byte) = block.get(done) else { return };
        done += 1;
        for lane in &mut lanes {
            lane.state = lane.turn(lane.state, *byte);
        }
        if lanes.iter().any(|lane| lane.answer.is_some()) {
            // What is left of the block is too short to form new groups for.
            for lane in lanes {
                if lane.answer.is_none() && N > 1 {
                    step([lane], &block[done..]);
                }
            }
            return;
        }
    }
}

/// Takes all lanes as far as their states are known and no answer; how far that is.
fn leap<const N: usize>(lanes: &mut [&mut Lane<'_>; N], block: &[u8]) -> usize {
    let automata: [&DFA; N] = from_fn(|lane| lanes[lane].automaton);
    let mut at: [LazyStateID; N] = from_fn(|lane| lanes[lane].state);
    let mut steps = block.len();
    {
        let caches: [&Cache; N] = from_fn(|lane| &*lanes[lane].cache);
        for (number, byte) in block.iter().enumerate() {
            let next: [LazyStateID; N] =
                from_fn(|lane| automata[lane].next_state_untagged(caches[lane], at[lane], *byte));
            // What is tagged ends the search, or is not made yet: none is stepped from.
            if next.iter().any(|state| state.is_tagged()) {
                steps = number;
                break;
            }
            at = next;
        }
    }
    lanes.iter_mut().zip(at).for_each(|(lane, at)| lane.state = at);
    steps
}

/// The states that a walk met lately, a stand-in for those that the processor has at hand.
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
