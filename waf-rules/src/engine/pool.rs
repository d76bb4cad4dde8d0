//! What a thread keeps for the transactions to come: the memory of those that are over, and the
//! values it knows.

use std::cell::{Cell, RefCell};

use super::known::Known;
use super::state::State;
use crate::operator::States;
use crate::profile::Inner;

/// Transactions' memories kept per thread: what is in flight at once and ends at once.
const SPARE_MAX: usize = 32;
/// The largest memory kept, in bytes: what one very large body needed is given back.
const STATE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// All that is kept, in bytes.
const SPARE_BYTES_MAX: usize = 8 * 1024 * 1024;

thread_local! {
    static SPARE: RefCell<Spare> = const { RefCell::new(Spare { states: Vec::new(), bytes: 0 }) };
    static LEARNED: Cell<Option<Learned>> = const { Cell::new(None) };
}

/// Memories of transactions that are over, each with its size.
struct Spare {
    states: Vec<(State, usize)>,
    bytes: usize,
}

impl Spare {
    fn take(&mut self) -> Option<State> {
        let (state, bytes) = self.states.pop()?;
        self.bytes -= bytes;
        Some(state)
    }

    fn keep(&mut self, state: State, bytes: usize) {
        if self.states.len() < SPARE_MAX && self.bytes + bytes <= SPARE_BYTES_MAX {
            self.states.push((state, bytes));
            self.bytes += bytes;
        }
    }
}

/// The state of a new transaction, in used memory where there is any.
pub(super) fn begin(profile: &Inner) -> State {
    let memory = SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.take());
    State::begin(memory.ok().flatten().unwrap_or_default(), profile)
}

/// Takes a state whose transaction is over. It is emptied when it is used again.
pub(super) fn end(state: State) {
    let bytes = state.footprint();
    if bytes > STATE_BYTES_MAX {
        return;
    }
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut() {
            spare.keep(state, bytes);
        }
    });
}

/// What a thread learned from its transactions.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// The values it knows.
    pub(super) known: Known,
    /// States that patterns needed.
    pub(super) states: States,
}

/// For as long as a phase runs.
pub(super) fn take_learned() -> Learned {
    LEARNED.try_with(Cell::take).ok().flatten().unwrap_or_default()
}

pub(super) fn keep_learned(learned: Learned) {
    let _ = LEARNED.try_with(|kept| kept.set(Some(learned)));
}
