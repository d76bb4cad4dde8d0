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
    /// By variable (the address of its table entry), selector and list.
    known: HashMap<(usize, Option<Vec<u8>>, Node), u32>,
}

impl Groups {
    /// The groups of a link, or none when one of its targets changes while a phase runs.
    pub(crate) fn intern(&mut self, targets: &[Target], node: Node) -> Vec<u32> {
        let stable = |target: &Target| {
            matches!(target.variable.kind, Kind::Values(_) | Kind::Names(_))
                && matches!(target.matcher, Matcher::All | Matcher::Name(_))
                && !target.count
        };
        if !targets.iter().all(stable) {
            return Vec::new();
        }
        targets.iter().map(|target| self.group(target, node)).collect()
    }

    pub(crate) fn get(&self, group: u32) -> &Group {
        &self.groups[group as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    fn group(&mut self, target: &Target, node: Node) -> u32 {
        let name = match &target.matcher {
            Matcher::Name(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        };
        let next = index(self.groups.len());
        *self.known.entry((std::ptr::from_ref(target.variable).addr(), name, node)).or_insert_with(
            || {
                self.groups.push(Group { target: target.clone(), node });
                next
            },
        )
    }
}
