//! What a match changes: transaction variables and the engine's own course.

use super::buffers::Buffer;
use super::eval::Run;
use super::tx_store::TxValue;
use crate::action::SetVarOp;
use crate::bytes::index;
use crate::plan::{Effect, Rule, TxName};
use crate::template::Template;
use crate::tx::{CAPTURES, TxSlot};

/// Work of copying a byte of what a variable is set to, and of finding the copy again.
const SET_BYTE_COST: u64 = 2;

/// Where an effect stands in the program: rule, link, effect.
pub(super) type Place = (u32, usize, usize);

impl Run<'_> {
    pub(super) fn effect(&mut self, effect: &Effect, rule: &Rule, place: Place) {
        let control = &mut self.state.control;
        match effect {
            Effect::SetVar { name, op, value } => self.set_var(name, *op, value, rule),
            Effect::RemoveRules(rules) => control.removed.union_with(rules),
            Effect::RemoveTargets(..) => {
                let place = (place.0, index(place.1), index(place.2));
                if !control.target_removals.contains(&place) {
                    control.target_removals.push(place);
                }
            }
            Effect::RequestBodyProcessor(processor) => self.state.choose_processor(*processor),
            Effect::ForceRequestBodyVariable(on) => control.force_body_variable = *on,
            Effect::RequestBodyAccess(on) => control.request_body = *on,
            Effect::ResponseBodyAccess(on) => control.response_body = *on,
            Effect::RuleEngine(mode) => control.engine = *mode,
            Effect::AuditEngine(mode) => control.audit = *mode,
            Effect::AuditLogParts(change) => {
                control.audit_parts = change.apply(control.audit_parts)
            }
            Effect::RequestBodyBytes(bytes) => control.request_body_bytes = Some(*bytes),
            Effect::ResponseBodyBytes(bytes) => control.response_body_bytes = Some(*bytes),
            Effect::ForceResponseBodyVariable(on) => control.force_response_body = *on,
            Effect::Persist(persist) => self.persist(persist, rule),
            Effect::Sanitise(sanitise) => self.sanitise(sanitise),
        }
    }

    fn set_var(&mut self, name: &TxName, op: SetVarOp, value: &Template, rule: &Rule) {
        match name {
            TxName::Slot(slot) => self.set_slot(*slot, op, value, rule),
            TxName::Dynamic(name) => {
                let mut text = std::mem::take(&mut self.state.scratch.text);
                text.clear();
                self.expand_into(name, Some(rule), &mut text);
                text.make_ascii_lowercase();
                let slot = self.program.tx.find(&text);
                let name = self.state.buffers.intern(&text);
                self.state.scratch.text = text;
                match slot {
                    Some(slot) => self.set_slot(slot, op, value, rule),
                    None => self.set_dynamic(name, op, value, rule),
                }
            }
        }
    }

    fn set_slot(&mut self, slot: TxSlot, op: SetVarOp, value: &Template, rule: &Rule) {
        if self.profile.pinned.iter().any(|(pinned, _)| *pinned == slot) {
            return;
        }
        if slot.0 < CAPTURES {
            self.capture();
        }
        let old = self.state.tx.get(slot);
        let new = self.new_value(old, op, value, rule);
        self.state.tx.set(slot, new);
        self.wrote_slot(slot);
    }

    fn set_dynamic(&mut self, name: Buffer, op: SetVarOp, value: &Template, rule: &Rule) {
        let old = self.state.tx.get_dynamic(name);
        match self.new_value(old, op, value, rule) {
            Some(new) => {
                self.state.tx.set_dynamic(name, new);
                self.wrote_dynamic(name);
            }
            None => self.state.tx.unset_dynamic(name),
        }
    }

    fn new_value(
        &mut self,
        old: Option<TxValue>,
        op: SetVarOp,
        value: &Template,
        rule: &Rule,
    ) -> Option<TxValue> {
        let before = old.map_or(0, |old| old.number(&self.state.buffers));
        match op {
            SetVarOp::Unset => None,
            SetVarOp::Add => {
                Some(TxValue::Int(before.saturating_add(self.expand_number(value, rule))))
            }
            SetVarOp::Subtract => {
                Some(TxValue::Int(before.saturating_sub(self.expand_number(value, rule))))
            }
            SetVarOp::Set => {
                let mut text = std::mem::take(&mut self.state.scratch.text);
                text.clear();
                self.expand_into(value, Some(rule), &mut text);
                self.state.budget.afford(SET_BYTE_COST * text.len() as u64);
                let new = TxValue::from_bytes(&text, &mut self.state.buffers);
                self.state.scratch.text = text;
                Some(new)
            }
        }
    }
}
