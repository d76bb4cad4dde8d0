//! Sockets, TLS and HTTP: the only folder that names the framework.
//!
//! ```text
//! server ── listener ── tls ── h1 ─┐
//!    │                      └─ h2 ─┴─ proxy ── body ── peer ── upgrade
//!    └─ handover                        └─ reply
//! ```
//!
//! The framework's proxy is used per request; accepting, deadlines, bounds, drain and handover are ours, because it
//! has none of them in the form an ingress needs.

mod answer;
mod audit;
mod body;
mod early;
mod fields;
pub mod gateway;
mod h1;
mod h2;
pub mod handover;
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
