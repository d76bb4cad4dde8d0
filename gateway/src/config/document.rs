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
use crate::stages::waf::section::{DnsblSection, WafSection, WafUse};

/// A Yett configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    pub version: u32,
    /// Addresses that clients connect to, by name.
    pub listeners: BTreeMap<String, ListenerSection>,
    /// The operators' own listener. Absent: none.
    #[serde(default)]
    pub admin: Option<AdminSection>,
    /// Where gateways share counters. Absent: counters live in this process.
    #[serde(default)]
    pub store: Option<StoreSection>,
    /// Where events go, and what they say of users.
    #[serde(default)]
    pub telemetry: TelemetrySection,
    /// Client addresses that may speak to us at all, on every route.
    #[serde(default)]
    pub screen: ScreenSection,
    /// Whose tokens are taken, by name.
    #[serde(default)]
    pub issuers: BTreeMap<String, IssuerSection>,
    /// Rate limits, by name.
    #[serde(default)]
    pub limits: BTreeMap<String, LimitSection>,
    /// Rule profiles of the web application firewall, by name.
    #[serde(default)]
    pub waf: BTreeMap<String, WafSection>,
    /// How the lists that rules name with `@rbl` are asked.
    #[serde(default)]
    pub dnsbl: DnsblSection,
    /// Where requests go, by name.
    #[serde(default)]
    pub services: BTreeMap<String, ServiceSection>,
    /// What routes use unless they say otherwise.
    #[serde(default)]
    pub defaults: DefaultsSection,
    /// What is reachable. The most specific match wins, the order has no meaning.
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
    /// One line per request.
    pub access_log: AccessLogSection,
    /// One line per match of a rule, written before the answer ends. Absent: none.
    pub waf_log: Option<WafLogSection>,
    /// One record per request that rules objected to, with its fields. Absent: none.
    pub audit_log: Option<AuditLogSection>,
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

/// The rules' matches, for go-ftw and for tools that read ModSecurity's error log. With it, the rules of `defaults.waf`
/// also look at requests that are refused before they belong to a route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WafLogSection {
    /// `stdout`, `stderr`, `off`, or a file's path, opened for appending and reopened on SIGHUP.
    pub to: String,
    /// Form of a line.
    #[serde(default)]
    pub format: WafLogFormat,
}

/// Form of the WAF log's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WafLogFormat {
    /// That of ModSecurity's error log: `[id "N"] [msg "..."] ...`.
    #[default]
    ModSecurity,
}

/// Records of requests for auditors, with the fields of both heads and every match; never bodies, secrets masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuditLogSection {
    /// `stdout`, `stderr`, `off`, or a file's path, opened for appending and reopened on SIGHUP.
    pub to: String,
    /// Form of a record.
    #[serde(default)]
    pub format: AuditLogFormat,
    /// Which requests.
    #[serde(default)]
    pub requests: AuditRequests,
}

/// Form of the audit log's records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditLogFormat {
    /// One object a line, with the names of ModSecurity's own JSON log.
    #[default]
    Json,
    /// ModSecurity's native serial form.
    Native,
}

/// Which requests the audit log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditRequests {
    /// Those that a rule matched, as far as the rules want a record (`SecAuditEngine`, `noauditlog`).
    #[default]
    Matched,
    /// Those that were refused, by whichever stage.
    Refused,
    All,
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
    /// Who may use routes that are not public.
    pub auth: Option<AuthSection>,
    /// Names of limits that every route uses.
    pub limits: Vec<String>,
    /// Name of the WAF profile of every route.
    pub waf: Option<String>,
    /// What services get of a verified identity.
    pub forward: ForwardSection,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteSection {
    /// Stable name: metric label, event field, key of counters.
    pub id: String,
    /// Which requests belong to a route.
    #[serde(rename = "match")]
    pub matches: MatchSection,
    /// Name of a service. Exactly one of `to` and `respond`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The gateway's own answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<RespondSection>,
    /// Who may use it, read over `defaults.auth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<AuthSection>,
    /// Why nobody needs to authenticate here. A route without issuers must say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
    /// Limits beside those of `defaults`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitUse>,
    /// Limits of `defaults` that do not hold here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_limits: Vec<String>,
    /// Name of a WAF profile, `off`, or changes of one. Absent: the one of `defaults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waf: Option<WafUse>,
    /// Client addresses that may use it, beside the lists of the whole gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen: Option<ScreenSection>,
    /// What it relaxes of the canonical reading.
    #[serde(default)]
    pub normalise: NormaliseSection,
    /// Read over `defaults.forward`: the claims of both are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forward: Option<ForwardSection>,
}

/// The gateway's own answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RespondSection {
    /// Status of the answer, 200 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub status: u16,
    /// Body of the answer, as it is written here.
    #[serde(default)]
    pub body: String,
    /// Value of `Content-Type`.
    #[serde(default = "default_content_type")]
    pub content_type: String,
}

/// One request with its expected verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestSection {
    /// What is sent.
    pub request: TestRequest,
    /// What must become of it; what is not said may be anything.
    pub expect: TestExpect,
}

/// The request of a test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestRequest {
    /// Its method.
    #[serde(default = "default_method")]
    pub method: String,
    /// Its host. Absent: `localhost`.
    #[serde(default)]
    pub host: Option<String>,
    /// Path and query.
    pub path: String,
    /// Header fields beside `Host` and `Content-Length`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Text of the body. Absent: no body.
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

/// The verdict that a test expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestExpect {
    /// Status of the answer; 200 stands for "would be forwarded".
    #[serde(default)]
    pub status: Option<u16>,
    /// Id of the route that matches.
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
