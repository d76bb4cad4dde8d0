//! Request bodies to named values. Parsers are push-style and bounded: they hand each field to a
//! [`Sink`] as they meet it, so that what stands before an error is inspected all the same.

pub(crate) mod charset;
pub(crate) mod graphql;
pub(crate) mod grpc;
pub(crate) mod json;
pub(crate) mod media_type;
pub(crate) mod multipart;
pub(crate) mod protobuf;
pub(crate) mod urlencoded;
pub(crate) mod xml;

use std::ops::ControlFlow;

use crate::Exceeded;

/// Receives fields; breaks when a bound is reached.
pub(crate) trait Sink {
    /// One argument.
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()>;
}

/// Why parsing ended early.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// The body is not what its media type says: the reason.
    Malformed(String),
    /// It ends too early: what a body does that was cut.
    Ends(String),
    /// It nests or splits more than this bound allows.
    Beyond(Exceeded, String),
    /// The sink broke off.
    Bound,
}

impl BodyError {
    pub(crate) fn malformed(reason: impl Into<String>) -> Self {
        Self::Malformed(reason.into())
    }

    /// The text is malformed at a place, or breaks off there: nothing is left, or so little that it may be
    /// the beginning of something of this length.
    fn at(reason: String, rest: &[u8], length: usize) -> Self {
        let breaks_off = rest.len() < length && !rest.contains(&b'"');
        if breaks_off { Self::Ends(reason) } else { Self::Malformed(reason) }
    }

    /// Of something that is whole.
    pub(crate) fn of_whole(self) -> Self {
        match self {
            Self::Ends(reason) => Self::Malformed(reason),
            other => other,
        }
    }

    pub(crate) fn too_deep(what: &str, bound: usize) -> Self {
        Self::Beyond(Exceeded::Depth, format!("{what} nests deeper than {bound} levels"))
    }
}

/// Turns a sink's answer into an early return.
pub(crate) fn go_on(flow: ControlFlow<()>) -> Result<(), BodyError> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BodyError::Bound),
    }
}

#[cfg(test)]
mod tests;
