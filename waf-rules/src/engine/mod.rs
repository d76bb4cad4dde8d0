//! One request against the program.
//!
//! `transaction` is the caller's view; `intake`, `request_body` and `upload` fill the stores; `eval` walks a
//! phase, `ask` puts one link's question, `gather` finds its values, `candidates` tells which
//! questions are worth it, `effects`, `collections`, `sanitise` and `expand` do what a match asks for. All that a request needs
//! to remember is one [`state::State`]; the program is only read.

mod ask;
mod budget;
mod buffers;
mod candidates;
mod clock;
mod collections;
mod effects;
mod eval;
mod expand;
mod gather;
mod geo;
mod intake;
mod known;
mod lists;
mod origins;
mod outcome;
mod pool;
mod record;
mod request_body;
mod response;
mod rows;
mod sanitise;
mod score;
mod special;
mod state;
mod stores;
#[cfg(test)]
mod tests;
mod transaction;
mod tx_store;
mod upload;

pub use budget::Exceeded;
pub use outcome::{Action, BodyBound, Interruption, Match, Outcome, Verdict};
pub use score::Score;
pub use transaction::Transaction;
