//! The steps of the pipeline, one folder each with the same files:
//!
//! - `mod.rs`: what it decides, what it needs, what it never does, its finding codes
//! - `section.rs`: what the operator writes
//! - `plan.rs`: section -> plan, pure; reports every problem
//! - `decide.rs`: plan + request -> decision; synchronous, no I/O, no clock, no lock held across calls
//! - `tests.rs`
//!
//! Stages never import each other.

pub mod identity;
pub mod normalise;
pub mod policy;
pub mod ratelimit;
pub mod route;
pub mod screen;
pub mod upstream;
pub mod waf;
