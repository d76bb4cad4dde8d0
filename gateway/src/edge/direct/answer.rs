//! An answer between the service and the client: its head written anew, its body handed on as it comes.

use bytes::{BufMut, BytesMut};
use http::header::{self, CONTENT_LENGTH, DATE, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::date::get_cached_date;
use pingora::protocols::http::v1::client::HttpSession as ServiceSession;
use pingora::{Error, ErrorType, Result};

use super::{Way, listening};
use crate::edge::{fields, matches};

/// Room for a head; most fit at once.
const HEAD_BYTES: usize = 1024;

/// How the client finds the end of the body (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Its status allows no body. A length tells what there would have been (RFC 9110 §8.6).
    Bodiless(Option<u64>),
    Length(u64),
    Chunked,
}

impl Framing {
    pub(super) fn of(head: &ResponseHeader) -> Framing {
        let coded = head.headers.contains_key(TRANSFER_ENCODING);
        let length = head.headers.get(CONTENT_LENGTH).filter(|_| !coded).and_then(length);
        match (head.status, length) {
            (StatusCode::NO_CONTENT, _) => Framing::Bodiless(None),
            (StatusCode::NOT_MODIFIED, length) => Framing::Bodiless(length),
            (_, Some(length)) => Framing::Length(length),
            (_, None) => Framing::Chunked,
        }
    }

    fn has_body(self) -> bool {
        matches!(self, Framing::Chunked | Framing::Length(1..))
    }
}

/// A length that is said several times in one field was found to be the same each time.
fn length(value: &HeaderValue) -> Option<u64> {
    value.to_str().ok()?.split(',').next()?.trim().parse().ok()
}

impl Way<'_> {
    /// Hands the answer on whose head was read.
    pub(super) async fn relay(&mut self, service: &mut ServiceSession) -> Result<()> {
        let Some(head) = service.resp_header() else {
            return Err(Error::explain(ErrorType::InternalError, "no answer was read"));
        };
        let framing = Framing::of(head);
        matches::log(&self.gateway.telemetry, &mut self.begun.exchange, head.status.as_u16());
        let bytes = self.head_of(head, framing);
        self.note(head);
        self.write(&bytes).await?;
        if framing.has_body() {
            self.relay_body(service, framing).await?;
        }
        self.flush().await
    }

    async fn relay_body(&mut self, service: &mut ServiceSession, framing: Framing) -> Result<()> {
        while let Some(chunk) = listening(self.client, service.read_body_ref()).await? {
            if chunk.is_empty() {
                continue;
            }
            self.sent.body_bytes += chunk.len() as u64;
            if framing == Framing::Chunked {
                let mut size = BytesMut::with_capacity(20);
                put_hex(&mut size, chunk.len());
                self.write(&size).await?;
                self.write(chunk).await?;
                self.write(b"\r\n").await?;
            } else {
                self.write(chunk).await?;
            }
        }
        match framing {
            Framing::Chunked => self.write(b"0\r\n\r\n").await,
            // What ends short of what it promised must not be kept for the next answer.
            Framing::Length(length) if self.sent.body_bytes != length => {
                Err(Error::explain(ErrorType::ConnectionClosed, "body shorter than its length")
                    .into_up())
            }
            _ => Ok(()),
        }
    }

    fn head_of(&self, head: &ResponseHeader, framing: Framing) -> BytesMut {
        let mut out = BytesMut::with_capacity(HEAD_BYTES);
        put_line(&mut out, head.status, head.get_reason_phrase());
        for (name, value) in &head.headers {
            if !is_ours(name) {
                put_field(&mut out, name, value);
            }
        }
        if !head.headers.contains_key(DATE) {
            put_field(&mut out, &DATE, &get_cached_date());
        }
        let own_nosniff = head.headers.contains_key(X_CONTENT_TYPE_OPTIONS);
        let begun = &self.begun;
        fields::for_client(&begun.exchange, &begun.trace, own_nosniff, |name, value| {
            put_field(&mut out, name, value);
        });
        put_framing(&mut out, framing);
        if !self.keep {
            out.put_slice(b"Connection: close\r\n");
        }
        out.put_slice(b"\r\n");
        out
    }

    /// What the event, and the audit log where there is one, will say of the answer.
    fn note(&mut self, head: &ResponseHeader) {
        self.sent.status = head.status.as_u16();
        if self.begun.exchange.snapshot.audit_log.is_some() {
            let mut answered = head.headers.clone();
            fields::fields_to_client(&mut answered, &self.begun.exchange, &self.begun.trace, false);
            self.sent.fields = Some(answered);
        }
    }
}

/// An answer before the answer (RFC 9110 §15.2).
pub(super) fn interim(status: StatusCode, headers: &HeaderMap) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEAD_BYTES);
    put_line(&mut out, status, status.canonical_reason());
    for (name, value) in headers {
        if !is_ours(name) {
            put_field(&mut out, name, value);
        }
    }
    out.put_slice(b"\r\n");
    out
}

/// Whether a service's field does not go to the client as it is: it is hidden, or we frame the message ourselves.
fn is_ours(name: &HeaderName) -> bool {
    *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING || fields::is_hidden(name)
}

fn put_line(out: &mut BytesMut, status: StatusCode, reason: Option<&str>) {
    out.put_slice(b"HTTP/1.1 ");
    out.put_slice(status.as_str().as_bytes());
    out.put_u8(b' ');
    out.put_slice(reason.unwrap_or_default().as_bytes());
    out.put_slice(b"\r\n");
}

/// A field line. Names go out in their usual spelling, whatever the sender's was (RFC 9110 §5.1).
pub(super) fn put_field(out: &mut BytesMut, name: &HeaderName, value: &HeaderValue) {
    out.put_slice(spelled(name).as_bytes());
    out.put_slice(b": ");
    out.put_slice(value.as_bytes());
    out.put_slice(b"\r\n");
}

fn put_framing(out: &mut BytesMut, framing: Framing) {
    match framing {
        Framing::Bodiless(None) => {}
        Framing::Bodiless(Some(length)) | Framing::Length(length) => {
            out.put_slice(b"Content-Length: ");
            out.put_slice(itoa::Buffer::new().format(length).as_bytes());
            out.put_slice(b"\r\n");
        }
        Framing::Chunked => out.put_slice(b"Transfer-Encoding: chunked\r\n"),
    }
}

/// The size line of a chunk.
pub(super) fn put_hex(out: &mut BytesMut, size: usize) {
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.put_u8(b"0123456789abcdef"[size >> (digit * 4) & 0xf]);
    }
    out.put_slice(b"\r\n");
}

/// The spelling that the framework uses too, so that an answer does not tell which way it went.
fn spelled(name: &HeaderName) -> &str {
    match *name {
        header::ACCEPT_RANGES => "Accept-Ranges",
        header::AGE => "Age",
        header::CACHE_CONTROL => "Cache-Control",
        header::CONTENT_ENCODING => "Content-Encoding",
        CONTENT_LENGTH => "Content-Length",
        header::CONTENT_TYPE => "Content-Type",
        DATE => "Date",
        header::HOST => "Host",
        header::SERVER => "Server",
        header::SET_COOKIE => "Set-Cookie",
        _ => name.as_str(),
    }
}
