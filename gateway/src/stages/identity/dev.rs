//! A development issuer: mints tokens for `yett demo` and for tests. Its key lives in this process's memory and nowhere
//! else. Never a source of trust in production: whoever runs it can be anyone.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// An ES256 key pair that signs whatever it is given.
pub struct DevIssuer {
    kid: String,
    key: EcdsaKeyPair,
}

impl DevIssuer {
    /// Draws a key.
    pub fn generate(kid: impl Into<String>) -> Result<DevIssuer, &'static str> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING);
        let key = key.map_err(|_| "the development key could not be drawn")?;
        Ok(DevIssuer { kid: kid.into(), key })
    }

    /// The public half as a key set document.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// The public half as one key (RFC 7518 §6.2.1).
    pub fn jwk(&self) -> Value {
        // Uncompressed point: 0x04, then both coordinates of 32 bytes.
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        json!({
            "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y
        })
    }

    /// Signs claims as an access token (RFC 9068).
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, &'static str> {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": self.kid });
        let claims = serde_json::to_vec(claims).map_err(|_| "claims cannot be written as JSON")?;
        self.sign_parts(header.to_string().as_bytes(), &claims)
    }

    /// Signs any header and claims, well-formed or not: tests make hostile tokens of it.
    pub fn sign_parts(&self, header: &[u8], claims: &[u8]) -> Result<String, &'static str> {
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| "the development key could not sign")?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
