//! The one canonical reading of a request. Routing, limits, identity, rules and the upstream see this
//! reading and no other: what is inspected is byte for byte what is forwarded.

use http::{HeaderMap, Method, Version};

use super::net::Client;

/// Owned parts of the canonical reading, made by `stages::normalise` and kept to the end of the exchange.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canonical {
    /// Lower case, without port, trailing dot or userinfo; IPv6 literals keep their brackets. Empty only for
    /// HTTP/1.0 without Host.
    pub host: String,
    /// Port written in Host or `:authority`.
    pub port: Option<u16>,
    /// Absolute path: percent-encoding in upper case, unreserved characters decoded (RFC 3986 §6.2.2), dot
    /// segments removed. Starts with `/`; `*` for `OPTIONS *`.
    pub path: String,
    /// Query as sent, without `?`; `None` when there is no `?`.
    pub query: Option<String>,
    /// The path holds `%2F` or `%5C`: refused unless the route allows them.
    pub encoded_separator: bool,
    /// The target differs from what the client sent, so the forwarded one is rewritten.
    pub rewritten: bool,
}

impl Canonical {
    /// Path and query as they go upstream.
    pub fn target(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{}", self.path, query),
            None => self.path.clone(),
        }
    }
}

/// What a stage may look at.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub method: &'a Method,
    pub canonical: &'a Canonical,
    pub headers: &'a HeaderMap,
    pub version: Version,
    /// The connection to the gateway is TLS.
    pub secure: bool,
    pub client: Client,
    /// Target as the client sent it, for the rules' `REQUEST_URI_RAW`.
    pub raw_target: &'a [u8],
}

impl<'a> Request<'a> {
    pub fn host(&self) -> &'a str {
        &self.canonical.host
    }

    pub fn path(&self) -> &'a str {
        &self.canonical.path
    }

    pub fn query(&self) -> Option<&'a str> {
        self.canonical.query.as_deref()
    }

    /// The only value of a field; `None` when it is absent, repeated or not visible ASCII.
    pub fn single(&self, name: &http::HeaderName) -> Option<&'a str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.next().is_some() {
            return None;
        }
        first.to_str().ok()
    }
}
