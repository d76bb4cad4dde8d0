//! Targets and transformation lists that links share: `ARGS` in lower case, say. Which operators
//! are worth asking is worked out once per group, and tells most links at a glance that no value of
//! theirs can match.

use std::collections::HashMap;

use super::{Matcher, Node, Target};
use crate::bytes::index;
use crate::variable::Kind;

/// One target under one transformation list.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) target: Target,
    pub(crate) node: Node,
}

/// All groups of a program.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    groups: Vec<Group>,
    /// Groups that some link looks at together.
    sets: Vec<Vec<u32>>,
    /// By variable (the address of its table entry), selector and list.
    known: HashMap<(usize, Option<Vec<u8>>, Node), u32>,
}

impl Groups {
    /// The set of groups of a link's targets, if there is one, and the places of the targets that have
    /// no group because they change while a phase runs.
    pub(crate) fn intern(
        &mut self,
        targets: &[Target],
        nodes: &[Node],
    ) -> (Option<u32>, Vec<usize>) {
        let (mut groups, mut loose) = (Vec::new(), Vec::new());
        for (at, target) in targets.iter().enumerate() {
            if is_stable(target) {
                groups.extend(nodes.iter().map(|node| self.group(target, *node)));
            } else {
                loose.push(at);
            }
        }
        groups.sort_unstable();
        groups.dedup();
        ((!groups.is_empty()).then(|| self.set_of(groups)), loose)
    }

    pub(crate) fn get(&self, group: u32) -> &Group {
        &self.groups[group as usize]
    }

    pub(crate) fn set(&self, set: u32) -> &[u32] {
        &self.sets[set as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(crate) fn sets_len(&self) -> usize {
        self.sets.len()
    }

    fn set_of(&mut self, groups: Vec<u32>) -> u32 {
        let known = self.sets.iter().position(|set| *set == groups);
        index(known.unwrap_or_else(|| {
            self.sets.push(groups);
            self.sets.len() - 1
        }))
    }

    fn group(&mut self, target: &Target, node: Node) -> u32 {
        let name = match &target.matcher {
            Matcher::Name(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        let next = index(self.groups.len());
        *self.known.entry((std::ptr::from_ref(target.variable).addr(), name, node)).or_insert_with(
            || {
                self.groups.push(Group { target: whole(target), node });
                next
            },
        )
    }
}

fn is_stable(target: &Target) -> bool {
    matches!(target.variable.kind, Kind::Values(_) | Kind::Names(_)) && !target.count
}

/// A pattern is grouped with its whole collection: too much may pass, never too little.
fn whole(target: &Target) -> Target {
    match target.matcher {
        Matcher::Pattern(_) => Target { matcher: Matcher::All, ..target.clone() },
        _ => target.clone(),
    }
}
