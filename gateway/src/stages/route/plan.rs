//! What routes match -> one table. Reports every bad pattern, every conflict and every route that cannot win.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::methods::{MethodNames, MethodSet};
use super::pattern::{HostPattern, PARAM, PathPattern};
use super::section::MatchSection;
use super::table::{Condition, HostKind, Keys, Leaf, Names, Shape, Slot, Table};
use crate::base::compile::{Compile, Step, number};


/// Most routes that only methods and header conditions tell apart: a lookup goes through them one by one.
pub(super) const RIVALS: usize = 1024;
/// Most header conditions of one route.
const CONDITIONS: usize = 16;
/// Fields that the gateway itself sets: a client's are stripped before routing.
const GATEWAY_FIELDS: &str = "x-yett-";

/// One route, as far as matching goes.
#[derive(Clone, Copy, Debug)]
pub struct RouteEntry<'a> {
    pub id: &'a str,
    pub matches: &'a MatchSection,
}

/// All routes of one configuration. Immutable.
#[derive(Debug, Default)]
pub struct RouteTable {
    pub(super) table: Table,
    pub(super) methods: MethodNames,
}

impl RouteTable {
    /// Compiles `routes`, whose indexes are those of the document's `routes`. A route with problems is left out.
    pub fn compile(routes: &[RouteEntry<'_>], cx: &mut Compile) -> RouteTable {
        let mut methods = MethodNames::default();
        let rules = cx.within("routes", |cx| {
            let rules: Vec<Rule> = routes
                .iter()
                .enumerate()
                .filter_map(|(index, entry)| {
                    within_match(index, cx, |cx| Rule::compile(index, entry, &mut methods, cx))
                })
                .collect();
            report_rivals(&rules, routes, cx);
            rules
        });
        RouteTable { table: build(rules), methods }
    }

    /// Routes that can match.
    pub fn len(&self) -> usize {
        self.table.leaves.len()
    }

    pub fn is_empty(&self) -> bool {
        self.table.leaves.is_empty()
    }
}

/// One route's pattern, read.
struct Rule {
    index: usize,
    host: HostPattern,
    path: PathPattern,
    methods: MethodSet,
    conditions: Vec<Condition>,
}

impl Rule {
    fn compile(
        index: usize,
        entry: &RouteEntry<'_>,
        names: &mut MethodNames,
        cx: &mut Compile,
    ) -> Option<Rule> {
        let section = entry.matches;
        let host = HostPattern::parse(section.host.as_deref());
        let host = cx.within("host", |cx| report(host, number::HOST_PATTERN, cx));
        let path = cx.within("path", |cx| report(PathPattern::parse(&section.path), number::PATH_PATTERN, cx));
        let methods = cx.within("methods", |cx| read_methods(section, names, cx));
        let conditions = cx.within("headers", |cx| read_conditions(section, cx));
        Some(Rule { index, host: host?, path: path?, methods: methods?, conditions: conditions? })
    }

    /// Rank among routes with the same host and path; smaller wins.
    fn rank(&self) -> (bool, usize) {
        (self.methods.is_any(), usize::MAX - self.conditions.len())
    }

    /// Some request belongs to both, and neither is more specific.
    fn conflicts(&self, other: &Rule) -> bool {
        self.rank() == other.rank()
            && self.methods.meets(other.methods)
            && !self.conditions.iter().any(|(name, value)| {
                other.conditions.iter().any(|(theirs, wanted)| name == theirs && value != wanted)
            })
    }

    fn host_kind(&self) -> HostKind {
        match self.host {
            HostPattern::Exact(_) => HostKind::Exact,
            HostPattern::Wildcard(_) => HostKind::Wildcard,
            HostPattern::Any => HostKind::Any,
        }
    }
}

fn within_match<R>(index: usize, cx: &mut Compile, work: impl FnOnce(&mut Compile) -> R) -> R {
    cx.within(index, |cx| cx.within("match", work))
}

fn report<T>(result: Result<T, String>, number: u16, cx: &mut Compile) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(why) => {
            cx.error(number, why);
            None
        }
    }
}

fn read_methods(
    section: &MatchSection,
    names: &mut MethodNames,
    cx: &mut Compile,
) -> Option<MethodSet> {
    let Some(tokens) = &section.methods else { return Some(MethodSet::ANY) };
    if tokens.is_empty() {
        cx.error(number::METHOD, "no method is listed: the route can never match")
            .hint("leave `methods` out for every method");
        return None;
    }
    let mut set = Some(MethodSet::NONE);
    for (index, token) in tokens.iter().enumerate() {
        let read = cx.within(index, |cx| report(names.read(token), number::METHOD, cx));
        set = set.zip(read).map(|(set, more)| set.and(more));
    }
    set
}

