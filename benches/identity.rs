//! What a token costs: remembered, verified, refused. Each measured decision starts at the request's header fields and ends
//! behind the policy (two scopes, a role, a claim, multi-factor, age of the authentication).

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use criterion::{Criterion, criterion_group, criterion_main};
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Version};
use serde_json::{Value, json};
use yett::base::clock::Now;
use yett::base::code::Code;
use yett::base::compile::Compile;
use yett::base::net::Client;
use yett::base::request::{Canonical, Request};
use yett::stages::identity::dev::DevIssuer;
use yett::stages::identity::{self, Outcome};
use yett::stages::policy;
use yett::state::keys::KeySets;
use yett::state::keys::fetch::Fetch;
use yett::state::tokens::TokenCache;

const ISSUER: &str = "https://id.example.com/realms/main";

struct NoNetwork;

#[async_trait]
impl Fetch for NoNetwork {
    async fn get(&self, url: &reqwest::Url, _: bool) -> Result<Vec<u8>, String> {
        Err(format!("{url}: no network in benches"))
    }
}

/// A route with an issuer of two keys, and tokens of about 1 KiB.
struct Rig {
    identity: identity::Plan,
    policy: policy::Plan,
    es256: String,
    rs256: String,
    now: Now,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new() -> Rig {
        let now = Now::read();
        let dir = tempfile::tempdir().expect("a directory for the key set");
        let path = dir.path().join("keys.json");
        let ec = DevIssuer::generate("ec").expect("a key");
        let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("a key");
        let jwks = json!({ "keys": [ec.jwk(), rsa_jwk(&rsa)] });
        std::fs::write(&path, jwks.to_string()).expect("the key set is written");
        let (identity, policy) = plans(&format!("file:{}", path.display()), now);
        let claims = claims(now.unix_s());
        let es256 = ec.sign(claims.as_object().expect("an object")).expect("signs");
        let rs256 = sign_rs256(&rsa, &claims);
        Rig { identity, policy, es256, rs256, now, _dir: dir }
    }

    fn decide(&self, headers: &HeaderMap, tokens: &TokenCache) -> Result<bool, Code> {
        let canonical = Canonical::default();
        let request = Request {
            method: &Method::GET,
            canonical: &canonical,
            headers,
            version: Version::HTTP_11,
            secure: true,
            client: Client::direct(([192, 0, 2, 1], 4711).into()),
            raw_target: b"/",
        };
        let outcome = self.identity.decide(&request, tokens, self.now);
        match outcome.map_err(|finding| finding.code)? {
            Outcome::Known { identity, cached } => {
                policy::decide(&self.policy, identity.as_deref(), self.now)
                    .map_err(|finding| finding.code)?;
                Ok(cached)
            }
            Outcome::NeedsKeys(_) => Err(Code::IdentityKey),
        }
    }
}

fn plans(jwks: &str, now: Now) -> (identity::Plan, policy::Plan) {
    let section = json!({
        "issuer": ISSUER, "audiences": ["orders-api"], "jwks": jwks, "roles_from": ["realm_access.roles"],
        "mfa": { "any_acr": ["urn:x:mfa"] },
    });
    let section = serde_json::from_value(section).expect("an issuer section");
    let sets = KeySets::new(Arc::new(NoNetwork));
    let mut cx = Compile::new();
    let issuers =
        identity::plan::compile(&BTreeMap::from([("corp".to_owned(), section)]), &mut cx, &sets);
    let identity = identity::Plan::compile(&["corp".into()], false, &issuers, &mut cx);
    sets.adopt(identity.issuers.iter().map(|issuer| issuer.key_source()), now);
    let auth = json!({
        "scopes": ["orders:read", "orders:refund"], "roles": { "any": ["payer"] },
        "claims": { "tenant": ["acme"] }, "mfa": true, "max_age": "5m",
    });
    let auth = serde_json::from_value(auth).expect("an auth section");
    let facts: Vec<_> = identity
        .issuers
        .iter()
        .map(|issuer| policy::IssuerFacts {
            name: &issuer.name,
            acr_values: &issuer.any_acr,
            maps_mfa: issuer.maps_mfa(),
            skew_s: issuer.skew_s,
        })
        .collect();
    let policy = policy::Plan::compile(&auth, &facts, &mut cx);
    assert!(!cx.has_errors(), "{:?}", cx.into_problems());
    (identity, policy)
}

fn claims(now_s: u64) -> Value {
    json!({
        "iss": ISSUER, "aud": ["orders-api", "billing-api"], "sub": "f0a1b2c3-d4e5-4f60-8a7b-9c0d1e2f3a4b",
        "client_id": "shop-frontend", "jti": "7d9f1c3a-2b4e-4d6f-8a0b-1c2d3e4f5a6b", "iat": now_s,
        "exp": now_s + 3600, "auth_time": now_s, "acr": "urn:x:mfa", "amr": ["pwd", "otp", "mfa"],
        "scope": "openid profile email orders:read orders:refund", "tenant": "acme", "sid": "0123456789abcdef",
        "realm_access": { "roles": ["clerk", "payer", "offline_access", "default-roles-main"] },
        "name": "Alice Example", "preferred_username": "alice", "email": "alice@example.com",
    })
}

fn rsa_jwk(key: &RsaKeyPair) -> Value {
    let key = key.public_key();
    json!({
        "kty": "RSA", "kid": "rsa", "alg": "RS256",
        "n": URL_SAFE_NO_PAD.encode(key.modulus().big_endian_without_leading_zero()),
        "e": URL_SAFE_NO_PAD.encode(key.exponent().big_endian_without_leading_zero()),
    })
}

fn sign_rs256(key: &RsaKeyPair, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "typ": "at+jwt", "kid": "rsa" }).to_string();
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .expect("signs");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn bearer(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {token}").parse().expect("a field value");
    headers.insert(AUTHORIZATION, value);
    headers
}

fn tokens(criterion: &mut Criterion) {
    let rig = Rig::new();
    let warm = TokenCache::default();
    // Too small to keep anything: every decision verifies.
    let cold = TokenCache::new(0);
    let (es256, rs256) = (bearer(&rig.es256), bearer(&rig.rs256));
    let forged = bearer(&format!(
        "{}A{}",
        &rig.es256[..rig.es256.len() - 40],
        &rig.es256[rig.es256.len() - 39..]
    ));
    assert_eq!(rig.decide(&es256, &warm), Ok(false));
    assert_eq!(rig.decide(&es256, &warm), Ok(true));
    assert_eq!(rig.decide(&rs256, &cold), Ok(false));
    assert_eq!(rig.decide(&forged, &warm), Err(Code::IdentitySignature));

    let mut group = criterion.benchmark_group("identity");
    group.bench_function("hit", |b| b.iter(|| rig.decide(black_box(&es256), &warm)));
    group.bench_function("miss_es256", |b| b.iter(|| rig.decide(black_box(&es256), &cold)));
    group.bench_function("miss_rs256", |b| b.iter(|| rig.decide(black_box(&rs256), &cold)));
    group.bench_function("forged_es256", |b| b.iter(|| rig.decide(black_box(&forged), &warm)));
    group.finish();
    policy_alone(criterion, &rig, &warm);
}

fn policy_alone(criterion: &mut Criterion, rig: &Rig, tokens: &TokenCache) {
    let token = tokens.get(&rig.es256).expect("remembered");
    criterion.bench_function("policy", |b| {
        b.iter(|| policy::decide(&rig.policy, black_box(Some(&token.identity)), rig.now).is_ok());
    });
}

criterion_group!(benches, tokens);
criterion_main!(benches);
