//! Algorithms, signatures and keys (attacks on the cryptography around the token).

use aws_lc_rs::hmac;
use serde_json::json;

use super::rig::{Case, ISSUER, Keys, Rig, changed, claims, encode, header, refuse_all};
use crate::base::code::Code::{self, *};
use crate::stages::identity::dev::DevIssuer;

#[tokio::test]
async fn tokens_of_every_algorithm_pass() {
    let section = json!({ "algorithms": ["ES256", "ES384", "EdDSA", "RS256"] });
    let rig = Rig::with(section);
    let cases = [
        ("ES256", "es256", "ES256"),
        ("ES384", "es384", "ES384"),
        ("EdDSA", "ed", "EdDSA"),
        ("EdDSA", "ed", "Ed25519"),
        ("RS256", "rsa", "RS256"),
    ];
    for (key, kid, alg) in cases {
        let header = json!({ "alg": alg, "typ": "application/AT+JWT", "kid": kid });
        let token = rig.keys.sign(key, &header.to_string(), &claims().to_string());
        let (identity, cached) = rig.present(&token).await.unwrap();
        assert_eq!(identity.unwrap().issuer_name.as_ref(), "corp", "{alg}");
        assert!(!cached);
    }
}

/// RSA keys that name no algorithm (Entra ID publishes such) have the issuer's only RSA algorithm.
#[tokio::test]
async fn an_rsa_key_without_alg_has_one_algorithm() {
    let cases: [(&[&str], &str, bool); 6] = [
        (&["PS256"], "PS256", true),
        (&["RS512", "ES256"], "RS512", true),
        (&["RS384"], "RS384", true),
        (&["PS256", "RS256"], "RS256", true),
        (&["PS256", "RS256"], "PS256", false),
        (&["RS256", "RS512"], "RS512", false),
    ];
    for (algorithms, alg, passes) in cases {
        let mut rig = Rig::with(json!({ "algorithms": algorithms }));
        let mut jwks = rig.keys.jwks();
        jwks["keys"][3].as_object_mut().unwrap().remove("alg");
        rig.publish(&jwks).await;
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": "rsa" }).to_string();
        let token = rig.keys.sign(alg, &header, &claims().to_string());
        let code = rig.present(&token).await.err().map(|finding| finding.code);
        assert_eq!(code, (!passes).then_some(IdentityAlgorithm), "{algorithms:?} {alg}");
    }
}

#[tokio::test]
async fn algorithms_are_the_issuers_and_the_keys() {
    let rig = Rig::new();
    let mut cases: Vec<Case> = Vec::new();
    for alg in ["none", "None", "nOnE", "NONE", "none ", "es256", "HS256", "ES512", "PS512", ""] {
        cases.push((
            "alg by another name",
            IdentityAlgorithm,
            rig.es256(&alg_header(json!(alg)), &text()),
        ));
    }
    for alg in [json!(null), json!(["ES256"]), json!(256), json!({ "alg": "ES256" })] {
        cases.push((
            "alg of another type",
            IdentityMalformed,
            rig.es256(&alg_header(alg), &text()),
        ));
    }
    let without = json!({ "typ": "at+jwt", "kid": "es256" }).to_string();
    cases.push(("alg absent", IdentityMalformed, rig.es256(&without, &text())));
    let unlisted = json!({ "alg": "RS512", "typ": "at+jwt", "kid": "rsa" }).to_string();
    cases.push((
        "alg not of the issuer",
        IdentityAlgorithm,
        rig.keys.sign("RS512", &unlisted, &text()),
    ));
    for (alg, kid, signer) in [
        ("PS256", "rsa", "PS256"),
        ("ES384", "es256", "ES384"),
        ("ES256", "es384", "ES256"),
        ("ES256", "rsa", "ES256"),
        ("EdDSA", "es256", "EdDSA"),
    ] {
        let header = json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
        cases.push((
            "alg of another key",
            IdentityAlgorithm,
            rig.keys.sign(signer, &header, &text()),
        ));
    }
    refuse_all(&rig, cases).await;
}

