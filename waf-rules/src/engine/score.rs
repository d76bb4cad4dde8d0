//! Anomaly scores, read from the transaction variables that CRS and the built-in rules write.

use super::state::State;
use crate::profile::Inner;
use crate::tx::TxSlot;

/// The scores of a transaction so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// Sum of the inbound levels that count towards blocking.
    pub inbound: i64,
    /// Sum of the outbound levels that count towards blocking.
    pub outbound: i64,
    /// Inbound score by paranoia level, 1 to 4.
    pub inbound_levels: [i64; 4],
    /// Outbound score by paranoia level, 1 to 4.
    pub outbound_levels: [i64; 4],
    /// A request is refused at this inbound score; 0 when the rules set none.
    pub inbound_threshold: i64,
    /// A response is refused at this outbound score; 0 when the rules set none.
    pub outbound_threshold: i64,
}

impl Score {
    pub(super) fn read(state: &State, profile: &Inner) -> Self {
        let slots = &profile.ruleset.program().scores;
        let tx = |slot: TxSlot| state.tx.get(slot).map_or(0, |value| value.number(&state.buffers));
        let inbound_levels: [i64; 4] =
            std::array::from_fn(|at| tx(slots.inbound[at]) + tx(slots.inbound_3[at]));
        let outbound_levels = slots.outbound.map(tx);
        let counted = usize::from(profile.blocking_paranoia);
        Self {
            inbound: inbound_levels[..counted].iter().sum(),
            outbound: outbound_levels[..counted].iter().sum(),
            inbound_levels,
            outbound_levels,
            inbound_threshold: tx(slots.inbound_threshold),
            outbound_threshold: tx(slots.outbound_threshold),
        }
    }
}
