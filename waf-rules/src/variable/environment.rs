//! `ENV`: the few variables of the process's environment that rules may read.
//!
//! An environment holds secrets, and whatever a rule reads can reach a log through a macro. So only
//! names that say what they are for are allowed, and they are read once, at load.

use crate::seclang::ast::Selector;

/// Names that rules may read besides those that begin with [`PREFIX`].
const ALLOWED: [&str; 3] = ["HOSTNAME", "LANG", "TZ"];
const PREFIX: &str = "WAF_";
/// Bytes of one value; the rest is cut off.
const VALUE_BYTES_MAX: usize = 1_024;
/// Variables kept.
const VARIABLES_MAX: usize = 64;

/// Allowed variables, in the order they were given.
pub(crate) type Environment = Vec<(Box<[u8]>, Box<[u8]>)>;

/// Takes what rules may read out of an environment.
pub(crate) fn allowed(all: impl Iterator<Item = (String, String)>) -> Environment {
    let fits = |value: &str| {
        let bytes = value.as_bytes();
        bytes[..bytes.len().min(VALUE_BYTES_MAX)].into()
    };
    all.filter(|(name, _)| is_allowed(name))
        .map(|(name, value)| (name.as_bytes().into(), fits(&value)))
        .take(VARIABLES_MAX)
        .collect()
}

/// An error for `ENV` without a name, with a pattern, or with a name that rules may not read.
pub(crate) fn check(selector: Option<&Selector>) -> Result<(), String> {
    match selector {
        Some(Selector::Name(name)) if is_allowed(name) => Ok(()),
        Some(Selector::Name(name)) => Err(format!(
            "ENV:{name} may not be read: call it {PREFIX}{name}, or set tx.{} in a SecAction",
            name.to_ascii_lowercase()
        )),
        _ => Err(format!("ENV needs a name: ENV:{PREFIX}NAME")),
    }
}

fn is_allowed(name: &str) -> bool {
    ALLOWED.contains(&name) || name.starts_with(PREFIX)
}
