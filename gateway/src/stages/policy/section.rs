//! What a route asks of an identity.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::decision::Mode;
use crate::base::units::Span;

/// Who may use a route. A route's own `auth` is read over `defaults.auth`: what it does not say, the defaults say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// Names of issuers whose tokens are taken.
    pub issuers: Option<Vec<String>>,
    /// All of these scopes.
    pub scopes: Option<Vec<String>>,
    pub roles: Option<RolesSection>,
    /// Claim path -> allowed values, e.g. `tenant: [acme]`.
    pub claims: Option<BTreeMap<String, Vec<String>>>,
    /// The token must be multi-factor by its issuer's `mfa` mapping.
    pub mfa: Option<bool>,
    /// The last active authentication must not be older.
    pub max_age: Option<Span>,
    /// A request without a token passes as anonymous; an invalid token never does.
    pub optional: Option<bool>,
    pub mode: Option<Mode>,
}

/// Roles, named by how they combine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolesSection {
    pub all: Vec<String>,
    pub any: Vec<String>,
}
