//! SecLang rule engine and built-in rule set.
