//! One draft to one rule: actions sorted by what they do, operators and lists interned.

use std::collections::HashMap;
use std::sync::Arc;

use super::assemble::{Choice, Draft, DraftLink};
use super::compile::{ReadData, file_name};
use super::lists;
use super::writes::Writes;
use super::{
    Disruptive, Effect, Exclusion, Jump, Link, Meta, Node, Rule, Target, Transforms, TxName,
};
use crate::action::{self, Action, Ctl, SetVar};
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::operator::{Constants, Operator};
use crate::seclang::LexError;
use crate::seclang::ast::{self, ActionNode, RuleSet};
use crate::seclang::source::{Sources, Span};
use crate::template::Template;
use crate::transform::Transform;
use crate::tx::TxNames;

/// What the rules share.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) operators: Vec<Operator>,
    pub(super) transforms: Transforms,
    pub(super) tx: TxNames,
}

pub(super) struct RuleCompiler<'a> {
    sources: &'a Sources,
    read: ReadData<'a>,
    errors: &'a mut Vec<LexError>,
    /// Id, tags and message of every rule, for `ctl` actions that choose rules.
    keys: Vec<Key>,
    seen: HashMap<u32, Span>,
    interned: HashMap<(&'static str, String, Option<u32>), u32>,
    writes: Writes,
    constants: Constants,
    parts: Parts,
}

struct Key {
    id: u32,
    tags: Vec<String>,
    message: String,
}

impl<'a> RuleCompiler<'a> {
    pub(super) fn new(
        sources: &'a Sources,
        read: ReadData<'a>,
        drafts: &[&Draft],
        errors: &'a mut Vec<LexError>,
    ) -> Self {
        let keys = drafts.iter().map(|draft| key(draft)).collect();
        let (seen, interned) = (HashMap::new(), HashMap::new());
        let writes = Writes::of(drafts);
        let (constants, parts) = (writes.constants(), Parts::default());
        Self { sources, read, errors, keys, seen, interned, writes, constants, parts }
    }

    pub(super) fn into_parts(self) -> Parts {
        self.parts
    }

    pub(super) fn rule(&mut self, draft: &Draft) -> Rule {
        self.check_id(draft);
        let (log, audit) = draft.records();
        let mut rule = Rule {
            meta: self.meta(draft),
            links: Vec::new(),
            disruptive: Disruptive::Pass,
            status: 403,
            jump: Jump::Next,
            log,
            audit,
        };
        for node in draft.inherited() {
            match &node.action {
                Action::Disruptive(kind) => {
                    rule.disruptive = self.disruptive(kind, draft, node.span)
                }
                Action::Status(status) => rule.status = *status,
                _ => {}
            }
        }
        rule.links =
            draft.links.iter().enumerate().map(|(at, link)| self.link(draft, link, at)).collect();
        rule
    }

    fn check_id(&mut self, draft: &Draft) {
        match draft.id() {
            None => self.fail(draft.span, "rule has no id"),
            Some(id) => {
                if let Some(first) = self.seen.insert(id, draft.span) {
                    let place = self.sources.place(first);
                    let message = format!("rule id {id} is taken by {}:{}", place.file, place.line);
                    self.fail(draft.span, message);
                }
            }
        }
    }

    fn meta(&mut self, draft: &Draft) -> Meta {
        let text = |pick: fn(&Action) -> Option<&String>| {
            let mut last = draft.inherited().rev();
            last.find_map(|node| pick(&node.action).map(|text| (text.clone(), node.span)))
        };
        let message =
            text(|action| if let Action::Message(text) = action { Some(text) } else { None });
        let logdata =
            text(|action| if let Action::LogData(text) = action { Some(text) } else { None });
        let revision =
            text(|action| if let Action::Revision(text) = action { Some(text) } else { None });
        let version =
            text(|action| if let Action::Version(text) = action { Some(text) } else { None });
        let tags: Arc<[String]> = draft.tags().map(str::to_owned).collect();
        Meta {
            id: draft.id().unwrap_or_default(),
            phase: draft.phase(),
            severity: draft.inherited().rev().find_map(|node| match node.action {
                Action::Severity(severity) => Some(severity),
                _ => None,
            }),
            message_text: message.as_ref().map(|(text, _)| text.clone()).unwrap_or_default(),
            message: self.template(message.as_ref()),
            logdata: self.template(logdata.as_ref()),
            logdata_text: logdata.map(|(text, _)| text).unwrap_or_default(),
            paranoia: tags.iter().find_map(|tag| tag.strip_prefix("paranoia-level/")?.parse().ok()),
            tags,
            tag_templates: self.tag_templates(draft),
            revision: revision.map(|(text, _)| text).unwrap_or_default(),
            version: version.map(|(text, _)| text).unwrap_or_default(),
            file: file_name(self.sources, draft.span),
            line: self.sources.place(draft.span).line,
        }
    }

