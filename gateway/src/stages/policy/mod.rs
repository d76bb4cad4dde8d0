//! May they: holds what a route's `auth` asks against a verified identity.
//!
//! - decides: scopes, roles, claims, multi-factor, age of the last active authentication ([`decide`])
//! - needs: the identity that `stages::identity` yields; nothing else
//! - yields: nothing; every way out but the last is a refusal
//! - never: reads the request, the token's text or a store; grants anything for a claim of an unexpected type
//! - findings: `policy.scope`, `policy.role`, `policy.claim`, `policy.step_up`; `identity.missing` when there is no
//!   identity to hold anything against

pub mod decide;
pub mod plan;
pub mod section;

pub use decide::decide;
pub use plan::{IssuerFacts, Plan};

#[cfg(test)]
mod tests;
