//! Which keys are taken: each case is one key, or one set, with what becomes of it.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::state::keys::admit::read;

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn p256() -> Value {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    json!({ "kty": "EC", "crv": "P-256", "kid": "a", "x": encode(x), "y": encode(y) })
}

fn p384() -> Value {
    let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let (x, y) = key.public_key().as_ref()[1..].split_at(48);
    json!({ "kty": "EC", "crv": "P-384", "x": encode(x), "y": encode(y) })
}

fn ed25519() -> Value {
    let key = Ed25519KeyPair::generate().unwrap();
    json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(key.public_key()) })
}

/// Only the shape of the modulus is looked at: it has `bits` bits and is odd.
fn rsa(bits: usize) -> Value {
    let mut n = vec![0x5b; bits.div_ceil(8)];
    n[0] = 1 << ((bits - 1) % 8);
    json!({ "kty": "RSA", "n": encode(n), "e": "AQAB" })
}

fn with(mut key: Value, changes: Value) -> Value {
    key.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    key
}

/// A modulus that is 1 modulo every prime of the fingerprint, so a power of 65537.
fn roca() -> Value {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    let mut product = vec![1_u8];
    for prime in PRIMES {
        let mut carry = 0;
        for byte in product.iter_mut().rev() {
            let value = u32::from(*byte) * prime + carry;
            *byte = value.to_le_bytes()[0];
            carry = value >> 8;
        }
        if carry > 0 {
            product.insert(0, u8::try_from(carry).unwrap());
        }
    }
    product.resize(264, 0);
    product[263] = 1;
    json!({ "kty": "RSA", "n": encode(product), "e": "AQAB" })
}

#[test]
fn keys_that_are_taken() {
    let keys = [
        p256(),
        p384(),
        ed25519(),
        rsa(2048),
        rsa(8192),
        with(
            p256(),
            json!({ "use": "sig", "key_ops": ["verify"], "alg": "ES256", "x5t": "x", "new": 1 }),
        ),
        with(ed25519(), json!({ "alg": "Ed25519" })),
        with(ed25519(), json!({ "alg": "EdDSA" })),
        with(rsa(2048), json!({ "alg": "PS256" })),
        with(rsa(2048), json!({ "e": "AQAAAAE" })),
    ];
    for key in keys {
        let admitted = read(json!({ "keys": [key] }).to_string().as_bytes());
        assert_eq!(admitted.map(|admitted| admitted.keys.len()), Ok(1), "{key}");
    }
}

