//! Regression tests of rules in the format of go-ftw (`ftw-tests-schema`): read once, run anywhere. The tests
//! of this crate and `yett waf test` run them in process ([`run`]); an end-to-end test sends [`Input::wire`]
//! over a socket and asks [`Log::problem`] about what the gateway logged.
//!
//! Read are versions 2.x and the stages of 3.0. A key that nothing here enforces is an error: a test with a
//! misspelt expectation would pass for ever.

mod file;
mod in_process;
mod read;
mod request;

pub use file::{Header, Input, Log, Output, Response, Stage, Test};
pub use in_process::{Judgement, Report, Rules, in_parallel, judge, reflected, run, transact};
pub use read::{ReadError, builtin, parse, read};
pub use request::Request;

#[cfg(test)]
mod tests;
