//! Answers with a `Content-Encoding`: the service was asked not to code them, and did all the same. The rules get a decoded
//! copy, the client what was sent.

use http::HeaderMap;
use waf_rules::{DecodeError, Decoder};

use super::coding::decoder;

/// How the rules get to see an answer's body.
#[derive(Debug, Default)]
pub(super) enum AnswerCoding {
    /// As it is.
    #[default]
    Plain,
    /// Decoded. Boxed: hardly any answer is.
    Coded(Box<Copy>),
    /// No further: what it was decoded by has ended, in whatever way.
    Over,
}

/// A body on its way into a decoded copy.
#[derive(Debug)]
pub(super) struct Copy {
    decoder: Decoder,
    /// As much as came of the body, up to `bound`: what the rules see when it is not coded after all.
    raw: Vec<u8>,
    /// Bytes that it yielded.
    yielded: usize,
    /// What the rules look at, at most; no more is read, because the whole answer waits meanwhile.
    bound: usize,
}

/// What comes out of a part of a body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Yield {
    pub(super) bytes: Vec<u8>,
    /// There is more, beyond the bound.
    pub(super) cut: bool,
    /// It is not what its head says.
    pub(super) unreadable: Option<String>,
    /// It is not coded at all: `bytes` end with what has come of it, and the rest follows as it is.
    pub(super) plain: bool,
}

impl AnswerCoding {
    /// What the head says.
    ///
    /// # Errors
    /// A coding that is not decoded, or several.
    pub(super) fn of(fields: &HeaderMap, bound: usize) -> Result<AnswerCoding, String> {
        match decoder(fields, bound) {
            Ok(None) => Ok(AnswerCoding::Plain),
            Ok(Some(decoder)) => {
                let copy = Copy { decoder, raw: Vec::new(), yielded: 0, bound };
                Ok(AnswerCoding::Coded(Box::new(copy)))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

impl Copy {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Yield {
        let kept = bytes.len().min(self.bound - self.raw.len());
        self.raw.extend_from_slice(&bytes[..kept]);
        let mut out = Vec::new();
        let result = self.decoder.push(&bytes[..kept], &mut out);
        // A body may yield nothing for as long as it likes: what is read of it has a bound, too.
        self.settle(result, out, kept < bytes.len())
    }

    /// There is no more.
    pub(super) fn finish(&mut self) -> Yield {
        let mut out = Vec::new();
        let result = self.decoder.finish(&mut out);
        self.settle(result, out, false)
    }

    fn settle(&mut self, result: Result<(), DecodeError>, bytes: Vec<u8>, cut: bool) -> Yield {
        self.yielded += bytes.len();
        let mut yielded = Yield { bytes, cut, ..Yield::default() };
        match result {
            Ok(()) => {}
            // Whoever codes an answer is the service: a bomb is its own affair, and the beginning is inspected.
            Err(DecodeError::Output { .. } | DecodeError::Ratio { .. }) => yielded.cut = true,
            Err(error) => {
                yielded.unreadable = Some(error.to_string());
                // Less came out than went in: it is no packed text, but one with a wrong label, which some clients show.
                yielded.plain = self.yielded < self.raw.len();
                if yielded.plain {
                    yielded.bytes.append(&mut self.raw);
                }
            }
        }
        yielded
    }
}
