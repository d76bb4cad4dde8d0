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
    /// Roles, by the issuer's `roles_from`.
    pub roles: Option<RolesSection>,
    /// Claim path -> allowed values, e.g. `tenant: [acme]`.
    pub claims: Option<BTreeMap<String, Vec<String>>>,
    /// The token must be multi-factor by its issuer's `mfa` mapping.
    pub mfa: Option<bool>,
    /// The last active authentication must not be older.
    pub max_age: Option<Span>,
    /// A request without a token passes as anonymous; an invalid token never does.
    pub optional: Option<bool>,
    /// Whether what identity and policy object counts.
    pub mode: Option<Mode>,
}

impl AuthSection {
    /// This section read over `defaults`: what it does not say, the defaults say.
    #[must_use]
    pub fn over(&self, defaults: &AuthSection) -> AuthSection {
        AuthSection {
            issuers: self.issuers.as_ref().or(defaults.issuers.as_ref()).cloned(),
            scopes: self.scopes.as_ref().or(defaults.scopes.as_ref()).cloned(),
            roles: self.roles.as_ref().or(defaults.roles.as_ref()).cloned(),
            claims: self.claims.as_ref().or(defaults.claims.as_ref()).cloned(),
            mfa: self.mfa.or(defaults.mfa),
            max_age: self.max_age.or(defaults.max_age),
            optional: self.optional.or(defaults.optional),
            mode: self.mode.or(defaults.mode),
        }
    }
}

/// Roles, named by how they combine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RolesSection {
    /// Every one of these.
    pub all: Vec<String>,
    /// At least one of these.
    pub any: Vec<String>,
}
