//! What rules write to transaction variables, as far as it can be told at load.

use std::collections::{HashMap, HashSet};

use super::assemble::Draft;
use crate::action::{Action, SetVarOp};
use crate::operator::Constants;
use crate::tx::CAPTURES;

/// Texts that variables are set to, macros and all, of those that are only ever set and whose every write is known.
#[derive(Debug, Default)]
pub(super) struct Writes(HashMap<String, Vec<String>>);

impl Writes {
    pub(super) fn of(drafts: &[&Draft]) -> Self {
        let mut set: HashMap<String, Vec<String>> = HashMap::new();
        let (mut counted, mut made) = (HashSet::new(), Vec::new());
        // What many rules inherit is looked at once.
        let mut seen = HashSet::new();
        let heirs = drafts.iter().filter(|draft| seen.insert(draft.defaults.as_ptr()));
        let inherited = heirs.flat_map(|draft| draft.defaults.iter());
        let own = drafts.iter().flat_map(|draft| &draft.links).flat_map(|link| &link.actions);
        for node in inherited.chain(own) {
            let Action::SetVar(write) = &node.action else { continue };
            if write.collection.is_some() {
                continue;
            }
            match write.name.find("%{") {
                // A name made at run time can be any that begins like it.
                Some(at) => made.push(write.name[..at].to_owned()),
                None if write.op == SetVarOp::Unset => {}
                None if write.op == SetVarOp::Set => {
                    set.entry(write.name.clone()).or_default().push(write.value.clone());
                }
                None => {
                    counted.insert(write.name.clone());
                }
            }
        }
        let is_capture = |name: &str| name.parse::<u32>().is_ok_and(|group| group < CAPTURES);
        set.retain(|name, _| {
            !counted.contains(name)
                && !is_capture(name)
                && !made.iter().any(|prefix| name.starts_with(prefix.as_str()))
        });
        Self(set)
    }

    /// Variables that a transaction finds set to one of a few texts, or unset.
    pub(super) fn constants(&self) -> Constants {
        let is_constant = |texts: &[String]| !texts.iter().any(|text| text.contains("%{"));
        let constants = self.0.iter().filter(|(_, texts)| is_constant(texts));
        constants.map(|(name, texts)| (name.clone(), texts.clone())).collect()
    }

    /// A variable that is set, and to nothing but such texts.
    pub(super) fn are_all(&self, name: &str, is_such: impl Fn(&str) -> bool) -> bool {
        let texts = self.0.get(&name.to_ascii_lowercase());
        texts.is_some_and(|texts| texts.iter().all(|text| is_such(text)))
    }
}
