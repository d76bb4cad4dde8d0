//! All that one transaction remembers.

use std::net::{IpAddr, Ipv4Addr};

use super::budget::{Budget, Exceeded};
use super::buffers::{Buffer, Buffers};
use super::candidates::Candidates;
use super::clock::Clock;
use super::collections::OpenCollections;
use super::gather::Value;
use super::outcome::{Interruption, Match};
use super::rows::Rows;
use super::sanitise::Masked;
use super::special::NO_SEVERITY;
use super::stores::Stores;
use super::tx_store::{TxStore, TxValue};
use super::upload::Upload;
use crate::action::{AuditEngine, AuditParts, BodyProcessor};
use crate::bitset::BitSet;
use crate::body::urlencoded::Pair;
use crate::bytes::push_display;
use crate::operator::Captures;
use crate::profile::Inner;
use crate::variable::Store;
use crate::{EngineMode, action::AllowScope};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) buffers: Buffers,
    pub(super) stores: Stores,
    pub(super) tx: TxStore,
    pub(super) budget: Budget,
    pub(super) rows: Rows,
    pub(super) candidates: Candidates,
    pub(super) control: Control,
    pub(super) matched: Matched,
    /// Operator and value of the last match whose groups nobody asked for yet.
    pub(super) uncaptured: Option<(u32, Buffer)>,
    pub(super) record: Record,
    pub(super) clock: Clock,
    pub(super) collections: OpenCollections,
    pub(super) masked: Vec<Masked>,
    /// The address whose place `GEO` shows.
    pub(super) located: Option<IpAddr>,
    /// Lists that the client is on, by zone, each with its answer.
    pub(super) listed: Vec<(Box<str>, Ipv4Addr)>,
    pub(super) upload: Option<Box<Upload>>,
    pub(super) request_body: Vec<u8>,
    pub(super) response_body: Vec<u8>,
    pub(super) scratch: Scratch,
}

/// What `ctl` and disruptive actions changed.
#[derive(Debug, Default)]
pub(super) struct Control {
    pub(super) engine: EngineMode,
    pub(super) audit: AuditEngine,
    pub(super) audit_parts: AuditParts,
    pub(super) removed: BitSet,
    /// Targets that `ctl:ruleRemoveTarget...` took away: (rule, link, effect) that did it.
    pub(super) target_removals: Vec<(u32, u32, u32)>,
    pub(super) processor: Option<BodyProcessor>,
    pub(super) force_body_variable: bool,
    pub(super) request_body: bool,
    pub(super) response_body: bool,
    pub(super) force_response_body: bool,
    /// What `ctl:requestBodyLimit` and `ctl:responseBodyLimit` set, in bytes.
    pub(super) request_body_bytes: Option<usize>,
    pub(super) response_body_bytes: Option<usize>,
    pub(super) allowed: Option<AllowScope>,
    pub(super) exceeded: Option<Exceeded>,
    pub(super) interruption: Option<Interruption>,
}

/// What matched last, for `MATCHED_VAR` and its kin.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) last: Option<Value>,
    /// Matches of the link before, which `MATCHED_VARS` shows.
    pub(super) previous: Vec<Value>,
    /// Matches of the link that runs.
    pub(super) current: Vec<Value>,
}

/// What the caller will be told.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) matches: Vec<Match>,
    /// Matches beyond the bound.
    pub(super) dropped: usize,
    /// The least number of a severity that matched: 0 is an emergency.
    pub(super) highest_severity: u8,
    /// Ids of every rule that matched wholly, logged or not.
    pub(super) rules: Vec<u32>,
    /// What would have been done in `DetectionOnly`.
    pub(super) detected: Option<Interruption>,
}

/// Memory that a link borrows and gives back.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) values: Vec<Value>,
    /// Values that a macro stands for.
    pub(super) macro_values: Vec<Value>,
    pub(super) captures: Captures,
    /// The expanded argument of an operator.
    pub(super) argument: Vec<u8>,
    /// An argument on its way to its buffers.
    pub(super) pair: Pair,
    /// The name of a value.
    pub(super) label: Vec<u8>,
    /// A field of a place on its way to a buffer.
    pub(super) geo: Vec<u8>,
    /// A text on its way to a buffer.
    pub(super) text: Vec<u8>,
    /// A value in lower case, while the prefilter looks at it.
    pub(super) folded: Vec<u8>,
}

impl State {
    /// A new transaction in the memory of an old one: every part is made anew or emptied by its owner,
    /// and the compiler sees to it that none is forgotten.
    pub(super) fn begin(memory: Self, profile: &Inner) -> Self {
        let program = profile.ruleset.program();
        let Self {
            buffers,
            stores,
            tx,
            budget: _,
            rows,
            candidates,
            control,
            matched,
            uncaptured: _,
            record,
            clock: _,
            collections: _,
            mut masked,
            located: _,
            mut listed,
            upload: _,
            mut request_body,
            mut response_body,
            scratch,
        } = memory;
        request_body.clear();
        response_body.clear();
        masked.clear();
        listed.clear();
        let mut state = Self {
            buffers: Buffers::begin(buffers, program.transforms.len()),
            stores: Stores::begin(stores),
            tx: TxStore::begin(tx, program.tx.len()),
            budget: Budget::new(profile.bounds.work),
            rows: Rows::begin(rows, program.gates.words()),
            candidates: Candidates::begin(candidates),
            control: Control::begin(control, profile),
            matched: Matched::begin(matched),
            uncaptured: None,
            record: Record::begin(record),
            clock: Clock::default(),
            collections: OpenCollections::default(),
            masked,
            located: None,
            listed,
            upload: None,
            request_body,
            response_body,
            scratch,
        };
        for (slot, value) in &profile.pinned {
            state.tx.set(*slot, Some(TxValue::Int(*value)));
        }
        state.set_text(Store::WebAppId, program.settings.web_app_id.as_bytes());
        state.clear_flags();
        state
    }

