//! The table against a matcher that looks at every route and sorts by specificity, over random tables and requests.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use super::{Ask, MatchSection, compile};
use crate::base::code::Code;
use crate::base::compile::Step;
use crate::base::compile::number::ROUTE_CONFLICT;

/// SplitMix64: small, seeded, the same everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

const HOSTS: &[&str] = &["", "a.test.io", "b.test.io", "*.test.io", "*.a.test.io", "test.io"];
const ASKED_HOSTS: &[&str] =
    &["a.test.io", "b.test.io", "c.test.io", "x.a.test.io", "test.io", "z.net", ""];
const SEGMENTS: &[&str] = &["a", "b", "c", "{x}", "{x}"];
const ASKED_SEGMENTS: &[&str] = &["a", "b", "c", "d", ""];
const METHODS: &[&str] = &["GET", "POST", "HEAD", "PURGE"];
const ASKED_METHODS: &[&str] = &["GET", "POST", "HEAD", "PURGE", "PUT"];

fn random_section(draw: &mut Draw) -> MatchSection {
    let host = draw.of(HOSTS);
    let depth = draw.below(5);
    let mut path = String::new();
    for position in 0..depth {
        let segment = draw.of(SEGMENTS);
        path.push('/');
        path.push_str(&segment.replace('x', &format!("x{position}")));
    }
    match draw.below(4) {
        0 => path.push_str("/*"),
        1 => path.push('/'),
        _ if path.is_empty() => path.push('/'),
        _ => {}
    }
    let methods = (0..draw.below(3)).map(|_| draw.of(METHODS).to_owned()).collect::<BTreeSet<_>>();
    let headers = (0..draw.below(6) / 3)
        .map(|_| (draw.of(&["x-a", "x-b"]).to_owned(), draw.of(&["1", "2"]).to_owned()))
        .collect();
    MatchSection {
        host: (!host.is_empty()).then(|| host.into()),
        path,
        methods: (!methods.is_empty()).then(|| methods.into_iter().collect()),
        headers,
    }
}

fn random_ask(draw: &mut Draw) -> (String, String, String, Vec<(String, String)>) {
    let depth = 1 + draw.below(5);
    let path: String = (0..depth).map(|_| format!("/{}", draw.of(ASKED_SEGMENTS))).collect();
    let fields = (0..draw.below(3))
        .map(|_| (draw.of(&["x-a", "x-b"]).to_owned(), draw.of(&["1", "2"]).to_owned()))
        .collect();
    (draw.of(ASKED_METHODS).into(), draw.of(ASKED_HOSTS).into(), path, fields)
}

/// Smaller is more specific.
fn specificity(section: &MatchSection) -> (u8, Vec<u8>, bool, Reverse<usize>) {
    let host = match section.host.as_deref() {
        None => 2,
        Some(host) if host.starts_with("*.") => 1,
        Some(_) => 0,
    };
    let kind = |segment: &str| match segment {
        "*" => 2,
        _ if segment.starts_with('{') => 1,
        _ => 0,
    };
    let path = section.path[1..].split('/').map(kind).collect();
    (host, path, section.methods.is_none(), Reverse(section.headers.len()))
}

fn host_fits(section: &MatchSection, host: &str) -> bool {
    match section.host.as_deref() {
        None => true,
        Some(wanted) => match wanted.strip_prefix('*') {
            Some(suffix) => host
                .strip_suffix(suffix)
                .is_some_and(|label| !label.contains('.') && !label.is_empty()),
            None => wanted == host,
        },
    }
}

fn path_fits(section: &MatchSection, path: &str) -> bool {
    let mut asked = path[1..].split('/');
    for wanted in section.path[1..].split('/') {
        if wanted == "*" {
            return true;
        }
        match asked.next() {
            Some(segment) if wanted.starts_with('{') && !segment.is_empty() => {}
            Some(segment) if wanted == segment => {}
            _ => return false,
        }
    }
    asked.next().is_none()
}

fn headers_fit(section: &MatchSection, fields: &[(String, String)]) -> bool {
    section.headers.iter().all(|(name, value)| {
        let values: Vec<_> = fields.iter().filter(|(known, _)| known == name).collect();
        values.len() == 1 && values[0].1 == *value
    })
}

fn takes(section: &MatchSection) -> Option<BTreeSet<&str>> {
    let mut methods: BTreeSet<_> = section.methods.as_ref()?.iter().map(String::as_str).collect();
    if methods.contains("GET") {
        methods.insert("HEAD");
    }
    Some(methods)
}

