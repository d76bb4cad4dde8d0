//! Address lists.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::decision::Mode;

/// Which client addresses may speak to us at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScreenSection {
    /// Only these blocks may pass; empty: all.
    #[schemars(with = "Vec<String>")]
    pub allow: Vec<IpNet>,
    /// These blocks never pass, even when `allow` holds them.
    #[schemars(with = "Vec<String>")]
    pub deny: Vec<IpNet>,
    pub mode: Mode,
}
