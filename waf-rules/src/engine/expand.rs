//! Templates to bytes, with the transaction's present values.

use super::eval::Run;
use super::gather::{Content, Value};
use super::tx_store::TxValue;
use crate::bytes::{atoi, push_display};
use crate::plan::{Matcher, Rule, Target};
use crate::seclang::ast::Selector;
use crate::template::{Part, RuleField, Template};
use crate::tx::{CAPTURES, TxSlot};
use crate::variable::{Kind, Store, Variable};

/// Longest expansion, in bytes: a rule that appends to itself per value cannot grow without end.
const EXPANSION_BYTES_MAX: usize = 64 * 1024;

impl Run<'_> {
    pub(super) fn expand(&mut self, template: &Template, rule: Option<&Rule>) -> Vec<u8> {
        self.expand_up_to(template, rule, EXPANSION_BYTES_MAX)
    }

    /// No more than so many bytes, and no more of any value is copied.
    pub(super) fn expand_up_to(
        &mut self,
        template: &Template,
        rule: Option<&Rule>,
        most: usize,
    ) -> Vec<u8> {
        let mut out = Bounded { bytes: Vec::new(), most };
        self.expand_parts(template, rule, &mut out);
        out.bytes
    }

    pub(super) fn expand_into(
        &mut self,
        template: &Template,
        rule: Option<&Rule>,
        bytes: &mut Vec<u8>,
    ) {
        let mut out = Bounded { bytes: std::mem::take(bytes), most: EXPANSION_BYTES_MAX };
        self.expand_parts(template, rule, &mut out);
        *bytes = out.bytes;
    }

    fn expand_parts(&mut self, template: &Template, rule: Option<&Rule>, out: &mut Bounded) {
        for part in template.parts() {
            match part {
                Part::Text(text) => out.push(text),
                Part::Tx(slot) => match self.variable(*slot) {
                    Some(TxValue::Int(number)) => push_display(number, &mut out.bytes),
                    Some(TxValue::Bytes(buffer)) => out.push(self.state.buffers.bytes(buffer)),
                    None => {}
                },
                Part::Variable(variable, selector) => {
                    self.expand_variable(variable, selector.as_ref(), out)
                }
                Part::Rule(field) => {
                    rule.map_or((), |rule| push_field(rule, *field, &mut out.bytes))
                }
            }
            out.bytes.truncate(out.most);
        }
    }

    /// The number a template stands for, without a text in between where it is one variable.
    pub(super) fn expand_number(&mut self, template: &Template, rule: &Rule) -> i64 {
        match template.parts() {
            [Part::Text(text)] => atoi(text),
            [Part::Tx(slot)] => {
                self.variable(*slot).map_or(0, |value| value.number(&self.state.buffers))
            }
            _ => {
                let mut text = std::mem::take(&mut self.state.scratch.label);
                text.clear();
                self.expand_into(template, Some(rule), &mut text);
                let number = atoi(&text);
                self.state.scratch.label = text;
                number
            }
        }
    }

    fn variable(&mut self, slot: TxSlot) -> Option<TxValue> {
        if slot.0 < CAPTURES {
            self.capture();
        }
        self.state.tx.get(slot)
    }

    /// The first value of a collection under a name.
    fn expand_variable(
        &mut self,
        variable: &'static Variable,
        selector: Option<&Selector>,
        out: &mut Bounded,
    ) {
        if let (Kind::Values(stores), Some(Selector::Name(name))) = (variable.kind, selector) {
            out.push(self.first_named(stores, name.as_bytes()));
            return;
        }
        let matcher = match selector {
            Some(Selector::Name(name) | Selector::Pattern(name)) => {
                Matcher::Name(name.as_bytes().into())
            }
            None => Matcher::All,
        };
        let target = Target { variable, matcher, count: false, slots: Box::default() };
        // The link that expands has the first list in use.
        let mut values = std::mem::take(&mut self.state.scratch.macro_values);
        values.clear();
        self.gather_target(0, &target, &mut values);
        let first: Option<Value> = values.first().copied();
        self.state.scratch.macro_values = values;
        let Some(first) = first else { return };
        match first.content {
            Content::Int(number) => push_display(number, &mut out.bytes),
            Content::Buffer(buffer) => out.push(self.state.buffers.bytes(buffer)),
        }
    }

    fn first_named(&self, stores: &[Store], name: &[u8]) -> &[u8] {
        let buffers = &self.state.buffers;
        let mut entries = stores.iter().flat_map(|store| self.state.stores.get(*store));
        let found = entries.find(|entry| buffers.bytes(entry.key).eq_ignore_ascii_case(name));
        found.map_or(b"", |entry| buffers.bytes(entry.value))
    }
}

/// A text that grows up to a bound: of a long value no more is copied than is kept.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn push(&mut self, value: &[u8]) {
        let room = self.most.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&value[..value.len().min(room)]);
    }
}

/// What a rule says of itself, its macros unexpanded: they may name the rule. Nothing where it says nothing.
pub(super) fn push_field(rule: &Rule, field: RuleField, out: &mut Vec<u8>) {
    let meta = &rule.meta;
    match field {
        RuleField::Id => push_display(meta.id, out),
        RuleField::Message => out.extend_from_slice(meta.message_text.as_bytes()),
        RuleField::Severity => {
            meta.severity.map_or((), |severity| push_display(severity.number(), out))
        }
        RuleField::LogData => out.extend_from_slice(meta.logdata_text.as_bytes()),
        RuleField::Revision => out.extend_from_slice(meta.revision.as_bytes()),
        RuleField::Version => out.extend_from_slice(meta.version.as_bytes()),
    }
}
