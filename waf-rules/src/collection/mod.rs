//! Persistent collections: what rules remember from one transaction to the next (`initcol`,
//! `setvar:ip.x=+1`, `expirevar`).
//!
//! The engine never holds a lock while it evaluates: it takes a copy of an instance when a rule opens
//! it, and hands every write to the store as one atomic [`Write`], so that counters of concurrent
//! transactions add up.

mod memory;
#[cfg(test)]
mod tests;

use std::fmt;

pub use memory::{MemoryBounds, MemoryCollections};

/// A kind of persistent collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Collection {
    Global,
    Ip,
    Resource,
    Session,
    User,
}

/// One instance: the `IP` collection of one address, say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CollectionKey {
    pub collection: Collection,
    /// `SecWebAppId`, which separates sessions and users of applications; empty for the others.
    pub application: Box<str>,
    /// What `initcol` gave after the `=`.
    pub name: Box<[u8]>,
}

/// One write to one variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write<'a> {
    /// In lower case.
    pub name: &'a [u8],
    pub update: Update<'a>,
    /// The first one of its transaction to the instance: these are counted.
    pub first: bool,
}

/// What a write does. The store applies it whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update<'a> {
    Set(&'a [u8]),
    /// Adds to the variable read as a number; an unset one is 0.
    Add(i64),
    Unset,
    /// Unsets the variable after so many seconds; nothing for an unset one.
    Expire(u64),
    /// Lowers the variable by `amount` for every `period_s` seconds that pass, down to 0.
    Decay {
        amount: i64,
        period_s: u64,
    },
    /// The instance is forgotten after so many seconds without a write.
    Timeout(u64),
}

/// An instance at one moment, expired variables left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snapshot {
    /// Seconds since 1970 of the first and the last write; 0 for an instance that is not stored yet.
    pub created_s: u64,
    pub updated_s: u64,
    /// Transactions that wrote to it so far; 0 for an instance that is not stored yet, and for no other.
    pub updates: u64,
    /// Seconds without a write after which it is forgotten; 0 when it is not stored yet.
    pub timeout_s: u64,
    /// Names in lower case.
    pub variables: Vec<(Box<[u8]>, Vec<u8>)>,
}

/// Where persistent collections live. Time, in seconds since 1970, is a parameter of every call.
pub trait Collections: fmt::Debug + Send + Sync {
    /// A copy of an instance. Stores nothing: an instance exists once it is written to.
    fn open(&self, key: &CollectionKey, now_s: u64) -> Snapshot;

    /// Applies one write, and gives the variable's value after it. `timeout_s` is how long an instance
    /// that this write creates is kept without further writes. A store that is full may drop the write.
    fn update(
        &self,
        key: &CollectionKey,
        write: Write<'_>,
        now_s: u64,
        timeout_s: u64,
    ) -> Option<Vec<u8>>;
}

impl Collection {
    pub(crate) const ALL: [Self; 5] =
        [Self::Global, Self::Ip, Self::Resource, Self::Session, Self::User];

    /// The name as variables write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "GLOBAL",
            Self::Ip => "IP",
            Self::Resource => "RESOURCE",
            Self::Session => "SESSION",
            Self::User => "USER",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(name))
    }

    /// `SecWebAppId` separates its instances.
    pub(crate) fn is_per_application(self) -> bool {
        matches!(self, Self::Session | Self::User)
    }
}
