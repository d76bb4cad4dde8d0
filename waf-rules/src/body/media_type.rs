//! `Content-Type`: which body parser it asks for, and its parameters (RFC 9110, 8.3.1).

use crate::action::BodyProcessor;

/// The parser for a media type, by its exact type: `a;b=application/json` asks for none.
pub(crate) fn processor(content_type: &[u8]) -> Option<BodyProcessor> {
    let essence = essence(content_type);
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Some(BodyProcessor::UrlEncoded),
        "multipart/form-data" => Some(BodyProcessor::Multipart),
        "application/json" | "text/json" => Some(BodyProcessor::Json),
        "application/xml" | "text/xml" => Some(BodyProcessor::Xml),
        _ => suffix(&essence),
    }
}

/// `type/subtype` in lower case, without parameters and blanks around it.
pub(crate) fn essence(content_type: &[u8]) -> String {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    String::from_utf8_lossy(content_type[..end].trim_ascii()).to_ascii_lowercase()
}

/// Structured syntax suffixes, RFC 6839: `application/problem+json`.
fn suffix(essence: &str) -> Option<BodyProcessor> {
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_token_byte);
    let (kind, subtype) = essence.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    match subtype.rsplit_once('+')?.1 {
        "json" => Some(BodyProcessor::Json),
        "xml" => Some(BodyProcessor::Xml),
        _ => None,
    }
}

/// `tchar` of RFC 9110, 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
