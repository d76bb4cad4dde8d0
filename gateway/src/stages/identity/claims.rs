//! Claims of a token whose signature verified -> identity (RFC 7519 §4.1, RFC 9068 §4). A claim of the wrong JSON type
//! refuses the token; it never counts as absent (CVE-2026-25537).

use std::sync::Arc;

use serde_json::{Map, Value};

use super::challenge::refuse;
use super::plan::IssuerPlan;
use super::section::Profile;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::Decision;
use crate::base::identity::Identity;

/// An identity with the seconds between which it holds, skew included.
pub(super) struct Read {
    pub(super) identity: Identity,
    pub(super) starts_s: u64,
    pub(super) ends_s: u64,
}

type Claims = Map<String, Value>;

/// Checks everything that a signature does not say. `iss` was compared when the issuer was chosen.
pub(super) fn read(
    plan: &IssuerPlan,
    typ: Option<&str>,
    claims: Claims,
    now: Now,
) -> Decision<Read> {
    check_kind(plan.profile, typ, &claims)?;
    check_audience(plan, &claims)?;
    let ends_s = check_end(&claims, plan.skew_s, now)?;
    let starts_s = check_start(&claims, plan.skew_s, now)?;
    if plan.profile == Profile::Rfc9068 {
        check_profile(&claims)?;
    }
    let subject = required_name(&claims, "sub")?;
    let identity = principal(plan, &subject, ends_s - plan.skew_s, claims).map_err(wrong)?;
    Ok(Read { identity, starts_s, ends_s })
}

/// The first second at which the token is over, skew included.
pub(super) fn check_end(claims: &Claims, skew_s: u64, now: Now) -> Decision<u64> {
    let expires_s = time(claims, "exp").map_err(wrong)?;
    let expires_s = expires_s.ok_or_else(|| wrong("exp is missing"))?;
    let ends_s = expires_s + skew_s;
    if now.unix_s() >= ends_s {
        let ago = now.unix_s() - expires_s;
        let evidence = format!("expired {ago} s ago, skew {skew_s} s");
        return Err(refuse(Code::IdentityExpired, evidence));
    }
    Ok(ends_s)
}

/// The first second at which the token holds, skew included.
fn check_start(claims: &Claims, skew_s: u64, now: Now) -> Decision<u64> {
    let mut starts_s = 0;
    for name in ["nbf", "iat"] {
        let time = time(claims, name).map_err(wrong)?.unwrap_or(0);
        if time > now.unix_s() + skew_s {
            let ahead = time - now.unix_s();
            let evidence = format!("{name} is {ahead} s ahead, skew {skew_s} s");
            return Err(refuse(Code::IdentityNotYetValid, evidence));
        }
        starts_s = starts_s.max(time.saturating_sub(skew_s));
    }
    Ok(starts_s)
}

/// Only access tokens: what an issuer signs for other ends must not open a door here (RFC 8725 §3.11, §3.12).
fn check_kind(profile: Profile, typ: Option<&str>, claims: &Claims) -> Decision<()> {
    let typ = typ.map(|typ| strip_prefix_ignore_case(typ, "application/"));
    let access = typ.is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt"));
    let plain = typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
    if !(access || (plain && profile == Profile::Compat)) {
        return Err(wrong("typ is not that of an access token"));
    }
    // ID tokens, logout tokens and security events, DPoP proofs, status lists; `cnf` binds the token to a proof
    // that is not checked here (RFC 9449, RFC 8705), so a stolen one would pass as a plain bearer token.
    const FOREIGN: [&str; 8] =
        ["cnf", "nonce", "at_hash", "c_hash", "events", "htm", "htu", "status_list"];
    if let Some(name) = FOREIGN.iter().find(|name| claims.contains_key(**name)) {
        return Err(wrong(&format!("`{name}` shows another kind of token")));
    }
    match foreign_kind(claims) {
        Some(name) => Err(wrong(&format!("`{name}` shows another kind of token"))),
        None => Ok(()),
    }
}

/// Kinds that providers mark in the claims: Keycloak's `typ`, Cognito's `token_use`, and an audience that is the client
/// alone (OpenID Connect Core §2).
fn foreign_kind(claims: &Claims) -> Option<&'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if matches!(text("typ"), Some("ID" | "Refresh" | "Offline" | "Logout")) {
        return Some("typ");
    }
    if claims.contains_key("token_use") && text("token_use") != Some("access") {
        return Some("token_use");
    }
    let client = text("azp")?;
    let only = match claims.get("aud")? {
        Value::String(audience) => audience == client,
        Value::Array(audiences) => audiences.iter().all(|audience| audience == client),
        _ => false,
    };
    only.then_some("azp")
}

fn check_audience(plan: &IssuerPlan, claims: &Claims) -> Decision<()> {
    let shape = || wrong("aud is not a string or an array of strings");
    let ours = |text: &str| plan.audiences.iter().any(|audience| **audience == *text);
    let found = match claims.get("aud") {
        Some(Value::String(audience)) => ours(audience),
        Some(Value::Array(items)) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            texts.ok_or_else(shape)?.into_iter().any(ours)
        }
        _ => return Err(shape()),
    };
    if found { Ok(()) } else { Err(refuse(Code::IdentityAudience, "aud holds none of ours")) }
}

