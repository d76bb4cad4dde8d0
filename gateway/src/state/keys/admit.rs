//! Which keys of a JSON Web Key Set are taken. What is unknown is passed over, so that a set with a new kind of key still
//! loads; what shows that the set itself is not a public one (private members, symmetric keys) refuses it whole.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
    VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use crate::base::{bounds, json};

/// The usable keys of a set.
#[derive(Debug)]
pub struct Admitted {
    pub keys: Vec<Key>,
    /// Why others were passed over, one line each.
    pub skipped: Vec<String>,
}

/// One public key.
pub struct Key {
    pub kid: Option<Box<str>>,
    pub kind: Kind,
    /// The only algorithm of this key. RSA keys may leave it open; everyone else's follows from the curve.
    pub algorithm: Option<Algorithm>,
    pub decoding: DecodingKey,
    digest: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    P256,
    P384,
    Ed25519,
    /// With the length of its modulus and signatures, bytes.
    Rsa(usize),
}

impl Key {
    /// Same material under the same name and algorithm.
    pub fn same(&self, other: &Key) -> bool {
        self.digest == other.digest && self.kid == other.kid && self.algorithm == other.algorithm
    }

    /// Length of a signature of this key, bytes (RFC 7518 §3.4: R and S have fixed lengths).
    pub fn signature_bytes(&self) -> usize {
        match self.kind {
            Kind::P256 | Kind::Ed25519 => 64,
            Kind::P384 => 96,
            Kind::Rsa(bytes) => bytes,
        }
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Reads a key set document. Errors when it is not one, is not public, or holds no usable key.
pub fn read(document: &[u8]) -> Result<Admitted, String> {
    let document = json::read_document(document)?;
    let Some(Value::Array(entries)) = document.get("keys") else {
        return Err("no JSON Web Key Set: `keys` is not an array".into());
    };
    if entries.len() > bounds::KEY_SET_KEYS {
        return Err(format!("{} keys, bound {}", entries.len(), bounds::KEY_SET_KEYS));
    }
    let mut admitted = Admitted { keys: Vec::new(), skipped: Vec::new() };
    for (index, entry) in entries.iter().enumerate() {
        let members = entry.as_object().ok_or_else(|| format!("key {index} is not an object"))?;
        public(members).map_err(|error| format!("key {index}: {error}"))?;
        match key(members) {
            Ok(key) => admitted.keys.push(key),
            Err(reason) => admitted.skipped.push(format!("key {index}: {reason}")),
        }
    }
    distinct(&admitted.keys)?;
    if admitted.keys.is_empty() {
        return Err(format!("no usable key ({})", admitted.skipped.join("; ")));
    }
    Ok(admitted)
}

/// A set that publishes secrets is compromised, whatever else it holds.
fn public(members: &Map<String, Value>) -> Result<(), &'static str> {
    const PRIVATE: [&str; 7] = ["d", "p", "q", "dp", "dq", "qi", "oth"];
    if members.get("kty").and_then(Value::as_str) == Some("oct") || members.contains_key("k") {
        return Err("a symmetric key in a public key set");
    }
    if PRIVATE.iter().any(|name| members.contains_key(*name)) {
        return Err("a private key in a public key set");
    }
    Ok(())
}

fn distinct(keys: &[Key]) -> Result<(), String> {
    let mut names: Vec<_> = keys.iter().filter_map(|key| key.kid.as_deref()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two keys have the kid `{}`", pair[0].escape_default())),
        None => Ok(()),
    }
}

fn key(members: &Map<String, Value>) -> Result<Key, String> {
    purpose(members)?;
    let kid = match text(members, "kid")? {
        Some(kid) if kid.len() > bounds::TOKEN_NAME_BYTES => {
            return Err(format!("kid longer than {} bytes", bounds::TOKEN_NAME_BYTES));
        }
        kid => kid.map(Box::from),
    };
    let (kind, decoding, material) = match text(members, "kty")? {
        Some("EC") => elliptic(members)?,
        Some("OKP") => edwards(members)?,
        Some("RSA") => rsa(members)?,
        _ => return Err("unknown kty".into()),
    };
    let algorithm = algorithm(kind, text(members, "alg")?)?;
    let mut digest = [0; 32];
    digest.copy_from_slice(digest::digest(&digest::SHA256, &material).as_ref());
    Ok(Key { kid, kind, algorithm, decoding, digest })
}

/// `use` and `key_ops` must not speak against verifying (RFC 7517 §4.2, §4.3).
fn purpose(members: &Map<String, Value>) -> Result<(), String> {
    if text(members, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("not for signatures".into());
    }
    match members.get("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|name| name == "verify") => Ok(()),
        Some(_) => Err("key_ops without verify".into()),
    }
}

/// A key has exactly one algorithm (RFC 8725 §3.1 and its revision), and it must be one that the key can do.
fn algorithm(kind: Kind, named: Option<&str>) -> Result<Option<Algorithm>, String> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, RS256, RS384, RS512};
    let implied = match kind {
        Kind::P256 => Some(ES256),
        Kind::P384 => Some(ES384),
        Kind::Ed25519 => Some(EdDSA),
        Kind::Rsa(_) => None,
    };
    let Some(named) = named else { return Ok(implied) };
    let algorithm = match named {
        "ES256" => ES256,
        "ES384" => ES384,
        "EdDSA" | "Ed25519" => EdDSA,
        "RS256" => RS256,
        "RS384" => RS384,
        "RS512" => RS512,
        "PS256" => PS256,
        _ => return Err("alg is none of ours".into()),
    };
    let rsa = matches!(algorithm, RS256 | RS384 | RS512 | PS256);
    let fits = implied.map_or(rsa, |implied| implied == algorithm);
    if fits { Ok(Some(algorithm)) } else { Err(format!("alg {named} does not fit the key")) }
}

