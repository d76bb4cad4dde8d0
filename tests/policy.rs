//! May they: scopes, roles, claims, strength and age of the authentication.

use serde_json::{Value, json};

use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::Origin;
use crate::harness::tokens::{ISSUERS, Tokens, now_s};

fn gateway(origin: &Origin, tokens: &Tokens) -> Gateway {
    Setup::new(&format!(
        r#"{ISSUERS}
services: {{ orders: {{ endpoints: ["{}"] }} }}
defaults: {{ auth: {{ issuers: [corp] }} }}
routes:
  - {{ id: scope, match: {{ path: /scope }}, to: orders, auth: {{ scopes: ["orders:read", "orders:refund"] }} }}
  - {{ id: role, match: {{ path: /role }}, to: orders, auth: {{ roles: {{ all: [customer], any: [buyer, auditor] }} }} }}
  - {{ id: claim, match: {{ path: /claim }}, to: orders, auth: {{ claims: {{ tenant: [acme, globex] }} }} }}
  - {{ id: mfa, match: {{ path: /mfa }}, to: orders, auth: {{ mfa: true }} }}
  - {{ id: fresh, match: {{ path: /fresh }}, to: orders, auth: {{ max_age: 5m }} }}
"#,
        origin.address()
    ))
    .file("keys.json", tokens.key_set())
    .start()
}

#[test]
fn what_a_token_may_not_do() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = gateway(&origin, &tokens);
    let roles = |roles: Value| json!({ "realm_access": { "roles": roles } });
    let now = now_s();
    let cases = [
        ("/scope", json!({ "scope": "orders:read" }), 403, "policy.scope"),
        ("/scope", json!({ "scope": "orders:reads orders:refund" }), 403, "policy.scope"),
        ("/scope", json!({ "scope": null }), 403, "policy.scope"),
        ("/role", json!({}), 403, "policy.role"),
        ("/role", roles(json!(["customer"])), 403, "policy.role"),
        ("/role", roles(json!(["buyer"])), 403, "policy.role"),
        ("/claim", json!({}), 403, "policy.claim"),
        ("/claim", json!({ "tenant": "evil" }), 403, "policy.claim"),
        ("/claim", json!({ "tenant": { "acme": true } }), 403, "policy.claim"),
        ("/mfa", json!({}), 401, "policy.step_up"),
        ("/mfa", json!({ "acr": "pwd", "amr": ["pwd"] }), 401, "policy.step_up"),
        ("/fresh", json!({}), 401, "policy.step_up"),
        ("/fresh", json!({ "auth_time": now - 3600 }), 401, "policy.step_up"),
        ("/fresh", json!({ "auth_time": now + 3600 }), 401, "policy.step_up"),
    ];
    for (path, changes, status, code) in &cases {
        let answer = Request::get(path).bearer(&tokens.with(changes)).send(gateway.address());
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{path} {changes}");
    }
    let events = gateway.events(cases.len());
    for ((path, _, _, code), event) in cases.iter().zip(&events) {
        assert_eq!(action(event), *code, "{path}");
        assert_eq!(event["user"]["domain"], "corp", "who was refused is known");
    }
    origin.expect_nothing();
}

#[test]
fn what_a_token_may_do() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = gateway(&origin, &tokens);
    let now = now_s();
    let cases = [
        ("/scope", json!({ "scope": "orders:refund orders:read" })),
        ("/role", json!({ "realm_access": { "roles": ["customer", "auditor"] } })),
        ("/claim", json!({ "tenant": "globex" })),
        ("/mfa", json!({ "acr": "urn:example:mfa" })),
        ("/mfa", json!({ "amr": ["pwd", "hwk"] })),
        ("/fresh", json!({ "auth_time": now - 60 })),
    ];
    for (path, changes) in &cases {
        let answer = Request::get(path).bearer(&tokens.with(changes)).send(gateway.address());
        assert_eq!(answer.status, 200, "{path} {changes}");
    }
    assert_eq!(origin.seen().len(), cases.len());
}

/// A client follows these fields by itself, so they are exact (RFC 6750 §3, RFC 9470 §3).
#[test]
fn challenges_are_exact() {
    let (origin, tokens) = (Origin::echo(), Tokens::new());
    let gateway = gateway(&origin, &tokens);
    let challenge = |path: &str| {
        let answer = Request::get(path).bearer(&tokens.good()).send(gateway.address());
        answer.header("www-authenticate").map(str::to_owned)
    };
    let cases = [
        (
            "/scope",
            "Bearer realm=\"yett\", error=\"insufficient_scope\", error_description=\"The access token lacks a scope\", scope=\"orders:read orders:refund\"",
        ),
        (
            "/mfa",
            "Bearer realm=\"yett\", error=\"insufficient_user_authentication\", \
             error_description=\"A different authentication level is required\", acr_values=\"urn:example:mfa\"",
        ),
        (
            "/fresh",
            "Bearer realm=\"yett\", error=\"insufficient_user_authentication\", \
             error_description=\"More recent authentication is required\", max_age=\"300\"",
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(challenge(path).as_deref(), Some(expected), "{path}");
    }
    assert_eq!(challenge("/role"), None);
}
