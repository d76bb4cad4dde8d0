//! Our words. No I/O, no framework: every other folder may use this one, and it uses none of them.
//!
//! | file | what it names |
//! |---|---|
//! | [`code`] | every finding the gateway can make, with its status and title |
//! | [`decision`] | a stage's verdict and the finding it objects with |
//! | [`request`] | the one canonical reading of a request |
//! | [`raw`] | the head of a request as it was sent |
//! | [`identity`] | who is asking, once verified |
//! | [`claims`] | paths into the claims of a token |
//! | [`json`] | JSON that can be read in one way only |
//! | [`event`] | the one record of one request |
//! | [`compile`] | problems of a configuration, each with its place |
//! | [`units`] | durations, sizes, rates and secrets as operators write them |
//! | [`bounds`] | every size and time that protects us, in one place |
//! | [`net`] | address blocks, client addresses |
//! | [`clock`] | time as a parameter |

pub mod bounds;
pub mod claims;
pub mod clock;
pub mod code;
pub mod compile;
pub mod decision;
pub mod event;
pub mod identity;
pub mod json;
pub mod net;
pub mod raw;
pub mod request;
pub mod subject;
pub mod units;

#[cfg(test)]
mod tests;