    /// Bytes of memory held, nearly.
    pub(super) fn footprint(&self) -> usize {
        let matched = [&self.matched.previous, &self.matched.current, &self.scratch.values];
        let values: usize = matched.iter().map(|values| values.capacity()).sum();
        self.buffers.footprint()
            + self.stores.footprint()
            + self.rows.footprint()
            + self.candidates.footprint()
            + self.request_body.capacity()
            + self.response_body.capacity()
            + values * size_of::<Value>()
            + self.scratch.text.capacity()
            + self.scratch.folded.capacity()
            + self.record.matches.capacity() * size_of::<Match>()
    }

    pub(super) fn set_text(&mut self, store: Store, value: &[u8]) {
        let value = self.buffers.intern(value);
        self.stores.set(store, value);
    }

    pub(super) fn set_number(&mut self, store: Store, value: usize) {
        self.set_written(store, |text| push_display(value, text));
    }

    /// Sets a scalar to a text that is put together first.
    pub(super) fn set_written(&mut self, store: Store, write: impl FnOnce(&mut Vec<u8>)) {
        let mut text = std::mem::take(&mut self.scratch.text);
        text.clear();
        write(&mut text);
        self.set_text(store, &text);
        self.scratch.text = text;
    }

    /// The decimal form of a number.
    pub(super) fn intern_number(&mut self, number: i64) -> Buffer {
        let text = &mut self.scratch.text;
        text.clear();
        push_display(number, text);
        self.buffers.intern(text)
    }

    pub(super) fn add(&mut self, store: Store, key: &[u8], value: &[u8]) {
        let key = self.buffers.intern(key);
        let value = self.buffers.intern(value);
        self.stores.add(store, key, value);
    }

    pub(super) fn text(&self, store: Store) -> &[u8] {
        self.buffers.bytes(self.stores.scalar(store).unwrap_or(Buffer::EMPTY))
    }

    /// Error and strictness flags are 0 until something is wrong.
    fn clear_flags(&mut self) {
        let clear = self.buffers.intern(b"0");
        FLAGS.iter().for_each(|store| self.stores.set(*store, clear));
    }

    /// Keeps the first bound that was passed.
    pub(super) fn exceed(&mut self, bound: Exceeded) {
        self.control.exceeded.get_or_insert(bound);
    }
}

impl Control {
    fn begin(memory: Self, profile: &Inner) -> Self {
        let Self { mut removed, mut target_removals, .. } = memory;
        removed.clear();
        target_removals.clear();
        let settings = &profile.ruleset.program().settings;
        Self {
            engine: profile.engine,
            audit: settings.audit,
            audit_parts: settings.audit_parts,
            removed,
            target_removals,
            processor: None,
            force_body_variable: false,
            request_body: settings.request_body.unwrap_or(true),
            response_body: match &profile.options.response_types {
                Some(types) => !types.is_empty(),
                None => settings.response_body.unwrap_or(false),
            },
            force_response_body: false,
            request_body_bytes: None,
            response_body_bytes: None,
            allowed: None,
            exceeded: None,
            interruption: None,
        }
    }
}

impl Matched {
    fn begin(memory: Self) -> Self {
        let Self { last: _, mut previous, mut current } = memory;
        previous.clear();
        current.clear();
        Self { last: None, previous, current }
    }
}

impl Record {
    fn begin(memory: Self) -> Self {
        let Self { mut matches, dropped: _, highest_severity: _, mut rules, detected: _ } = memory;
        matches.clear();
        rules.clear();
        Self { matches, dropped: 0, highest_severity: NO_SEVERITY, rules, detected: None }
    }
}

const FLAGS: &[Store] = &[
    Store::InboundDataError,
    Store::MultipartBoundaryQuoted,
    Store::MultipartBoundaryWhitespace,
    Store::MultipartCrlfLfLines,
    Store::MultipartDataAfter,
    Store::MultipartDataBefore,
    Store::MultipartFileLimitExceeded,
    Store::MultipartHeaderFolding,
    Store::MultipartInvalidHeaderFolding,
    Store::MultipartInvalidPart,
    Store::MultipartInvalidQuoting,
    Store::MultipartLfLine,
    Store::MultipartMissingSemicolon,
    Store::MultipartStrictError,
    Store::MultipartUnmatchedBoundary,
    Store::OutboundDataError,
    Store::ReqbodyError,
    Store::ReqbodyProcessorError,
    Store::UrlencodedError,
    Store::ArgsCombinedSize,
    Store::FilesCombinedSize,
];