fn read_conditions(section: &MatchSection, cx: &mut Compile) -> Option<Vec<Condition>> {
    if section.headers.len() > CONDITIONS {
        let count = section.headers.len();
        cx.error(number::HEADER_CONDITION, format!("{count} header conditions, bound {CONDITIONS}"));
        return None;
    }
    let mut conditions: Option<Vec<Condition>> = Some(Vec::new());
    for (name, value) in &section.headers {
        let read = cx.within(name.clone(), |cx| {
            let condition = report(read_condition(name, value), number::HEADER_CONDITION, cx)?;
            if condition.0.as_str().starts_with(GATEWAY_FIELDS) {
                cx.warning(
                    number::UNREACHABLE,
                    format!(
                        "field `{name}` is stripped from every client, so the route never matches"
                    ),
                );
            }
            Some(condition)
        });
        let first = |known: &[Condition]| {
            read.as_ref().is_none_or(|read| known.iter().all(|(name, _)| *name != read.0))
        };
        if !first(conditions.as_deref().unwrap_or_default()) {
            cx.error(number::HEADER_CONDITION, format!("field `{name}` is named twice (names ignore case)"));
        }
        conditions = conditions.zip(read).map(|(mut all, one)| {
            all.push(one);
            all
        });
    }
    conditions
}

fn read_condition(name: &str, value: &str) -> Result<Condition, String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("`{name}` is not a field name (RFC 9110 §5.1)"))?;
    if header == http::header::HOST {
        return Err("field `host` is matched with `match.host`".into());
    }
    if value.trim_matches([' ', '\t']) != value {
        return Err(format!(
            "value {value:?} of `{name}` starts or ends with white space, which no field does"
        ));
    }
    let value = HeaderValue::from_str(value).map_err(|_| {
        format!("value {value:?} of `{name}` cannot stand in a field (RFC 9110 §5.5)")
    })?;
    Ok((header, value))
}

