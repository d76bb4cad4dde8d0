//! Answers: JSON, text, problems (RFC 9457), event streams. Every one carries the headers that keep it out of
//! caches and other pages.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::{Body, Frame, SizeHint};
use serde_json::{Value, json};
use tokio::sync::mpsc;

pub(super) type Reply = Response<Content>;

/// A body: whole, or in pieces as they come.
#[derive(Debug)]
pub(super) enum Content {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Bytes>),
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.get_mut() {
            Content::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Content::Pieces(pieces) => {
                pieces.poll_recv(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Content::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Content::Pieces(_) => SizeHint::default(),
        }
    }
}

/// An answer that refuses.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

pub(super) fn problem(status: StatusCode, detail: impl Into<String>) -> Problem {
    Problem { status, detail: detail.into(), headers: Vec::new() }
}

impl Problem {
    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.headers.push((name, value));
        self
    }

    /// Wrong method; the answer lists the right ones (RFC 9110 §15.5.6).
    pub(super) fn method(allowed: &[Method]) -> Problem {
        let allowed: Vec<&str> = allowed.iter().map(Method::as_str).collect();
        let value = HeaderValue::from_str(&allowed.join(", "));
        let value = value.unwrap_or_else(|_| HeaderValue::from_static(""));
        problem(StatusCode::METHOD_NOT_ALLOWED, "method not allowed").header(ALLOW, value)
    }
}

impl From<Problem> for Reply {
    fn from(problem: Problem) -> Reply {
        let body = json!({
            "type": "about:blank",
            "title": problem.status.canonical_reason().unwrap_or("error"),
            "status": problem.status.as_u16(),
            "detail": problem.detail,
        });
        let mut reply = whole(problem.status, "application/problem+json", body.to_string());
        reply.headers_mut().extend(problem.headers);
        reply
    }
}

pub(super) fn json(status: StatusCode, body: &Value) -> Reply {
    whole(status, "application/json", body.to_string())
}

pub(super) fn whole(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Reply {
    reply(status, Some(content_type), Content::Whole(Some(body.into())))
}

pub(super) fn empty(status: StatusCode) -> Reply {
    reply(status, None, Content::Whole(None))
}

pub(super) fn stream(content_type: &'static str, pieces: mpsc::Receiver<Bytes>) -> Reply {
    reply(StatusCode::OK, Some(content_type), Content::Pieces(pieces))
}

fn reply(status: StatusCode, content_type: Option<&'static str>, body: Content) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    let fixed = [
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (
            HeaderName::from_static("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (HeaderName::from_static("referrer-policy"), "no-referrer"),
    ];
    for (name, value) in fixed.into_iter().chain(content_type.map(|kind| (CONTENT_TYPE, kind))) {
        reply.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    reply
}
