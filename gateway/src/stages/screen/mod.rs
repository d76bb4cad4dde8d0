//! **Decides** whether a client address may speak to us at all: bans first, then the deny list, then the
//! allow list.
//!
//! **Needs** the client's address as the edge established it, and the bans. **Never** looks at anything the
//! client wrote, and never bans anyone itself.
//!
//! Findings: `screen.banned`, `screen.listed` (403 both).

mod blocks;
mod decide;
mod plan;
pub mod section;

#[cfg(test)]
mod tests;

pub use decide::decide;
pub use plan::ScreenPlan;
