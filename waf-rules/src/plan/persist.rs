//! Actions on persistent collections, their texts split into macros.

use super::Persist;
use crate::action::{self, SetVar};
use crate::collection::Collection;
use crate::template::Template;
use crate::tx::TxNames;

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
