//! Directives in reading order to drafts of rules: chains joined, defaults inherited, removals and
//! updates applied to what was read before them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Settings;
use crate::action::{Action, Ctl};
use crate::operator::selector_pattern;
use crate::seclang::LexError;
use crate::seclang::ast::{ActionNode, Directive, Node, Operator, RuleSet, Target};
use crate::seclang::source::Span;
use crate::variable::environment::Environment;

/// Everything a load says, before it is compiled.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    pub(crate) items: Vec<Item>,
    pub(crate) settings: Settings,
    pub(crate) notices: Vec<(Span, String)>,
    pub(crate) environment: Environment,
    defaults: HashMap<u8, Arc<[ActionNode]>>,
    /// The last rule read is a chain that wants one more link.
    open_chain: bool,
}

impl Assembly {
    /// The rules that nothing removed.
    pub(super) fn kept_rules(&self) -> impl Iterator<Item = &Draft> {
        self.items.iter().filter_map(|item| match item {
            Item::Rule(draft) if !draft.removed => Some(draft.as_ref()),
            _ => None,
        })
    }
}

/// A rule or a marker, in reading order.
#[derive(Debug)]
pub(crate) enum Item {
    Rule(Box<Draft>),
    Marker(String),
}

#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) span: Span,
    pub(crate) links: Vec<DraftLink>,
    /// `SecDefaultAction` of the rule's phase at the place where the rule stands.
    pub(crate) defaults: Arc<[ActionNode]>,
    pub(crate) removed: bool,
    /// A link could not be read, which was reported.
    pub(crate) broken: bool,
}

#[derive(Debug)]
pub(crate) struct DraftLink {
    pub(crate) span: Span,
    pub(crate) targets: Vec<Target>,
    /// None for a `SecAction`.
    pub(crate) operator: Option<Operator>,
    pub(crate) actions: Vec<ActionNode>,
}

/// Adds the directives of one source. `Include` must have been replaced by the included nodes.
pub(crate) fn assemble(nodes: Vec<Node>, assembly: &mut Assembly, errors: &mut Vec<LexError>) {
    for node in nodes {
        if let Err(message) = assembly.add(node.span, node.directive) {
            errors.push(LexError { span: node.span, message });
        }
    }
}

impl Assembly {
    fn add(&mut self, span: Span, directive: Directive) -> Result<(), String> {
        match directive {
            Directive::Rule { targets, operator, actions } => {
                self.link(DraftLink { span, targets, operator: Some(operator), actions });
            }
            Directive::Action(actions) => {
                self.link(DraftLink { span, targets: Vec::new(), operator: None, actions });
            }
            Directive::Marker(name) => self.items.push(Item::Marker(name)),
            Directive::DefaultAction(actions) => self.set_default(actions)?,
            Directive::Remove(rules) => self.remove(span, &rules)?,
            Directive::UpdateTargets { rules, targets, replaced } => {
                self.update_targets(span, &rules, &targets, &replaced)?
            }
            Directive::UpdateActions { id, link, actions } => {
                self.update_actions(id, link, actions)?
            }
            Directive::Setting { name, values } => self.settings.apply(name, &values)?,
            Directive::Ignored { name, why } => {
                self.notices.push((span, format!("{name} has no effect: {why}")))
            }
            Directive::Component(name) => self.settings.components.push(name),
            Directive::Broken { chain } => self.broken(span, chain),
            Directive::Satisfied | Directive::Include { .. } => {}
        }
        Ok(())
    }

    fn link(&mut self, link: DraftLink) {
        let chained = link.actions.iter().any(|node| matches!(node.action, Action::Chain));
        self.note_actions(&link.actions);
        match self.items.last_mut() {
            Some(Item::Rule(draft)) if self.open_chain => draft.links.push(link),
            _ => {
                let defaults =
                    self.defaults.get(&phase(&link.actions)).cloned().unwrap_or_default();
                let span = link.span;
                self.items.push(Item::Rule(Box::new(Draft {
                    span,
                    links: vec![link],
                    defaults,
                    removed: false,
                    broken: false,
                })));
            }
        }
        self.open_chain = chained;
    }

