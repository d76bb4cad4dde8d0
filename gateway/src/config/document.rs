//! What the operator writes, as one type. Field names are the configuration's keys; the JSON schema in
//! `config/schema.json` is generated from here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::units::SecretRef;
use crate::config::listener::ListenerSection;
use crate::stages::identity::section::{ForwardSection, IssuerSection};
use crate::stages::normalise::section::NormaliseSection;
use crate::stages::policy::section::AuthSection;
use crate::stages::ratelimit::section::{LimitSection, LimitUse, StoreSection};
use crate::stages::route::section::MatchSection;
use crate::stages::screen::section::ScreenSection;
use crate::stages::upstream::section::ServiceSection;
use crate::stages::waf::section::{WafSection, WafUse};

/// A Yett configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this format: 1.
    pub version: u32,
    /// Addresses that clients connect to, by name.
    pub listeners: BTreeMap<String, ListenerSection>,
    /// The operators' own listener. Absent: none.
    #[serde(default)]
    pub admin: Option<AdminSection>,
    /// Where gateways share counters. Absent: counters live in this process.
    #[serde(default)]
    pub store: Option<StoreSection>,
    #[serde(default)]
    pub telemetry: TelemetrySection,
    /// Client addresses that may speak to us at all, on every route.
    #[serde(default)]
    pub screen: ScreenSection,
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerSection>,
    #[serde(default)]
    pub limits: BTreeMap<String, LimitSection>,
    #[serde(default)]
    pub waf: BTreeMap<String, WafSection>,
    #[serde(default)]
    pub services: BTreeMap<String, ServiceSection>,
    /// What routes use unless they say otherwise.
    #[serde(default)]
    pub defaults: DefaultsSection,
    #[serde(default)]
    pub routes: Vec<RouteSection>,
    /// Requests with their expected verdicts; run before a configuration is taken.
    #[serde(default)]
    pub tests: Vec<TestSection>,
}

/// The admin listener.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdminSection {
    /// `ADDRESS:PORT`, loopback only.
    pub bind: String,
    /// Bearer token that every request but `/health/*` must carry, at least 16 bytes.
    pub token: SecretRef,
}

/// Where events go.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    pub access_log: AccessLogSection,
    /// Key of the hash that stands for subjects in events. Absent: drawn at start, so hashes differ between runs.
    pub subject_key: Option<SecretRef>,
}

/// One NDJSON line per request, Elastic Common Schema names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessLogSection {
    /// `stdout`, `stderr`, `off`, or a file's path, opened for appending and reopened on SIGHUP.
    pub to: String,
    /// Share of allowed requests that are written; refused and failed ones always are.
    pub allowed: crate::base::units::Percent,
}

impl Default for AccessLogSection {
    fn default() -> AccessLogSection {
        AccessLogSection { to: "stdout".into(), allowed: crate::base::units::Percent(100) }
    }
}

/// What routes use unless they say otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DefaultsSection {
    pub auth: Option<AuthSection>,
    /// Names of limits that every route uses.
    pub limits: Vec<String>,
    /// Name of the WAF profile of every route.
    pub waf: Option<String>,
    pub forward: ForwardSection,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSection {
    /// Stable name: metric label, event field, key of counters.
    pub id: String,
    #[serde(rename = "match")]
    pub matches: MatchSection,
    /// Name of a service. Exactly one of `to` and `respond`.
    #[serde(default)]
    pub to: Option<String>,
    /// The gateway's own answer.
    #[serde(default)]
    pub respond: Option<RespondSection>,
    /// Who may use it, read over `defaults.auth`.
    #[serde(default)]
    pub auth: Option<AuthSection>,
    /// Why nobody needs to authenticate here. A route without issuers must say.
    #[serde(default)]
    pub public: Option<String>,
    /// Limits beside those of `defaults`.
    #[serde(default)]
    pub limits: Vec<LimitUse>,
    /// Limits of `defaults` that do not hold here.
    #[serde(default)]
    pub without_limits: Vec<String>,
    #[serde(default)]
    pub waf: Option<WafUse>,
    #[serde(default)]
    pub screen: Option<ScreenSection>,
    #[serde(default)]
    pub normalise: NormaliseSection,
    /// Read over `defaults.forward`: the claims of both are sent.
    #[serde(default)]
    pub forward: Option<ForwardSection>,
}

/// The gateway's own answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RespondSection {
    /// 200 to 599.
    pub status: u16,
    #[serde(default)]
    pub body: String,
    #[serde(default = "default_content_type")]
    pub content_type: String,
}

/// One request with its expected verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSection {
    pub request: TestRequest,
    pub expect: TestExpect,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    #[serde(default = "default_method")]
    pub method: String,
    #[serde(default)]
    pub host: Option<String>,
    /// Path and query.
    pub path: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub body: Option<String>,
    /// Client address; absent: 192.0.2.1.
    #[serde(default)]
    pub client: Option<std::net::IpAddr>,
    /// Claims of a token that counts as verified, e.g. `{ scope: orders:read, acr: pwd }`. `issuer` names an issuer of
    /// the configuration; absent: the route's first.
    #[serde(default)]
    pub token: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestExpect {
    /// 200 stands for "would be forwarded".
    #[serde(default)]
    pub status: Option<u16>,
    #[serde(default)]
    pub route: Option<String>,
    /// Code of the finding that refuses it, e.g. `policy.step_up`.
    #[serde(default)]
    pub finding: Option<String>,
}

fn default_content_type() -> String {
    "text/plain; charset=utf-8".into()
}

fn default_method() -> String {
    "GET".into()
}
