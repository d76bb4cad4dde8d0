//! The built-in rule set: its files, embedded, in load order. The list is written out, so that what
//! is built does not depend on what lies in a folder.

/// Rule files in the order they are read.
pub(crate) const RULES: &[(&str, &str)] = &[];

/// Data files that the rules name in `@pmFromFile`.
pub(crate) const DATA: &[(&str, &str)] = &[];
