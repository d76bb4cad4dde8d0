//! End to end: the real binary, real sockets, real certificates, a real Redis. One binary, one file per theme.
//!
//! Nothing here knows the gateway's inside but the names of its findings. Ports are always 0, and whoever waits,
//! waits for something that is seen, with a deadline.

// A test fails by panicking: helpers of tests may too.
#![allow(clippy::unwrap_used, clippy::panic)]
// `pub` in a test binary reaches nobody; it only says what a harness offers.
#![allow(unreachable_pub)]

mod address;
mod answers;
mod audit;
mod cli;
mod coded;
mod codes;
mod crs;
mod events;
mod harness;
mod health;
mod hostile;
mod http2;
mod identity;
mod inspected;
mod lists;
#[path = "../waf-rules/tests/material/mod.rs"]
mod material;
mod ops;
mod patterns;
mod policy;
mod ratelimit;
mod remembered;
mod routing;
mod sent;
mod settings;
mod smoke;
mod streams;
mod tls;
mod upstream;
mod verdicts;
mod waf;
mod waf_cli;
mod ways;
