//! Bodies with a `Content-Encoding`: the rules see what the service will see, the service gets what was sent.

use http::{HeaderMap, header};
use waf_rules::{DecodeBounds, DecodeError, Decoder};

use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};

/// How the rules get to see the body.
#[derive(Debug, Default)]
pub enum Coding {
    /// As it is.
    #[default]
    Plain,
    /// Decoded. Boxed: hardly any request has one.
    Coded(Box<Decoder>),
    /// Not at all: an objection to it was only recorded.
    Opaque,
}

/// What the rules get of a body.
#[derive(Debug)]
pub struct Decoded {
    pub bytes: Vec<u8>,
    /// There is more, beyond the bound.
    pub cut: bool,
    /// The rest of it cannot be read, or must not be.
    pub broken: Option<Box<Finding>>,
}

impl Coding {
    /// What the head says. `inspect` bounds the decoded body as it bounds a plain one.
    pub fn of(fields: &HeaderMap, inspect: usize) -> (Coding, Decision<()>) {
        if inspect == 0 {
            return (Coding::Plain, Ok(()));
        }
        match decoder(fields, inspect) {
            Ok(None) => (Coding::Plain, Ok(())),
            Ok(Some(decoder)) => (Coding::Coded(Box::new(decoder)), Ok(())),
            Err(error) => (Coding::Opaque, Err(unreadable(&error))),
        }
    }
}

/// The decoder for the body of a message with such fields; `None`: it has no coding.
pub(super) fn decoder(fields: &HeaderMap, inspect: usize) -> Result<Option<Decoder>, DecodeError> {
    let codings = fields.get_all(header::CONTENT_ENCODING);
    if codings.iter().next().is_none() {
        return Ok(None);
    }
    let joined: Vec<&[u8]> = codings.iter().map(http::HeaderValue::as_bytes).collect();
    let bounds = DecodeBounds { output_bytes: inspect, ..DecodeBounds::default() };
    Decoder::new(&joined.join(&b','), bounds)
}

/// Decodes what was read of a body. `complete`: that is all of it.
pub fn decode(decoder: &mut Decoder, bytes: &[u8], complete: bool) -> Decoded {
    let mut decoded = Decoded { bytes: Vec::new(), cut: !complete, broken: None };
    let mut result = decoder.push(bytes, &mut decoded.bytes);
    if result.is_ok() && complete {
        result = decoder.finish(&mut decoded.bytes);
    }
    match result {
        Ok(()) => {}
        // As with a plain body that is larger: the profile says what becomes of it.
        Err(DecodeError::Output { .. }) => decoded.cut = true,
        Err(error) => decoded.broken = Some(unreadable(&error)),
    }
    decoded
}

fn unreadable(error: &DecodeError) -> Box<Finding> {
    match error {
        DecodeError::Unsupported(_) => Finding::new(Code::WafBodyUnreadable, error.to_string())
            .detail("this route takes request bodies in gzip, deflate, br or without a coding"),
        DecodeError::Malformed(_) => Finding::new(Code::WafBodyUnreadable, error.to_string())
            .detail("the request body is not coded as Content-Encoding says"),
        DecodeError::Output { .. } | DecodeError::Ratio { .. } => {
            Finding::new(Code::WafBodyTooLarge, error.to_string())
                .detail("the request body is much larger than its coded form")
        }
    }
}
