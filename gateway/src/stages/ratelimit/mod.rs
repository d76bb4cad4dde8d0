//! Decides whether a request still fits its limits: GCRA rates and calendar quotas, counted in this process or over a
//! store that gateways share.
//!
//! Needs: client address, headers, route and path parameters; for keys with a token part the identity as well. Those
//! limits are decided after the identity stage ("late"), all others before it ("early").
//!
//! Never: takes one request from some of its limits and not from the others, reads a clock, sends a raw value to the
//! store, or waits longer for it than `store.deadline`.
//!
//! Findings: `ratelimit.exceeded` (429), `ratelimit.store_lost` (503).

pub mod decide;
pub mod key;
pub mod plan;
pub mod section;
pub mod verdict;

#[cfg(test)]
mod tests;
