//! Who is banned, and until when. Outlives configurations: a reload never pardons anyone.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use parking_lot::RwLock;

use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::net::{canonical_block, canonical_ip};

#[cfg(test)]
mod tests;

/// Most bans at once; above it the one that ends soonest gives way. Prevents that an attacker with many
/// addresses fills the memory.
pub const BANS: usize = 65_536;
/// Longest ban. Prevents that a slip of the hand bans for ever.
pub const BAN_TIME: Duration = Duration::from_secs(30 * 86_400);
/// Widest block that a ban may take, as prefix lengths. Prevents that one ban shuts the door to everyone.
const WIDEST_V4: u8 = 8;
const WIDEST_V6: u8 = 16;

/// One ban, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    pub block: IpNet,
    pub left: Duration,
    /// Seconds since the Unix epoch.
    pub until_unix_s: u64,
    pub why: String,
}

/// All bans. A check costs one atomic load when there is none, else one hash look-up per prefix length in use.
#[derive(Debug, Default)]
pub struct Standing {
    count: AtomicUsize,
    book: RwLock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    bans: HashMap<IpNet, Entry>,
    /// The same bans, soonest end first.
    ends: BTreeSet<(Instant, IpNet)>,
    /// How many bans have each prefix length, IPv4 and IPv6: look-ups try only lengths in use.
    v4: HashMap<u8, usize>,
    v6: HashMap<u8, usize>,
}

#[derive(Debug)]
struct Entry {
    until: Instant,
    until_unix_s: u64,
    why: String,
}

impl Standing {
    pub fn new() -> Standing {
        Standing::default()
    }

    /// Bans a block for `ttl`. Of two bans of one block the later end counts. Errors: a block wider than /8 (IPv4)
    /// or /16 (IPv6), a time of zero or beyond [`BAN_TIME`].
    pub fn ban(&self, block: IpNet, ttl: Duration, why: &str, now: Now) -> Result<(), String> {
        let block = canonical_block(block);
        check(block, ttl)?;
        let entry = Entry {
            until: now.instant + ttl,
            until_unix_s: now.unix_s() + ttl.as_secs(),
            why: clip(why).to_owned(),
        };
        let mut book = self.book.write();
        book.expire(now.instant);
        book.insert(block, entry);
        self.count.store(book.bans.len(), Ordering::Release);
        Ok(())
    }

    /// Ends a ban early. `false`: there was none of exactly this block.
    pub fn lift(&self, block: IpNet) -> bool {
        let mut book = self.book.write();
        let lifted = book.remove(canonical_block(block));
        self.count.store(book.bans.len(), Ordering::Release);
        lifted
    }

    /// The time until the last ban of this address ends; `None` when it is not banned.
    pub fn banned(&self, ip: IpAddr, now: Now) -> Option<Duration> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.book.read().banned(canonical_ip(ip), now.instant)
    }

    /// Bans in force, soonest end first.
    pub fn list(&self, now: Now) -> Vec<Ban> {
        let book = self.book.read();
        let in_force = book.ends.iter().filter(|(until, _)| *until > now.instant);
        in_force.filter_map(|(_, block)| book.show(*block, now.instant)).collect()
    }
}

impl Book {
    fn insert(&mut self, block: IpNet, entry: Entry) {
        if self.bans.get(&block).is_some_and(|known| known.until >= entry.until) {
            return;
        }
        self.remove(block);
        if self.bans.len() >= BANS
            && let Some((_, soonest)) = self.ends.first().copied()
        {
            self.remove(soonest);
        }
        self.ends.insert((entry.until, block));
        *self.lengths(block).entry(block.prefix_len()).or_default() += 1;
        self.bans.insert(block, entry);
    }

    fn remove(&mut self, block: IpNet) -> bool {
        let Some(entry) = self.bans.remove(&block) else { return false };
        self.ends.remove(&(entry.until, block));
        let lengths = self.lengths(block);
        let left = lengths.get(&block.prefix_len()).map_or(0, |count| count - 1);
        if left == 0 {
            lengths.remove(&block.prefix_len());
        } else {
            lengths.insert(block.prefix_len(), left);
        }
        true
    }

    fn expire(&mut self, now: Instant) {
        while let Some((until, block)) = self.ends.first().copied()
            && until <= now
        {
            self.remove(block);
        }
    }

    fn banned(&self, ip: IpAddr, now: Instant) -> Option<Duration> {
        let lengths = if ip.is_ipv4() { &self.v4 } else { &self.v6 };
        let blocks = lengths.keys().filter_map(|length| IpNet::new(ip, *length).ok());
        let ends = blocks.filter_map(|block| self.bans.get(&block.trunc())).map(|ban| ban.until);
        ends.max()
            .and_then(|until| until.checked_duration_since(now))
            .filter(|left| !left.is_zero())
    }

    fn lengths(&mut self, block: IpNet) -> &mut HashMap<u8, usize> {
        match block {
            IpNet::V4(_) => &mut self.v4,
            IpNet::V6(_) => &mut self.v6,
        }
    }

    fn show(&self, block: IpNet, now: Instant) -> Option<Ban> {
        let entry = self.bans.get(&block)?;
        Some(Ban {
            block,
            left: entry.until.saturating_duration_since(now),
            until_unix_s: entry.until_unix_s,
            why: entry.why.clone(),
        })
    }
}

fn check(block: IpNet, ttl: Duration) -> Result<(), String> {
    let widest = if block.addr().is_ipv4() { WIDEST_V4 } else { WIDEST_V6 };
    if block.prefix_len() < widest {
        return Err(format!("block {block} is wider than /{widest}"));
    }
    if ttl.is_zero() || ttl > BAN_TIME {
        return Err(format!("ban of {} s, allowed up to {} s", ttl.as_secs(), BAN_TIME.as_secs()));
    }
    Ok(())
}

fn clip(text: &str) -> &str {
    let mut end = text.len().min(bounds::EVIDENCE_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
