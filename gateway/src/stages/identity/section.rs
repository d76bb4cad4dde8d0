//! Issuers: whose tokens we take, and how we read them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::units::Span;

/// One issuer of JSON Web Tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IssuerSection {
    /// Exact value of `iss`.
    pub issuer: String,
    /// `aud` must hold one of these.
    pub audiences: Vec<String>,
    /// `discover` (OpenID Connect discovery below the issuer), `https://...`, or `file:PATH`.
    pub jwks: String,
    /// Allowed signature algorithms; never a block list.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// How strictly a token must be an access token.
    #[serde(default)]
    pub profile: Profile,
    /// Paths of claims that hold roles, e.g. `realm_access.roles`. A segment with dots is quoted:
    /// `resource_access."orders.v1".roles`, `"https://example.com/roles"`.
    #[serde(default)]
    pub roles_from: Vec<String>,
    /// When a token counts as multi-factor. Absent: never.
    #[serde(default)]
    pub mfa: MfaSection,
    /// Clock difference that is forgiven, at most 60s.
    #[serde(default = "default_skew")]
    pub skew: Span,
    /// How often a key set from a URL is fetched again.
    #[serde(default = "default_refresh")]
    pub refresh: Span,
    /// Allow a key set URL on a loopback, link-local or private address, or without TLS.
    #[serde(default)]
    pub dangerous_private_jwks: bool,
}

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    ES256,
    ES384,
    RS256,
    RS384,
    RS512,
    PS256,
    EdDSA,
}

/// How strictly a token must be an access token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// RFC 9068: `typ: at+jwt` and iss, exp, aud, sub, client_id, iat, jti present.
    #[default]
    Rfc9068,
    /// `typ` may be absent or `JWT`; ID tokens, logout tokens and other kinds are still refused.
    Compat,
}

/// When a token counts as multi-factor: any of the two lists matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MfaSection {
    /// Values of `acr`; the first is asked for in a step-up challenge (RFC 9470).
    pub any_acr: Vec<String>,
    /// Values in `amr` (RFC 8176).
    pub any_amr: Vec<String>,
}

/// The header fields that carry a verified identity upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardSection {
    /// Field name -> claim path, e.g. `x-tenant: tenant`. The client's own fields of these names are removed.
    pub claims: std::collections::BTreeMap<String, String>,
    /// Whether the client's token goes upstream; absent: as `defaults.forward` says, else `keep`.
    pub authorization: Option<ForwardAuthorization>,
}

/// Whether the client's token goes to the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ForwardAuthorization {
    /// It goes on as it came.
    #[default]
    Keep,
    /// It ends here.
    Remove,
}

fn default_algorithms() -> Vec<Algorithm> {
    vec![Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::RS256]
}

fn default_skew() -> Span {
    Span(std::time::Duration::from_secs(30))
}

fn default_refresh() -> Span {
    Span(std::time::Duration::from_secs(600))
}