#[test]
fn keys_that_are_passed_over() {
    let cases = [
        (json!({ "kty": "AKP", "alg": "ML-DSA-65", "pub": "AA" }), "unknown kty"),
        (json!({ "kid": "a" }), "unknown kty"),
        (json!({ "kty": 1 }), "kty is not a string"),
        (with(p256(), json!({ "crv": "P-521" })), "unknown crv"),
        (with(p256(), json!({ "crv": "P-384" })), "48 bytes"),
        (with(p256(), json!({ "crv": "secp256k1" })), "unknown crv"),
        (with(ed25519(), json!({ "crv": "X25519" })), "unknown crv"),
        (with(p256(), json!({ "use": "enc" })), "not for signatures"),
        (with(p256(), json!({ "use": ["sig"] })), "use is not a string"),
        (with(p256(), json!({ "key_ops": ["sign"] })), "without verify"),
        (with(p256(), json!({ "key_ops": "verify" })), "without verify"),
        (with(p256(), json!({ "x": encode([1; 32]) })), "not on its curve"),
        (with(p256(), json!({ "x": encode([0; 32]), "y": encode([0; 32]) })), "not on its curve"),
        (with(p256(), json!({ "x": encode([1; 33]) })), "32 bytes"),
        (with(p256(), json!({ "x": "====" })), "not base64url"),
        (with(p256(), json!({ "y": 1 })), "y is not a string"),
        (with(p256(), json!({ "alg": "ES384" })), "does not fit"),
        (with(p256(), json!({ "alg": "RS256" })), "does not fit"),
        (with(p256(), json!({ "alg": "HS256" })), "none of ours"),
        (with(p256(), json!({ "alg": "none" })), "none of ours"),
        (with(p256(), json!({ "kid": 1 })), "kid is not a string"),
        (with(p256(), json!({ "kid": "x".repeat(257) })), "kid longer"),
        (with(ed25519(), json!({ "x": encode([1; 31]) })), "32 bytes"),
        (rsa(1024), "1024 bits"),
        (rsa(2047), "2047 bits"),
        (rsa(8193), "8193 bits"),
        (with(rsa(2048), json!({ "alg": "RSA-OAEP" })), "none of ours"),
        (with(rsa(2048), json!({ "alg": "ES256" })), "does not fit"),
        (with(rsa(2048), json!({ "e": "AQ" })), "exponent"),
        (with(rsa(2048), json!({ "e": "Aw" })), "exponent"),
        (with(rsa(2048), json!({ "e": "AQAA" })), "exponent"),
        (with(rsa(2048), json!({ "e": "" })), "exponent"),
        (with(rsa(2048), json!({ "e": encode([1; 300]) })), "exponent"),
        (with(rsa(2048), json!({ "n": "" })), "empty"),
        (
            with(rsa(2048), json!({ "n": encode([&[0][..], &[0xff; 256]].concat()) })),
            "leading zero",
        ),
        (with(rsa(2048), json!({ "n": encode([0xfe; 256]) })), "weak"),
        (roca(), "weak"),
    ];
    for (key, reason) in cases {
        let good = with(p256(), json!({ "kid": "good" }));
        let admitted = read(json!({ "keys": [key, good] }).to_string().as_bytes()).unwrap();
        assert_eq!(admitted.keys.len(), 1, "{key}");
        assert!(admitted.skipped[0].contains(reason), "{}: {key}", admitted.skipped[0]);
    }
}

#[test]
fn sets_that_are_refused_whole() {
    let good = p256();
    let named = |kid: &str| with(p256(), json!({ "kid": kid }));
    let many: Vec<Value> = (0..101).map(|index| named(&index.to_string())).collect();
    let cases = [
        (json!({ "keys": [good, { "kty": "oct", "k": "c2VjcmV0" }] }).to_string(), "symmetric"),
        (json!({ "keys": [good, with(p384(), json!({ "d": "AA" }))] }).to_string(), "private"),
        (json!({ "keys": [good, with(rsa(2048), json!({ "qi": "AA" }))] }).to_string(), "private"),
        (json!({ "keys": [named("a"), named("a")] }).to_string(), "two keys have the kid `a`"),
        (json!({ "keys": many }).to_string(), "101 keys, bound 100"),
        (json!({ "keys": [] }).to_string(), "no usable key"),
        (json!({ "keys": [rsa(1024)] }).to_string(), "no usable key"),
        (json!({ "keys": ["a"] }).to_string(), "not an object"),
        (json!({ "keys": good }).to_string(), "not an array"),
        (json!({ "Keys": [good] }).to_string(), "not an array"),
        (json!([good]).to_string(), "JSON object"),
        ("<html></html>".to_owned(), "JSON object"),
        (format!("{{\"keys\":[],\"keys\":[{good}]}}"), "occurs twice"),
        (format!("{{\"keys\":[{good}]}}{{}}"), "bytes after"),
    ];
    for (set, reason) in cases {
        let error = read(set.as_bytes()).unwrap_err();
        assert!(error.contains(reason), "`{error}` does not say `{reason}`");
    }
}

/// The same key under the same name is the same; anything else ends what it verified.
#[test]
fn keys_are_compared_with_name_and_algorithm() {
    let key = p256();
    let one =
        |key: &Value| read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap().keys.remove(0);
    let first = one(&key);
    assert!(first.same(&one(&with(key.clone(), json!({ "use": "sig", "alg": "ES256" })))));
    assert!(!first.same(&one(&with(key, json!({ "kid": "b" })))));
    assert!(!first.same(&one(&p256())));
    let rsa_key = rsa(2048);
    assert!(!one(&rsa_key).same(&one(&with(rsa_key.clone(), json!({ "alg": "PS256" })))));
}