    /// Actions that are read and change nothing are said to.
    fn note_actions(&mut self, actions: &[ActionNode]) {
        for node in actions {
            let why = match node.action {
                Action::Log | Action::NoLog | Action::AuditLog | Action::NoAuditLog
                    if self.open_chain =>
                {
                    "log actions of a later rule of a chain have no effect: the first one's hold"
                }
                Action::Ctl(Ctl::DebugLogLevel) => {
                    "ctl:debugLogLevel has no effect: there is no debug log"
                }
                _ => continue,
            };
            self.notices.push((node.span, why.to_owned()));
        }
    }

    /// Keeps the place of a rule that could not be read: its chain is not compiled, nor misread.
    fn broken(&mut self, span: Span, chain: bool) {
        self.link(DraftLink { span, targets: Vec::new(), operator: None, actions: Vec::new() });
        if let Some(Item::Rule(draft)) = self.items.last_mut() {
            draft.broken = true;
        }
        self.open_chain = chain;
    }

    fn set_default(&mut self, actions: Vec<ActionNode>) -> Result<(), String> {
        let allowed = |action: &Action| {
            !matches!(
                action,
                Action::Id(_) | Action::Chain | Action::Skip(_) | Action::SkipAfter(_)
            )
        };
        if let Some(refused) = actions.iter().find_map(|node| node.action.refusal()) {
            return Err(refused);
        }
        if !actions.iter().all(|node| allowed(&node.action)) {
            return Err("SecDefaultAction takes no id, chain, skip or skipAfter".to_owned());
        }
        self.defaults.insert(phase(&actions), actions.into());
        Ok(())
    }

    fn remove(&mut self, span: Span, rules: &RuleSet) -> Result<(), String> {
        let mut removed = 0;
        for draft in self.chosen(rules)? {
            draft.removed = true;
            removed += 1;
        }
        self.note_if_none(span, removed);
        Ok(())
    }

    fn update_targets(
        &mut self,
        span: Span,
        rules: &RuleSet,
        targets: &[Target],
        replaced: &[Target],
    ) -> Result<(), String> {
        let mut updated = 0;
        for draft in self.chosen(rules)? {
            let own = &mut draft.links[0].targets;
            let before = own.len();
            own.retain(|target| !replaced.iter().any(|old| old.means_the_same(target)));
            // Where a target is to be replaced, rules that do not have it stay as they are.
            if replaced.is_empty() || own.len() < before {
                own.extend_from_slice(targets);
                updated += 1;
            }
        }
        self.note_if_none(span, updated);
        Ok(())
    }

    fn note_if_none(&mut self, span: Span, changed: usize) {
        if changed == 0 {
            self.notices.push((span, "no rule read so far is meant by this directive".to_owned()));
        }
    }

    fn update_actions(
        &mut self,
        id: u32,
        link: u32,
        actions: Vec<ActionNode>,
    ) -> Result<(), String> {
        if actions
            .iter()
            .any(|node| matches!(node.action, Action::Id(_) | Action::Phase(_) | Action::Chain))
        {
            return Err("id, phase and chain cannot be changed".to_owned());
        }
        let draft = self
            .drafts()
            .find(|draft| draft.id() == Some(id))
            .ok_or_else(|| format!("no rule {id} so far"))?;
        let links = draft.links.len();
        let link = draft
            .links
            .get_mut(link as usize)
            .ok_or_else(|| format!("rule {id} has {links} links, no link {link}"))?;
        link.replace(actions);
        Ok(())
    }

    fn drafts(&mut self) -> impl Iterator<Item = &mut Draft> {
        self.items.iter_mut().filter_map(|item| match item {
            Item::Rule(draft) => Some(draft.as_mut()),
            Item::Marker(_) => None,
        })
    }

    fn chosen(&mut self, rules: &RuleSet) -> Result<Vec<&mut Draft>, String> {
        let choice = Choice::compile(rules)?;
        Ok(self.drafts().filter(|draft| choice.takes_draft(draft)).collect())
    }
}

impl Draft {
    pub(crate) fn phase(&self) -> u8 {
        phase(&self.links[0].actions)
    }

    pub(crate) fn id(&self) -> Option<u32> {
        self.actions().find_map(|action| match action {
            Action::Id(id) => Some(*id),
            _ => None,
        })
    }

    /// What it inherits, then what it says itself: of what can be said only once the last holds.
    pub(crate) fn inherited(&self) -> impl DoubleEndedIterator<Item = &ActionNode> {
        self.defaults.iter().chain(&self.links[0].actions)
    }

