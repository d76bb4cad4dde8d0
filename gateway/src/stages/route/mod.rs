//! **Decides** which route a request belongs to: host, then path, then method, then header conditions.
//! The most specific route wins; the order of the configuration never counts.
//!
//! **Needs** the canonical request. **Never** reads a clock, keeps state, or looks at what a route does.
//!
//! Findings: `route.not_found` (404), `route.method_not_allowed` (405 with `Allow`).
//!
//! Specificity, compared left to right: exact host, `*.` host, any host; then segment by segment literal,
//! `{param}`, `*`; then listed methods before any; then the number of header conditions. Two routes that
//! share one request at the same rank are a conflict, refused when the configuration is compiled.

mod build;
mod decide;
mod explain;
mod methods;
mod pattern;
mod plan;
pub mod section;
mod table;
mod words;

#[cfg(test)]
mod tests;

pub use decide::Matched;
pub use explain::{Candidate, Verdict};
pub use plan::{RouteEntry, RouteTable};
