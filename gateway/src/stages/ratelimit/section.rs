//! Rate limits and the store they share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::decision::Mode;
use crate::base::units::{Quota, Rate, SecretRef, Span};

/// One limit: a `rate` (GCRA: in any time t at most burst + rate x t) or a `quota` (calendar window, UTC).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitSection {
    /// Requests per time. Exactly one of `rate` and `quota`.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// Requests per calendar window.
    #[serde(default)]
    pub quota: Option<Quota>,
    /// Requests that may come at once after a pause; with `rate` only. Absent: the rate's count.
    #[serde(default)]
    pub burst: Option<u64>,
    /// What is counted: `client.ip` (IPv6 by /64), `token.CLAIM`, `header.NAME`, `path.PARAMETER`, `route`; or a list of
    /// these, counted together.
    pub key: LimitKey,
    /// Who counts: `shared` over the store, or `local` to this process. Absent: shared when a store is configured.
    #[serde(default)]
    pub scope: Option<LimitScope>,
    /// What happens while the store cannot be reached.
    #[serde(default)]
    pub on_store_loss: OnStoreLoss,
    /// Whether exceeding it counts.
    #[serde(default)]
    pub mode: Mode,
}

/// One part, or several counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LimitKey {
    One(String),
    Many(Vec<String>),
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LimitScope {
    /// This process, for itself.
    Local,
    /// All gateways, over the store.
    Shared,
}

/// What happens while the store cannot be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnStoreLoss {
    /// This process enforces its share: rate and burst divided by `store.expected_gateways`.
    #[default]
    Local,
    /// Requests pass.
    Open,
    /// Requests are refused with 503.
    Closed,
}

/// A limit of a route: the name of one in `limits`, or one written in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum LimitUse {
    Named(String),
    Inline(LimitSection),
}

/// The store that gateways share counters over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreSection {
    /// `redis://HOST:PORT[/DATABASE]`. Credentials go into `password`.
    pub redis: String,
    /// Password of the store's user.
    #[serde(default)]
    pub password: Option<SecretRef>,
    /// Longest wait for the store, per request.
    #[serde(default = "default_deadline")]
    pub deadline: Span,
    /// How many gateways share the store: the divisor for `on_store_loss: local`.
    #[serde(default = "default_gateways")]
    pub expected_gateways: u32,
}

fn default_deadline() -> Span {
    Span(std::time::Duration::from_millis(5))
}

fn default_gateways() -> u32 {
    1
}