/// Within one host and path: conflicts, and routes that others leave nothing to.
fn report_rivals(rules: &[Rule], routes: &[RouteEntry<'_>], cx: &mut Compile) {
    let mut groups: HashMap<(&HostPattern, &str, bool), Vec<&Rule>> = HashMap::new();
    for rule in rules {
        let shape = (&rule.host, rule.path.text.as_str(), rule.path.prefix);
        let group = groups.entry(shape).or_default();
        if group.len() < RIVALS {
            report_conflict(rule, group, routes, cx);
        }
        group.push(rule);
        if group.len() == RIVALS + 1 {
            within_match(rule.index, cx, |cx| {
                cx.error(number::ROUTES_CROWDED, format!("more than {RIVALS} routes with this host and path"));
            });
        }
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_unstable_by_key(|group| group[0].index);
    for group in groups {
        report_unreachable(&group, routes, cx);
    }
}

fn report_conflict(rule: &Rule, group: &[&Rule], routes: &[RouteEntry<'_>], cx: &mut Compile) {
    let Some(rival) = group.iter().find(|rival| rule.conflicts(rival)) else { return };
    within_match(rule.index, cx, |cx| {
        let (own, other) = (routes[rule.index].id, routes[rival.index].id);
        cx.error(number::ROUTE_CONFLICT, format!("routes `{own}` and `{other}` match the same requests"))
            .hint("give one of them another path, other methods or one more header condition")
            .related(place(rival.index));
    });
}

/// A route for every method loses to routes with listed methods: it is unreachable when those take every
/// standard method without asking for fields that it does not ask for itself.
fn report_unreachable(group: &[&Rule], routes: &[RouteEntry<'_>], cx: &mut Compile) {
    for rule in group.iter().filter(|rule| rule.methods.is_any()) {
        let wider = |other: &&&Rule| {
            !other.methods.is_any()
                && other.conditions.iter().all(|condition| rule.conditions.contains(condition))
        };
        let rivals: Vec<&&Rule> = group.iter().filter(wider).collect();
        let taken = rivals.iter().fold(MethodSet::NONE, |set, other| set.and(other.methods));
        if !taken.holds_standard() {
            continue;
        }
        within_match(rule.index, cx, |cx| {
            let others: Vec<_> = rivals
                .iter()
                .take(4)
                .map(|other| format!("`{}`", routes[other.index].id))
                .collect();
            let own = routes[rule.index].id;
            let others = others.join(", ");
            cx.warning(
                number::UNREACHABLE,
                format!("route `{own}` is never reached: {others} take every method"),
            )
            .related(place(rivals[0].index));
        });
    }
}

fn place(index: usize) -> Vec<Step> {
    vec!["routes".into(), index.into(), "match".into()]
}

/// Two prefixes with one key (about 1 in 10^9 for 100,000 prefixes) get another seed.
fn build(mut rules: Vec<Rule>) -> Table {
    rules.sort_by_key(|rule| (rule.path.prefix, rule.rank(), rule.index));
    (0..)
        .find_map(|seed| Builder::new(&rules, Keys::new(seed)))
        .map(Builder::freeze)
        .unwrap_or_default()
}

struct Builder<'r> {
    rules: &'r [Rule],
    keys: Keys,
    prefixes: HashMap<u64, Prefix<'r>>,
}

/// One prefix of some pattern, while the table is built.
struct Prefix<'r> {
    host: &'r HostPattern,
    path: &'r str,
    literals: bool,
    param: bool,
    /// Indexes into the sorted rules.
    exact: Vec<usize>,
    wide: Vec<usize>,
}

impl<'r> Builder<'r> {
    fn new(rules: &'r [Rule], keys: Keys) -> Option<Builder<'r>> {
        let mut builder = Builder { rules, keys, prefixes: HashMap::new() };
        (0..rules.len()).all(|index| builder.add(index).is_some()).then_some(builder)
    }

    /// `None`: two prefixes have the same key.
    fn add(&mut self, index: usize) -> Option<()> {
        let rule = &self.rules[index];
        let text = rule.path.text.as_str();
        let mut key = self.keys.host(rule.host_kind(), rule.host.text());
        self.prefix(key, rule, 0)?;
        let mut at = 0;
        for segment in text.split('/').skip(1) {
            at += 1 + segment.len();
            let parent = self.prefixes.get_mut(&key)?;
            key = if segment.as_bytes() == [PARAM] {
                parent.param = true;
                self.keys.param(key)
            } else {
                parent.literals = true;
                self.keys.literal(key, segment.as_bytes())
            };
            self.prefix(key, rule, at)?;
        }
        let last = self.prefixes.get_mut(&key)?;
        if rule.path.prefix {
            last.wide.push(index)
        } else {
            last.exact.push(index)
        }
        Some(())
    }

    fn prefix(&mut self, key: u64, rule: &'r Rule, bytes: usize) -> Option<()> {
        let path = &rule.path.text[..bytes];
        match self.prefixes.entry(key) {
            Entry::Occupied(known) => {
                (known.get().host == &rule.host && known.get().path == path).then_some(())
            }
            Entry::Vacant(free) => {
                free.insert(Prefix {
                    host: &rule.host,
                    path,
                    literals: false,
                    param: false,
                    exact: Vec::new(),
                    wide: Vec::new(),
                });
                Some(())
            }
        }
    }

    #[allow(clippy::cast_possible_truncation)] // counts of a configuration of at most 32 MiB
    fn freeze(self) -> Table {
        let slots = self.prefixes.len() + self.prefixes.len() / 2 + 1;
        let mut table = Table { keys: self.keys, ..Table::default() };
        table.slots = vec![Slot::default(); slots];
        let mut interned = Interned::default();
        // In order of text, so that tables of one configuration are alike and neighbours lie together.
        let mut prefixes: Vec<_> = self.prefixes.into_iter().collect();
        prefixes.sort_unstable_by_key(|(_, prefix)| (prefix.host.text(), prefix.path));
        for (key, prefix) in prefixes {
            let first = table.leaves.len() as u32;
            for index in prefix.exact.iter().chain(&prefix.wide) {
                push_leaf(&mut table, &self.rules[*index], &mut interned);
            }
            let shape =
                Shape::new(prefix.literals, prefix.param, prefix.exact.len(), prefix.wide.len());
            place_slot(&mut table.slots, Slot { key, first, shape });
        }
        table.names = interned.lists;
        table.leaves.shrink_to_fit();
        table.conditions.shrink_to_fit();
        table.texts.shrink_to_fit();
        table
    }
}

fn place_slot(slots: &mut [Slot], slot: Slot) {
    let mut index = Table::home(slot.key, slots.len());
    while slots[index].key != 0 {
        index = (index + 1) % slots.len();
    }
    slots[index] = slot;
}

#[allow(clippy::cast_possible_truncation)] // hosts 253 bytes, paths 8 KiB, texts and counts below 4 GiB
fn push_leaf(table: &mut Table, rule: &Rule, interned: &mut Interned) {
    let leaf = Leaf {
        route: rule.index as u32,
        methods: rule.methods,
        conditions: table.conditions.len() as u32,
        condition_count: rule.conditions.len() as u16,
        text: table.texts.len() as u32,
        path_bytes: rule.path.text.len() as u16,
        host_bytes: rule.host.text().len() as u8,
        host: rule.host_kind(),
        prefix: rule.path.prefix,
        names: interned.list(&rule.path.params),
    };
    table.leaves.push(leaf);
    table.conditions.extend(rule.conditions.iter().cloned());
    table.texts.push_str(rule.host.text());
    table.texts.push_str(&rule.path.text);
}

/// Parameter names, each list once.
#[derive(Default)]
struct Interned {
    known: HashMap<Vec<String>, u32>,
    lists: Vec<Names>,
}

impl Interned {
    #[allow(clippy::cast_possible_truncation)] // fewer lists than routes
    fn list(&mut self, names: &[String]) -> u32 {
        if let Some(index) = self.known.get(names) {
            return *index;
        }
        let index = self.lists.len() as u32;
        self.lists.push(names.iter().map(|name| Arc::from(name.as_str())).collect());
        self.known.insert(names.to_vec(), index);
        index
    }
}
