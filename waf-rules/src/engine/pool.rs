//! What a thread keeps for the transactions to come: the memory of those that are over, and the
//! values it knows.

use std::cell::{Cell, RefCell};

use super::known::Known;
use super::state::State;
use crate::operator::States;
use crate::profile::Inner;

/// Transactions' memories kept per thread: what is in flight at once and ends at once.
const SPARE_MAX: usize = 32;
/// The largest memory kept, in bytes: what one large body needed is given back.
const SPARE_BYTES_MAX: usize = 256 * 1024;

thread_local! {
    static SPARE: RefCell<Vec<State>> = const { RefCell::new(Vec::new()) };
    static LEARNED: Cell<Option<Learned>> = const { Cell::new(None) };
}

/// The state of a new transaction, in used memory where there is any.
pub(super) fn begin(profile: &Inner) -> State {
    let memory = SPARE.try_with(|spare| spare.try_borrow_mut().ok()?.pop());
    State::begin(memory.ok().flatten().unwrap_or_default(), profile)
}

/// Takes a state whose transaction is over. It is emptied when it is used again.
pub(super) fn end(state: State) {
    if state.footprint() > SPARE_BYTES_MAX {
        return;
    }
    let _ = SPARE.try_with(|spare| {
        if let Ok(mut spare) = spare.try_borrow_mut()
            && spare.len() < SPARE_MAX
        {
            spare.push(state);
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
