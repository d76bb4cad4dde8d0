//! A route's `auth`, compiled: names sorted out, paths parsed, every challenge written in advance.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::section::{AuthSection, RolesSection};
use crate::base::claims::ClaimPath;
use crate::base::compile::{Compile, number};

/// What an identity must have.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(super) scopes: Box<[Box<str>]>,
    /// Challenge that names all of `scopes`.
    pub(super) scope_challenge: Option<HeaderValue>,
    pub(super) roles_all: Box<[Box<str>]>,
    pub(super) roles_any: Box<[Box<str>]>,
    pub(super) claims: Box<[AllowedValues]>,
    pub(super) mfa: bool,
    pub(super) max_age: Option<Duration>,
    /// By issuer.
    pub(super) step_up: Box<[StepUp]>,
}

/// A claim and the values it may have.
pub(super) type AllowedValues = (ClaimPath, Box<[Box<str>]>);

/// Challenges for tokens of one issuer (RFC 9470 §3).
#[derive(Clone, Debug)]
pub(super) struct StepUp {
    pub(super) issuer: Arc<str>,
    pub(super) skew_s: u64,
    /// The authentication was too weak.
    pub(super) level: HeaderValue,
    /// The authentication was too long ago.
    pub(super) age: HeaderValue,
}

/// What a policy must know of an issuer of its route.
#[derive(Clone, Debug)]
pub struct IssuerFacts<'a> {
    pub name: &'a Arc<str>,
    /// Values of `acr` that count as multi-factor, the preferred one first.
    pub acr_values: &'a [Box<str>],
    /// The issuer says when a token is multi-factor.
    pub maps_mfa: bool,
    pub skew_s: u64,
}

impl Plan {
    /// Compiles a section that was read [over](AuthSection::over) the defaults; the current place is the route's `auth`.
    pub fn compile(section: &AuthSection, issuers: &[IssuerFacts<'_>], cx: &mut Compile) -> Plan {
        let scopes = section.scopes.clone().unwrap_or_default();
        cx.within("scopes", |cx| check_scopes(&scopes, cx));
        let roles = section.roles.clone();
        cx.within("roles", |cx| check_roles(roles.as_ref(), cx));
        let roles = roles.unwrap_or_default();
        let max_age = section.max_age.map(|span| span.0);
        cx.within("max_age", |cx| check_age(max_age, cx));
        let mfa = section.mfa == Some(true);
        cx.within("mfa", |cx| check_mfa(mfa, issuers, cx));
        let plan = Plan {
            scope_challenge: scope_challenge(&scopes),
            scopes: boxed(&scopes),
            roles_all: boxed(&roles.all),
            roles_any: boxed(&roles.any),
            claims: cx.within("claims", |cx| claims(section, cx)),
            mfa,
            max_age,
            step_up: issuers.iter().filter_map(|issuer| step_up(issuer, mfa, max_age)).collect(),
        };
        if section.optional == Some(true) && plan.asks() {
            cx.within("optional", |cx| {
                cx.error(
                    number::OPTIONAL_WITH_DEMANDS,
                    "an anonymous request could never meet what this `auth` asks for",
                )
                .hint("remove `optional`, or the scopes, roles, claims, mfa and max_age");
            });
        }
        plan
    }

    /// Whether anything is asked of an identity.
    pub fn asks(&self) -> bool {
        !(self.scopes.is_empty()
            && self.roles_all.is_empty()
            && self.roles_any.is_empty()
            && self.claims.is_empty()
            && !self.mfa
            && self.max_age.is_none())
    }
}

/// RFC 6749 §3.3: visible ASCII without `"` and `\`.
fn check_scopes(scopes: &[String], cx: &mut Compile) {
    for (index, scope) in scopes.iter().enumerate() {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if scope.is_empty() || !scope.bytes().all(allowed) {
            cx.within(index, |cx| {
                cx.error(
                    number::SCOPE,
                    "scope must be visible ASCII without space, quote and backslash",
                );
            });
        }
    }
}

fn check_roles(roles: Option<&RolesSection>, cx: &mut Compile) {
    let Some(roles) = roles else { return };
    for (list, names) in [("all", &roles.all), ("any", &roles.any)] {
        if let Some(index) = names.iter().position(String::is_empty) {
            cx.within(list, |cx| {
                cx.within(index, |cx| {
                    cx.error(number::ROLE, "role is empty");
                });
            });
        }
    }
}

fn check_age(max_age: Option<Duration>, cx: &mut Compile) {
    if max_age.is_some_and(|age| age.subsec_nanos() != 0 || age.is_zero()) {
        cx.error(number::MAX_AGE, "max_age must be whole seconds, at least 1s");
    }
}

fn check_mfa(mfa: bool, issuers: &[IssuerFacts<'_>], cx: &mut Compile) {
    for issuer in issuers.iter().filter(|issuer| mfa && !issuer.maps_mfa) {
        let name = issuer.name;
        cx.error(
            number::MFA_UNMAPPED,
            format!("issuer `{name}` does not say when a token is multi-factor"),
        )
        .hint(format!("set `issuers.{name}.mfa`"));
    }
}

fn claims(section: &AuthSection, cx: &mut Compile) -> Box<[AllowedValues]> {
    let mut claims = Vec::new();
    for (path, values) in section.claims.iter().flatten() {
        cx.within(path.clone(), |cx| {
            if values.is_empty() {
                cx.error(
                    number::CLAIM_VALUES,
                    "no value is allowed: every request would be refused",
                );
            }
            match path.parse() {
                Ok(path) => claims.push((path, boxed(values))),
                Err(error) => {
                    cx.error(number::CLAIM_PATH, error).at_key();
                }
            }
        });
    }
    claims.into()
}

/// RFC 6750 §3.1: names the scope that is needed.
fn scope_challenge(scopes: &[String]) -> Option<HeaderValue> {
    let scope = scopes.join(" ");
    let text = format!(
        "Bearer realm=\"yett\", error=\"insufficient_scope\", \
         error_description=\"The access token lacks a scope\", scope=\"{scope}\""
    );
    HeaderValue::try_from(text).ok()
}

/// Both parameters in both challenges: a new token that is recent but weak would only be sent back again.
fn step_up(issuer: &IssuerFacts<'_>, mfa: bool, max_age: Option<Duration>) -> Option<StepUp> {
    let mut asked = String::new();
    if mfa && !issuer.acr_values.is_empty() {
        asked.push_str(&format!(", acr_values=\"{}\"", issuer.acr_values.join(" ")));
    }
    if let Some(max_age) = max_age {
        asked.push_str(&format!(", max_age=\"{}\"", max_age.as_secs()));
    }
    let challenge = |description: &str| {
        let text = format!(
            "Bearer realm=\"yett\", error=\"insufficient_user_authentication\", \
             error_description=\"{description}\"{asked}"
        );
        HeaderValue::try_from(text).ok()
    };
    Some(StepUp {
        issuer: issuer.name.clone(),
        skew_s: issuer.skew_s,
        level: challenge("A different authentication level is required")?,
        age: challenge("More recent authentication is required")?,
    })
}

fn boxed(texts: &[String]) -> Box<[Box<str>]> {
    texts.iter().map(|text| text.as_str().into()).collect()
}
