//! Walking a phase: rules in order, chains link by link, values one by one.

use super::budget::Exceeded;
use super::known::Known;
use super::outcome::{Action, Interruption};
use super::state::State;
use crate::EngineMode;
use crate::action::AllowScope;
use crate::operator::States;
use crate::plan::course::Lane;
use crate::plan::settings::Over;
use crate::plan::{Disruptive, Effect, Exclusion, Jump, Link, Matcher, Program, Rule};
use crate::profile::Inner;

/// A phase being run: the shared program and profile, the transaction's own state.
pub(super) struct Run<'a> {
    pub(super) program: &'a Program,
    pub(super) profile: &'a Inner,
    /// The way through the phase.
    pub(super) lane: &'a Lane,
    pub(super) state: &'a mut State,
    /// What the thread learned from earlier requests.
    pub(super) known: &'a mut Known,
    /// The states that its patterns needed.
    pub(super) states: &'a mut States,
}

/// A link and its place in the program.
pub(super) struct Site<'a> {
    pub(super) index: u32,
    pub(super) rule: &'a Rule,
    pub(super) at: usize,
    pub(super) link: &'a Link,
    /// The place of a rule that values woke: looking for them paid for the questions.
    pub(super) woken: Option<u32>,
}

/// Where a phase goes on after a rule.
enum Next {
    Step,
    To(u32),
    End,
}

const LOGGING: u8 = 5;

impl Run<'_> {
    /// Runs the rules of a phase, 1 to 5, as far as nothing ends it: looks at the values, finds the
    /// rules that they may concern, and evaluates those in order.
    pub(super) fn phase(&mut self, phase: u8) {
        if self.is_over(phase) {
            return;
        }
        let order = &self.program.phases[usize::from(phase - 1)];
        self.wake(order.len());
        self.check_budget();
        let mut from = 0;
        while let Some(place) = self.state.candidates.next(from)
            && !self.is_over(phase)
        {
            from = match self.walk(order, place) {
                Next::Step => place + 1,
                Next::To(next) => next,
                Next::End => return,
            };
            self.look_again();
            self.check_budget();
        }
    }

    /// The rule at one place of a phase, or the gate that is known to open.
    fn walk(&mut self, order: &[u32], place: u32) -> Next {
        let rule = order[place as usize];
        let gate =
            self.lane.gates[place as usize].filter(|_| !self.state.candidates.is_exhaustive());
        let Some(to) = gate else {
            let sleeps = !self.lane.always.contains(place);
            let woken = self.state.candidates.woken(place).filter(|_| sleeps);
            return self.rule(rule, woken);
        };
        if !self.is_touched(rule) {
            self.open(rule);
            return Next::To(to);
        }
        // Nothing behind the gate was looked at.
        self.state.candidates.wake_from(place + 1, order.len());
        self.rule(rule, None)
    }

    /// A gate that opens leaves the traces of a rule that matched.
    fn open(&mut self, rule: u32) {
        let rule = &self.program.rules[rule as usize];
        let target = &rule.links[0].targets[0];
        if let Matcher::Slot(slot) = target.matcher {
            self.state.matched.last = self.tx_value(target.variable, slot);
        }
        self.state.record.rules.push(rule.meta.id);
    }

    /// The profile or a `ctl` action took the rule away, or a target of it.
    fn is_touched(&self, rule: u32) -> bool {
        self.is_removed(rule) || self.excludes_targets(rule)
    }

    fn is_removed(&self, rule: u32) -> bool {
        self.profile.removed.contains(rule) || self.state.control.removed.contains(rule)
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

    fn rule(&mut self, index: u32, woken: Option<u32>) -> Next {
        if self.is_removed(index) {
            return Next::Step;
        }
        let rule = &self.program.rules[index as usize];
        self.state.matched.current.clear();
        for (at, link) in rule.links.iter().enumerate() {
            let matched = &mut self.state.matched;
            std::mem::swap(&mut matched.previous, &mut matched.current);
            matched.current.clear();
            let woken = woken.filter(|_| at == 0);
            if !self.link(&Site { index, rule, at, link, woken }) {
                return Next::Step;
            }
        }
        self.state.record.rules.push(rule.meta.id);
        if let Some(severity) = rule.meta.severity {
            let highest = &mut self.state.record.highest_severity;
            *highest = (*highest).min(severity.number());
        }
        self.finish_rule(rule)
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

    fn finish_rule(&mut self, rule: &Rule) -> Next {
        self.disrupt(rule);
        match rule.jump {
            _ if self.state.control.allowed == Some(AllowScope::Phase) => {
                self.state.control.allowed = None;
                Next::End
            }
            Jump::Next => Next::Step,
            Jump::To(next) => Next::To(next),
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