    fn tag_templates(&mut self, draft: &Draft) -> Box<[Template]> {
        let nodes = draft.inherited().filter_map(|node| match &node.action {
            Action::Tag(tag) => Some((tag.clone(), node.span)),
            _ => None,
        });
        let templates: Box<[Template]> = nodes.map(|tag| self.template(Some(&tag))).collect();
        let plain = templates.iter().all(|template| template.constant().is_some());
        if plain { Box::default() } else { templates }
    }

    fn template(&mut self, text: Option<&(String, Span)>) -> Template {
        let Some((text, span)) = text else { return Template::default() };
        let parsed = Template::parse(text, &mut self.parts.tx);
        self.check(*span, parsed).unwrap_or_default()
    }

    fn disruptive(&mut self, kind: &action::Disruptive, draft: &Draft, span: Span) -> Disruptive {
        match kind {
            action::Disruptive::Block => self.default_disruptive(draft),
            action::Disruptive::Pass => Disruptive::Pass,
            action::Disruptive::Deny => Disruptive::Deny,
            action::Disruptive::Drop => Disruptive::Drop,
            action::Disruptive::Allow(scope) => Disruptive::Allow(*scope),
            action::Disruptive::Redirect(to) => {
                Disruptive::Redirect(self.template(Some(&(to.clone(), span))))
            }
        }
    }

    /// `block` means what the phase's `SecDefaultAction` says, and passes where it says nothing.
    fn default_disruptive(&mut self, draft: &Draft) -> Disruptive {
        let default = draft.defaults.iter().rev().find_map(|node| match &node.action {
            Action::Disruptive(kind) if !matches!(kind, action::Disruptive::Block) => {
                Some((kind, node.span))
            }
            _ => None,
        });
        default.map_or(Disruptive::Pass, |(kind, span)| self.disruptive(kind, draft, span))
    }

    fn link(&mut self, draft: &Draft, link: &DraftLink, at: usize) -> Link {
        self.check_place(link, at, at + 1 == draft.links.len());
        let (targets, exclusions) = self.targets(link);
        let list = transform_list(draft.defaults.iter().chain(&link.actions));
        if link.operator.as_ref().is_some_and(|operator| operator.name == "rbl")
            && let Err((span, message)) = lists::check(link, &list, &self.writes)
        {
            self.fail(span, message);
        }
        let steps = self.parts.transforms.intern(&list);
        let steps = self.check(link.span, steps).unwrap_or_else(|| vec![Node::ROOT]);
        let actions = || draft.defaults.iter().chain(&link.actions);
        let has = |wanted: fn(&Action) -> bool| actions().any(|node| wanted(&node.action));
        Link {
            targets,
            exclusions,
            transforms: steps.last().copied().unwrap_or(Node::ROOT),
            steps,
            operator: self.operator(link),
            operator_name: link
                .operator
                .as_ref()
                .map_or("unconditionalMatch", |operator| operator.name),
            negated: link.operator.as_ref().is_some_and(|operator| operator.negated),
            unconditional: link.operator.is_none(),
            capture: has(|action| matches!(action, Action::Capture)),
            multi_match: has(|action| matches!(action, Action::MultiMatch)),
            effects: self.effects(draft, link, at),
        }
    }

    /// What is inherited runs once the whole rule has matched: in the last link.
    fn effects(&mut self, draft: &Draft, link: &DraftLink, at: usize) -> Vec<Effect> {
        let inherited = draft.defaults.iter().filter(|_| at + 1 == draft.links.len());
        inherited.chain(&link.actions).filter_map(|node| self.effect(node)).collect()
    }

    /// What concerns the whole chain is written in its first rule.
    fn check_place(&mut self, link: &DraftLink, at: usize, last: bool) {
        for node in &link.actions {
            let head_only = matches!(
                node.action,
                Action::Id(_)
                    | Action::Phase(_)
                    | Action::Disruptive(_)
                    | Action::Status(_)
                    | Action::Skip(_)
                    | Action::SkipAfter(_)
                    | Action::Message(_)
                    | Action::LogData(_)
                    | Action::Tag(_)
                    | Action::Severity(_)
            );
            if at > 0 && head_only {
                self.fail(node.span, "this action belongs to the first rule of the chain");
            }
            if last && matches!(node.action, Action::Chain) {
                self.fail(node.span, "chain has no further rule");
            }
        }
    }

    fn targets(&mut self, link: &DraftLink) -> (Vec<Target>, Vec<Exclusion>) {
        let (mut targets, mut exclusions) = (Vec::new(), Vec::new());
        for target in &link.targets {
            if target.exclude {
                let exclusion = Exclusion::compile(target);
                exclusions.extend(self.check(target.span, exclusion));
            } else {
                let compiled = Target::compile(target, &mut self.parts.tx);
                targets.extend(self.check(target.span, compiled));
            }
        }
        (targets, exclusions)
    }

