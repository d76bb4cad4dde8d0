//! Walking a phase: rules in order, chains link by link, values one by one.

use super::budget::Exceeded;
use super::buffers::Buffer;
use super::gather::{Content, Key, Value};
use super::outcome::{Action, Interruption};
use super::state::State;
use super::tx_store::TxValue;
use crate::EngineMode;
use crate::action::AllowScope;
use crate::operator::{Captures, Operator};
use crate::plan::settings::Over;
use crate::plan::{Disruptive, Effect, Exclusion, Jump, Link, Program, Rule};
use crate::profile::Inner;
use crate::tx::TxSlot;

/// A phase being run: the shared program and profile, the transaction's own state.
pub(super) struct Run<'a> {
    pub(super) program: &'a Program,
    pub(super) profile: &'a Inner,
    pub(super) state: &'a mut State,
}

/// Where a phase goes on after a rule.
enum Next {
    Step,
    To(usize),
    End,
}

const LOGGING: u8 = 5;

/// Work that asking any operator costs, beyond the bytes it reads.
const ASK_COST: u64 = 16;

impl Run<'_> {
    /// Runs the rules of a phase, 1 to 5, as far as nothing ends it.
    pub(super) fn phase(&mut self, phase: u8) {
        let program = self.program;
        let order = &program.phases[usize::from(phase - 1)];
        self.state.candidates.forget_groups();
        let mut at = 0;
        while at < order.len() && !self.is_over(phase) {
            at = match self.rule(order[at]) {
                Next::Step => at + 1,
                Next::To(next) => next,
                Next::End => return,
            };
            self.check_budget();
        }
    }

    /// Nothing further runs in this phase; logging rules run after an interruption too.
    fn is_over(&self, phase: u8) -> bool {
        let control = &self.state.control;
        let allowed = match control.allowed {
            Some(AllowScope::Transaction) => phase != LOGGING,
            Some(AllowScope::Request) => phase <= 2,
            Some(AllowScope::Phase) | None => false,
        };
        control.engine == EngineMode::Off
            || allowed
            || (control.interruption.is_some() && phase != LOGGING)
    }

    fn rule(&mut self, index: u32) -> Next {
        if self.profile.removed.contains(index) || self.state.control.removed.contains(index) {
            return Next::Step;
        }
        let rule = &self.program.rules[index as usize];
        self.state.matched.current.clear();
        for (at, link) in rule.links.iter().enumerate() {
            let matched = &mut self.state.matched;
            std::mem::swap(&mut matched.previous, &mut matched.current);
            matched.current.clear();
            let last = at + 1 == rule.links.len();
            if !self.link(index, rule, at, link, last) {
                return Next::Step;
            }
        }
        self.state.record.rules.push(rule.meta.id);
        self.finish_rule(rule)
    }

    /// Asks a link's operator about every value; true when any matched.
    fn link(&mut self, index: u32, rule: &Rule, at: usize, link: &Link, last: bool) -> bool {
        if link.unconditional {
            let value = Value {
                variable: unconditional(),
                key: Key::None,
                content: Content::Buffer(Buffer::EMPTY),
                count: false,
            };
            self.matched(index, rule, at, link, value, last);
            return true;
        }
        if !self.is_candidate_link(link) {
            return false;
        }
        let mut values = std::mem::take(&mut self.state.scratch.values);
        values.clear();
        self.gather(index, link, &mut values);
        let mut any = false;
        for value in &values {
            any |= self.value(index, rule, at, link, *value, last);
        }
        self.state.scratch.values = values;
        any
    }

    /// One value through the transformations and the operator.
    fn value(
        &mut self,
        index: u32,
        rule: &Rule,
        at: usize,
        link: &Link,
        value: Value,
        last: bool,
    ) -> bool {
        if link.multi_match {
            return self.multi_match(index, rule, at, link, value, last);
        }
        if let (Content::Int(number), Operator::Number(comparison, argument), [_]) =
            (value.content, &self.program.operators[link.operator as usize], link.steps.as_slice())
        {
            let argument = self.expand_number(argument);
            let matched = comparison.holds(number, argument) != link.negated;
            if matched {
                self.matched(index, rule, at, link, value, last);
            }
            return matched;
        }
        let input = self.buffer(value.content);
        let node = link.transforms;
        let input = self.state.buffers.transformed(
            input,
            node,
            &self.program.transforms,
            &mut self.state.budget,
        );
        self.ask(
            index,
            rule,
            at,
            link,
            Value { content: Content::Buffer(input), ..value },
            input,
            last,
        )
    }

    /// `multiMatch`: the untouched value, then every step that changed it.
    fn multi_match(
        &mut self,
        index: u32,
        rule: &Rule,
        at: usize,
        link: &Link,
        value: Value,
        last: bool,
    ) -> bool {
        let origin = self.buffer(value.content);
        let (mut any, mut before) = (false, None);
        for node in &link.steps {
            let step = self.state.buffers.transformed(
                origin,
                *node,
                &self.program.transforms,
                &mut self.state.budget,
            );
            if before != Some(step) {
                any |= self.ask(
                    index,
                    rule,
                    at,
                    link,
                    Value { content: Content::Buffer(step), ..value },
                    step,
                    last,
                );
            }
            before = Some(step);
        }
        any
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the place of one question: rule, link, value, buffer"
    )]
    fn ask(
        &mut self,
        index: u32,
        rule: &Rule,
        at: usize,
        link: &Link,
        value: Value,
        input: Buffer,
        last: bool,
    ) -> bool {
        let operator = &self.program.operators[link.operator as usize];
        if operator.is_gated() && !self.is_candidate(link.operator, input) {
            // No question to ask: the operator does not match.
            return link.negated && self.matched(index, rule, at, link, value, last);
        }
        if !self.afford(operator, input) {
            return false;
        }
        let argument = self.argument(operator);
        let mut captures = std::mem::take(&mut self.state.scratch.captures);
        captures.clear();
        let bytes = self.state.buffers.bytes(input);
        let wanted = link.capture && !link.negated;
        let matched =
            operator.matches(bytes, &argument, wanted.then_some(&mut captures)) != link.negated;
        self.state.scratch.argument = argument;
        if matched {
            if wanted {
                self.capture(&captures, input);
            }
            self.matched(index, rule, at, link, value, last);
        }
        self.state.scratch.captures = captures;
        matched
    }

    /// Charges the question. Once the budget is spent only comparisons of numbers are still asked, so
    /// that the scores that were gathered are still judged.
    fn afford(&mut self, operator: &Operator, input: Buffer) -> bool {
        if matches!(operator, Operator::Number(..)) {
            return true;
        }
        let budget = &mut self.state.budget;
        if budget.is_exhausted() {
            return false;
        }
        budget.charge(ASK_COST + self.state.buffers.bytes(input).len() as u64 * operator.cost());
        true
    }

    fn check_budget(&mut self) {
        if self.state.budget.is_exhausted() {
            self.state.exceed(Exceeded::Work);
            self.reject(Exceeded::Work);
        }
    }

    /// Interrupts because of a bound, where the profile says so.
    pub(super) fn reject(&mut self, bound: Exceeded) {
        if self.profile.bounds.over == Over::Reject {
            let interruption =
                Interruption { rule_id: 0, status: bound.status(), action: Action::Bound(bound) };
            self.interrupt(interruption);
        }
    }

    fn argument(&mut self, operator: &Operator) -> Vec<u8> {
        let mut argument = std::mem::take(&mut self.state.scratch.argument);
        argument.clear();
        if let Some(template) = operator.argument() {
            self.expand_into(template, None, &mut argument);
        }
        argument
    }

    /// Groups of this match take the place of all older ones; a group without part is empty.
    fn capture(&mut self, captures: &Captures, input: Buffer) {
        let mut count = 0;
        let texts: smallvec::SmallVec<[Vec<u8>; 4]> =
            captures.texts(self.state.buffers.bytes(input)).map(<[u8]>::to_vec).collect();
        for (slot, text) in (0..).map(TxSlot).zip(&texts) {
            let value = TxValue::Bytes(self.state.buffers.intern(text));
            self.state.tx.set(slot, Some(value));
            count += 1;
        }
        self.state.tx.clear_captures(count);
    }

    /// A value matched: what `MATCHED_VAR` shows, the link's effects, and the record of the rule.
    fn matched(
        &mut self,
        index: u32,
        rule: &Rule,
        at: usize,
        link: &Link,
        value: Value,
        last: bool,
    ) -> bool {
        self.state.matched.last = Some(value);
        self.state.matched.current.push(value);
        let before = self.total_score();
        for (number, effect) in link.effects.iter().enumerate() {
            self.effect(effect, rule, (index, at, number));
        }
        if last && rule.log {
            let score = self.total_score() - before;
            self.record(rule, link, &value, score);
        }
        true
    }

    fn finish_rule(&mut self, rule: &Rule) -> Next {
        self.disrupt(rule);
        match rule.jump {
            _ if self.state.control.allowed == Some(AllowScope::Phase) => {
                self.state.control.allowed = None;
                Next::End
            }
            Jump::Next => Next::Step,
            Jump::To(next) => Next::To(next as usize),
        }
    }

    fn disrupt(&mut self, rule: &Rule) {
        let action = match &rule.disruptive {
            Disruptive::Pass => return,
            Disruptive::Allow(scope) => {
                if self.state.control.engine == EngineMode::On {
                    self.state.control.allowed = Some(*scope);
                }
                return;
            }
            Disruptive::Deny => Action::Deny,
            Disruptive::Drop => Action::Drop,
            Disruptive::Redirect(to) => {
                Action::Redirect(String::from_utf8_lossy(&self.expand(to, Some(rule))).into_owned())
            }
        };
        let redirect = matches!(action, Action::Redirect(_)) && !(300..=399).contains(&rule.status);
        let status = if redirect { 302 } else { rule.status };
        if rule.meta.phase != LOGGING {
            self.interrupt(Interruption { rule_id: rule.meta.id, status, action });
        }
    }

    /// `DetectionOnly` notes what would have been done.
    fn interrupt(&mut self, interruption: Interruption) {
        match self.state.control.engine {
            EngineMode::On => {
                self.state.control.interruption.get_or_insert(interruption);
            }
            _ => {
                self.state.record.detected.get_or_insert(interruption);
            }
        }
    }

    /// The content as a byte string.
    pub(super) fn buffer(&mut self, content: Content) -> Buffer {
        match content {
            Content::Buffer(buffer) => buffer,
            Content::Int(number) => self.state.buffers.intern(number.to_string().as_bytes()),
        }
    }

    /// What `ctl:ruleRemoveTarget...` took from a rule so far.
    pub(super) fn removed_targets(&self, rule: u32) -> impl Iterator<Item = &Exclusion> {
        let program = self.program;
        self.state.control.target_removals.iter().flat_map(move |(owner, link, effect)| {
            let effect =
                &program.rules[*owner as usize].links[*link as usize].effects[*effect as usize];
            match effect {
                Effect::RemoveTargets(rules, exclusions) if rules.contains(rule) => {
                    exclusions.as_slice()
                }
                _ => &[],
            }
        })
    }
}

/// What a `SecAction` seems to match.
fn unconditional() -> &'static crate::variable::Variable {
    &crate::variable::UNCONDITIONAL
}
