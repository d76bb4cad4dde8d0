//! An issuer with one key per algorithm, a plan that trusts it, and the runner of all cases.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Version};
use serde_json::{Map, Value, json};

use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::compile::Compile;
use crate::base::decision::{Decision, Finding};
use crate::base::identity::Identity;
use crate::base::net::Client;
use crate::base::request::{Canonical, Request};
use crate::stages::identity::dev::DevIssuer;
use crate::stages::identity::section::IssuerSection;
use crate::stages::identity::{IssuerPlan, Outcome, Plan, plan};
use crate::state::keys::KeySets;
use crate::state::keys::fetch::Fetch;
use crate::state::tokens::TokenCache;

pub(super) const ISSUER: &str = "https://id.example.com/realms/main";
/// 2027-01-15T08:00:00Z.
pub(super) const NOW_S: u64 = 1_800_000_000;

/// Keys of the trusted issuer, by kid `es256`, `es384`, `ed`, `rsa`.
pub(super) struct Keys {
    pub(super) es256: DevIssuer,
    es384: EcdsaKeyPair,
    ed: Ed25519KeyPair,
    pub(super) rsa: RsaKeyPair,
}

/// Drawing RSA keys takes long: the trusted issuer of all tests is one.
static TRUSTED: LazyLock<Keys> = LazyLock::new(Keys::draw);

