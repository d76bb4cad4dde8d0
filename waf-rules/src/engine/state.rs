//! All that one transaction remembers.

use super::budget::{Budget, Exceeded};
use super::buffers::{Buffer, Buffers};
use super::candidates::Candidates;
use super::gather::Value;
use super::outcome::{Interruption, Match};
use super::stores::Stores;
use super::tx_store::{TxStore, TxValue};
use crate::action::{AuditEngine, BodyProcessor};
use crate::bitset::BitSet;
use crate::operator::Captures;
use crate::profile::Inner;
use crate::variable::Store;
use crate::{EngineMode, action::AllowScope};

#[derive(Debug)]
pub(super) struct State {
    pub(super) buffers: Buffers,
    pub(super) stores: Stores,
    pub(super) tx: TxStore,
    pub(super) budget: Budget,
    pub(super) candidates: Candidates,
    pub(super) control: Control,
    pub(super) matched: Matched,
    pub(super) record: Record,
    pub(super) request_body: Vec<u8>,
    pub(super) response_body: Vec<u8>,
    pub(super) scratch: Scratch,
}

/// What `ctl` and disruptive actions changed.
#[derive(Debug)]
pub(super) struct Control {
    pub(super) engine: EngineMode,
    pub(super) audit: AuditEngine,
    pub(super) removed: BitSet,
    /// Targets that `ctl:ruleRemoveTarget...` took away: (rule, link, effect) that did it.
    pub(super) target_removals: Vec<(u32, u32, u32)>,
    pub(super) processor: Option<BodyProcessor>,
    pub(super) force_body_variable: bool,
    pub(super) request_body: bool,
    pub(super) response_body: bool,
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
    /// Ids of every rule that matched wholly, logged or not.
    pub(super) rules: Vec<u32>,
    /// What would have been done in `DetectionOnly`.
    pub(super) detected: Option<Interruption>,
}

/// Memory that a link borrows and gives back.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) values: Vec<Value>,
    pub(super) captures: Captures,
    pub(super) argument: Vec<u8>,
}

impl State {
    pub(super) fn new(profile: &Inner) -> Self {
        let program = profile.ruleset.program();
        let mut tx = TxStore::new(program.tx.len());
        for (slot, value) in &profile.pinned {
            tx.set(*slot, Some(TxValue::Int(*value)));
        }
        let mut state = Self {
            buffers: Buffers::new(program.transforms.len()),
            stores: Stores::new(),
            tx,
            budget: Budget::new(profile.bounds.work),
            candidates: Candidates::new(program),
            control: Control::new(profile),
            matched: Matched::default(),
            record: Record::default(),
            request_body: Vec::new(),
            response_body: Vec::new(),
            scratch: Scratch::default(),
        };
        state.set_text(Store::WebAppId, program.settings.web_app_id.as_bytes());
        state.clear_flags();
        state
    }

    pub(super) fn set_text(&mut self, store: Store, value: &[u8]) {
        let value = self.buffers.intern(value);
        self.stores.set(store, value);
    }

    pub(super) fn set_number(&mut self, store: Store, value: usize) {
        self.set_text(store, value.to_string().as_bytes());
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
        for store in FLAGS {
            self.set_text(*store, b"0");
        }
    }

    /// Keeps the first bound that was passed.
    pub(super) fn exceed(&mut self, bound: Exceeded) {
        self.control.exceeded.get_or_insert(bound);
    }
}

impl Control {
    fn new(profile: &Inner) -> Self {
        let settings = &profile.ruleset.program().settings;
        Self {
            engine: profile.engine,
            audit: settings.audit,
            removed: BitSet::default(),
            target_removals: Vec::new(),
            processor: None,
            force_body_variable: false,
            request_body: settings.request_body.unwrap_or(true),
            response_body: match &profile.options.response_types {
                Some(types) => !types.is_empty(),
                None => settings.response_body.unwrap_or(false),
            },
            allowed: None,
            exceeded: None,
            interruption: None,
        }
    }
}

const FLAGS: &[Store] = &[
    Store::InboundDataError,
    Store::MultipartBoundaryQuoted,
    Store::MultipartBoundaryWhitespace,
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
