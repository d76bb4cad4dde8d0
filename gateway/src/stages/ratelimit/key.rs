//! What a limit counts by: from the grammar in the configuration to one 128-bit subject per request.
//!
//! Every part is written as a type byte, a length and the value, so that no value can pass for another part, for two
//! parts, or for a part that is missing. The whole is hashed under a key that follows from the limit's id alone:
//! gateways that share a store agree on it, and no raw value reaches the store.

use std::borrow::Cow;
use std::net::IpAddr;

use http::{HeaderMap, HeaderName};
use serde_json::Value;
use smallvec::SmallVec;

use crate::base::claims::ClaimPath;
use crate::base::compile::{Compile, nearest, number};
use crate::base::identity::Identity;
use crate::base::net::canonical_ip;
use crate::state::counters::Subject;

use super::section::LimitKey;

/// Most parts of one key.
pub const PARTS_MAX: usize = 8;

/// Separates our hashes from every other use of BLAKE3 (its `derive_key` context). A new version of the encoding below
/// gets a new one.
const CONTEXT: &str = "yett 2026 rate limit subject v1";

/// What a request offers to be counted by.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    pub client_ip: IpAddr,
    pub headers: &'a HeaderMap,
    /// Id of the route.
    pub route: &'a str,
    /// The value of a `{parameter}` of the route's path.
    pub path_param: &'a dyn Fn(&str) -> Option<&'a str>,
    pub identity: Option<&'a Identity>,
}

/// A compiled key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPlan {
    parts: Box<[Part]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    ClientIp,
    Route,
    Header(HeaderName),
    Path(Box<str>),
    Token(ClaimPath),
}

/// Key of the hash of one limit.
#[derive(Clone, PartialEq, Eq)]
pub struct SubjectKey([u8; 32]);

impl SubjectKey {
    pub fn new(limit_id: &str) -> SubjectKey {
        SubjectKey(blake3::derive_key(CONTEXT, limit_id.as_bytes()))
    }

    /// The limit itself, without any part.
    pub fn limit(&self) -> Subject {
        self.hash(&[])
    }

    fn hash(&self, bytes: &[u8]) -> Subject {
        let mut half = [0; 16];
        half.copy_from_slice(&blake3::keyed_hash(&self.0, bytes).as_bytes()[..16]);
        Subject::from_be_bytes(half)
    }
}

impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SubjectKey")
    }
}

impl KeyPlan {
    /// Reads the grammar and reports every part that is not in it.
    pub fn compile(key: &LimitKey, cx: &mut Compile) -> Option<KeyPlan> {
        let parts: Vec<Option<Part>> = match key {
            LimitKey::One(text) => vec![parse(text, cx)],
            LimitKey::Many(texts) => texts
                .iter()
                .enumerate()
                .map(|(index, text)| cx.within(index, |cx| parse(text, cx)))
                .collect(),
        };
        if parts.is_empty() || parts.len() > PARTS_MAX {
            cx.error(
                number::LIMIT_KEY,
                format!("key has {} parts, allowed: 1 to {PARTS_MAX}", parts.len()),
            );
            return None;
        }
        let parts = parts.into_iter().collect::<Option<Vec<Part>>>()?;
        for (index, part) in parts.iter().enumerate() {
            if parts[..index].contains(part) {
                cx.error(number::LIMIT_KEY, format!("key names `{part}` twice"))
                    .hint("remove one of them");
                return None;
            }
        }
        Some(KeyPlan { parts: parts.into() })
    }

    /// Whether the key is known only after the identity stage.
    pub fn needs_identity(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Token(_)))
    }

    /// Path parameters that a route of this limit must have.
    pub fn path_params(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Path(name) => Some(&**name),
            _ => None,
        })
    }

    /// Who the request counts as.
    pub fn subject(&self, key: &SubjectKey, inputs: &Inputs<'_>) -> Subject {
        let mut bytes = SmallVec::<[u8; 128]>::new();
        for part in &self.parts {
            part.write(inputs, &mut bytes);
        }
        key.hash(&bytes)
    }
}

impl std::fmt::Display for KeyPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}{part}")?;
        }
        Ok(())
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::ClientIp => f.write_str("client.ip"),
            Part::Route => f.write_str("route"),
            Part::Header(name) => write!(f, "header.{name}"),
            Part::Path(name) => write!(f, "path.{name}"),
            Part::Token(claim) => write!(f, "token.{claim}"),
        }
    }
}

