//! Claims of tokens whose signature is good: wrong types, wrong times, wrong audience, wrong kind.

use serde_json::{Value, json};

use super::rig::{Case, GONE, ISSUER, NOW_S, Rig, changed, claims, header, refuse_all};
use crate::base::code::Code::{self, *};

/// Changes of the claims with the code that refuses them.
async fn refuse_claims(rig: &Rig, table: Vec<(Value, Code)>) {
    let case = |(change, code): (Value, Code)| -> Case { ("claims", code, rig.claiming(change)) };
    refuse_all(rig, table.into_iter().map(case).collect()).await;
}

#[tokio::test]
async fn times() {
    let table = vec![
        (json!({ "exp": NOW_S - 30 }), IdentityExpired),
        (json!({ "exp": NOW_S - 300 }), IdentityExpired),
        (json!({ "exp": 0 }), IdentityExpired),
        (json!({ "exp": GONE }), IdentityClaims),
        (json!({ "exp": (NOW_S + 300).to_string() }), IdentityClaims),
        (json!({ "exp": null }), IdentityClaims),
        (json!({ "exp": 1e300 }), IdentityClaims),
        (json!({ "exp": -1 }), IdentityClaims),
        (json!({ "exp": u64::MAX }), IdentityClaims),
        (json!({ "exp": [NOW_S + 300] }), IdentityClaims),
        (json!({ "exp": true }), IdentityClaims),
        (json!({ "nbf": NOW_S + 31 }), IdentityNotYetValid),
        (json!({ "nbf": (NOW_S - 1).to_string() }), IdentityClaims),
        (json!({ "nbf": null }), IdentityClaims),
        (json!({ "iat": NOW_S + 31 }), IdentityNotYetValid),
        (json!({ "iat": "yesterday" }), IdentityClaims),
        (json!({ "auth_time": "1" }), IdentityClaims),
        (json!({ "auth_time": -1 }), IdentityClaims),
    ];
    refuse_claims(&Rig::new(), table).await;
}

#[tokio::test]
async fn the_skew_is_forgiven_to_the_second() {
    let rig = Rig::new();
    let changes = [
        json!({ "exp": NOW_S - 29 }),
        json!({ "exp": NOW_S as f64 + 0.5 }),
        json!({ "nbf": NOW_S + 30 }),
        json!({ "iat": NOW_S + 30 }),
    ];
    for change in changes {
        assert!(rig.present(&rig.claiming(change.clone())).await.is_ok(), "{change}");
    }
    let strict = Rig::with(json!({ "skew": "0s" }));
    for (exp, passes) in [(NOW_S + 1, true), (NOW_S, false)] {
        let token = strict.claiming(json!({ "exp": exp }));
        assert_eq!(strict.present(&token).await.is_ok(), passes, "{exp}");
    }
}

#[tokio::test]
async fn issuer_and_audience() {
    let slash = format!("{ISSUER}/");
    let table = vec![
        (json!({ "iss": slash }), IdentityIssuer),
        (json!({ "iss": &ISSUER[..ISSUER.len() - 1] }), IdentityIssuer),
        (json!({ "iss": ISSUER.to_uppercase() }), IdentityIssuer),
        (json!({ "iss": "" }), IdentityIssuer),
        (json!({ "iss": [ISSUER] }), IdentityClaims),
        (json!({ "iss": [ISSUER, "https://evil.example"] }), IdentityClaims),
        (json!({ "iss": { "a": ISSUER } }), IdentityClaims),
        (json!({ "iss": 1 }), IdentityClaims),
        (json!({ "iss": null }), IdentityClaims),
        (json!({ "iss": GONE }), IdentityClaims),
        (json!({ "aud": "orders" }), IdentityAudience),
        (json!({ "aud": "orders-api2" }), IdentityAudience),
        (json!({ "aud": "Orders-API" }), IdentityAudience),
        (json!({ "aud": ["billing"] }), IdentityAudience),
        (json!({ "aud": [] }), IdentityAudience),
        (json!({ "aud": "" }), IdentityAudience),
        (json!({ "aud": "orders-api billing" }), IdentityAudience),
        (json!({ "aud": ["orders-api", 1] }), IdentityClaims),
        (json!({ "aud": [["orders-api"]] }), IdentityClaims),
        (json!({ "aud": { "orders-api": true } }), IdentityClaims),
        (json!({ "aud": null }), IdentityClaims),
        (json!({ "aud": 1 }), IdentityClaims),
        (json!({ "aud": GONE }), IdentityClaims),
    ];
    refuse_claims(&Rig::new(), table).await;
    let rig = Rig::new();
    assert!(rig.present(&rig.claiming(json!({ "aud": ["x", "orders-api"] }))).await.is_ok());
}