/// RFC 9068 §2.2 requires these as well.
fn check_profile(claims: &Claims) -> Decision<()> {
    required_name(claims, "client_id")?;
    required_name(claims, "jti")?;
    if claims.get("iat").is_none() {
        return Err(wrong("iat is missing"));
    }
    Ok(())
}

/// A non-empty string without control characters.
fn required_name(claims: &Claims, name: &str) -> Decision<Box<str>> {
    match claims.get(name) {
        Some(Value::String(text))
            if !text.is_empty()
                && text.len() <= bounds::TOKEN_NAME_BYTES
                && !text.chars().any(char::is_control) =>
        {
            Ok(text.as_str().into())
        }
        _ => {
            let bound = bounds::TOKEN_NAME_BYTES;
            Err(wrong(&format!("{name} is not a text of 1 to {bound} bytes")))
        }
    }
}

/// Who the claims speak of. Also used for claims that count as verified: nothing is checked here but types.
pub(super) fn principal(
    plan: &IssuerPlan,
    subject: &str,
    expires_s: u64,
    claims: Claims,
) -> Result<Identity, &'static str> {
    let acr = text(&claims, "acr")?;
    let amr = methods(&claims)?;
    let any = |list: &[Box<str>], value: &str| list.iter().any(|one| **one == *value);
    let mfa = acr.as_deref().is_some_and(|acr| any(&plan.any_acr, acr))
        || amr.iter().any(|method| any(&plan.any_amr, method));
    Ok(Identity {
        issuer_name: plan.name.clone(),
        issuer: Arc::clone(&plan.issuer),
        subject: subject.into(),
        client_id: client_id(&claims)?,
        scopes: scopes(plan.profile, &claims)?,
        roles: roles(plan, &claims),
        acr,
        amr,
        auth_time_s: time(&claims, "auth_time")?,
        mfa,
        expires_s,
        claims,
    })
}

/// `scope` is one string, separated by single spaces (RFC 6749 §3.3); arrays and Entra's and Okta's `scp` only in the
/// compatible profile.
fn scopes(profile: Profile, claims: &Claims) -> Result<Box<[Box<str>]>, &'static str> {
    const WRONG: &str = "scope is not scope names separated by single spaces";
    let compat = profile == Profile::Compat;
    let value = claims.get("scope").or_else(|| claims.get("scp").filter(|_| compat));
    let names: Vec<&str> = match value {
        None => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => text.split(' ').collect(),
        Some(Value::Array(items)) if compat => {
            items.iter().map(Value::as_str).collect::<Option<_>>().ok_or(WRONG)?
        }
        Some(_) => return Err(WRONG),
    };
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    if names.iter().any(|name| name.is_empty() || !name.bytes().all(allowed)) {
        return Err(WRONG);
    }
    Ok(sorted(names.into_iter()))
}

/// Roles are text, alone, separated by spaces, or in arrays; anything else at a path grants nothing.
fn roles(plan: &IssuerPlan, claims: &Claims) -> Box<[Box<str>]> {
    let found = plan.roles_from.iter().filter_map(|path| path.find(claims));
    let texts = found.flat_map(|value| match value {
        Value::String(text) => text.split(' ').filter(|role| !role.is_empty()).collect(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    });
    sorted(texts)
}

/// OpenID Connect providers without RFC 9068 name the client in `azp`.
fn client_id(claims: &Claims) -> Result<Option<Box<str>>, &'static str> {
    match text(claims, "client_id")? {
        Some(client) => Ok(Some(client)),
        None => text(claims, "azp"),
    }
}

fn methods(claims: &Claims) -> Result<Box<[Box<str>]>, &'static str> {
    const WRONG: &str = "amr is not an array of strings";
    match claims.get("amr") {
        None => Ok(Box::default()),
        Some(Value::Array(items)) => {
            items.iter().map(|item| item.as_str().map(Box::from).ok_or(WRONG)).collect()
        }
        Some(_) => Err(WRONG),
    }
}

fn text(claims: &Claims, name: &'static str) -> Result<Option<Box<str>>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str().into())),
        Some(_) => Err(match name {
            "acr" => "acr is not a string",
            _ => "client_id or azp is not a string",
        }),
    }
}

/// A NumericDate (RFC 7519 §2): a finite number from 0 to 2^53, fractions dropped.
fn time(claims: &Claims, name: &str) -> Result<Option<u64>, &'static str> {
    const BOUND: f64 = 9_007_199_254_740_992.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let number = value.as_f64().filter(|number| value.is_number() && *number >= 0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // within 0 and 2^53
    let whole = number.filter(|number| *number <= BOUND).map(|number| number as u64);
    whole.map(Some).ok_or(match name {
        "exp" => "exp is not a time",
        "nbf" => "nbf is not a time",
        "iat" => "iat is not a time",
        _ => "auth_time is not a time",
    })
}

fn sorted<'t>(texts: impl Iterator<Item = &'t str>) -> Box<[Box<str>]> {
    let mut texts: Vec<Box<str>> = texts.map(Box::from).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into()
}

fn strip_prefix_ignore_case<'t>(text: &'t str, prefix: &str) -> &'t str {
    match text.split_at_checked(prefix.len()) {
        Some((head, rest)) if head.eq_ignore_ascii_case(prefix) => rest,
        _ => text,
    }
}

fn wrong(evidence: &str) -> Box<crate::base::decision::Finding> {
    refuse(Code::IdentityClaims, evidence)
}
