//! Lists of addresses in the DNS (DNSBL, RFC 5782): asked about clients while their requests wait, for a bounded time.
//! Answers are kept, whatever configuration serves.
//!
//! | file | what |
//! |---|---|
//! | [`asker`] | name servers, questions under way, answers known |
//! | [`question`] | one question, from its start to its answer |
//! | [`list`] | what outlives a configuration of one list: its counts, whether it answers at all |
//! | [`servers`] | which name servers there are |

pub mod asker;
pub mod list;
mod question;
pub mod servers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use waf_rules::AddressList;

use asker::Asker;
use list::{Counts, List, Record};

/// All of it. One per process.
#[derive(Debug, Default)]
pub struct Dnsbl {
    records: Mutex<BTreeMap<Box<str>, Arc<Record>>>,
    askers: Mutex<Vec<Weak<Asker>>>,
}

impl Dnsbl {
    /// What asks these name servers. Configurations that name the same ones share it, and what it knows.
    ///
    /// # Errors
    /// The library's, which cannot work with them.
    pub fn asker(&self, servers: &[SocketAddr]) -> Result<Arc<Asker>, String> {
        let mut askers = self.askers.lock();
        askers.retain(|asker| asker.strong_count() > 0);
        let same = askers.iter().filter_map(Weak::upgrade).find(|asker| asker.asks(servers));
        if let Some(asker) = same {
            return Ok(asker);
        }
        let asker = Arc::new(Asker::new(servers)?);
        askers.push(Arc::downgrade(&asker));
        Ok(asker)
    }

    /// A list that rules name, with what is remembered under its zone.
    pub fn list(&self, list: AddressList) -> List {
        let mut records = self.records.lock();
        let record = records.entry(list.zone().into()).or_default().clone();
        List::new(list, record)
    }

    /// Counts by zone, of every list that was ever configured.
    pub fn counts(&self) -> Vec<(Box<str>, Counts)> {
        let records = self.records.lock();
        records.iter().map(|(zone, record)| (zone.clone(), record.counts())).collect()
    }
}