#[tokio::test]
async fn names_and_lists() {
    let table = vec![
        (json!({ "sub": GONE }), IdentityClaims),
        (json!({ "sub": "" }), IdentityClaims),
        (json!({ "sub": "a\0b" }), IdentityClaims),
        (json!({ "sub": "a\nb" }), IdentityClaims),
        (json!({ "sub": "x".repeat(257) }), IdentityClaims),
        (json!({ "sub": 7 }), IdentityClaims),
        (json!({ "sub": null }), IdentityClaims),
        (json!({ "client_id": GONE }), IdentityClaims),
        (json!({ "client_id": ["shop"] }), IdentityClaims),
        (json!({ "jti": GONE }), IdentityClaims),
        (json!({ "jti": 1 }), IdentityClaims),
        (json!({ "iat": GONE }), IdentityClaims),
        (json!({ "scope": ["orders:read"] }), IdentityClaims),
        (json!({ "scope": "orders:read\tadmin" }), IdentityClaims),
        (json!({ "scope": "orders:read  admin" }), IdentityClaims),
        (json!({ "scope": " admin" }), IdentityClaims),
        (json!({ "scope": 1 }), IdentityClaims),
        (json!({ "scope": null }), IdentityClaims),
        (json!({ "amr": "mfa" }), IdentityClaims),
        (json!({ "amr": ["pwd", 1] }), IdentityClaims),
        (json!({ "amr": null }), IdentityClaims),
        (json!({ "acr": ["urn:x:mfa"] }), IdentityClaims),
        (json!({ "acr": 2 }), IdentityClaims),
    ];
    refuse_claims(&Rig::new(), table).await;
}

/// What the same issuer signs for other ends.
fn foreign() -> Vec<(Value, Code)> {
    vec![
        (json!({ "nonce": "n" }), IdentityClaims),
        (json!({ "at_hash": "h" }), IdentityClaims),
        (json!({ "c_hash": "h" }), IdentityClaims),
        (json!({ "events": {} }), IdentityClaims),
        (json!({ "htm": "GET", "htu": "https://api.example.com" }), IdentityClaims),
        (json!({ "status_list": {} }), IdentityClaims),
        (json!({ "cnf": { "jkt": "t" } }), IdentityClaims),
        (json!({ "cnf": { "x5t#S256": "t" } }), IdentityClaims),
        (json!({ "cnf": null }), IdentityClaims),
        (json!({ "typ": "ID" }), IdentityClaims),
        (json!({ "typ": "Refresh" }), IdentityClaims),
        (json!({ "token_use": "id" }), IdentityClaims),
        (json!({ "token_use": 1 }), IdentityClaims),
        (json!({ "azp": "orders-api" }), IdentityClaims),
        (json!({ "azp": "orders-api", "aud": ["orders-api"] }), IdentityClaims),
    ]
}

#[tokio::test]
async fn other_kinds_of_tokens() {
    let rig = Rig::new();
    refuse_claims(&rig, foreign()).await;
    let types = [
        json!(GONE),
        json!("JWT"),
        json!("jwt"),
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!("statuslist+jwt"),
        json!("token-introspection+jwt"),
        json!("txntoken+jwt"),
        json!("at+jwt "),
        json!(""),
    ];
    let cases = types.into_iter().map(|typ| typed(&rig, typ)).collect();
    refuse_all(&rig, cases).await;
}

#[tokio::test]
async fn the_compatible_profile_still_refuses_other_kinds() {
    let rig = Rig::with(json!({ "profile": "compat" }));
    refuse_claims(&rig, foreign()).await;
    let types = [
        json!("logout+jwt"),
        json!("secevent+jwt"),
        json!("dpop+jwt"),
        json!("statuslist+jwt"),
        json!("token-introspection+jwt"),
        json!("txntoken+jwt"),
        json!("JOSE"),
        json!("id_token"),
    ];
    refuse_all(&rig, types.into_iter().map(|typ| typed(&rig, typ)).collect()).await;
}

