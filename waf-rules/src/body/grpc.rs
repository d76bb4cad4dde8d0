//! gRPC and Connect: messages one after the other, each behind a flag and its length; gRPC-Web's text form
//! is Base64 of that.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::BodyError;
use crate::decode::{DecodeBounds, Decoder};

/// How the messages of a media type are wrapped, and what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Framing {
    /// Five bytes before each message.
    pub(crate) framed: bool,
    /// The whole is Base64.
    pub(crate) base64: bool,
    pub(crate) json: bool,
}

impl Framing {
    /// `essence` is a media type in lower case, without parameters.
    pub(crate) fn of(essence: &str) -> Self {
        let subtype = essence.strip_prefix("application/").unwrap_or_default();
        let (name, suffix) = subtype.split_once('+').unwrap_or((subtype, ""));
        Self {
            framed: matches!(name, "grpc" | "grpc-web" | "grpc-web-text" | "connect"),
            base64: name == "grpc-web-text",
            json: suffix == "json",
        }
    }
}

/// Hands on every message with its flag: set, it is compressed.
pub(crate) fn messages<'a>(
    body: &'a [u8],
    mut hand_on: impl FnMut(bool, &'a [u8]) -> Result<(), BodyError>,
) -> Result<(), BodyError> {
    let mut rest = body;
    while !rest.is_empty() {
        let Some((head, after)) = rest.split_first_chunk::<5>() else {
            return Err(BodyError::Ends("gRPC: the body ends within a message's head".to_owned()));
        };
        let [flags, length @ ..] = *head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        // Bit 0: compressed. Bit 7: trailers of gRPC-Web; bit 1: the end of a Connect stream.
        if flags & !0b1000_0011 != 0 {
            return Err(BodyError::malformed(format!("gRPC: flags {flags:#04x} are unknown")));
        }
        let Some(message) = after.get(..length) else {
            let left = after.len();
            if flags & 0b1000_0011 == 0 {
                // As far as it goes.
                match hand_on(false, after) {
                    Ok(()) | Err(BodyError::Malformed(_) | BodyError::Ends(_)) => {}
                    bound => return bound,
                }
            }
            let reason = format!("gRPC: a message of {length} bytes, {left} bytes are left");
            return Err(BodyError::Ends(reason));
        };
        if flags & 0b1000_0010 == 0 {
            hand_on(flags & 1 != 0, message).map_err(BodyError::of_whole)?;
        }
        rest = &after[length..];
    }
    Ok(())
}

/// The text form of gRPC-Web: pieces of Base64, each padded, one after the other.
pub(crate) fn from_base64(body: &[u8]) -> Result<Cow<'_, [u8]>, BodyError> {
    let mut plain = Vec::with_capacity(body.len() / 4 * 3);
    let compact: Vec<u8> =
        body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    for quad in compact.chunks(4) {
        let decoded = STANDARD.decode(quad);
        plain.extend(decoded.map_err(|error| BodyError::malformed(format!("gRPC: {error}")))?);
    }
    Ok(Cow::Owned(plain))
}

/// Decodes a compressed message, within what is left of the body's bound.
pub(crate) fn decompress(
    message: &[u8],
    encoding: &[u8],
    output_bytes: usize,
    out: &mut Vec<u8>,
) -> Result<(), BodyError> {
    let bounds = DecodeBounds { output_bytes, ..DecodeBounds::default() };
    let wrong = |error: &dyn std::fmt::Display| BodyError::malformed(format!("gRPC: {error}"));
    let Some(mut decoder) = Decoder::new(encoding, bounds).map_err(|error| wrong(&error))? else {
        return Err(wrong(&"a message is compressed and no encoding is named"));
    };
    decoder.push(message, out).and_then(|()| decoder.finish(out)).map_err(|error| wrong(&error))
}
