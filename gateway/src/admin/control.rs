//! What the admin listener asks of the gateway.

use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};

/// The gateway, as its operators see it. Methods are called on threads that may block.
pub trait Control: Send + Sync + 'static {
    /// Whether requests are served now. The error says what is missing.
    ///
    /// # Errors
    /// Not ready, with the reason in a few words.
    fn ready(&self) -> Result<(), String>;

    /// Generation that serves; 0 before the first.
    fn generation(&self) -> u64;

    /// The configuration that serves, without secrets.
    fn config(&self) -> Value;

    /// Reads the configuration again and swaps it in. Blocks until it is taken or refused; never called twice
    /// at once.
    ///
    /// # Errors
    /// Refused: every problem, rendered for people. The old generation serves on.
    fn reload(&self) -> Result<u64, String>;

    /// One object for each route, with at least its `id`; counters are added here.
    fn routes(&self) -> Vec<Map<String, Value>>;

    /// Addresses banned at this moment.
    fn bans(&self) -> Vec<Ban>;

    /// Bans an address or block; an earlier ban of the same is replaced.
    ///
    /// # Errors
    /// Why it cannot be: too many bans, an address that must not be banned.
    fn ban(&self, ban: Ban) -> Result<(), String>;

    /// Ends a ban; false when there is none.
    fn unban(&self, block: IpNet) -> bool;

    /// Members of `/status` beside those added here: store, issuers, services.
    fn status(&self) -> Map<String, Value>;
}

/// A banned address or block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    pub block: IpNet,
    /// Time that is left.
    pub left: Duration,
    /// The operator's words, at most 256 bytes.
    pub reason: String,
}