/// CVE-2016-10555 and its many returns: a public key, in any spelling, taken as an HMAC secret.
#[tokio::test]
async fn public_keys_are_no_secrets() {
    let rig = Rig::new();
    let mut cases = Vec::new();
    for alg in ["HS256", "RS256", "ES256"] {
        for secret in rig.keys.as_secrets() {
            let kid = if alg == "ES256" { "es256" } else { "rsa" };
            let header = json!({ "alg": alg, "typ": "at+jwt", "kid": kid }).to_string();
            let signed = format!("{}.{}", encode(header), encode(text()));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let tag = hmac::sign(&key, signed.as_bytes());
            let code = if alg == "HS256" { IdentityAlgorithm } else { IdentitySignature };
            cases.push(("HMAC with a public key", code, format!("{signed}.{}", encode(tag))));
        }
    }
    refuse_all(&rig, cases).await;
}

#[tokio::test]
async fn signatures_are_exact() {
    let rig = Rig::new();
    let good = rig.good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bytes = decode(signature);
    let with = |bytes: &[u8]| format!("{signed}.{}", encode(bytes));
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        with(&bytes)
    };
    let mut cases: Vec<Case> = vec![
        ("signature empty", IdentityMalformed, format!("{signed}.")),
        ("signature and dot missing", IdentityMalformed, signed.to_owned()),
        ("one byte short", IdentitySignature, with(&bytes[..63])),
        ("one byte long", IdentitySignature, with(&[&*bytes, &[0]].concat())),
        ("first bit flipped", IdentitySignature, flipped(0)),
        ("last bit flipped", IdentitySignature, flipped(63)),
        (
            "another's signature",
            IdentitySignature,
            with(&decode(rig.claiming(json!({ "jti": "2" })).rsplit_once('.').unwrap().1)),
        ),
        (
            "another's key",
            IdentitySignature,
            Keys::draw().sign("ES256", &header().to_string(), &text()),
        ),
        ("DER instead of fixed", IdentitySignature, with(&der(&bytes))),
    ];
    for r in scalars() {
        for s in scalars() {
            cases.push(("r or s of 0, n-1, n, p", IdentitySignature, with(&[r, s].concat())));
        }
        cases.push(("r of 0, n-1, n, p", IdentitySignature, with(&[&r, &bytes[32..]].concat())));
        cases.push(("s of 0, n-1, n, p", IdentitySignature, with(&[&bytes[..32], &r].concat())));
    }
    let last = signature.len() - 1;
    for tail in spare_tails(signature) {
        let other = format!("{signed}.{}{tail}", &signature[..last]);
        cases.push(("unused bits set", IdentityMalformed, other));
    }
    for suffix in ["=", "==", "+", "/", "?", "%3D", "\n"] {
        let code = if suffix == "\n" { continue } else { IdentityMalformed };
        cases.push(("bytes after the signature", code, format!("{good}{suffix}")));
    }
    refuse_all(&rig, cases).await;
}