    fn operator(&mut self, link: &DraftLink) -> u32 {
        let (name, argument, span) = match &link.operator {
            Some(operator) => (operator.name, operator.argument.as_str(), operator.argument_span),
            None => ("unconditionalMatch", "", link.span),
        };
        // A file name means another file in another folder.
        let source = name.to_ascii_lowercase().contains('f').then_some(span.source);
        let key = (name, argument.to_owned(), source);
        if let Some(operator) = self.interned.get(&key) {
            return *operator;
        }
        let read = self.read;
        let (tx, constants) = (&mut self.parts.tx, &self.constants);
        let compiled = Operator::compile(name, argument, tx, constants, &|file| read(span, file));
        let compiled = self.check(span, compiled).unwrap_or(Operator::Never);
        self.parts.operators.push(compiled);
        let operator = index(self.parts.operators.len() - 1);
        self.interned.insert(key, operator);
        operator
    }

    fn effect(&mut self, node: &ActionNode) -> Option<Effect> {
        if let Some(refusal) = node.action.refusal() {
            self.fail(node.span, refusal);
            return None;
        }
        match &node.action {
            Action::SetVar(write) => {
                let effect = self.setvar(write);
                self.check(node.span, effect)
            }
            Action::Ctl(ctl) => {
                let effect = self.ctl(ctl);
                self.check(node.span, effect).flatten()
            }
            Action::Persist(persist) => {
                let effect = super::persist::compile(persist, &mut self.parts.tx);
                self.check(node.span, effect).map(Effect::Persist)
            }
            Action::Sanitise(sanitise) => Some(Effect::Sanitise(sanitise.clone())),
            _ => None,
        }
    }

    fn setvar(&mut self, write: &SetVar) -> Result<Effect, String> {
        if let Some(collection) = write.collection {
            let write = super::persist::write(collection, write, &mut self.parts.tx)?;
            return Ok(Effect::Persist(write));
        }
        let name = Template::parse(&write.name, &mut self.parts.tx)?;
        let name = match name.constant() {
            Some(_) => TxName::Slot(self.parts.tx.intern(&write.name)),
            None => TxName::Dynamic(name),
        };
        let value = Template::parse(&write.value, &mut self.parts.tx)?;
        Ok(Effect::SetVar { name, op: write.op, value })
    }

    fn ctl(&mut self, ctl: &Ctl) -> Result<Option<Effect>, String> {
        Ok(Some(match ctl {
            Ctl::RemoveRules(rules) => Effect::RemoveRules(self.chosen(rules)?),
            Ctl::RemoveTargets(rules, targets) => {
                Effect::RemoveTargets(self.chosen(rules)?, exclusions(targets)?)
            }
            Ctl::RequestBodyProcessor(processor) => Effect::RequestBodyProcessor(*processor),
            Ctl::ForceRequestBodyVariable(on) => Effect::ForceRequestBodyVariable(*on),
            Ctl::RequestBodyAccess(on) => Effect::RequestBodyAccess(*on),
            Ctl::ResponseBodyAccess(on) => Effect::ResponseBodyAccess(*on),
            Ctl::RuleEngine(mode) => Effect::RuleEngine(*mode),
            Ctl::AuditEngine(mode) => Effect::AuditEngine(*mode),
            Ctl::AuditLogParts(change) => Effect::AuditLogParts(*change),
            Ctl::RequestBodyBytes(bytes) => Effect::RequestBodyBytes(*bytes),
            Ctl::ResponseBodyBytes(bytes) => Effect::ResponseBodyBytes(*bytes),
            Ctl::ForceResponseBodyVariable(on) => Effect::ForceResponseBodyVariable(*on),
            Ctl::DebugLogLevel | Ctl::Refused(..) => return Ok(None),
        }))
    }

    fn chosen(&self, rules: &RuleSet) -> Result<BitSet, String> {
        let choice = Choice::compile(rules)?;
        let mut chosen = BitSet::with_len(self.keys.len());
        for (at, key) in self.keys.iter().enumerate() {
            if choice.takes(key.id, key.tags.iter().map(String::as_str), &key.message) {
                chosen.insert(index(at));
            }
        }
        Ok(chosen)
    }

    fn fail(&mut self, span: Span, message: impl Into<String>) {
        self.errors.push(LexError { span, message: message.into() });
    }

    fn check<T>(&mut self, span: Span, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.fail(span, message)).ok()
    }
}

fn exclusions(targets: &[ast::Target]) -> Result<Vec<Exclusion>, String> {
    targets.iter().map(Exclusion::compile).collect()
}

fn key(draft: &Draft) -> Key {
    Key {
        id: draft.id().unwrap_or_default(),
        tags: draft.tags().map(str::to_owned).collect(),
        message: draft.message().to_owned(),
    }
}

/// `t:none` clears what stands before it, the inherited list too.
fn transform_list<'n>(actions: impl Iterator<Item = &'n ActionNode>) -> Vec<Transform> {
    let mut list = Vec::new();
    for node in actions {
        match node.action {
            Action::ClearTransforms => list.clear(),
            Action::Transform(transform) => list.push(transform),
            _ => {}
        }
    }
    list
}
