//! Issuers and a route's choice of them, compiled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;

use super::section::{Algorithm, IssuerSection, Profile};
use crate::base::bounds;
use crate::base::claims::ClaimPath;
use crate::base::compile::{Compile, number};
use crate::state::keys::source::{KeySource, Place};
use crate::state::keys::{KeySet, KeySets, check_file};

/// All issuers of a configuration by name; `None` for one that has problems, so that routes which name it are not
/// reported as well.
pub type Issuers = BTreeMap<String, Option<Arc<IssuerPlan>>>;

/// How one issuer's tokens are read.
#[derive(Debug)]
pub struct IssuerPlan {
    pub name: Arc<str>,
    /// Exact value of `iss`.
    pub issuer: Arc<str>,
    /// Values of `acr` that count as multi-factor; the first is asked for in a challenge.
    pub any_acr: Box<[Box<str>]>,
    pub any_amr: Box<[Box<str>]>,
    pub(super) audiences: Box<[Box<str>]>,
    pub(super) algorithms: Box<[jsonwebtoken::Algorithm]>,
    pub(super) profile: Profile,
    pub(super) roles_from: Box<[ClaimPath]>,
    /// Forgiven clock difference, seconds.
    pub skew_s: u64,
    /// Digest of name and section: a token verified under another configuration is verified again.
    pub(super) stamp: u128,
    pub(super) keys: Arc<KeySet>,
    source: KeySource,
}

/// What a route takes.
#[derive(Clone, Debug)]
pub struct Plan {
    pub issuers: Box<[Arc<IssuerPlan>]>,
    /// A request without a token passes as anonymous.
    pub optional: bool,
}

/// Compiles `issuers`; places are below `issuers`.
pub fn compile(
    sections: &BTreeMap<String, IssuerSection>,
    cx: &mut Compile,
    keys: &KeySets,
) -> Issuers {
    cx.within("issuers", |cx| {
        distinct(sections, cx);
        let plan = |(name, section): (&String, &IssuerSection)| {
            let plan = cx.within(name.clone(), |cx| IssuerPlan::compile(name, section, cx, keys));
            (name.clone(), plan)
        };
        sections.iter().map(plan).collect()
    })
}

/// `iss` selects the issuer, so two must not share it: which keys verify a token would depend on their order.
fn distinct(sections: &BTreeMap<String, IssuerSection>, cx: &mut Compile) {
    let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
    for (name, section) in sections {
        if let Some(first) = seen.insert(&section.issuer, name) {
            cx.within(name.clone(), |cx| {
                cx.within("issuer", |cx| {
                    let text = format!("issuer `{first}` has the same value; `iss` must name one");
                    let place = vec!["issuers".into(), first.to_owned().into(), "issuer".into()];
                    cx.error(number::DUPLICATE_ISSUER, text).related(place);
                });
            });
        }
    }
}

impl IssuerPlan {
    /// Compiles one issuer and reports every problem at its field.
    pub fn compile(
        name: &str,
        section: &IssuerSection,
        cx: &mut Compile,
        keys: &KeySets,
    ) -> Option<Arc<IssuerPlan>> {
        cx.within("issuer", |cx| check_issuer(&section.issuer, cx));
        cx.within("audiences", |cx| check_audiences(&section.audiences, cx));
        cx.within("algorithms", |cx| check_algorithms(&section.algorithms, cx));
        cx.within("mfa", |cx| check_mfa(section, cx));
        check_times(section, cx);
        let roles_from = cx.within("roles_from", |cx| paths(&section.roles_from, cx));
        let place = cx.within("jwks", |cx| place(section, cx));
        let source = KeySource {
            place: place?,
            refresh: section.refresh.0,
            private: section.dangerous_private_jwks,
        };
        Some(Arc::new(IssuerPlan {
            name: name.into(),
            issuer: section.issuer.as_str().into(),
            any_acr: boxed(&section.mfa.any_acr),
            any_amr: boxed(&section.mfa.any_amr),
            audiences: boxed(&section.audiences),
            algorithms: section.algorithms.iter().map(|algorithm| algorithm.jose()).collect(),
            profile: section.profile,
            roles_from: roles_from?,
            skew_s: section.skew.0.as_secs(),
            stamp: stamp(name, section)?,
            keys: keys.handle(name, &section.issuer),
            source,
        }))
    }

    /// What [`KeySets::adopt`] wants when the configuration is swapped in.
    pub fn key_source(&self) -> (Arc<KeySet>, KeySource) {
        (self.keys.clone(), self.source.clone())
    }

    /// Whether the issuer says, by `mfa`, when a token is multi-factor.
    pub fn maps_mfa(&self) -> bool {
        !self.any_acr.is_empty() || !self.any_amr.is_empty()
    }
}