/// Type bytes of the encoding. `MISSING` precedes the client address that stands in for a part.
mod tag {
    pub(super) const CLIENT_IPV4: u8 = 1;
    pub(super) const CLIENT_IPV6: u8 = 2;
    pub(super) const ROUTE: u8 = 3;
    pub(super) const HEADER: u8 = 4;
    pub(super) const PATH: u8 = 5;
    pub(super) const TOKEN: u8 = 6;
    pub(super) const ISSUER: u8 = 7;
    pub(super) const MISSING: u8 = 8;
}

impl Part {
    /// A part that the request does not have is counted by client address: leaving a field out is no way round a limit.
    fn write(&self, inputs: &Inputs<'_>, out: &mut SmallVec<[u8; 128]>) {
        let written = match self {
            Part::ClientIp => write_ip(inputs.client_ip, out),
            Part::Route => write(tag::ROUTE, inputs.route.as_bytes(), out),
            Part::Header(name) => {
                single(inputs.headers, name).and_then(|value| write(tag::HEADER, value, out))
            }
            Part::Path(name) => {
                (inputs.path_param)(name).and_then(|value| write(tag::PATH, value.as_bytes(), out))
            }
            Part::Token(claim) => {
                inputs.identity.and_then(|identity| write_claim(identity, claim, out))
            }
        };
        if written.is_none() {
            out.push(tag::MISSING);
            write_ip(inputs.client_ip, out);
        }
    }
}

fn write(tag: u8, value: &[u8], out: &mut SmallVec<[u8; 128]>) -> Option<()> {
    out.push(tag);
    out.extend_from_slice(&(value.len() as u64).to_be_bytes());
    out.extend_from_slice(value);
    Some(())
}

/// IPv6 counts by /64: within one, addresses are the client's to choose (RFC 4291 §2.5.1, RFC 8981).
fn write_ip(ip: IpAddr, out: &mut SmallVec<[u8; 128]>) -> Option<()> {
    match canonical_ip(ip) {
        IpAddr::V4(ip) => write(tag::CLIENT_IPV4, &ip.octets(), out),
        IpAddr::V6(ip) => write(tag::CLIENT_IPV6, &ip.octets()[..8], out),
    }
}

/// A field that is repeated can be read two ways: it counts as missing.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let empty = first.as_bytes().is_empty();
    (!empty && values.next().is_none()).then(|| first.as_bytes())
}

/// Claims mean something only beside their issuer (OIDC Core §5.7): the same subject of two issuers is two subjects.
fn write_claim(
    identity: &Identity,
    claim: &ClaimPath,
    out: &mut SmallVec<[u8; 128]>,
) -> Option<()> {
    let value = claim.find(&identity.claims)?;
    let text = match value {
        Value::Null => return None,
        Value::String(text) => Cow::Borrowed(text.as_str()),
        // The JSON text of a number is never that of a string: quotes are kept below.
        other => Cow::Owned(other.to_string()),
    };
    let quoted = matches!(value, Value::String(_));
    write(tag::ISSUER, identity.issuer.as_bytes(), out)?;
    out.push(u8::from(quoted));
    write(tag::TOKEN, text.as_bytes(), out)
}

const FORMS: &str = "`client.ip`, `route`, `token.CLAIM`, `header.NAME`, `path.PARAMETER`";

fn parse(text: &str, cx: &mut Compile) -> Option<Part> {
    let part = match text.split_once('.') {
        None if text == "route" => Some(Part::Route),
        Some(("client", "ip")) => Some(Part::ClientIp),
        Some(("token", claim)) => claim.parse().ok().map(Part::Token),
        Some(("header", name)) => HeaderName::try_from(name).ok().map(Part::Header),
        Some(("path", name)) if !name.is_empty() => Some(Part::Path(name.into())),
        _ => None,
    };
    if part.is_none() {
        let problem =
            cx.error(number::LIMIT_KEY, format!("unknown key `{text}`, allowed: {FORMS}"));
        if let Some(near) = suggestion(text) {
            problem.hint(format!("did you mean `{near}`?"));
        }
    }
    part
}

/// The form whose first word is nearest, with the rest as it was written.
fn suggestion(text: &str) -> Option<String> {
    let known = ["client.ip", "route"];
    if let Some(near) = nearest(text, known.into_iter()) {
        return Some(near.to_owned());
    }
    let (kind, rest) = text.split_once('.')?;
    let known = match kind {
        "claim" | "claims" | "jwt" => Some("token"),
        "headers" => Some("header"),
        "param" | "params" => Some("path"),
        _ => nearest(kind, ["token", "header", "path"].into_iter()),
    };
    known.filter(|known| *known != kind).map(|known| format!("{known}.{rest}"))
}
