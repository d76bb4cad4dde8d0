//! Who is asking, once verified. Shared by identity, policy, limits and telemetry.

use std::sync::Arc;

use serde_json::{Map, Value};

/// A verified principal: issuer and subject together name it (OIDC Core §5.7), never the subject alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Name of the issuer in the configuration.
    pub issuer_name: Arc<str>,
    /// The `iss` claim.
    pub issuer: Arc<str>,
    pub subject: Box<str>,
    pub client_id: Option<Box<str>>,
    /// Sorted, without duplicates.
    pub scopes: Box<[Box<str>]>,
    /// Sorted, without duplicates; collected from the issuer's `roles_from` paths.
    pub roles: Box<[Box<str>]>,
    /// Authentication context class (`acr`).
    pub acr: Option<Box<str>>,
    /// Authentication methods (`amr`, RFC 8176).
    pub amr: Box<[Box<str>]>,
    /// Time of the last active authentication, Unix seconds (`auth_time`).
    pub auth_time_s: Option<u64>,
    /// Whether the issuer's `mfa` mapping holds for this token.
    pub mfa: bool,
    /// End of validity, Unix seconds.
    pub expires_s: u64,
    /// All claims, for policies and limit keys.
    pub claims: Map<String, Value>,
}

impl Identity {
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.binary_search_by(|have| (**have).cmp(scope)).is_ok()
    }

    pub fn has_role(&self, role: &str) -> bool {
        self.roles.binary_search_by(|have| (**have).cmp(role)).is_ok()
    }
}
