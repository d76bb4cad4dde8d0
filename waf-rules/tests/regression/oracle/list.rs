//! The list of known differences, and what is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::cases::Set;

/// One rule that only one engine says matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) set: Set,
    pub(super) request: String,
    pub(super) paranoia: u8,
    pub(super) rule: u32,
    pub(super) side: Side,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// Differences of one cause.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cause {
    /// What makes the engines differ, and which of them is right.
    why: String,
    set: Set,
    /// Who says that the rules matched.
    side: Side,
    /// Names, `*` for anything. Each must have a difference.
    requests: Vec<String>,
    /// Each must differ.
    rules: BTreeSet<u32>,
    /// How many differences it explains: over all requests, rules and levels.
    count: usize,
}

impl Cause {
    fn explains(&self, found: &Difference) -> bool {
        self.set == found.set
            && self.side == found.side
            && self.rules.contains(&found.rule)
            && self.requests.iter().any(|pattern| glob(pattern, &found.request))
    }

    /// What it says and is not so. `found`: what it explains.
    fn stale(&self, found: &[&Difference]) -> Vec<String> {
        let mut problems = Vec::new();
        let unused = |pattern: &&String| !found.iter().any(|one| glob(pattern, &one.request));
        for pattern in self.requests.iter().filter(unused) {
            problems.push(format!("`{pattern}` has no such difference"));
        }
        for rule in self.rules.iter().filter(|rule| !found.iter().any(|one| one.rule == **rule)) {
            problems.push(format!("rule {rule} does not differ"));
        }
        if found.len() != self.count {
            problems.push(format!("explains {} differences, not {}", found.len(), self.count));
        }
        problems.iter().map(|problem| format!("{problem}: {}", self.why.trim())).collect()
    }
}

/// What the list does not explain, and what it explains that no longer is. Causes of a set that was not
/// asked about are left alone.
pub(super) fn problems(list: &[Cause], found: &[Difference], asked: &BTreeSet<Set>) -> Vec<String> {
    let explained = |one: &&Difference| list.iter().any(|cause| cause.explains(one));
    let mut by_request: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in found.iter().filter(|one| !explained(one)) {
        let place = format!("{:?} {} at level {}", one.set, one.request, one.paranoia);
        by_request.entry(place).or_default().push(format!("{} {:?}", one.rule, one.side));
    }
    let unexplained =
        by_request.iter().map(|(place, rules)| format!("{place}: {}", rules.join(", ")));
    let stale = list.iter().filter(|cause| asked.contains(&cause.set)).flat_map(|cause| {
        cause.stale(&found.iter().filter(|one| cause.explains(one)).collect::<Vec<_>>())
    });
    unexplained.chain(stale).collect()
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(start) else { return false };
    (0..=text.len()).any(|at| text.is_char_boundary(at) && glob(rest, &text[at..]))
}

const CAUSES: &str = "
- { why: a, set: crs, side: ours, requests: [1-*], rules: [1, 2], count: 3 }
- { why: b, set: corpora, side: theirs, requests: [x], rules: [3], count: 1 }
";

/// A difference of the first cause's set and side: request, paranoia, rule.
type Found = (&'static str, u8, u32);

/// What happened, and what is wrong then.
const STALE: &[(&[Found], &[&str])] = &[
    (&[("1-1", 1, 1), ("1-1", 4, 1), ("1-2", 4, 2)], &[]),
    (&[("1-1", 1, 1), ("1-2", 4, 2)], &["explains 2 differences, not 3: a"]),
    (&[("1-1", 1, 1), ("1-1", 4, 1), ("1-2", 4, 1)], &["rule 2 does not differ: a"]),
    (
        &[("1-1", 1, 1), ("1-1", 4, 1), ("1-2", 4, 2), ("2-1", 4, 2)],
        &["Crs 2-1 at level 4: 2 Ours"],
    ),
    (
        &[],
        &[
            "`1-*` has no such difference: a",
            "rule 1 does not differ: a",
            "rule 2 does not differ: a",
            "explains 0 differences, not 3: a",
        ],
    ),
];

#[test]
fn what_is_unexplained_or_stale_is_a_problem() {
    let list: Vec<Cause> = serde_norway::from_str(CAUSES).unwrap_or_default();
    for (found, wanted) in STALE {
        let difference = |(request, paranoia, rule): &Found| Difference {
            set: Set::Crs,
            request: (*request).to_owned(),
            paranoia: *paranoia,
            rule: *rule,
            side: Side::Ours,
        };
        let found: Vec<Difference> = found.iter().map(difference).collect();
        assert_eq!(problems(&list, &found, &[Set::Crs].into()), *wanted);
    }
    let both = problems(&list, &[], &[Set::Crs, Set::Corpora].into());
    assert!(both.contains(&"rule 3 does not differ: b".to_owned()), "{both:?}");
}
