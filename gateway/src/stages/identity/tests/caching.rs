//! What a remembered verification survives, and what it must not.

use std::time::Duration;

use serde_json::json;

use super::rig::Rig;
use crate::base::code::Code::*;
use crate::stages::identity::dev::DevIssuer;

async fn cached(rig: &Rig, token: &str) -> bool {
    rig.present(token).await.expect("passes").1
}

#[tokio::test]
async fn a_token_is_verified_once() {
    let rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    assert!(cached(&rig, &token).await);
}

#[tokio::test]
async fn a_remembered_token_expires_all_the_same() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    rig.now = rig.now.after(Duration::from_secs(329));
    assert!(cached(&rig, &token).await);
    rig.now = rig.now.after(Duration::from_secs(1));
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentityExpired);
}

#[tokio::test]
async fn a_remembered_token_is_not_valid_before_its_time() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    // The clock was set back by two minutes: `iat` now lies in the future.
    rig.now.unix_us -= 120_000_000;
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentityNotYetValid);
}

#[tokio::test]
async fn a_key_that_is_added_changes_nothing() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    let mut jwks = rig.keys.jwks();
    jwks["keys"].as_array_mut().unwrap().push(DevIssuer::generate("new").unwrap().jwk());
    rig.publish(&jwks).await;
    assert!(cached(&rig, &token).await);
}

#[tokio::test]
async fn a_key_that_is_withdrawn_ends_its_tokens_at_once() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    let mut jwks = rig.keys.jwks();
    jwks["keys"].as_array_mut().unwrap().remove(0);
    rig.publish(&jwks).await;
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentityKey);
}

#[tokio::test]
async fn a_key_that_is_replaced_under_its_name_ends_its_tokens() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    let mut jwks = rig.keys.jwks();
    jwks["keys"][0] = DevIssuer::generate("es256").unwrap().jwk();
    rig.publish(&jwks).await;
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentitySignature);
}

#[tokio::test]
async fn a_reload_keeps_keys_and_tokens_of_an_unchanged_issuer() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    rig.plan = rig.compile(json!({}));
    assert!(cached(&rig, &token).await);
}

#[tokio::test]
async fn another_configuration_of_the_issuer_verifies_again() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    rig.plan = rig.compile(json!({ "audiences": ["billing"] }));
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentityAudience);
    rig.plan = rig.compile(json!({ "mfa": {} }));
    let (identity, cached) = rig.present(&token).await.unwrap();
    assert!(!cached && !identity.unwrap().mfa);
}

#[tokio::test]
async fn a_route_that_does_not_take_the_issuer_refuses_a_remembered_token() {
    let mut rig = Rig::new();
    let token = rig.good();
    assert!(!cached(&rig, &token).await);
    rig.plan.issuers = Box::default();
    assert_eq!(rig.present(&token).await.unwrap_err().code, IdentityIssuer);
}

#[tokio::test]
async fn invalid_tokens_leave_nothing_behind() {
    let rig = Rig::new();
    let good = rig.good();
    assert!(!cached(&rig, &good).await);
    let (signed, _) = good.rsplit_once('.').unwrap();
    for index in 0_u64..1_000 {
        let forged = [index.to_be_bytes(); 8].concat();
        let token = format!("{signed}.{}", super::rig::encode(forged));
        assert_eq!(rig.present(&token).await.unwrap_err().code, IdentitySignature);
    }
    assert_eq!(rig.tokens.len(), 1);
}
