//! The values of a link: its targets resolved, exclusions taken out, in target order.

use super::buffers::Buffer;
use super::eval::{Run, Site};
use super::expand::push_field;
use super::state::State;
use super::tx_store::TxValue;
use crate::plan::{Exclusion, Link, Matcher, Target};
use crate::template::RuleField;
use crate::tx::TxSlot;
use crate::variable::{Kind, Store, Variable};

/// One value to ask the operator about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    pub(super) variable: &'static Variable,
    pub(super) key: Key,
    pub(super) content: Content,
    /// The value is the number of entries.
    pub(super) count: bool,
}

/// The name of an entry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key {
    None,
    Buffer(Buffer),
    Slot(TxSlot),
}

/// What is gathered of the entries of a store.
#[derive(Debug, Clone, Copy)]
struct Pick {
    /// Their names, not their values.
    names: bool,
    /// Those alone that woke the rule.
    woken: bool,
}

impl Pick {
    const VALUES: Self = Self { names: false, woken: false };
    const NAMES: Self = Self { names: true, woken: false };
    const WOKEN_VALUES: Self = Self { names: false, woken: true };
    const WOKEN_NAMES: Self = Self { names: true, woken: true };
}

/// Numbers are kept as numbers until something asks for their text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    Buffer(Buffer),
    Int(i64),
}

