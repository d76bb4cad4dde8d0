//! Address lists.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::decision::Mode;
use crate::base::net::Block;

/// Which client addresses may speak to us at all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ScreenSection {
    /// Only these blocks may pass; empty: all.
    #[schemars(with = "Vec<Block>")]
    pub allow: Vec<IpNet>,
    /// These blocks never pass, even when `allow` holds them.
    #[schemars(with = "Vec<Block>")]
    pub deny: Vec<IpNet>,
    /// What an objection of these lists counts.
    pub mode: Mode,
}