    /// Whether its matches go to the error log, and whether they go into the audit record.
    pub(crate) fn records(&self) -> (bool, bool) {
        self.inherited().fold((true, true), |(log, audit), node| match node.action {
            Action::Log => (true, audit),
            Action::NoLog => (false, false),
            Action::AuditLog => (log, true),
            Action::NoAuditLog => (log, false),
            _ => (log, audit),
        })
    }

    /// Tags as written, the inherited ones first.
    pub(crate) fn tags(&self) -> impl Iterator<Item = &str> {
        self.inherited().filter_map(|node| match &node.action {
            Action::Tag(tag) => Some(tag.as_str()),
            _ => None,
        })
    }

    /// The message as written; empty when there is none.
    pub(crate) fn message(&self) -> &str {
        let message = self.inherited().rev().find_map(|node| match &node.action {
            Action::Message(message) => Some(message.as_str()),
            _ => None,
        });
        message.unwrap_or_default()
    }

    /// The actions of all its links, and those it inherits.
    pub(crate) fn all_actions(&self) -> impl Iterator<Item = &ActionNode> {
        self.defaults.iter().chain(self.links.iter().flat_map(|link| &link.actions))
    }

    fn actions(&self) -> impl Iterator<Item = &Action> {
        self.links[0].actions.iter().map(|node| &node.action)
    }
}

impl DraftLink {
    /// New actions take the place of those that can stand only once, and add to the others.
    fn replace(&mut self, actions: Vec<ActionNode>) {
        let clears = actions.iter().any(|node| matches!(node.action, Action::ClearTransforms));
        for new in &actions {
            if !repeats(&new.action) {
                self.actions.retain(|old| kind(&old.action) != kind(&new.action));
            }
        }
        if clears {
            self.actions.retain(|old| !matches!(old.action, Action::Transform(_)));
        }
        self.actions.extend(actions);
    }
}

/// The action may stand several times in a rule.
fn repeats(action: &Action) -> bool {
    matches!(
        action,
        Action::Tag(_)
            | Action::Transform(_)
            | Action::SetVar(_)
            | Action::Ctl(_)
            | Action::Persist(_)
            | Action::Sanitise(_)
    )
}

/// Actions of one kind replace each other; `log` and `nolog` are one kind.
fn kind(action: &Action) -> std::mem::Discriminant<Action> {
    match action {
        Action::NoLog => std::mem::discriminant(&Action::Log),
        Action::NoAuditLog => std::mem::discriminant(&Action::AuditLog),
        other => std::mem::discriminant(other),
    }
}

/// Phase 2 where nothing is said, as in ModSecurity.
pub(super) fn phase(actions: &[ActionNode]) -> u8 {
    let named = actions.iter().rev().find_map(|node| match node.action {
        Action::Phase(phase) => Some(phase),
        _ => None,
    });
    named.unwrap_or(2)
}

/// A [`RuleSet`] with its pattern compiled.
pub(crate) enum Choice<'a> {
    Ids(&'a [crate::seclang::ast::IdRange]),
    Tag(regex::bytes::Regex),
    Message(regex::bytes::Regex),
}

impl<'a> Choice<'a> {
    pub(crate) fn compile(rules: &'a RuleSet) -> Result<Self, String> {
        Ok(match rules {
            RuleSet::Ids(ranges) => Self::Ids(ranges),
            RuleSet::Tag(pattern) => Self::Tag(selector_pattern(pattern, false)?),
            RuleSet::Message(pattern) => Self::Message(selector_pattern(pattern, false)?),
        })
    }

    pub(crate) fn takes<'t>(
        &self,
        id: u32,
        mut tags: impl Iterator<Item = &'t str>,
        message: &str,
    ) -> bool {
        match self {
            Self::Ids(ranges) => ranges.iter().any(|range| range.contains(id)),
            Self::Tag(pattern) => tags.any(|tag| pattern.is_match(tag.as_bytes())),
            Self::Message(pattern) => pattern.is_match(message.as_bytes()),
        }
    }

    fn takes_draft(&self, draft: &Draft) -> bool {
        self.takes(draft.id().unwrap_or_default(), draft.tags(), draft.message())
    }
}
