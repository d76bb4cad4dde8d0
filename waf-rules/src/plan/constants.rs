//! Which transaction variables are only ever set to constants.

use std::collections::{HashMap, HashSet};

use super::assemble::Draft;
use crate::action::{Action, SetVarOp};
use crate::operator::Constants;
use crate::tx::CAPTURES;

/// Variables that a transaction finds set to one of a few texts, or unset.
pub(super) fn constants(drafts: &[&Draft]) -> Constants {
    let mut constants: HashMap<String, Vec<String>> = HashMap::new();
    let (mut changing, mut made) = (HashSet::new(), Vec::new());
    let actions = drafts.iter().flat_map(|draft| &draft.links).flat_map(|link| &link.actions);
    for node in actions {
        let Action::SetVar(write) = &node.action else { continue };
        if write.collection.is_some() {
            continue;
        }
        match write.name.find("%{") {
            // A name made at run time can be any that begins like it.
            Some(at) => made.push(write.name[..at].to_owned()),
            None if write.op == SetVarOp::Unset => {}
            None if write.op == SetVarOp::Set && !write.value.contains("%{") => {
                constants.entry(write.name.clone()).or_default().push(write.value.clone());
            }
            None => {
                changing.insert(write.name.clone());
            }
        }
    }
    let is_capture = |name: &str| name.parse::<u32>().is_ok_and(|group| group < CAPTURES);
    constants.retain(|name, _| {
        !changing.contains(name)
            && !is_capture(name)
            && !made.iter().any(|prefix| name.starts_with(prefix.as_str()))
    });
    constants
}
