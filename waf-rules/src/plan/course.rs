//! The way through each phase under one choice of levels: which rules can be reached at all, and
//! which values bring which of them to life.
//!
//! A profile pins the paranoia levels, so the gates that rule sets put before each level
//! (`TX:DETECTION_PARANOIA_LEVEL "@lt 2"` with `skipAfter`) are decided here, once, and what they
//! pass over is never looked at. Of the rest, the rules that cannot match without a hint from the
//! prefilter sleep until a value wakes them; the others are *always* walked.

mod fold;

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{Gates, Link, Matcher, Node, PHASES, Program, Target};
use crate::bitset::BitSet;
use crate::bytes::{ByteSet, index};
use crate::tx::TxSlot;
use crate::variable::{Kind, Store};

/// Values of transaction variables that a profile sets and rules cannot change.
pub(crate) type Pins = Vec<(TxSlot, i64)>;

/// The ways of all phases. Profiles with the same pins share one.
#[derive(Debug)]
pub(crate) struct Course {
    pub(crate) phases: [Lane; PHASES],
}

/// The way through one phase. Places are those of [`Program::phases`].
#[derive(Debug, Default)]
pub(crate) struct Lane {
    /// Places walked whatever the values are.
    pub(crate) always: BitSet,
    /// Where a gate that always opens leads; by place.
    pub(crate) gates: Vec<Option<u32>>,
    pub(crate) looks: Vec<Look>,
    /// Looks at transaction variables, which are repeated when one is written.
    pub(crate) variable_looks: Vec<Look>,
    /// Some of them at the groups of a match.
    pub(crate) watches_captures: bool,
}

/// One target, with all that is asked of it in this phase.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) target: Target,
    pub(crate) lists: Vec<List>,
    /// Every operator of the lists that leave a value alone which has none of their trigger bytes.
    pub(crate) operators: Vec<u64>,
}

/// One transformation list of a look.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) node: Node,
    /// Operators asked behind this list, as a row of the prefilter.
    pub(crate) operators: Vec<u64>,
    /// Operator and place of the rule that asks it, in this order.
    wakes: Vec<(u32, u32)>,
}

/// The courses of one rule set that are in use.
#[derive(Debug, Default)]
pub(crate) struct Courses(Mutex<Vec<(Pins, Weak<Course>)>>);

impl Courses {
    /// The course for these pins, made if no profile has one.
    pub(crate) fn get(&self, program: &Program, pins: &Pins) -> Arc<Course> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, course)| course.strong_count() > 0);
        let found = known.iter().find(|(known, _)| known == pins);
        if let Some(course) = found.and_then(|(_, course)| course.upgrade()) {
            return course;
        }
        let course = Arc::new(Course::new(program, pins));
        known.push((pins.clone(), Arc::downgrade(&course)));
        course
    }
}

impl Course {
    fn new(program: &Program, pins: &Pins) -> Self {
        Self { phases: std::array::from_fn(|phase| Lane::new(program, phase, pins)) }
    }
}

impl Lane {
    fn new(program: &Program, phase: usize, pins: &Pins) -> Self {
        let order = &program.phases[phase];
        let folded = fold::fold(program, order, pins);
        let mut lane =
            Self { always: BitSet::with_len(order.len()), gates: folded.gates, ..Self::default() };
        for place in (0..order.len()).filter(|place| folded.reached[*place]) {
            let link = &program.rules[order[place] as usize].links[0];
            if sleeps(program, link) {
                lane.watch(&program.gates, link, index(place));
            } else {
                lane.always.insert(index(place));
            }
        }
        lane.looks.iter_mut().for_each(|look| look.finish(program));
        lane.variable_looks =
            lane.looks.extract_if(.., |look| look.target.variable.kind == Kind::Tx).collect();
        lane.watches_captures = lane.variable_looks.iter().any(|look| look.target.takes_captures());
        lane
    }

    /// Has the link's values looked at on its behalf.
    fn watch(&mut self, gates: &Gates, link: &Link, place: u32) {
        for target in &link.targets {
            let look = self.look(target);
            for node in link.nodes() {
                look.list(*node, gates.words()).add(link.operator, place);
            }
        }
    }

    fn look(&mut self, target: &Target) -> &mut Look {
        let same = |look: &Look| {
            std::ptr::eq(look.target.variable, target.variable) && look.target.takes_same(target)
        };
        let at = self.looks.iter().position(same).unwrap_or_else(|| {
            self.looks.push(Look {
                target: whole(target),
                lists: Vec::new(),
                operators: Vec::new(),
            });
            self.looks.len() - 1
        });
        &mut self.looks[at]
    }
}

impl Look {
    fn list(&mut self, node: Node, words: usize) -> &mut List {
        let at = self.lists.iter().position(|list| list.node == node).unwrap_or_else(|| {
            self.lists.push(List { node, operators: vec![0; words], wakes: Vec::new() });
            self.lists.len() - 1
        });
        &mut self.lists[at]
    }

    fn finish(&mut self, program: &Program) {
        self.operators = vec![0; program.gates.words()];
        for list in &mut self.lists {
            list.wakes.sort_unstable();
            list.wakes.dedup();
            if program.transforms.is_identity(list.node, &ByteSet::EMPTY) {
                self.operators.iter_mut().zip(&list.operators).for_each(|(all, own)| *all |= own);
            }
        }
    }
}

impl List {
    fn add(&mut self, operator: u32, place: u32) {
        self.operators[operator as usize / 64] |= 1 << (operator % 64);
        self.wakes.push((operator, place));
    }

    /// Places of the rules that ask this operator behind this list.
    pub(crate) fn wakes(&self, operator: u32) -> impl Iterator<Item = u32> {
        let first = self.wakes.partition_point(|(known, _)| *known < operator);
        let same = self.wakes[first..].iter().take_while(move |(known, _)| *known == operator);
        same.map(|(_, place)| *place)
    }
}

/// The rule cannot match unless the prefilter says that some value may match its first operator.
fn sleeps(program: &Program, link: &Link) -> bool {
    let gated = program.operators[link.operator as usize].is_gated();
    gated && !link.negated && !link.unconditional && link.targets.iter().all(is_watched)
}

/// Its values stay the same while a phase runs, or their change is noticed.
fn is_watched(target: &Target) -> bool {
    // `ctl:requestBodyProcessor`, `setsid` and `setuid` write these.
    const WRITTEN: [Store; 3] = [Store::ReqbodyProcessor, Store::SessionId, Store::UserId];
    let stable = match target.variable.kind {
        Kind::Values(stores) | Kind::Names(stores) => {
            !WRITTEN.iter().any(|written| stores.contains(written))
        }
        Kind::Tx => true,
        _ => false,
    };
    stable && !target.count
}

/// A pattern is looked at with its whole collection: too much may wake, never too little. Variables
/// are few but always there: they keep their pattern.
fn whole(target: &Target) -> Target {
    match target.matcher {
        Matcher::Pattern(_) if target.variable.kind != Kind::Tx => {
            Target { matcher: Matcher::All, ..target.clone() }
        }
        _ => target.clone(),
    }
}