impl Run<'_> {
    /// Appends the values of every target of a link, of a rule that was woken only those that woke it. Says how
    /// many were passed over.
    pub(super) fn gather(&mut self, site: &Site<'_>, values: &mut Vec<Value>) -> usize {
        let (rule, link, mut passed) = (site.index, site.link, 0);
        if let Some(place) = site.woken {
            self.state.candidates.origins.choose(place);
        }
        for target in &link.targets {
            let start = values.len();
            passed += match target.variable.kind {
                Kind::Values(stores) if site.woken.is_some() => {
                    self.gather_stores(target, stores, Pick::WOKEN_VALUES, values)
                }
                Kind::Names(stores) if site.woken.is_some() => {
                    self.gather_stores(target, stores, Pick::WOKEN_NAMES, values)
                }
                _ => {
                    self.gather_target(rule, target, values);
                    0
                }
            };
            self.exclude(rule, link, start, values);
            if target.count {
                let count = i64::try_from(values.len() - start).unwrap_or(i64::MAX);
                values.truncate(start);
                values.push(self.counted(target, count));
            }
        }
        if let Some(place) = site.woken {
            self.state.candidates.origins.release(place);
        }
        passed
    }

    pub(super) fn gather_target(&mut self, rule: u32, target: &Target, values: &mut Vec<Value>) {
        match target.variable.kind {
            Kind::Values(stores) => {
                self.gather_stores(target, stores, Pick::VALUES, values);
            }
            Kind::Names(stores) => {
                self.gather_stores(target, stores, Pick::NAMES, values);
            }
            Kind::Tx => self.gather_tx(target, values),
            Kind::MatchedVar => {
                values.extend(self.state.matched.last.map(|last| Value { count: false, ..last }))
            }
            Kind::MatchedVarName => self.gather_matched_name(target.variable, values),
            Kind::MatchedVars => self.gather_matched(target, values),
            Kind::MatchedVarsNames => self.gather_matched_names(target, values),
            Kind::Rule => self.gather_rule(rule, target, values),
            Kind::Collection(collection) => self.gather_collection(collection, target, values),
            Kind::Geo => self.gather_geo(target, values),
            Kind::Clock(field) => self.gather_clock(field, target.variable, values),
            Kind::Environment => self.gather_environment(target, values),
            Kind::HighestSeverity => {
                let content = Content::Int(i64::from(self.state.record.highest_severity));
                let variable = target.variable;
                values.push(Value { variable, key: Key::None, content, count: false });
            }
            Kind::FullRequest => self.gather_full_request(target.variable, false, values),
            Kind::FullRequestLength => self.gather_full_request(target.variable, true, values),
            Kind::Constant(text) => self.gather_text(target.variable, text.as_bytes(), values),
            Kind::Refused(_) => {}
        }
    }

    fn gather_stores(
        &self,
        target: &Target,
        stores: &[Store],
        pick: Pick,
        values: &mut Vec<Value>,
    ) -> usize {
        let mut passed = 0;
        for store in stores {
            for entry in self.state.stores.get(*store) {
                let content = if pick.names { entry.key } else { entry.value };
                if pick.woken && !self.state.candidates.origins.is_chosen(content) {
                    passed += 1;
                } else if self.accepts(&target.matcher, entry.key) {
                    let content = Content::Buffer(content);
                    values.push(Value {
                        variable: target.variable,
                        key: if target.variable.collection {
                            Key::Buffer(entry.key)
                        } else {
                            Key::None
                        },
                        content,
                        count: false,
                    });
                }
            }
        }
        passed
    }

    pub(super) fn accepts(&self, matcher: &Matcher, key: Buffer) -> bool {
        matches!(matcher, Matcher::All) || matcher.accepts(self.state.buffers.bytes(key))
    }

    pub(super) fn gather_tx(&mut self, target: &Target, values: &mut Vec<Value>) {
        if target.takes_captures() {
            self.capture();
        }
        if let Matcher::Slot(slot) = target.matcher {
            values.extend(self.tx_value(target.variable, slot));
            return;
        }
        values.extend(target.slots.iter().filter_map(|slot| self.tx_value(target.variable, *slot)));
        for (name, value) in self.state.tx.dynamic() {
            if self.accepts(&target.matcher, *name) {
                values.push(Value {
                    variable: target.variable,
                    key: Key::Buffer(*name),
                    content: (*value).into(),
                    count: false,
                });
            }
        }
    }

    pub(super) fn tx_value(&self, variable: &'static Variable, slot: TxSlot) -> Option<Value> {
        let content = self.state.tx.get(slot)?.into();
        Some(Value { variable, key: Key::Slot(slot), content, count: false })
    }

    fn gather_matched(&self, target: &Target, values: &mut Vec<Value>) {
        let is_wanted = |value: &&Value| match &target.matcher {
            Matcher::All => true,
            matcher => matcher.accepts(self.label(value).as_bytes()),
        };
        values.extend(self.state.matched.previous.iter().filter(is_wanted));
    }

    fn gather_matched_names(&mut self, target: &Target, values: &mut Vec<Value>) {
        for at in 0..self.state.matched.previous.len() {
            let value = self.state.matched.previous[at];
            let label = self.intern_label(&value);
            if self.accepts(&target.matcher, label) {
                values.push(Value { content: Content::Buffer(label), ..value });
            }
        }
    }

    fn gather_matched_name(&mut self, variable: &'static Variable, values: &mut Vec<Value>) {
        if let Some(last) = self.state.matched.last {
            let content = Content::Buffer(self.intern_label(&last));
            values.push(Value { variable, key: Key::None, content, count: false });
        }
    }

    fn gather_rule(&mut self, rule: u32, target: &Target, values: &mut Vec<Value>) {
        let rule = &self.program.rules[rule as usize];
        let State { buffers, scratch, .. } = &mut *self.state;
        for (name, field) in RuleField::NAMES {
            scratch.text.clear();
            push_field(rule, field, &mut scratch.text);
            if !scratch.text.is_empty() && target.matcher.accepts(name.as_bytes()) {
                let key = Key::Buffer(buffers.intern(name.as_bytes()));
                let content = Content::Buffer(buffers.intern(&scratch.text));
                values.push(Value { variable: target.variable, key, content, count: false });
            }
        }
    }

    fn counted(&mut self, target: &Target, count: i64) -> Value {
        let key = match &target.matcher {
            Matcher::Name(name) => Key::Buffer(self.state.buffers.intern(name)),
            Matcher::Slot(slot) => Key::Slot(*slot),
            Matcher::All | Matcher::Pattern(_) => Key::None,
        };
        Value { variable: target.variable, key, content: Content::Int(count), count: true }
    }

    /// Takes out what the link, the profile and `ctl` actions exclude, from `start` on.
    fn exclude(&self, rule: u32, link: &Link, start: usize, values: &mut Vec<Value>) {
        if start == values.len() || link.exclusions.is_empty() && !self.excludes_targets(rule) {
            return;
        }
        let mut keep = start;
        for at in start..values.len() {
            let value = values[at];
            let key = self.key_bytes(&value.key);
            if !self.exclusions(rule, link).any(|exclusion| exclusion.covers(value.variable, key)) {
                values[keep] = value;
                keep += 1;
            }
        }
        values.truncate(keep);
    }

    fn exclusions<'s>(&'s self, rule: u32, link: &'s Link) -> impl Iterator<Item = &'s Exclusion> {
        let profile = self.profile.exclusions.iter().filter(move |(rules, _)| rules.contains(rule));
        link.exclusions
            .iter()
            .chain(profile.flat_map(|(_, targets)| targets))
            .chain(self.removed_targets(rule))
    }

    /// The profile or a `ctl` action takes a target out of the rule.
    pub(super) fn excludes_targets(&self, rule: u32) -> bool {
        self.profile.exclusions.iter().any(|(rules, _)| rules.contains(rule))
            || self.removed_targets(rule).next().is_some()
    }

    pub(super) fn key_bytes(&self, key: &Key) -> &[u8] {
        match key {
            Key::None => b"",
            Key::Buffer(buffer) => self.state.buffers.bytes(*buffer),
            Key::Slot(slot) => self.program.tx.name(*slot).as_bytes(),
        }
    }

    /// `ARGS:q`, `&TX:x`, `REQUEST_FILENAME`.
    pub(super) fn label(&self, value: &Value) -> String {
        let mut label = Vec::new();
        self.push_label(value, &mut label);
        String::from_utf8_lossy(&label).into_owned()
    }

    fn intern_label(&mut self, value: &Value) -> Buffer {
        let mut label = std::mem::take(&mut self.state.scratch.label);
        label.clear();
        self.push_label(value, &mut label);
        let buffer = self.state.buffers.intern(&label);
        self.state.scratch.label = label;
        buffer
    }

    fn push_label(&self, value: &Value, label: &mut Vec<u8>) {
        if value.count {
            label.push(b'&');
        }
        label.extend_from_slice(value.variable.name.as_bytes());
        if !matches!(value.key, Key::None) {
            label.push(b':');
            label.extend_from_slice(self.key_bytes(&value.key));
        }
    }
}

impl From<TxValue> for Content {
    fn from(value: TxValue) -> Self {
        match value {
            TxValue::Int(number) => Self::Int(number),
            TxValue::Bytes(buffer) => Self::Buffer(buffer),
        }
    }
}
