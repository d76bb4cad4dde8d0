//! `Content-Type`: which body parser it asks for, and its parameters (RFC 9110, 8.3.1).

use super::grpc::Framing;
use crate::action::BodyProcessor;

/// Readers of forms go by the beginning of the type: a parameter behind it needs no semicolon then.
const FORM_DATA: &str = "multipart/form-data";

/// The parser for a media type, by its exact type: `a;b=application/json` asks for none.
pub(crate) fn processor(content_type: &[u8]) -> Option<BodyProcessor> {
    let essence = essence(content_type);
    match essence.as_str() {
        "application/x-www-form-urlencoded" => Some(BodyProcessor::UrlEncoded),
        "application/json" | "text/json" => Some(BodyProcessor::Json),
        "application/xml" | "text/xml" => Some(BodyProcessor::Xml),
        "application/graphql" => Some(BodyProcessor::GraphQl),
        "application/grpc"
        | "application/grpc-web"
        | "application/grpc-web-text"
        | "application/proto"
        | "application/protobuf"
        | "application/x-protobuf"
        | "application/x-google-protobuf"
        | "application/vnd.google.protobuf" => Some(BodyProcessor::Protobuf),
        _ if begins_with_form_data(&essence) => Some(BodyProcessor::Multipart),
        _ => suffix(&essence),
    }
}

/// The type as a whole, not the beginning of a longer word.
fn begins_with_form_data(essence: &str) -> bool {
    let behind = essence.strip_prefix(FORM_DATA).map(str::as_bytes);
    behind.is_some_and(|behind| !behind.first().is_some_and(|byte| is_token_byte(*byte)))
}

/// `type/subtype` in lower case, without parameters and blanks around it.
pub(crate) fn essence(content_type: &[u8]) -> String {
    let end = content_type.iter().position(|byte| *byte == b';').unwrap_or(content_type.len());
    String::from_utf8_lossy(content_type[..end].trim_ascii()).to_ascii_lowercase()
}

/// The parameters behind the type, quotes taken off; one without `=` has an empty value.
pub(crate) fn parameters(content_type: &[u8]) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
    let mut quoted = false;
    let parts = content_type.split(move |byte| {
        quoted ^= *byte == b'"';
        *byte == b';' && !quoted
    });
    parts.skip(1).map(|part| {
        let equals = memchr::memchr(b'=', part);
        let value = equals.map_or(b"".as_slice(), |at| part[at + 1..].trim_ascii());
        let inner = value.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
        (part[..equals.unwrap_or(part.len())].trim_ascii(), inner.unwrap_or(value).to_vec())
    })
}

/// Structured syntax suffixes, RFC 6839: `application/problem+json`.
fn suffix(essence: &str) -> Option<BodyProcessor> {
    let is_token = |part: &str| !part.is_empty() && part.bytes().all(is_token_byte);
    let (kind, subtype) = essence.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) {
        return None;
    }
    match subtype.rsplit_once('+')?.1 {
        // Framed JSON: what stands in the frames is told apart when they are taken off.
        "json" if Framing::of(essence).framed => Some(BodyProcessor::Protobuf),
        "proto" => Some(BodyProcessor::Protobuf),
        "json" => Some(BodyProcessor::Json),
        "xml" => Some(BodyProcessor::Xml),
        _ => None,
    }
}

/// `tchar` of RFC 9110, 5.6.2.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
