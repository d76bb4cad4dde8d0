//! One link: its values through the transformations to the operator, and what a match sets off.

use std::iter;

use super::buffers::Buffer;
use super::eval::{Run, Site};
use super::gather::{Content, Key, Value};
use super::rows::Row;
use super::state::State;
use super::tx_store::TxValue;
use crate::bytes::index;
use crate::operator::{Captures, LANES, Operator, OutOfWork, hold_together};
use crate::plan::Rule;
use crate::plan::settings::Over;
use crate::tx::TxSlot;
use crate::variable::UNCONDITIONAL;

/// From this length on several searches are gone through side by side.
const TOGETHER_BYTES_MIN: usize = 128;
/// Work that asking any operator costs, beyond the bytes it reads.
pub(super) const ASK_COST: u64 = 60;
/// Work of finding a value for a link.
const VALUE_COST: u64 = 40;
/// Work of passing over one that did not wake the rule.
const ENTRY_COST: u64 = 4;
/// Work of what a match sets off.
const MATCH_COST: u64 = 1_000;

impl Run<'_> {
    /// Asks a link's operator about every value; true when any matched.
    pub(super) fn link(&mut self, site: &Site<'_>) -> bool {
        if site.link.unconditional {
            let content = Content::Buffer(Buffer::EMPTY);
            return self.matched(
                site,
                Value { variable: &UNCONDITIONAL, key: Key::None, content, count: false },
            );
        }
        if self.state.budget.is_exhausted() && !self.is_paid(site) {
            return false;
        }
        let mut values = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        let passed = self.gather(site, &mut values) as u64;
        self.state.budget.afford(VALUE_COST * values.len() as u64 + ENTRY_COST * passed);
        let mut any = false;
        for value in &values {
            any |= self.value(site, *value);
        }
        self.state.scratch.values = values;
        any
    }

    /// The link's question costs nothing more. Once the budget is spent only such are asked: comparisons of numbers, so
    /// that the scores that were gathered are still judged, and what was paid for when values woke the rule, unless
    /// the request is refused for its work anyway (or would be, where rules only detect).
    fn is_paid(&self, site: &Site<'_>) -> bool {
        let operator = &self.program.operators[site.link.operator as usize];
        let refused = self.state.budget.is_exhausted() && self.profile.bounds.over == Over::Reject;
        matches!(operator, Operator::Number(..)) || site.woken.is_some() && !refused
    }

    /// One value through the transformations and the operator.
    fn value(&mut self, site: &Site<'_>, value: Value) -> bool {
        if site.link.multi_match {
            return self.multi_match(site, value);
        }
        let operator = &self.program.operators[site.link.operator as usize];
        if let (Content::Int(number), Operator::Number(comparison, argument), [_]) =
            (value.content, operator, site.link.steps.as_slice())
        {
            let holds = comparison.holds(number, self.expand_number(argument, site.rule));
            return holds != site.link.negated && self.matched(site, value);
        }
        let input = self.buffer(value.content);
        let node = site.link.transforms;
        let input = self.state.buffers.transformed(
            input,
            node,
            &self.program.transforms,
            &mut self.state.budget,
        );
        self.ask(site, value, input)
    }

    /// `multiMatch`: the untouched value, then every step that changed it.
    fn multi_match(&mut self, site: &Site<'_>, value: Value) -> bool {
        let origin = self.buffer(value.content);
        let (mut any, mut before) = (false, None);
        for node in &site.link.steps {
            let (transforms, budget) = (&self.program.transforms, &mut self.state.budget);
            let step = self.state.buffers.transformed(origin, *node, transforms, budget);
            if before != Some(step) {
                any |= self.ask(site, value, step);
            }
            before = Some(step);
        }
        any
    }

    /// Puts the question about a value as the transformations left it.
    fn ask(&mut self, site: &Site<'_>, value: Value, input: Buffer) -> bool {
        let link = site.link;
        let value = Value { content: Content::Buffer(input), ..value };
        let operator = &self.program.operators[link.operator as usize];
        let looks = operator.is_gated() && !self.state.candidates.is_exhaustive();
        let row = if looks { self.row_for(input, link.operator) } else { None };
        if looks && row.is_none() {
            // No work was left to look at it.
            return false;
        }
        if row.is_some_and(|row| !self.state.rows.is_candidate(row, link.operator)) {
            // No question to ask: the operator does not match.
            return link.negated && self.matched(site, value);
        }
        if !self.is_paid(site) && !self.pay(link.operator, input, row) {
            return false;
        }
        let known = row.and_then(|row| self.state.rows.answer(row, link.operator));
        if let Some(answer) = known {
            return answer != link.negated && self.matched_by(site, value, input);
        }
        let answer = match row {
            Some(row) if self.is_long_search(operator, input) => {
                self.answer_together(link.operator, input, row)
            }
            _ => self.answer(site, input),
        };
        let Ok(answer) = answer else { return false };
        if let Some(row) = row {
            self.remember(row, input, link.operator, answer);
        }
        answer != link.negated && self.matched_by(site, value, input)
    }

    fn answer(&mut self, site: &Site<'_>, input: Buffer) -> Result<bool, OutOfWork> {
        let operator = site.link.operator;
        let asked = &self.program.operators[operator as usize];
        match asked {
            Operator::GeoLookup => return Ok(self.look_up(input)),
            Operator::Rbl(list) => return Ok(self.is_listed(list, input)),
            _ => {}
        }
        let argument = self.argument(asked, Some(site.rule));
        let State { buffers, budget, candidates, .. } = &mut *self.state;
        let bytes = buffers.bytes(input);
        let answer = if candidates.is_exhaustive() {
            Ok(asked.matches(bytes, &argument, None))
        } else {
            let owner = (self.program.id, operator);
            asked.holds(bytes, &argument, self.states, owner, |work| budget.afford(work))
        };
        self.state.scratch.argument = argument;
        answer
    }

    fn is_long_search(&self, operator: &Operator, input: Buffer) -> bool {
        operator.is_search() && self.state.buffers.bytes(input).len() >= TOGETHER_BYTES_MIN
    }

    /// Asks what else was paid for of this value along with the operator.
    fn answer_together(
        &mut self,
        operator: u32,
        input: Buffer,
        row: Row,
    ) -> Result<bool, OutOfWork> {
        let program = self.program;
        let State { buffers, budget, rows, .. } = &mut *self.state;
        let of = |at: u32| (at, &program.operators[at as usize]);
        let others = rows.unanswered(row).filter(|other| *other != operator).map(of);
        let others = others.filter(|(_, other)| other.is_search());
        let asked = iter::once(of(operator)).chain(others).take(LANES);
        let (bytes, pay) = (buffers.bytes(input), |work| budget.afford(work));
        let answers = hold_together(program.id, asked, bytes, self.states, pay);
        let mut own = Err(OutOfWork);
        for (asked, answer) in answers {
            if asked == operator {
                own = answer;
            } else if let Ok(answer) = answer {
                self.remember(row, input, asked, answer);
            }
        }
        own
    }

    /// The operator's answer to a value makes the link match.
    fn matched_by(&mut self, site: &Site<'_>, value: Value, input: Buffer) -> bool {
        let operator = &self.program.operators[site.link.operator as usize];
        if site.link.capture && !site.link.negated {
            if let Operator::Rbl(list) = operator {
                self.capture_listing(list, &value, input);
                return self.matched(site, value);
            }
            self.state.uncaptured = Some((site.link.operator, input));
            // A rule further on may wait for a group, and an argument may change until then.
            if self.lane.watches_captures || operator.argument().is_some() {
                self.capture_for(Some(site.rule));
            }
        }
        self.matched(site, value)
    }

    fn argument(&mut self, operator: &Operator, rule: Option<&Rule>) -> Vec<u8> {
        let mut argument = std::mem::take(&mut self.state.scratch.argument);
        argument.clear();
        if let Some(template) = operator.argument() {
            self.expand_into(template, rule, &mut argument);
        }
        argument
    }

    /// Finds the groups of the last match, if nobody asked for them yet: where they lie costs several
    /// times what it costs to know that there is a match, and most are never read. They take the place
    /// of all older ones; a group without part is empty.
    pub(super) fn capture(&mut self) {
        // Those of an argument that changes were found at once, for the rule that asked.
        self.capture_for(None);
    }

    fn capture_for(&mut self, rule: Option<&Rule>) {
        let Some((operator, input)) = self.state.uncaptured.take() else { return };
        let owner = (self.program.id, operator);
        let operator = &self.program.operators[operator as usize];
        let mut captures = std::mem::take(&mut self.state.scratch.captures);
        captures.clear();
        let bytes = self.state.buffers.bytes(input);
        if self.state.budget.afford(ASK_COST + operator.groups_cost(bytes)) {
            let argument = self.argument(operator, rule);
            let State { buffers, budget, .. } = &mut *self.state;
            let pay = |work| budget.afford(work);
            let bytes = buffers.bytes(input);
            operator.capture(bytes, &argument, &mut captures, self.states, owner, pay);
            self.state.scratch.argument = argument;
        }
        self.keep_groups(&captures, input);
        self.state.scratch.captures = captures;
    }

    pub(super) fn keep_groups(&mut self, captures: &Captures, input: Buffer) {
        let State { buffers, tx, .. } = &mut *self.state;
        let own = captures.own_text().map(|text| buffers.intern(text));
        let groups = captures.groups().map(|group| buffers.intern_part(input, group));
        let mut count = 0;
        for (slot, text) in (0..).map(TxSlot).zip(own.into_iter().chain(groups)) {
            tx.set(slot, Some(TxValue::Bytes(text)));
            count += 1;
        }
        tx.clear_captures(count);
        (0..index(count)).for_each(|group| self.wrote_slot(TxSlot(group)));
    }

    /// A value matched: what `MATCHED_VAR` shows, the link's effects, and the record of the rule.
    fn matched(&mut self, site: &Site<'_>, value: Value) -> bool {
        self.state.budget.afford(MATCH_COST);
        self.state.matched.last = Some(value);
        self.state.matched.current.push(value);
        let records = site.at + 1 == site.rule.links.len() && site.rule.is_recorded();
        let before = if records { self.total_score() } else { 0 };
        for (number, effect) in site.link.effects.iter().enumerate() {
            self.effect(effect, site.rule, (site.index, site.at, number));
        }
        if records {
            let score = self.total_score() - before;
            self.record(site.rule, site.link, &value, score);
        }
        true
    }

    /// The content as a byte string.
    pub(super) fn buffer(&mut self, content: Content) -> Buffer {
        match content {
            Content::Buffer(buffer) => buffer,
            Content::Int(number) => self.state.intern_number(number),
        }
    }
}
