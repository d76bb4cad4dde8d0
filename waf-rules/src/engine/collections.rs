//! Persistent collections in a transaction: opened by rules, read from a copy, written through.

use super::buffers::Buffer;
use super::eval::Run;
use super::gather::{Content, Key, Value};
use super::tx_store::TxValue;
use crate::action::SetVarOp;
use crate::collection::{Collection, CollectionKey, Snapshot, Update, Write};
use crate::plan::{Persist, Rule, Target};
use crate::template::Template;
use crate::variable::{Store, Variable};

/// The collections that this transaction opened.
#[derive(Debug, Default)]
pub(super) struct OpenCollections([Option<Box<Open>>; Collection::ALL.len()]);

#[derive(Debug)]
struct Open {
    key: CollectionKey,
    now_s: u64,
    snapshot: Snapshot,
    variables: Vec<(Buffer, TxValue)>,
    /// This transaction has written to it.
    written: bool,
}

/// Variables that one transaction sees of an instance: the store has a bound of its own.
const VARIABLES_MAX: usize = 1_024;

impl OpenCollections {
    fn get(&self, collection: Collection) -> Option<&Open> {
        self.0[collection as usize].as_deref()
    }
}

impl Run<'_> {
    pub(super) fn persist(&mut self, persist: &Persist, rule: &Rule) {
        match persist {
            Persist::Open { collection, key } => self.open_collection(*collection, key, rule),
            Persist::Set { collection, name, op, value } => {
                self.set_in_collection(*collection, name, *op, value, rule)
            }
            Persist::Expire { collection, name, seconds } => {
                let seconds = u64::try_from(self.expand_number(seconds, rule)).unwrap_or(0);
                self.update_named(*collection, name, Update::Expire(seconds), rule);
            }
            Persist::Decay { collection, name, amount, period_s } => {
                let update = Update::Decay { amount: *amount, period_s: *period_s };
                self.update_named(*collection, name, update, rule);
            }
        }
    }

    /// A key that comes out empty opens nothing; a collection that is open stays as it is.
    fn open_collection(&mut self, collection: Collection, key: &Template, rule: &Rule) {
        let name = self.expand(key, Some(rule));
        if name.is_empty() {
            return;
        }
        self.show_owner(collection, &name);
        if self.state.collections.get(collection).is_some() {
            return;
        }
        let settings = &self.program.settings;
        let application =
            if collection.is_per_application() { settings.web_app_id.as_str() } else { "" };
        let key = CollectionKey { collection, application: application.into(), name: name.into() };
        let now_s = self.state.clock.seconds();
        let mut snapshot = self.profile.collections.open(&key, now_s);
        if snapshot.updates == 0 {
            snapshot.timeout_s = settings.collection_timeout_s;
        }
        let found = std::mem::take(&mut snapshot.variables);
        let buffers = &mut self.state.buffers;
        let variables = found
            .into_iter()
            .take(VARIABLES_MAX)
            .map(|(name, value)| (buffers.intern(&name), TxValue::from_bytes(&value, buffers)));
        let variables = variables.collect();
        self.state.collections.0[collection as usize] =
            Some(Box::new(Open { key, now_s, snapshot, variables, written: false }));
    }

    fn show_owner(&mut self, collection: Collection, name: &[u8]) {
        let store = match collection {
            Collection::Session => Store::SessionId,
            Collection::User => Store::UserId,
            _ => return,
        };
        self.state.set_text(store, name);
    }

    fn set_in_collection(
        &mut self,
        collection: Collection,
        name: &Template,
        op: SetVarOp,
        value: &Template,
        rule: &Rule,
    ) {
        if self.state.collections.get(collection).is_none() {
            return;
        }
        let text;
        let update = match op {
            SetVarOp::Unset => Update::Unset,
            SetVarOp::Add => Update::Add(self.expand_number(value, rule)),
            SetVarOp::Subtract => Update::Add(self.expand_number(value, rule).saturating_neg()),
            SetVarOp::Set => {
                text = self.expand(value, Some(rule));
                Update::Set(&text)
            }
        };
        self.update_named(collection, name, update, rule);
    }

    fn update_named(
        &mut self,
        collection: Collection,
        name: &Template,
        update: Update<'_>,
        rule: &Rule,
    ) {
        let mut name = self.expand(name, Some(rule));
        name.make_ascii_lowercase();
        let update = match update {
            Update::Set(value) if name == b"timeout" => {
                Update::Timeout(u64::try_from(crate::bytes::atoi(value)).unwrap_or(0))
            }
            update => update,
        };
        let timeout_s = self.program.settings.collection_timeout_s;
        let Some(open) = &mut self.state.collections.0[collection as usize] else { return };
        if let Update::Timeout(seconds) = update {
            open.snapshot.timeout_s = seconds;
        }
        let first = !std::mem::replace(&mut open.written, true);
        let write = Write { name: &name, update, first };
        let value = self.profile.collections.update(&open.key, write, open.now_s, timeout_s);
        self.keep(collection, &name, value);
    }

    /// What the store says is what this transaction goes on with.
    fn keep(&mut self, collection: Collection, name: &[u8], value: Option<Vec<u8>>) {
        let buffers = &mut self.state.buffers;
        let name = buffers.intern(name);
        let value = value.map(|value| TxValue::from_bytes(&value, buffers));
        let Some(open) = &mut self.state.collections.0[collection as usize] else { return };
        let at = open.variables.iter().position(|(known, _)| *known == name);
        match (at, value) {
            (Some(at), Some(value)) => open.variables[at].1 = value,
            (Some(at), None) => drop(open.variables.swap_remove(at)),
            (None, Some(value)) if open.variables.len() < VARIABLES_MAX => {
                open.variables.push((name, value))
            }
            _ => {}
        }
    }

    pub(super) fn gather_collection(
        &mut self,
        collection: Collection,
        target: &Target,
        values: &mut Vec<Value>,
    ) {
        let Some(open) = self.state.collections.get(collection) else { return };
        let of = |key: Buffer, content| Value {
            variable: target.variable,
            key: Key::Buffer(key),
            content,
            count: false,
        };
        for (name, value) in &open.variables {
            if target.matcher.accepts(self.state.buffers.bytes(*name)) {
                values.push(of(*name, (*value).into()));
            }
        }
        for (name, content) in open.about() {
            if target.matcher.accepts(name.as_bytes()) {
                let buffers = &mut self.state.buffers;
                let content = match content {
                    About::Number(number) => {
                        Content::Int(i64::try_from(number).unwrap_or(i64::MAX))
                    }
                    About::Text(text) => Content::Buffer(buffers.intern(&text)),
                };
                let key = buffers.intern(name.as_bytes());
                values.push(of(key, content));
            }
        }
    }

    /// One value that is made when it is asked for.
    pub(super) fn gather_text(
        &mut self,
        variable: &'static Variable,
        text: &[u8],
        values: &mut Vec<Value>,
    ) {
        let content = Content::Buffer(self.state.buffers.intern(text));
        values.push(Value { variable, key: Key::None, content, count: false });
    }
}

/// What an instance says about itself.
enum About {
    Number(u64),
    Text(Vec<u8>),
}

impl Open {
    fn about(&self) -> [(&'static str, About); 7] {
        let snapshot = &self.snapshot;
        let is_new = snapshot.updates == 0;
        let created_s = if is_new { self.now_s } else { snapshot.created_s };
        let updated_s = if is_new { self.now_s } else { snapshot.updated_s };
        let minutes = (self.now_s.saturating_sub(created_s) / 60).max(1);
        [
            ("create_time", About::Number(created_s)),
            ("is_new", About::Number(u64::from(is_new))),
            ("key", About::Text(self.key.name.to_vec())),
            ("last_update_time", About::Number(updated_s)),
            ("timeout", About::Number(snapshot.timeout_s)),
            ("update_counter", About::Number(snapshot.updates)),
            ("update_rate", About::Number(snapshot.updates / minutes)),
        ]
    }
}
