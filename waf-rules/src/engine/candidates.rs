//! Which operators are worth asking about which values, and so which rules a phase has to walk.

use super::ask::ASK_COST;
use super::buffers::Buffer;
use super::eval::Run;
use super::origins::Origins;
use super::rows::Row;
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::plan::course::{List, Look};
use crate::tx::TxSlot;
use crate::variable::Kind;

/// Work of looking at a value behind one list of transformations.
const LOOK_COST: u64 = 16;

/// The rules of a phase that are worth walking.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    /// Places of the running phase that are walked.
    awake: BitSet,
    /// Looks at variables that were written since.
    stale: BitSet,
    /// The values that woke them.
    pub(super) origins: Origins,
    /// From this place on everything is walked, and nothing woke it.
    unlooked: u32,
    /// Ask everything: what the prefilter is compared with.
    exhaustive: bool,
}

impl Candidates {
    /// Nothing looked at yet, in used memory.
    pub(super) fn begin(memory: Self) -> Self {
        let Self { awake, mut stale, origins, unlooked: _, exhaustive: _ } = memory;
        stale.clear();
        Self { awake, stale, origins, unlooked: u32::MAX, exhaustive: false }
    }

    /// Bytes of memory held, where a request can make it grow.
    pub(super) fn footprint(&self) -> usize {
        self.origins.footprint()
    }

    pub(super) fn set_exhaustive(&mut self) {
        self.exhaustive = true;
    }

    pub(super) fn is_exhaustive(&self) -> bool {
        self.exhaustive
    }

    /// The first place to walk from `place` on.
    pub(super) fn next(&self, place: u32) -> Option<u32> {
        self.awake.next(place)
    }

    /// The place of a sleeper that values woke; nothing, where it is walked without having been looked at.
    pub(super) fn woken(&self, place: u32) -> Option<u32> {
        (place < self.unlooked).then_some(place)
    }

    /// Everything from `place` on is walked.
    pub(super) fn wake_from(&mut self, place: u32, places: usize) {
        self.unlooked = self.unlooked.min(place);
        (place..index(places)).for_each(|place| self.awake.insert(place));
    }
}

impl Run<'_> {
    /// Looks at the values of a phase and finds the places to walk.
    pub(super) fn wake(&mut self, places: usize) {
        let lane = self.lane;
        self.state.candidates.awake.clone_from(&lane.always);
        self.state.candidates.stale.clear();
        self.state.candidates.origins.begin(places);
        self.state.candidates.unlooked = u32::MAX;
        if self.state.candidates.exhaustive {
            return self.state.candidates.wake_from(0, places);
        }
        lane.looks.iter().for_each(|look| self.look(look));
        lane.variable_looks.iter().for_each(|look| self.look_at_variables(look));
    }

    fn look(&mut self, look: &Look) {
        let (stores, names) = match look.target.variable.kind {
            Kind::Values(stores) => (stores, false),
            Kind::Names(stores) => (stores, true),
            _ => return,
        };
        for store in stores {
            for at in 0..self.state.stores.get(*store).len() {
                let entry = self.state.stores.get(*store)[at];
                if self.accepts(&look.target.matcher, entry.key) {
                    self.look_at(look, if names { entry.key } else { entry.value });
                }
            }
        }
    }

    fn look_at_variables(&mut self, look: &Look) {
        let mut values = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        self.gather_tx(&look.target, &mut values);
        for value in &values {
            let value = self.buffer(value.content);
            self.look_at(look, value);
        }
        self.state.scratch.values = values;
    }

    /// A rule wrote a variable that rules further on may look at.
    pub(super) fn wrote_slot(&mut self, slot: TxSlot) {
        for (at, look) in (0..).zip(&self.lane.variable_looks) {
            if look.target.takes_slot(slot) {
                self.state.candidates.stale.insert(at);
            }
        }
    }

    /// The same for a variable named at run time.
    pub(super) fn wrote_dynamic(&mut self, name: Buffer) {
        for (at, look) in (0..).zip(&self.lane.variable_looks) {
            if self.accepts(&look.target.matcher, name) {
                self.state.candidates.stale.insert(at);
            }
        }
    }

    /// Looks again at the variables that the last rule wrote, once for all its writes.
    pub(super) fn look_again(&mut self) {
        while let Some(at) = self.state.candidates.stale.next(0) {
            self.state.candidates.stale.remove(at);
            self.look_at_variables(&self.lane.variable_looks[at as usize]);
        }
    }

    /// One value behind every list of a look. Most lists leave most values alone: they are answered
    /// together, and seldom with yes.
    fn look_at(&mut self, look: &Look, value: Buffer) {
        if self.state.budget.is_exhausted() {
            return;
        }
        self.state.budget.afford(LOOK_COST * look.lists.len() as u64);
        let plain = self.row(value).is_some_and(|row| self.state.rows.meets(row, &look.operators));
        for list in &look.lists {
            let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
            let output = self.state.buffers.transformed(value, list.node, transforms, budget);
            if (plain || output != value)
                && let Some(row) = self.row_for_all(output, &list.operators)
            {
                self.wake_behind(list, value, output, row);
            }
        }
    }

    /// Wakes the rules whose operator might match. Their question is paid for here: what is spent
    /// depends on the request alone, not on how the rules before them went.
    fn wake_behind(&mut self, list: &List, origin: Buffer, value: Buffer, row: Row) {
        for (word, operators) in list.operators.iter().enumerate() {
            let mut hits = self.state.rows.candidates(row, word) & operators;
            while hits != 0 {
                let operator = index(word * 64) + hits.trailing_zeros();
                hits &= hits - 1;
                if !self.pay(operator, value, Some(row)) {
                    self.state.rows.forgo(row, operator);
                } else if self.state.rows.answer(row, operator) != Some(false) {
                    let candidates = &mut self.state.candidates;
                    for place in list.wakes(operator) {
                        candidates.awake.insert(place);
                        candidates.origins.note(place, origin);
                    }
                }
            }
        }
    }

    /// Pays for a question, if there is enough work left and it was not paid for before.
    pub(super) fn pay(&mut self, operator: u32, value: Buffer, row: Option<Row>) -> bool {
        if row.is_some_and(|row| !self.state.rows.pays(row, operator)) {
            return !self.state.budget.is_exhausted();
        }
        let bytes = self.state.buffers.bytes(value);
        let operator = &self.program.operators[operator as usize];
        self.state.budget.afford(ASK_COST + operator.cost(bytes))
    }
}
