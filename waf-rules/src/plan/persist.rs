//! Actions on persistent collections, their texts split into macros.

use super::Persist;
use super::assemble::{Assembly, Draft};
use crate::action::{self, Action, SetVar};
use crate::collection::Collection;
use crate::seclang::source::Span;
use crate::template::Template;
use crate::tx::TxNames;
use crate::variable::Kind;

pub(super) fn compile(persist: &action::Persist, names: &mut TxNames) -> Result<Persist, String> {
    Ok(match persist {
        action::Persist::Open { collection, key } => {
            Persist::Open { collection: *collection, key: Template::parse(key, names)? }
        }
        action::Persist::Expire { collection, name, seconds } => Persist::Expire {
            collection: *collection,
            name: Template::parse(name, names)?,
            seconds: Template::parse(seconds, names)?,
        },
        action::Persist::Decay { collection, name, amount, period_s } => Persist::Decay {
            collection: *collection,
            name: Template::parse(name, names)?,
            amount: *amount,
            period_s: *period_s,
        },
    })
}

/// `setvar` to a persistent collection.
pub(super) fn write(
    collection: Collection,
    write: &SetVar,
    names: &mut TxNames,
) -> Result<Persist, String> {
    Ok(Persist::Set {
        collection,
        name: Template::parse(&write.name, names)?,
        op: write.op,
        value: Template::parse(&write.value, names)?,
    })
}

/// Collections that rules look at or write to, and that none opens: the first place of each.
pub(crate) fn unopened(assembly: &Assembly) -> Vec<(Span, String)> {
    let drafts = || assembly.kept_rules();
    let opened: Vec<Collection> = drafts().flat_map(opens).collect();
    let of = |collection: &Collection| {
        let used = drafts().flat_map(uses).find(|(_, used)| used == collection)?;
        let (name, lower) = (collection.as_str(), collection.as_str().to_ascii_lowercase());
        let message = format!("{name} is always empty: no rule opens it with initcol:{lower}=KEY");
        Some((used.0, message))
    };
    Collection::ALL.iter().filter(|known| !opened.contains(known)).filter_map(of).collect()
}

fn opens(draft: &Draft) -> impl Iterator<Item = Collection> {
    draft.all_actions().filter_map(|node| match &node.action {
        Action::Persist(action::Persist::Open { collection, .. }) => Some(*collection),
        _ => None,
    })
}

fn uses(draft: &Draft) -> impl Iterator<Item = (Span, Collection)> {
    let targets = draft.links.iter().flat_map(|link| &link.targets);
    let read = targets.filter_map(|target| match target.variable.kind {
        Kind::Collection(collection) => Some((target.span, collection)),
        _ => None,
    });
    read.chain(draft.all_actions().filter_map(|node| match &node.action {
        Action::SetVar(write) => Some((node.span, write.collection?)),
        _ => None,
    }))
}
