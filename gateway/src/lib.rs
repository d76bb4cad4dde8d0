//! Yett: the public ingress in front of a cluster.
//!
//! The tour, in the order of imports (each folder may use those before it):
//!
//! - [`base`]: our words; no I/O
//! - [`state`]: what outlives a configuration: counters, key sets, health, bans
//! - [`stages`]: the steps of the pipeline, one folder each with the same files
//! - [`config`]: what was written -> what runs; one immutable snapshot behind one pointer
//! - [`pipeline`]: the order of the stages, readable top to bottom
//! - [`telemetry`]: events in, logs and metrics out
//! - [`edge`]: sockets, TLS and HTTP; the only folder that names the framework
//! - [`admin`]: the operators' own listener
//! - [`cli`]: `run`, `check`, `explain`, `schema`, `demo`

pub mod admin;
pub mod base;
pub mod cli;
pub mod config;
pub mod edge;
pub mod pipeline;
pub mod stages;
pub mod state;
pub mod telemetry;

#[cfg(test)]
mod tidy;