impl Keys {
    pub(super) fn trusted() -> &'static Keys {
        &TRUSTED
    }

    pub(super) fn draw() -> Keys {
        Keys {
            es256: DevIssuer::generate("es256").unwrap(),
            es384: EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap(),
            ed: Ed25519KeyPair::generate().unwrap(),
            rsa: RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap(),
        }
    }

    pub(super) fn jwks(&self) -> Value {
        let (x, y) = self.es384.public_key().as_ref()[1..].split_at(48);
        let rsa = self.rsa.public_key();
        json!({ "keys": [
            self.es256.jwk(),
            { "kty": "EC", "crv": "P-384", "kid": "es384", "x": encode(x), "y": encode(y) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": encode(self.ed.public_key()) },
            {
                "kty": "RSA", "kid": "rsa", "alg": "RS256",
                "n": encode(rsa.modulus().big_endian_without_leading_zero()),
                "e": encode(rsa.exponent().big_endian_without_leading_zero()),
            },
        ] })
    }

    /// Signs `HEADER.CLAIMS` with the key that the algorithm needs, whatever the header says.
    pub(super) fn sign(&self, algorithm: &str, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let message = signed.as_bytes();
        let random = SystemRandom::new();
        let signature = match algorithm {
            "ES256" => return self.es256.sign_parts(header.as_bytes(), claims.as_bytes()).unwrap(),
            "ES384" => self.es384.sign(&random, message).unwrap().as_ref().to_vec(),
            "EdDSA" => self.ed.sign(message).as_ref().to_vec(),
            "RS256" => self.sign_rsa(&RSA_PKCS1_SHA256, message),
            "RS384" => self.sign_rsa(&RSA_PKCS1_SHA384, message),
            "RS512" => self.sign_rsa(&RSA_PKCS1_SHA512, message),
            "PS256" => self.sign_rsa(&RSA_PSS_SHA256, message),
            other => panic!("no key for {other}"),
        };
        format!("{signed}.{}", encode(signature))
    }

    fn sign_rsa(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    }

    /// Spellings of public keys that a confused verifier would take as an HMAC secret.
    pub(super) fn as_secrets(&self) -> Vec<Vec<u8>> {
        let der = self.rsa.public_key().as_der().unwrap().as_ref().to_vec();
        let body = base64::engine::general_purpose::STANDARD.encode(&der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----");
        let jwks = self.jwks();
        let modulus = self.rsa.public_key().modulus().big_endian_without_leading_zero().to_vec();
        let texts = [format!("{pem}\n"), format!(" {pem}"), pem, jwks["keys"][3].to_string()];
        let mut secrets: Vec<Vec<u8>> = texts.into_iter().map(String::into_bytes).collect();
        secrets.extend([der, modulus, Vec::new(), b"secret".to_vec()]);
        secrets
    }
}

/// A trusted issuer behind a route, at [`NOW_S`].
pub(super) struct Rig {
    pub(super) keys: &'static Keys,
    pub(super) plan: Plan,
    pub(super) tokens: TokenCache,
    pub(super) now: Now,
    sets: KeySets,
    dir: tempfile::TempDir,
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(json!({}))
    }

    /// With further fields of the issuer's section.
    pub(super) fn with(section: Value) -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let keys = Keys::trusted();
        let now = Now { unix_us: NOW_S * 1_000_000, ..Now::read() };
        std::fs::write(dir.path().join("keys.json"), keys.jwks().to_string()).unwrap();
        let sets = KeySets::new(Arc::new(NoNetwork));
        let plan = Plan { issuers: Box::default(), optional: false };
        let mut rig = Rig { keys, plan, tokens: TokenCache::default(), now, sets, dir };
        rig.plan = rig.compile(section);
        rig
    }

    /// Compiles a section over the usual one and makes it live.
    pub(super) fn compile(&self, section: Value) -> Plan {
        let mut whole = json!({
            "issuer": ISSUER, "audiences": ["orders-api"], "roles_from": ["realm_access.roles"],
            "jwks": format!("file:{}", self.dir.path().join("keys.json").display()),
            "mfa": { "any_acr": ["urn:x:mfa"], "any_amr": ["mfa", "hwk"] },
        });
        whole.as_object_mut().unwrap().extend(section.as_object().unwrap().clone());
        let section: IssuerSection = serde_json::from_value(whole).unwrap();
        let mut cx = Compile::new();
        let sections = BTreeMap::from([("corp".to_owned(), section)]);
        let issuers = plan::compile(&sections, &mut cx, &self.sets);
        let plan = Plan::compile(&["corp".into()], false, &issuers, &mut cx);
        assert_eq!(cx.into_problems(), []);
        self.sets.adopt(plan.issuers.iter().map(|issuer| issuer.key_source()), self.now);
        plan
    }

    /// Adds a second issuer to the route, whose only key is `key`.
    pub(super) fn add_issuer(&mut self, issuer: &str, key: &DevIssuer) {
        let path = self.dir.path().join("second.json");
        std::fs::write(&path, key.jwks().to_string()).unwrap();
        let jwks = format!("file:{}", path.display());
        let section = json!({ "issuer": issuer, "audiences": ["orders-api"], "jwks": jwks });
        let section: IssuerSection = serde_json::from_value(section).unwrap();
        let mut cx = Compile::new();
        let second = IssuerPlan::compile("second", &section, &mut cx, &self.sets).unwrap();
        let issuers = self.plan.issuers.iter().cloned().chain([second]).collect();
        self.plan.issuers = issuers;
        self.sets.adopt(self.plan.issuers.iter().map(|issuer| issuer.key_source()), self.now);
    }

    /// Replaces the key set file and has it read again.
    pub(super) async fn publish(&mut self, jwks: &Value) {
        std::fs::write(self.dir.path().join("keys.json"), jwks.to_string()).unwrap();
        self.now = self.now.after(Duration::from_secs(11));
        let set = self.plan.issuers[0].key_source().0;
        set.refetch(self.now, Duration::from_secs(5)).await;
    }

    pub(super) fn good(&self) -> String {
        self.es256(&header().to_string(), &claims().to_string())
    }

    pub(super) fn es256(&self, header: &str, claims: &str) -> String {
        self.keys.sign("ES256", header, claims)
    }

    /// The good token with other claims.
    pub(super) fn claiming(&self, changes: Value) -> String {
        self.es256(&header().to_string(), &changed(claims(), changes).to_string())
    }

    pub(super) async fn present(&self, token: &str) -> Decision<(Option<Arc<Identity>>, bool)> {
        self.request(&[&format!("Bearer {token}")], None).await
    }

    /// Decides a request with these Authorization fields.
    pub(super) async fn request(
        &self,
        fields: &[&str],
        query: Option<&str>,
    ) -> Decision<(Option<Arc<Identity>>, bool)> {
        let mut headers = HeaderMap::new();
        for field in fields {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(field.as_bytes()).unwrap());
        }
        let canonical =
            Canonical { path: "/".into(), query: query.map(str::to_owned), ..Canonical::default() };
        let outcome = self.plan.decide(&request(&headers, &canonical), &self.tokens, self.now)?;
        match outcome {
            Outcome::Known { identity, cached } => Ok((identity, cached)),
            Outcome::NeedsKeys(pending) => {
                let wait = Duration::from_secs(1);
                let identity = pending.settle(&self.tokens, self.now, wait).await?;
                Ok((Some(identity), false))
            }
        }
    }
}