/// Keys that the token brings or points to (CVE-2018-0114), and `kid`s that are more than a name.
#[tokio::test]
async fn keys_come_from_the_configuration_alone() {
    let rig = Rig::new();
    let attacker = Keys::draw();
    let mut cases: Vec<Case> = Vec::new();
    let members = [
        ("jwk", attacker.es256.jwk()),
        ("jku", json!("https://evil.example/jwks.json")),
        ("jku", json!("https://id.example.com@evil.example/")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ];
    for (name, value) in members {
        let header = changed(header(), json!({ name: value }));
        let token = attacker.sign("ES256", &header.to_string(), &text());
        cases.push(("a key in the token", IdentityMalformed, token));
    }
    let kids: [(serde_json::Value, Code); 12] = [
        (json!("../../dev/null"), IdentityKey),
        (json!("/dev/null"), IdentityKey),
        (json!("' UNION SELECT 'secret"), IdentityKey),
        (json!("|sleep 10"), IdentityKey),
        (json!("es256\0"), IdentityKey),
        (json!("ES256"), IdentityKey),
        (json!(""), IdentityKey),
        (json!("x".repeat(256)), IdentityKey),
        (json!("x".repeat(257)), IdentityMalformed),
        (json!(1), IdentityMalformed),
        (json!(null), IdentityMalformed),
        (json!(["es256"]), IdentityMalformed),
    ];
    for (kid, code) in kids {
        let header = changed(header(), json!({ "kid": kid }));
        cases.push(("kid", code, rig.es256(&header.to_string(), &text())));
    }
    let rs512 = json!({ "alg": "RS256", "typ": "at+jwt" });
    cases.push((
        "no kid, wrong signature",
        IdentitySignature,
        attacker.sign("RS256", &rs512.to_string(), &text()),
    ));
    refuse_all(&rig, cases).await;
}

/// Each issuer speaks for itself: its keys verify its own `iss` and no other.
#[tokio::test]
async fn keys_of_one_issuer_say_nothing_for_another() {
    const SECOND: &str = "https://second.example.com";
    let mut rig = Rig::new();
    let second = DevIssuer::generate("second").unwrap();
    rig.add_issuer(SECOND, &second);
    let sign = |kid: &str, iss: &str| {
        let header = changed(header(), json!({ "kid": kid })).to_string();
        let claims = changed(claims(), json!({ "iss": iss })).to_string();
        second.sign_parts(header.as_bytes(), claims.as_bytes()).unwrap()
    };
    let identity = rig.present(&sign("second", SECOND)).await.unwrap().0.unwrap();
    assert_eq!((&*identity.issuer_name, &*identity.issuer), ("second", SECOND));
    let cases: Vec<Case> = vec![
        ("another's kid and key", IdentityKey, sign("second", ISSUER)),
        ("another's key under our kid", IdentitySignature, sign("es256", ISSUER)),
        ("our kid in its name", IdentityKey, sign("es256", SECOND)),
        ("a third issuer", IdentityIssuer, sign("second", "https://third.example.com")),
    ];
    refuse_all(&rig, cases).await;
}

#[tokio::test]
async fn without_kid_exactly_one_key_must_fit() {
    let mut rig = Rig::new();
    let header = json!({ "alg": "ES256", "typ": "at+jwt" }).to_string();
    assert!(rig.present(&rig.es256(&header, &text())).await.is_ok());
    let mut jwks = rig.keys.jwks();
    let second = DevIssuer::generate("second").unwrap();
    jwks["keys"].as_array_mut().unwrap().push(second.jwk());
    rig.publish(&jwks).await;
    let again = changed(claims(), json!({ "jti": "again" })).to_string();
    let finding = rig.present(&rig.es256(&header, &again)).await.unwrap_err();
    assert_eq!(finding.code, IdentityKey);
}

fn text() -> String {
    claims().to_string()
}

fn alg_header(alg: serde_json::Value) -> String {
    changed(header(), json!({ "alg": alg })).to_string()
}

fn decode(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// 0, n - 1, n and p of P-256 (SEC 2 §2.4.2).
fn scalars() -> [[u8; 32]; 4] {
    let hex = |text: &str| {
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap();
        }
        bytes
    };
    let n = hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
    let mut n_minus_1 = n;
    n_minus_1[31] -= 1;
    let p = hex("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    [[0; 32], n_minus_1, n, p]
}

/// A fixed-length signature as an ASN.1 sequence of two integers.
fn der(fixed: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let body = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
}

/// The other last characters that stand for the same bytes: 64 bytes leave four unused bits in the last one.
fn spare_tails(signature: &str) -> Vec<char> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = signature.chars().last().unwrap();
    let group = ALPHABET.find(last).unwrap() / 16;
    ALPHABET[group * 16..group * 16 + 16].chars().filter(|other| *other != last).collect()
}
