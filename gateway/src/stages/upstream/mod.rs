//! **Decides** which endpoint of a service a request goes to, and whether it may be tried again on another.
//!
//! **Needs** the service's endpoints with their health, and the endpoints already tried. **Never** connects,
//! resolves a name, waits or takes a lock: the edge connects and reports back through [`Peer`].
//!
//! Findings: `upstream.unavailable` (503 with `Retry-After`); the edge adds `upstream.connect`,
//! `upstream.timeout` and `upstream.broken`.

mod decide;
mod plan;
pub mod section;
mod tls;

#[cfg(test)]
mod tests;

pub use decide::{Peer, Tried, is_idempotent};
pub use plan::{ServicePlan, Timeouts};
pub use tls::UpstreamTls;