/// A network that nothing may use.
struct NoNetwork;

#[async_trait]
impl Fetch for NoNetwork {
    async fn get(&self, url: &reqwest::Url, _: bool) -> Result<Vec<u8>, String> {
        panic!("fetched {url}");
    }
}

pub(super) fn request<'a>(headers: &'a HeaderMap, canonical: &'a Canonical) -> Request<'a> {
    Request {
        method: &Method::GET,
        canonical,
        headers,
        version: Version::HTTP_11,
        secure: true,
        client: Client::direct("192.0.2.1:4711".parse().unwrap()),
        raw_target: b"/",
    }
}

pub(super) fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "es256" })
}

pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": "orders-api", "sub": "alice", "client_id": "shop", "jti": "1",
        "iat": NOW_S - 60, "exp": NOW_S + 300, "scope": "orders:read orders:refund",
        "acr": "urn:x:mfa", "amr": ["pwd", "otp"], "auth_time": NOW_S - 120,
        "realm_access": { "roles": ["clerk", "payer"] },
    })
}

/// Members replaced; `"\u{0}gone"` removes one.
pub(super) fn changed(mut value: Value, changes: Value) -> Value {
    let members = value.as_object_mut().unwrap();
    for (name, change) in changes.as_object().unwrap().clone() {
        if change == GONE {
            members.shift_remove(&name);
        } else {
            members.insert(name, change);
        }
    }
    value
}

pub(super) const GONE: &str = "\0gone";

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// One hostile token with the code that refuses it.
pub(super) type Case = (&'static str, Code, String);

/// Presents every token: it must be refused with its code, be remembered nowhere, leave no trace of its text in the
/// evidence, and be answered as RFC 6750 says.
pub(super) async fn refuse_all(rig: &Rig, cases: Vec<Case>) {
    let (identity, _) = rig.present(&rig.good()).await.expect("the good token passes");
    assert_eq!(&*identity.unwrap().subject, "alice");
    let remembered = rig.tokens.len();
    for (name, code, token) in cases {
        match rig.present(&token).await {
            Ok(_) => panic!("{name}: accepted"),
            Err(finding) => {
                assert_eq!(finding.code, code, "{name}: {}", finding.evidence);
                check_answer(name, &finding);
                check_secrecy(name, &finding, &token);
            }
        }
        assert_eq!(rig.tokens.len(), remembered, "{name}: remembered");
    }
}

fn check_answer(name: &str, finding: &Finding) {
    let (field, value) = &finding.headers[0];
    assert_eq!(field, WWW_AUTHENTICATE, "{name}");
    assert_eq!(finding.code.status(), 401, "{name}");
    let value = value.to_str().unwrap();
    assert!(value.starts_with("Bearer realm=\"yett\", error=\"invalid_token\""), "{name}: {value}");
}

/// No 12 bytes of the token's text, and nothing of its subject, in what is logged or answered.
fn check_secrecy(name: &str, finding: &Finding, token: &str) {
    let text = format!("{finding:?}");
    for window in token.as_bytes().windows(12) {
        let Ok(window) = std::str::from_utf8(window) else { continue };
        assert!(!text.contains(window), "{name}: `{text}` holds `{window}`");
    }
    assert!(!text.contains("alice"), "{name}: {text}");
}
