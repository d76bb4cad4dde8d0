//! Sockets, TLS and HTTP: the only folder that names the framework.
//!
//! ```text
//! server ── listener ── tls ── h1 ─┬─ direct ── peer ── idle
//!    │                      └─ h2 ─┴─ proxy ── body ── peer ── upgrade
//!    └─ handover                        └─ reply
//! ```
//!
//! Accepting, deadlines, bounds, drain and handover are ours, because the framework has none of them in the form an
//! ingress needs. Requests that are simple to carry go the direct way, on the framework's connections; all others
//! through its proxy.

mod answer;
mod audit;
mod begun;
mod body;
mod direct;
mod early;
mod failure;
mod fields;
pub mod gateway;
mod h1;
mod h2;
pub mod handover;
mod idle;
pub mod listener;
mod matches;
mod peer;
mod proxy;
mod proxy_protocol;
mod reply;
pub mod server;
mod standin;
mod stream;
mod upgrade;
mod watched;

#[cfg(test)]
mod tests;
