//! `setvar:tx.name=value`, `=+n`, `=-n`, `!tx.name`: writes a variable of the transaction or of a
//! persistent collection. Name and value may hold macros.

use crate::collection::Collection;

/// A write, its texts not yet split into macros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetVar {
    /// None for the transaction's own variables.
    pub(crate) collection: Option<Collection>,
    pub(crate) name: String,
    pub(crate) op: SetVarOp,
    pub(crate) value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetVarOp {
    Set,
    Add,
    Subtract,
    Unset,
}

/// What every instance says about itself; only `timeout` can be written.
const KEPT_BY_THE_ENGINE: [&str; 6] =
    ["create_time", "is_new", "key", "last_update_time", "update_counter", "update_rate"];

impl SetVar {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (unset, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (target, value) = text.split_once('=').map_or((text, None), |(t, v)| (t, Some(v)));
        let (collection, name) = place("setvar", target, true)?;
        let (op, value) = operation(unset, value);
        Ok(Self { collection, name, op, value: value.to_owned() })
    }
}

/// `ip.name` taken apart, the name in lower case; nothing stands for `tx`.
pub(super) fn place(
    action: &str,
    text: &str,
    transaction: bool,
) -> Result<(Option<Collection>, String), String> {
    let (collection, name) = text
        .split_once('.')
        .ok_or_else(|| format!("{action} `{text}` has no collection, expected tx.NAME"))?;
    let known = Collection::parse(collection);
    if known.is_none() && !(transaction && collection.eq_ignore_ascii_case("tx")) {
        let tx = if transaction { "tx, " } else { "" };
        return Err(format!(
            "{action} writes to {tx}ip, global, resource, session or user, not to `{collection}`"
        ));
    }
    if name.is_empty() {
        return Err(format!("{action} has no variable name after `{collection}.`"));
    }
    let name = name.to_ascii_lowercase();
    if known.is_some() && KEPT_BY_THE_ENGINE.contains(&name.as_str()) {
        return Err(format!("`{collection}.{name}` is kept by the engine and cannot be written"));
    }
    Ok((known, name))
}

fn operation(unset: bool, value: Option<&str>) -> (SetVarOp, &str) {
    match value {
        _ if unset => (SetVarOp::Unset, ""),
        None => (SetVarOp::Set, "1"),
        Some(value) => match value.as_bytes().first() {
            Some(b'+') => (SetVarOp::Add, &value[1..]),
            Some(b'-') => (SetVarOp::Subtract, &value[1..]),
            _ => (SetVarOp::Set, value),
        },
    }
}
