//! Drafts to the program: every rule that was not removed, its place in its phase, its jumps.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::assemble::{Assembly, Draft, Item};
use super::rule::RuleCompiler;
use super::{Gates, Jump, PHASES, Program, Rule, ScoreSlots, lists};
use crate::action::Action;
use crate::bytes::index;
use crate::geo::Database;
use crate::seclang::LexError;
use crate::seclang::source::{Sources, Span};
use crate::variable::{Kind, Store};

/// Number of the next program; 0 is none.
static PROGRAMS: AtomicU64 = AtomicU64::new(1);

/// Reads a data file on behalf of a rule in the source of this span.
pub(crate) type ReadData<'a> = &'a dyn Fn(Span, &str) -> Result<String, String>;

/// Compiles an assembly. All problems are reported; with any, the program must not be used.
pub(crate) fn compile(
    assembly: Assembly,
    sources: &Sources,
    read: ReadData<'_>,
    geo: Option<Arc<Database>>,
    errors: &mut Vec<LexError>,
) -> Program {
    let Assembly { items, settings, environment, .. } = assembly;
    let live: Vec<(usize, &Draft)> = live(&items);
    let drafts: Vec<&Draft> = live.iter().map(|(_, draft)| *draft).collect();
    let mut compiler = RuleCompiler::new(sources, read, &drafts, errors);
    let mut rules: Vec<Rule> = drafts.iter().map(|draft| compiler.rule(draft)).collect();
    let mut parts = compiler.into_parts();
    lists::complete(&mut parts.operators, &settings);
    let scores = ScoreSlots::intern(&mut parts.tx);
    let order = Order::new(&items, &live, &rules);
    order.resolve_jumps(&drafts, &mut rules, errors);
    for target in
        rules.iter_mut().flat_map(|rule| &mut rule.links).flat_map(|link| &mut link.targets)
    {
        target.resolve_slots(&parts.tx);
    }
    let wants_file_content = looks_at(&rules, Store::FilesTmpContent);
    Program {
        id: PROGRAMS.fetch_add(1, Ordering::Relaxed),
        rules,
        phases: order.phases,
        gates: Gates::new(&mut parts.operators),
        operators: parts.operators,
        transforms: parts.transforms,
        tx: parts.tx,
        settings,
        scores,
        geo,
        environment,
        wants_file_content,
    }
}

/// Some rule has a target on this store.
fn looks_at(rules: &[Rule], store: Store) -> bool {
    let targets = rules.iter().flat_map(|rule| &rule.links).flat_map(|link| &link.targets);
    targets.into_iter().any(|target| match target.variable.kind {
        Kind::Values(stores) | Kind::Names(stores) => stores.contains(&store),
        _ => false,
    })
}

fn live(items: &[Item]) -> Vec<(usize, &Draft)> {
    let drafts = items.iter().enumerate().filter_map(|(at, item)| match item {
        Item::Rule(draft) if !draft.removed && !draft.broken => Some((at, draft.as_ref())),
        _ => None,
    });
    drafts.collect()
}

/// Where everything stands: reading order, and the order within each phase.
struct Order<'a> {
    items: &'a [Item],
    /// Item position of each compiled rule.
    positions: Vec<usize>,
    phases: [Vec<u32>; PHASES],
}

impl<'a> Order<'a> {
    fn new(items: &'a [Item], live: &[(usize, &Draft)], rules: &[Rule]) -> Self {
        let mut phases: [Vec<u32>; PHASES] = Default::default();
        for (at, rule) in rules.iter().enumerate() {
            phases[usize::from(rule.meta.phase - 1)].push(index(at));
        }
        Self { items, positions: live.iter().map(|(at, _)| *at).collect(), phases }
    }

    fn resolve_jumps(&self, drafts: &[&Draft], rules: &mut [Rule], errors: &mut Vec<LexError>) {
        for phase in &self.phases {
            for (place, rule) in phase.iter().enumerate() {
                let draft = drafts[*rule as usize];
                match self.jump(draft, *rule, place, phase) {
                    Ok(jump) => rules[*rule as usize].jump = jump,
                    Err((span, message)) => errors.push(LexError { span, message }),
                }
            }
        }
    }

    fn jump(
        &self,
        draft: &Draft,
        rule: u32,
        place: usize,
        phase: &[u32],
    ) -> Result<Jump, (Span, String)> {
        for node in &draft.links[0].actions {
            match &node.action {
                Action::Skip(rules) => return Ok(Jump::To(index(place + 1 + *rules as usize))),
                Action::SkipAfter(label) => {
                    let at = self.label(label, self.positions[rule as usize]).ok_or_else(|| {
                        (
                            node.span,
                            format!(
                                "skipAfter:{label}: no marker and no rule of this name follows"
                            ),
                        )
                    })?;
                    return Ok(Jump::To(index(
                        phase.partition_point(|rule| self.positions[*rule as usize] <= at),
                    )));
                }
                _ => {}
            }
        }
        Ok(Jump::Next)
    }

    /// Position of the marker, or of the rule with this id, after `from`: jumps only go forward.
    fn label(&self, label: &str, from: usize) -> Option<usize> {
        let id = label.parse::<u32>().ok();
        let found = self.items[from + 1..].iter().position(|item| match item {
            Item::Marker(name) => name == label,
            Item::Rule(draft) => id.is_some() && draft.id() == id,
        });
        found.map(|distance| from + 1 + distance)
    }
}

/// The file a span is in, shared between the rules of the file.
pub(super) fn file_name(sources: &Sources, span: Span) -> Arc<str> {
    sources.get(span.source).name.as_str().into()
}
