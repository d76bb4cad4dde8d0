//! What a route may relax. Everything else about the canonical reading is not negotiable.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Relaxations of the canonical reading for one route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NormaliseSection {
    /// What to do with `%2F` and `%5C` in the path. They pass as they are, still encoded, when allowed.
    pub encoded_separators: EncodedSeparators,
}

/// What becomes of a path with an encoded separator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncodedSeparators {
    /// 400: a service might read it as a separator.
    #[default]
    Refuse,
    /// It stays encoded and counts as part of its segment.
    Allow,
}
