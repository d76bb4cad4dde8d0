//! A request's head between the bytes that the client sent and those that a service gets.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, EXPECT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use pingora::{Error, ErrorType, Result};

use super::answer::put_field;
use crate::base::raw::RawHead;
use crate::edge::begun::Begun;
use crate::edge::fields;
use crate::pipeline::exchange::Head;

/// Room for the fields that a service gets beside the client's.
const ADDED_BYTES: usize = 320;

/// The head of an HTTP/1.1 request.
pub(in crate::edge) struct ClientHead {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// The client does not say that this is its last request.
    pub(super) keeps_connection: bool,
    /// All of it; the target in its line is the canonical one.
    bytes: Bytes,
    /// The target in the line.
    target: Bytes,
}

impl ClientHead {
    /// Reads a head that was judged good. `None`: it asks for something that only the framework does.
    pub(in crate::edge) fn read(bytes: Bytes) -> Option<ClientHead> {
        let raw = RawHead::new(&bytes);
        let line = raw.line();
        let method = Method::from_bytes(line.method).ok()?;
        if line.protocol != b"HTTP/1.1" || matches!(method, Method::HEAD | Method::CONNECT) {
            return None;
        }
        let mut headers = HeaderMap::with_capacity(bytes.len() / 32);
        let mut keeps_connection = true;
        for (name, value) in raw.fields() {
            let name = HeaderName::from_bytes(name).ok()?;
            if name == CONNECTION {
                keeps_connection &= keeps(value)?;
            } else if name == EXPECT || fields::is_hop_by_hop(&name) {
                return None;
            }
            let value = HeaderValue::from_maybe_shared(bytes.slice_ref(value)).ok()?;
            headers.try_append(name, value).ok()?;
        }
        let target = bytes.slice_ref(line.target);
        Some(ClientHead { method, headers, keeps_connection, target, bytes })
    }

    /// As stages see it; with its bytes where rules look at them.
    pub(super) fn view(&self, with_bytes: bool) -> Head<'_> {
        Head {
            method: &self.method,
            headers: &self.headers,
            version: Version::HTTP_11,
            target: &self.target,
            authority: None,
            raw: if with_bytes { RawHead::new(&self.bytes) } else { RawHead::default() },
        }
    }

    /// What a service gets: the canonical target, verified facts, and of the client's fields only those that are the
    /// client's to set.
    pub(super) fn for_service(&self, begun: &Begun) -> Result<BytesMut> {
        let Begun { exchange, trace } = begun;
        let Some(route) = exchange.route() else {
            return Err(Error::explain(ErrorType::InternalError, "no route"));
        };
        let mut out = BytesMut::with_capacity(self.bytes.len() + ADDED_BYTES);
        out.put_slice(self.method.as_str().as_bytes());
        out.put_u8(b' ');
        out.put_slice(&self.target);
        out.put_slice(b" HTTP/1.1\r\n");
        for (name, value) in &self.headers {
            if *name != CONNECTION && !fields::stays_here(name, &route.forward) {
                put_field(&mut out, name, value);
            }
        }
        fields::for_service(exchange, &route.forward, trace, |name, value| {
            put_field(&mut out, name, &value);
        });
        out.put_slice(b"\r\n");
        Ok(out)
    }
}

/// Whether a `Connection` field keeps the connection; `None`: it says more than that, and names fields to strip.
fn keeps(value: &[u8]) -> Option<bool> {
    if value.eq_ignore_ascii_case(b"keep-alive") {
        return Some(true);
    }
    value.eq_ignore_ascii_case(b"close").then_some(false)
}
