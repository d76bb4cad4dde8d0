//! What outlives a snapshot, keyed by stable names: counters, key sets, health, bans. A reload that keeps a name
//! keeps its state.
//!
//! | file | what it keeps |
//! |---|---|
//! | [`counters`] | what limits have counted, here and in the store |
//! | [`keys`] | key sets of issuers |
//! | [`tokens`] | verified tokens |
//! | [`endpoints`] | addresses of services, their health and load |
//! | [`standing`] | bans |
//! | `collections` | what rules remember of clients: `initcol`, `setvar:ip...`, per process |
//! | [`dnsbl`] | what lists in the DNS said of clients |
//! | [`certificates`] | server certificates |

pub mod certificates;
pub mod counters;
pub mod dnsbl;
pub mod endpoints;
pub mod keys;
pub mod standing;
pub mod tokens;

use std::sync::Arc;

use crate::base::bounds;
use crate::base::clock::Now;
use counters::Counters;
use dnsbl::Dnsbl;
use endpoints::Endpoints;
use keys::KeySets;
use keys::fetch::Fetch;
use standing::Standing;
use tokens::TokenCache;
use waf_rules::MemoryCollections;

/// All of it. One per process.
pub struct State {
    pub counters: Arc<Counters>,
    pub keys: KeySets,
    pub tokens: TokenCache,
    pub endpoints: Arc<Endpoints>,
    pub standing: Standing,
    pub dnsbl: Dnsbl,
    pub collections: Arc<MemoryCollections>,
}

impl State {
    /// Empty state; nothing runs yet.
    pub fn new(fetch: Arc<dyn Fetch>, now: Now) -> Arc<State> {
        Arc::new(State {
            counters: Arc::new(Counters::new()),
            keys: KeySets::new(fetch),
            tokens: TokenCache::new(bounds::TOKEN_CACHE_BYTES),
            endpoints: Endpoints::new(now),
            standing: Standing::new(),
            dnsbl: Dnsbl::default(),
            collections: Arc::default(),
        })
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("State")
    }
}
