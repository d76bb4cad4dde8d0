//! What outlives a snapshot, keyed by stable names: counters, key sets, health, bans. A reload that keeps a name
//! keeps its state.

pub mod certificates;
pub mod keys;
pub mod tokens;
pub mod counters;
pub mod endpoints;
pub mod standing;