type Material = (Kind, DecodingKey, Vec<u8>);

fn elliptic(members: &Map<String, Value>) -> Result<Material, String> {
    let (kind, bytes, curve): (_, _, &'static dyn VerificationAlgorithm) =
        match text(members, "crv")? {
            Some("P-256") => (Kind::P256, 32, &ECDSA_P256_SHA256_FIXED),
            Some("P-384") => (Kind::P384, 48, &ECDSA_P384_SHA384_FIXED),
            _ => return Err("unknown crv".into()),
        };
    let (x, y) = (binary(members, "x")?, binary(members, "y")?);
    if x.len() != bytes || y.len() != bytes {
        return Err(format!("coordinates are not {bytes} bytes long"));
    }
    let point = [&[4], &*x, &*y].concat();
    ParsedPublicKey::new(curve, &point).map_err(|_| "point is not on its curve")?;
    Ok((kind, DecodingKey::from_ec_der(&point), point))
}

fn edwards(members: &Map<String, Value>) -> Result<Material, String> {
    if text(members, "crv")? != Some("Ed25519") {
        return Err("unknown crv".into());
    }
    let x = binary(members, "x")?;
    ParsedPublicKey::new(&ED25519, &x).map_err(|_| "not an Ed25519 key of 32 bytes")?;
    Ok((Kind::Ed25519, DecodingKey::from_ed_der(&x), x))
}

fn rsa(members: &Map<String, Value>) -> Result<Material, String> {
    let (n, e) = (binary(members, "n")?, binary(members, "e")?);
    let bits = match n.first() {
        None | Some(0) => return Err("modulus is empty or has a leading zero".into()),
        Some(first) => n.len() * 8 - first.leading_zeros() as usize,
    };
    if !(2048..=8192).contains(&bits) {
        return Err(format!("RSA modulus of {bits} bits, allowed 2048 to 8192"));
    }
    let exponent = e.iter().try_fold(0_u64, |value, byte| {
        (value < 1 << 32).then_some((value << 8) | u64::from(*byte))
    });
    if !exponent.is_some_and(|e| e >= 65537 && e % 2 == 1 && e < 1 << 33) {
        return Err("RSA exponent is not odd, at least 65537 and below 2^33".into());
    }
    if n.last().is_some_and(|last| last % 2 == 0) || has_roca_fingerprint(&n) {
        return Err("RSA modulus is weak".into());
    }
    let material = [&*n, &*e].concat();
    Ok((Kind::Rsa(n.len()), DecodingKey::from_rsa_raw_components(&n, &e), material))
}

/// CVE-2017-15361: moduli of a broken generator are powers of 65537 modulo every small prime. A sound modulus passes
/// all of these tests with a chance below 2^-27.
fn has_roca_fingerprint(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89,
        97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|prime| {
        let rest = modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime);
        let mut power = 1;
        (0..*prime).any(|_| {
            power = power * 65537 % prime;
            power == rest
        })
    })
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{name} is not a string")),
    }
}

fn binary(members: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    let text = text(members, name)?.ok_or_else(|| format!("{name} is missing"))?;
    URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("{name} is not base64url"))
}