/// Drops routes until no two conflict.
fn without_conflicts(mut sections: Vec<MatchSection>) -> Vec<MatchSection> {
    let (_, problems) = compile(&sections);
    let mut losers: Vec<usize> = problems
        .iter()
        .filter(|problem| problem.number == ROUTE_CONFLICT)
        .map(|problem| match problem.place[1] {
            Step::Index(index) => index,
            Step::Key(_) => unreachable!("a route has an index"),
        })
        .collect();
    losers.sort_unstable();
    losers.dedup();
    for index in losers.into_iter().rev() {
        sections.remove(index);
    }
    sections
}

#[test]
fn the_table_agrees_with_looking_at_every_route() {
    let mut matched = 0;
    for seed in 0..300 {
        let mut draw = Draw(seed);
        let count = 1 + draw.below(60);
        let sections = (0..count).map(|_| random_section(&mut draw)).collect();
        let sections = without_conflicts(sections);
        let (table, problems) = compile(&sections);
        assert!(
            problems.iter().all(|problem| problem.number != ROUTE_CONFLICT),
            "seed {seed}: {problems:?}"
        );
        for _ in 0..200 {
            let asked = random_ask(&mut draw);
            matched += usize::from(agree(&table, &sections, &asked, seed));
        }
    }
    assert!(matched > 5_000, "only {matched} requests matched: the test tests nothing");
}

fn agree(
    table: &super::RouteTable,
    sections: &[MatchSection],
    asked: &(String, String, String, Vec<(String, String)>),
    seed: u64,
) -> bool {
    let (method, host, path, fields) = asked;
    let near: Vec<usize> = (0..sections.len())
        .filter(|index| host_fits(&sections[*index], host) && path_fits(&sections[*index], path))
        .filter(|index| headers_fit(&sections[*index], fields))
        .collect();
    let fitting = near.iter().copied().filter(|index| {
        takes(&sections[*index]).is_none_or(|methods| methods.contains(method.as_str()))
    });
    let mut fitting: Vec<usize> = fitting.collect();
    fitting.sort_by_key(|index| specificity(&sections[*index]));
    if let [first, second, ..] = fitting.as_slice() {
        assert_ne!(
            specificity(&sections[*first]),
            specificity(&sections[*second]),
            "seed {seed}: a conflict went unreported"
        );
    }

    let ask = Ask::new(method, host, path, fields);
    let decided = table.decide(&ask.request());
    let what = || format!("seed {seed}: {asked:?}");
    match fitting.first() {
        Some(best) => assert_eq!(decided.unwrap().index as usize, *best, "{}", what()),
        None => {
            let finding = decided.unwrap_err();
            let allow: BTreeSet<&str> =
                near.iter().filter_map(|index| takes(&sections[*index])).flatten().collect();
            let expected = if allow.is_empty() { Code::RouteNotFound } else { Code::RouteMethod };
            assert_eq!(finding.code, expected, "{}", what());
            let sorted = allow.into_iter().collect::<Vec<_>>().join(", ");
            let sent = finding.headers.first().map_or("", |(_, value)| value.to_str().unwrap());
            assert_eq!(sent, sorted, "{}", what());
        }
    }
    !fitting.is_empty()
}

/// A request made from the route's own pattern, with values that no literal has, must reach it.
#[test]
fn every_route_without_a_problem_can_be_reached() {
    for seed in 0..200 {
        let mut draw = Draw(seed);
        let sections = without_conflicts((0..40).map(|_| random_section(&mut draw)).collect());
        let (table, problems) = compile(&sections);
        assert_eq!(problems, [], "seed {seed}");
        for (index, section) in sections.iter().enumerate() {
            let host = section.host.as_deref().unwrap_or("nowhere.net").replace('*', "q");
            let path: Vec<_> = section.path[1..].split('/').map(witness).collect();
            let method = section.methods.as_ref().map_or("BREW", |methods| methods[0].as_str());
            let fields: Vec<_> =
                section.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
            let ask = Ask::new(method, &host, &format!("/{}", path.join("/")), &fields);
            let decided = table.decide(&ask.request()).unwrap();
            assert_eq!(decided.index as usize, index, "seed {seed}: {section:?}");
        }
    }
}

/// For a prefix an empty segment and one more: no parameter takes the empty one.
fn witness(segment: &str) -> &str {
    match segment {
        "*" => "/q",
        _ if segment.starts_with('{') => "q",
        _ => segment,
    }
}
