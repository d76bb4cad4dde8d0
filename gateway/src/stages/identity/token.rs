//! A JSON Web Signature in compact form (RFC 7515 §7.1), read strictly: one text has one reading.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::challenge::{malformed, refuse, shown};
use crate::base::code::Code;
use crate::base::decision::Decision;
use crate::base::{bounds, json};

/// A token of which nothing is believed yet.
#[derive(Debug)]
pub(super) struct Unverified<'t> {
    /// Header and claims as signed.
    pub(super) signed: &'t str,
    /// Signature, base64url.
    pub(super) signature: &'t str,
    /// Length of the signature, bytes.
    pub(super) signature_bytes: usize,
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<Box<str>>,
    pub(super) typ: Option<Box<str>>,
    pub(super) claims: Map<String, Value>,
}

/// Reads form, header and claims. Cheap: no key is touched.
pub(super) fn read(text: &str) -> Decision<Unverified<'_>> {
    let [header, claims, signature] = split(text)?;
    if header.len() > bounds::TOKEN_HEADER_BYTES {
        return Err(malformed(format!(
            "token header {} bytes, bound {}",
            header.len(),
            bounds::TOKEN_HEADER_BYTES
        )));
    }
    let signature_bytes = decode(signature, "signature")?.len();
    let fields = object(header, "header")?;
    supported(&fields)?;
    Ok(Unverified {
        signed: &text[..header.len() + 1 + claims.len()],
        signature,
        signature_bytes,
        algorithm: algorithm(&fields)?,
        kid: name(&fields, "kid")?,
        typ: name(&fields, "typ")?,
        claims: object(claims, "claims")?,
    })
}

/// Exactly three non-empty parts. Five are an encrypted token (RFC 7516), which is never taken: a wrapped plain token
/// would come with no signature at all.
fn split(text: &str) -> Decision<[&str; 3]> {
    if text.len() > bounds::TOKEN_BYTES {
        let size = text.len();
        return Err(malformed(format!("token {size} bytes, bound {}", bounds::TOKEN_BYTES)));
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !text.as_bytes().iter().all(allowed) {
        return Err(malformed("token holds bytes outside of base64url and dots"));
    }
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(header), Some(claims), Some(signature), None)
            if !header.is_empty() && !claims.is_empty() && !signature.is_empty() =>
        {
            Ok([header, claims, signature])
        }
        _ => Err(malformed("token is not three non-empty parts")),
    }
}

/// Without padding and with zero unused bits: any other spelling would be a second text for the same token.
fn decode(part: &str, what: &str) -> Decision<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed(format!("token {what} is not base64url")))
}

fn object(part: &str, what: &str) -> Decision<Map<String, Value>> {
    json::read_object(&decode(part, what)?)
        .map_err(|cause| malformed(format!("token {what}: {cause}")))
}

/// Refuses what would change how the token is read or where its key comes from. Keys come from the configuration
/// alone (RFC 8725 §3.10); we understand no `crit` extension (RFC 7515 §4.1.11), so none may be critical.
fn supported(header: &Map<String, Value>) -> Decision<()> {
    const REFUSED: [&str; 10] =
        ["crit", "b64", "jku", "jwk", "x5u", "x5c", "zip", "enc", "cty", "epk"];
    match REFUSED.iter().find(|name| header.contains_key(**name)) {
        Some(name) => Err(malformed(format!("token header holds `{name}`"))),
        None => Ok(()),
    }
}

fn algorithm(header: &Map<String, Value>) -> Decision<Algorithm> {
    let Some(Value::String(name)) = header.get("alg") else {
        return Err(malformed("token header: alg is not a string"));
    };
    match name.as_str() {
        "ES256" => Ok(Algorithm::ES256),
        "ES384" => Ok(Algorithm::ES384),
        "RS256" => Ok(Algorithm::RS256),
        "RS384" => Ok(Algorithm::RS384),
        "RS512" => Ok(Algorithm::RS512),
        "PS256" => Ok(Algorithm::PS256),
        // RFC 9864 names the curve; it is the only one that we take as EdDSA.
        "EdDSA" | "Ed25519" => Ok(Algorithm::EdDSA),
        _ => Err(refuse(Code::IdentityAlgorithm, format!("alg `{}` is never taken", shown(name)))),
    }
}

fn name(header: &Map<String, Value>, member: &str) -> Decision<Option<Box<str>>> {
    match header.get(member) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= bounds::TOKEN_NAME_BYTES => {
            Ok(Some(text.as_str().into()))
        }
        Some(_) => Err(malformed(format!(
            "token header: {member} is not a string of at most {} bytes",
            bounds::TOKEN_NAME_BYTES
        ))),
    }
}
