//! What routes match -> one table. Reports every bad pattern, every conflict and every route that cannot win.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue};

use super::build::build;
use super::methods::{MethodNames, MethodSet};
use super::pattern::{HostPattern, PathPattern};
use super::section::MatchSection;
use super::table::{Condition, Table};
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
        self.table.routes
    }

    pub fn is_empty(&self) -> bool {
        self.table.routes == 0
    }
}

/// One route's pattern, read.
pub(super) struct Rule {
    pub(super) index: usize,
    pub(super) host: HostPattern,
    pub(super) path: PathPattern,
    pub(super) methods: MethodSet,
    pub(super) conditions: Vec<Condition>,
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
        let path = cx.within("path", |cx| {
            report(PathPattern::parse(&section.path), number::PATH_PATTERN, cx)
        });
        let methods = cx.within("methods", |cx| read_methods(section, names, cx));
        let conditions = cx.within("headers", |cx| read_conditions(section, cx));
        Some(Rule { index, host: host?, path: path?, methods: methods?, conditions: conditions? })
    }

    /// Rank among routes with the same host and path; smaller wins.
    pub(super) fn rank(&self) -> (bool, usize) {
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
        cx.error(
            number::HEADER_CONDITION,
            format!("{count} header conditions, bound {CONDITIONS}"),
        );
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
            cx.error(
                number::HEADER_CONDITION,
                format!("field `{name}` is named twice (names ignore case)"),
            );
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
                cx.error(
                    number::ROUTES_CROWDED,
                    format!("more than {RIVALS} routes with this host and path"),
                );
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
        cx.error(
            number::ROUTE_CONFLICT,
            format!("routes `{own}` and `{other}` match the same requests"),
        )
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
