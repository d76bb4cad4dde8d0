//! Answers to the client: RFC 6750 §3. The client reads one text for everything that is wrong with a token but its time:
//! which check failed is for the log.

use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue};

use crate::base::code::Code;
use crate::base::decision::Finding;

/// A refusal with the challenge of its code.
pub(super) fn refuse(code: Code, evidence: impl Into<String>) -> Box<Finding> {
    let finding = Finding::new(code, evidence);
    match field(code) {
        Some((name, value)) => finding.header(name, HeaderValue::from_static(value)),
        None => finding,
    }
}

/// A malformed token, or one that is refused before its issuer is known.
pub(super) fn malformed(evidence: impl Into<String>) -> Box<Finding> {
    refuse(Code::IdentityMalformed, evidence)
}

/// No keys, and so no verdict: a 401 would make clients throw good tokens away.
fn field(code: Code) -> Option<(HeaderName, &'static str)> {
    let value = match code {
        Code::IdentityUnavailable => return Some((RETRY_AFTER, "10")),
        // RFC 6750 §3.1: without authentication information there is no error code.
        Code::IdentityMissing => "Bearer realm=\"yett\"",
        Code::IdentityAmbiguous => {
            "Bearer realm=\"yett\", error=\"invalid_request\", \
             error_description=\"More than one credential was sent\""
        }
        Code::IdentityExpired => {
            "Bearer realm=\"yett\", error=\"invalid_token\", \
             error_description=\"The access token expired\""
        }
        Code::IdentityNotYetValid => {
            "Bearer realm=\"yett\", error=\"invalid_token\", \
             error_description=\"The access token is not yet valid\""
        }
        _ => {
            "Bearer realm=\"yett\", error=\"invalid_token\", \
             error_description=\"The access token is invalid\""
        }
    };
    Some((WWW_AUTHENTICATE, value))
}

/// A client's text in evidence: escaped, and cut at 64 characters.
pub(super) fn shown(text: &str) -> String {
    const SHOWN: usize = 64;
    let mut shown: String = text.chars().take(SHOWN).flat_map(char::escape_default).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    shown
}
