//! The operators' own listener. Loopback only, and every request but `/health/*` carries the token: a listener
//! on localhost without one falls to the first web page that its operator opens.
//!
//! | file | what |
//! |---|---|
//! | [`control`] | what it asks of the gateway |
//! | [`server`] | accept, bounds, shutdown |
//! | [`guard`] | host, site, token, lockout, content type: in this order, before any resource |
//! | [`resources`] | one file for each |
//! | [`reply`] | JSON, problems, headers of every answer |
//! | [`stall`] | connections that stop reading are closed |
//!
//! It changes configuration only through [`Control::reload`], and never shows a secret: `/config` is what
//! [`Control::config`] redacted.

mod control;
mod guard;
mod reply;
mod resources;
mod server;
mod stall;

pub use self::control::{Ban, Control};
pub use self::guard::parse_bind;
pub use self::server::serve;

#[cfg(test)]
mod tests;
