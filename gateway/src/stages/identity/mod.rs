//! Who is asking: verifies the JSON Web Token in `Authorization: Bearer`.
//!
//! - decides: the one credential, its form, its issuer, its key and signature, its claims ([`decide`])
//! - needs: the route's issuers, their key sets (`state::keys`), the cache of verified tokens (`state::tokens`)
//! - yields: an [`Identity`](crate::base::identity::Identity), or anonymous where the route says `optional`
//! - never: fetches on behalf of a token's own text (`jku`, `x5u`), tries keys of another issuer, tells the client why a
//!   signature or claim failed, writes token text into evidence
//! - findings: `identity.missing`, `ambiguous`, `malformed`, `algorithm`, `key`, `signature`, `issuer`, `audience`,
//!   `expired`, `not_yet_valid`, `claims`, `unavailable`
//!
//! A token is read in this order, cheapest first: [`credential`], [`token`] (compact form and header), issuer,
//! algorithm, expiry, key, signature, [`claims`]. [`forward`] is what the service gets to know of the result.

mod assume;
mod challenge;
mod claims;
mod credential;
pub mod decide;
pub mod dev;
pub mod forward;
pub mod plan;
pub mod section;
mod token;

pub use decide::{Outcome, Pending};
pub use plan::{IssuerPlan, Issuers, Plan};

#[cfg(test)]
mod tests;
