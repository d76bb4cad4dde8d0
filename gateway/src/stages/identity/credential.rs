//! The one credential of a request: `Authorization: Bearer TOKEN` (RFC 6750 §2.1).

use http::header::AUTHORIZATION;

use super::challenge::{malformed, refuse};
use crate::base::code::Code;
use crate::base::decision::Decision;
use crate::base::request::Request;

/// The token's text; `None` when the request holds no credential at all. What looks like a credential but is not exactly one
/// bearer token is refused, on routes where a token is optional too.
pub(super) fn find<'r>(request: &Request<'r>) -> Decision<Option<&'r str>> {
    let in_query = request.query().is_some_and(names_access_token);
    let mut fields = request.headers.get_all(AUTHORIZATION).iter();
    let Some(field) = fields.next() else {
        return if in_query { Err(query_only()) } else { Ok(None) };
    };
    if fields.next().is_some() {
        return Err(refuse(Code::IdentityAmbiguous, "two Authorization fields"));
    }
    if in_query {
        let evidence = "an Authorization field and access_token in the query";
        return Err(refuse(Code::IdentityAmbiguous, evidence));
    }
    let text = std::str::from_utf8(field.as_bytes())
        .map_err(|_| malformed("Authorization field is not ASCII"))?;
    bearer(text).map(Some)
}

/// The token behind the scheme (case-insensitive, RFC 9110 §11.1) and exactly one space.
fn bearer(field: &str) -> Decision<&str> {
    let (scheme, token) = field.split_once(' ').unwrap_or((field, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        // RFC 6750 §3.1: an unsupported method counts as no authentication information.
        return Err(refuse(Code::IdentityMissing, "Authorization scheme is not Bearer"));
    }
    if token.is_empty() {
        return Err(malformed("no token after the Bearer scheme"));
    }
    Ok(token)
}

/// Queries land in logs, caches and Referer fields, so a token there never counts (RFC 6750 §5.3, RFC 9700 §4.3.2).
fn query_only() -> Box<crate::base::decision::Finding> {
    refuse(Code::IdentityMissing, "access_token in the query, no Authorization field")
        .detail("send the token in the Authorization field")
}

fn names_access_token(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        is_access_token(name)
    })
}

/// Compares a percent-encoded name without allocating.
fn is_access_token(name: &str) -> bool {
    let mut rest = name.as_bytes();
    for expected in b"access_token" {
        let (byte, after) = match rest {
            [b'%', high, low, after @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => (high * 16 + low, after),
                _ => return false,
            },
            [byte, after @ ..] => (*byte, after),
            [] => return false,
        };
        if byte != *expected {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

#[allow(clippy::cast_possible_truncation)] // a hexadecimal digit is below 16
fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}
