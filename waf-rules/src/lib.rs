//! SecLang rule engine and built-in rule set: rules are text, a request is a [`Transaction`], a
//! [`Verdict`] is data. No I/O but reading rule files at load, no clock, no threads, no unsafe code.
//!
//! ```
//! use waf_rules::{Profile, ProfileOptions, Ruleset, Transaction, Verdict};
//!
//! let rules = r#"SecRule ARGS "@contains <script" "id:1,phase:2,deny,t:lowercase,msg:'script in %{MATCHED_VAR_NAME}'""#;
//! let ruleset = Ruleset::builder().text("example", rules).build()?;
//! let profile = Profile::new(&ruleset, ProfileOptions::default()).map_err(|errors| errors[0].clone())?;
//!
//! let mut tx = Transaction::new(profile);
//! tx.request_line(b"GET", b"/?q=%3CSCRIPT%3E", b"HTTP/1.1");
//! tx.header(b"Host", b"example.com");
//! assert_eq!(tx.head(), Verdict::Pass);
//! assert!(matches!(tx.body(), Verdict::Deny(_)));
//! tx.finish();
//! assert_eq!(tx.matches()[0].message, "script in ARGS:q");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The way of a rule: `seclang` text becomes a syntax tree with spans, `plan` turns it into a
//! program that is shared by all, `engine` runs the program against one request. `variable`,
//! `transform`, `operator`, `action` and `body` are the leaves: one file per thing, its source and
//! its cases beside it. A [`Profile`] binds a rule set to one route's choices without copying it.
#![forbid(unsafe_code)]

mod action;
mod bitset;
mod body;
mod builtin;
mod bytes;
mod catalog;
mod collection;
mod decode;
mod engine;
mod explain;
#[cfg(feature = "ftw")]
pub mod ftw;
mod geo;
mod language;
mod load;
mod operator;
mod plan;
mod profile;
mod ruleset;
mod seclang;
mod template;
mod transform;
mod tx;
mod variable;

pub use action::{AuditParts, EngineMode, Severity};
pub use catalog::{Catalog, Entry, EntryLink};
pub use collection::{
    Collection, CollectionKey, Collections, MemoryBounds, MemoryCollections, Snapshot, Update,
    Write,
};
pub use decode::{DecodeBounds, DecodeError, Decoder};
pub use engine::{
    Action, BodyBound, Exceeded, Interruption, Match, Outcome, Score, Transaction, Verdict,
};
pub use explain::{AtLevel, Explanation, Weight, explain};
pub use language::{Feature, FeatureKind, Support, features};
pub use load::FileStamp;
pub use operator::{AddressList, Listing};
pub use plan::settings::Over;
pub use profile::{Bounds, Exclusion, Profile, ProfileError, ProfileOptions, RuleSelector};
pub use ruleset::{RuleInfo, Ruleset, RulesetBuilder};
pub use seclang::error::{LoadError, LoadErrors};
