//! `setvar:tx.name=value`, `=+n`, `=-n`, `!tx.name`: writes one transaction variable.
//!
//! Name and value may hold macros. Only the `TX` collection is kept; the persistent ones are not.

/// A write, its texts not yet split into macros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetVar {
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

/// Collections that outlive a transaction in ModSecurity; writes to them are accepted and dropped.
const PERSISTENT: [&str; 6] = ["ip", "global", "session", "user", "resource", "env"];

impl SetVar {
    /// `Ok(None)` for a write to a persistent collection.
    pub(super) fn parse(text: &str) -> Result<Option<Self>, String> {
        let (unset, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
        let (target, value) = text.split_once('=').map_or((text, None), |(t, v)| (t, Some(v)));
        let (collection, name) = target
            .split_once('.')
            .ok_or_else(|| format!("setvar `{target}` has no collection, expected tx.NAME"))?;
        if PERSISTENT.iter().any(|known| known.eq_ignore_ascii_case(collection)) {
            return Ok(None);
        }
        if !collection.eq_ignore_ascii_case("tx") {
            return Err(format!("setvar writes to tx, not to `{collection}`"));
        }
        if name.is_empty() {
            return Err("setvar has no variable name after tx.".to_owned());
        }
        let (op, value) = operation(unset, value);
        Ok(Some(Self { name: name.to_ascii_lowercase(), op, value: value.to_owned() }))
    }
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