impl Plan {
    /// Resolves a route's issuers; the current place is the list of names.
    pub fn compile(names: &[String], optional: bool, issuers: &Issuers, cx: &mut Compile) -> Plan {
        let mut plans: Vec<Arc<IssuerPlan>> = Vec::new();
        for (index, name) in names.iter().enumerate() {
            match issuers.get(name) {
                Some(Some(plan)) => plans.push(plan.clone()),
                Some(None) => {}
                None => cx.within(index, |cx| {
                    cx.unknown(
                        number::UNKNOWN_ISSUER,
                        "issuer",
                        name,
                        issuers.keys().map(String::as_str),
                    );
                }),
            }
        }
        Plan { issuers: plans.into(), optional }
    }
}

impl Algorithm {
    pub(super) fn jose(self) -> jsonwebtoken::Algorithm {
        match self {
            Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
            Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
            Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
            Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
            Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
            Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

fn check_issuer(issuer: &str, cx: &mut Compile) {
    if issuer.is_empty() || issuer.chars().any(|c| c.is_whitespace() || c.is_control()) {
        cx.error(number::ISSUER, "issuer must be the exact text of `iss`, without white space");
    }
}

fn check_audiences(audiences: &[String], cx: &mut Compile) {
    if audiences.is_empty() {
        cx.error(
            number::AUDIENCES,
            "no audience: tokens made for any other service would be taken",
        )
        .hint("name this API as the issuer names it in `aud`");
    }
    for (index, audience) in audiences.iter().enumerate() {
        if audience.is_empty() {
            cx.within(index, |cx| {
                cx.error(number::AUDIENCES, "audience is empty");
            });
        }
    }
}

fn check_algorithms(algorithms: &[Algorithm], cx: &mut Compile) {
    if algorithms.is_empty() {
        cx.error(number::ALGORITHMS, "no algorithm: no token could be taken");
    }
    for (index, algorithm) in algorithms.iter().enumerate() {
        if algorithms[..index].contains(algorithm) {
            cx.within(index, |cx| {
                cx.error(number::ALGORITHMS, format!("{algorithm:?} is listed twice"));
            });
        }
    }
}

/// Challenges hold `acr` values in a quoted list separated by spaces (RFC 9470 §3).
fn check_mfa(section: &IssuerSection, cx: &mut Compile) {
    let lists = [("any_acr", &section.mfa.any_acr), ("any_amr", &section.mfa.any_amr)];
    for (list, values) in lists {
        for (index, value) in values.iter().enumerate() {
            let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
            if value.is_empty() || !value.bytes().all(plain) {
                cx.within(list, |cx| {
                    cx.within(index, |cx| {
                        let text = "must be visible ASCII without space, quote and backslash";
                        cx.error(number::MFA_VALUE, format!("{list} value {text}"));
                    });
                });
            }
        }
    }
}

fn check_times(section: &IssuerSection, cx: &mut Compile) {
    const REFRESH: std::ops::RangeInclusive<Duration> =
        Duration::from_secs(10)..=Duration::from_secs(12 * 3600);
    if section.skew.0 > bounds::TOKEN_SKEW {
        cx.within("skew", |cx| {
            cx.error(number::SKEW, format!("skew {}, allowed 0s to 60s", section.skew));
        });
    }
    if !REFRESH.contains(&section.refresh.0) {
        cx.within("refresh", |cx| {
            cx.error(number::REFRESH, format!("refresh {}, allowed 10s to 12h", section.refresh));
        });
    }
}

fn paths(texts: &[String], cx: &mut Compile) -> Option<Box<[ClaimPath]>> {
    let mut paths = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match text.parse() {
            Ok(path) => paths.push(path),
            Err(error) => cx.within(index, |cx| {
                cx.error(number::ROLES_PATH, error);
            }),
        }
    }
    (paths.len() == texts.len()).then(|| paths.into())
}

fn place(section: &IssuerSection, cx: &mut Compile) -> Option<Place> {
    let parsed = Place::parse(&section.jwks, &section.issuer, section.dangerous_private_jwks);
    let place = match parsed {
        Ok(place) => place,
        Err(error) => {
            cx.error(number::JWKS_ADDRESS, error);
            return None;
        }
    };
    if let Place::File(path) = &place
        && let Err(error) = check_file(path)
    {
        cx.error(number::JWKS_FILE, error);
        return None;
    }
    Some(place)
}

fn stamp(name: &str, section: &IssuerSection) -> Option<u128> {
    let text = serde_json::to_vec(&(name, section)).ok()?;
    let digest = digest::digest(&digest::SHA256, &text);
    digest.as_ref().first_chunk().map(|bytes| u128::from_be_bytes(*bytes))
}

fn boxed(texts: &[String]) -> Box<[Box<str>]> {
    texts.iter().map(|text| text.as_str().into()).collect()
}
