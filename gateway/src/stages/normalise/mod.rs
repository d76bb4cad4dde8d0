//! **normalise**: one canonical reading of the request, or none.
//!
//! - Decides: whether head, framing, host and target can be read in exactly one way, and what that way is.
//! - Needs: the raw head (HTTP/1) or the decoded fields (HTTP/2), the listener's trusted proxies.
//! - Never: guesses, repairs framing, decodes twice, looks at a body beyond its framing.
//! - Codes: `normalise.request_line`, `.version`, `.header`, `.framing`, `.host`, `.target`, `.path`,
//!   `.head_too_large`, `.head_timeout`.

pub mod chunks;
pub mod client;
pub mod decide;
pub mod head;
mod host;
pub mod plan;
pub mod section;
mod target;

#[cfg(test)]
mod tests;
