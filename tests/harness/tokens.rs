//! An issuer with its key set.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use yett::stages::identity::dev::DevIssuer;

pub const ISSUER: &str = "https://id.example.test";
pub const AUDIENCE: &str = "orders-api";

/// Section `issuers` that takes the tokens of [`Tokens`]; the key set goes into the file `keys.json`.
pub const ISSUERS: &str = r#"
issuers:
  corp:
    issuer: https://id.example.test
    audiences: [orders-api]
    jwks: "file:keys.json"
    algorithms: [ES256]
    roles_from: [realm_access.roles]
    mfa: { any_acr: ["urn:example:mfa"], any_amr: [hwk] }
"#;

pub struct Tokens {
    pub issuer: DevIssuer,
}

impl Tokens {
    pub fn new() -> Tokens {
        Tokens { issuer: DevIssuer::generate("key-1").unwrap() }
    }

    /// Contents of `keys.json`.
    pub fn key_set(&self) -> String {
        self.issuer.jwks().to_string()
    }

    /// A good token, but for what `changes` says; `null` removes a claim.
    pub fn with(&self, changes: &Value) -> String {
        self.issuer.sign(&claims(changes)).unwrap()
    }

    pub fn good(&self) -> String {
        self.with(&json!({}))
    }

    /// Good claims under another header.
    pub fn under(&self, header: &Value) -> String {
        let claims = Value::Object(claims(&json!({}))).to_string();
        self.issuer.sign_parts(header.to_string().as_bytes(), claims.as_bytes()).unwrap()
    }
}

/// Claims of a good token (RFC 9068 §2.2), with changes.
pub fn claims(changes: &Value) -> Map<String, Value> {
    let now = now_s();
    let good = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ada-of-the-tests", "client_id": "shop", "jti": "token-1",
        "iat": now, "exp": now + 3600, "scope": "orders:read",
    });
    let mut claims = good.as_object().unwrap().clone();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => _ = claims.remove(name),
            _ => _ = claims.insert(name.clone(), value.clone()),
        }
    }
    claims
}

pub fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}