fn typed(rig: &Rig, typ: Value) -> Case {
    let header = changed(header(), json!({ "typ": typ })).to_string();
    ("typ", IdentityClaims, rig.es256(&header, &claims().to_string()))
}

/// Shapes of Keycloak, Entra ID and Okta.
#[tokio::test]
async fn the_compatible_profile_takes_what_providers_issue() {
    let rig = Rig::with(json!({ "profile": "compat" }));
    let gone = json!({ "client_id": GONE, "jti": GONE, "scope": GONE });
    let shapes = [
        (json!({ "azp": "shop", "typ": "Bearer", "scope": "orders:read" }), json!("JWT")),
        (json!({ "azp": "shop", "scp": "orders:read", "iat": GONE }), json!(GONE)),
        (json!({ "cid": "shop", "scp": ["orders:read"] }), json!("JWT")),
        (json!({ "scope": ["orders:read"], "token_use": "access" }), json!("at+jwt")),
    ];
    for (shape, typ) in shapes {
        let header = changed(header(), json!({ "typ": typ })).to_string();
        let claims = changed(changed(claims(), gone.clone()), shape.clone()).to_string();
        let (identity, _) = rig.present(&rig.es256(&header, &claims)).await.expect("passes");
        assert!(identity.unwrap().has_scope("orders:read"), "{shape}");
    }
}

#[tokio::test]
async fn an_identity_says_what_the_token_says() {
    let rig = Rig::new();
    let (identity, _) = rig.present(&rig.good()).await.unwrap();
    let identity = identity.unwrap();
    assert_eq!((&*identity.issuer, &*identity.subject), (ISSUER, "alice"));
    assert_eq!(identity.client_id.as_deref(), Some("shop"));
    assert!(identity.has_scope("orders:refund") && !identity.has_scope("orders"));
    assert!(identity.has_role("payer") && !identity.has_role("pay"));
    assert_eq!(identity.auth_time_s, Some(NOW_S - 120));
    assert_eq!(identity.expires_s, NOW_S + 300);
    assert!(identity.mfa);
}

/// MFA is what the issuer's mapping says, and nothing that resembles it.
#[tokio::test]
async fn mfa_follows_the_mapping() {
    let cases = [
        (json!({ "acr": "urn:x:mfa", "amr": GONE }), true),
        (json!({ "acr": GONE, "amr": ["pwd", "hwk"] }), true),
        (json!({ "acr": "pwd", "amr": ["mfa"] }), true),
        (json!({ "acr": "pwd", "amr": ["MFA"] }), false),
        (json!({ "acr": "urn:x:mfa2", "amr": ["pwd"] }), false),
        (json!({ "acr": "mfa", "amr": [] }), false),
        (json!({ "acr": GONE, "amr": GONE }), false),
    ];
    let rig = Rig::new();
    for (change, mfa) in cases {
        let (identity, _) = rig.present(&rig.claiming(change.clone())).await.unwrap();
        assert_eq!(identity.unwrap().mfa, mfa, "{change}");
    }
}

/// Roles come from the configured path alone.
#[tokio::test]
async fn roles_at_other_places_grant_nothing() {
    let rig = Rig::new();
    let changes = [
        json!({ "user_metadata": { "roles": ["admin"] } }),
        json!({ "roles": ["admin"] }),
        json!({ "realm_access.roles": ["admin"] }),
        json!({ "realm_access": { "roles": { "admin": true } } }),
        json!({ "realm_access": { "roles": [["admin"], { "name": "admin" }] } }),
        json!({ "realm_access": ["admin"] }),
        json!({ "realm_access": { "roles": "notadmin administrator" } }),
    ];
    for change in changes {
        let (identity, _) = rig.present(&rig.claiming(change.clone())).await.unwrap();
        assert!(!identity.unwrap().has_role("admin"), "{change}");
    }
    let quoted = Rig::with(json!({ "roles_from": ["\"https://example.com/roles\""] }));
    let token = quoted.claiming(json!({ "https://example.com/roles": ["admin"] }));
    assert!(quoted.present(&token).await.unwrap().0.unwrap().has_role("admin"));
}
