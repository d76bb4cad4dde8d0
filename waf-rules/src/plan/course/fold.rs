//! Constant folding: what the pinned variables decide, and what can be reached then.

use super::Pins;
use crate::operator::Operator;
use crate::plan::{Disruptive, Jump, Matcher, Program, Rule};
use crate::template::Template;

/// What is known of the places of a phase.
pub(super) struct Folded {
    /// Some request may come by and match here.
    pub(super) reached: Vec<bool>,
    /// Where a gate that always opens leads.
    pub(super) gates: Vec<Option<u32>>,
}

pub(super) fn fold(program: &Program, order: &[u32], pins: &Pins) -> Folded {
    let mut folded = Folded { reached: vec![false; order.len()], gates: vec![None; order.len()] };
    // Jumps only go forward: one pass sees every way to a place before the place.
    let mut ways = vec![false; order.len() + 1];
    ways[0] = true;
    for (place, rule) in order
        .iter()
        .enumerate()
        .filter_map(|(place, rule)| Some((place, program.rules.get(*rule as usize)?)))
    {
        if !ways[place] {
            continue;
        }
        let verdict = decide(program, rule, pins);
        folded.reached[place] = verdict != Some(false);
        let to = match rule.jump {
            Jump::To(to) if verdict != Some(false) => Some(to),
            _ => None,
        };
        if let Some(to) = to {
            ways[(to as usize).min(order.len())] = true;
        }
        folded.gates[place] = to.filter(|_| verdict == Some(true) && only_jumps(rule));
        ways[place + 1] |= folded.gates[place].is_none();
    }
    folded
}

/// Whether the rule matches, where the pinned variables alone decide it.
fn decide(program: &Program, rule: &Rule, pins: &Pins) -> Option<bool> {
    let [link] = rule.links.as_slice() else { return None };
    let [target] = link.targets.as_slice() else { return None };
    let Operator::Number(comparison, argument) = &program.operators[link.operator as usize] else {
        return None;
    };
    let Matcher::Slot(slot) = target.matcher else { return None };
    let plain = !target.count && link.exclusions.is_empty() && link.steps.len() == 1;
    let (_, value) = pins.iter().find(|(pinned, _)| *pinned == slot && plain)?;
    let argument = Template::constant(argument).map(crate::bytes::atoi)?;
    Some(comparison.holds(*value, argument) != link.negated)
}

/// A match changes nothing but where the phase goes on.
fn only_jumps(rule: &Rule) -> bool {
    let silent = !rule.is_recorded() && rule.disruptive == Disruptive::Pass;
    silent && rule.links.iter().all(|link| link.effects.is_empty() && !link.capture)
}
