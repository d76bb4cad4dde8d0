//! Header fields on their way: what a service gets of a request, what a client gets of an answer.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, EXPECT, IF_RANGE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, RANGE,
    SERVER, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri, request, response};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};
use smallvec::SmallVec;

use crate::pipeline::answer;
use crate::pipeline::exchange::Exchange;
use crate::stages::identity::forward::Forward;
use crate::telemetry::trace::{self, Trace};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_POWERED_BY: HeaderName = HeaderName::from_static("x-powered-by");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields by which a client could claim what only proxies may say, or steer a service past our decision
/// (CVE-2026-40575: override and original-URL fields). Those of them that a service gets, it gets from us.
static NEVER_FROM_CLIENTS: [&str; 17] = [
    "forwarded",
    "traceparent",
    "tracestate",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
];

/// Room for the fields that a service gets beside the client's.
const ADDED_FIELDS: usize = 8;

/// Fields that mean one connection only (RFC 9110 §7.6.1), by the names that the framework strips.
pub(super) fn is_hop_by_hop(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION]
        .contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection" | "http2-settings")
}

/// Gives up the spelling of names, which the framework keeps in a second map beside the fields: names are
/// case-insensitive (RFC 9110 §5.1), and every copy and change of a head costs twice with it.
pub(super) fn forget_spelling(request: &mut RequestHeader) {
    // The bytes of another target form would be lost; HTTP/1 heads reach the framework in origin form.
    if request.has_case() && request.raw_path().starts_with(b"/") {
        change(request, |parts| parts.headers.reserve(ADDED_FIELDS));
    }
}

/// Changes a head as plain parts: the framework's own setters parse a name for each field that they set.
fn change<T>(request: &mut RequestHeader, change: impl FnOnce(&mut request::Parts) -> T) -> T {
    let empty = RequestHeader::from(http::Request::new(()).into_parts().0);
    let mut parts = request::Parts::from(std::mem::replace(request, empty));
    let result = change(&mut parts);
    *request = RequestHeader::from(parts);
    result
}

/// What goes to the service: the canonical target, verified facts, and of the client's fields only those that are
/// the client's to set. Hop-by-hop fields and those that `Connection` names were removed by the framework.
pub(super) fn to_upstream(
    request: &mut RequestHeader,
    exchange: &Exchange,
    trace: &Trace,
) -> Result<()> {
    let Some(route) = exchange.route() else {
        return Err(Error::explain(ErrorType::InternalError, "no route"));
    };
    let reading = &exchange.reading;
    let rewritten =
        reading.canonical.rewritten.then(|| PathAndQuery::try_from(reading.canonical.target()));
    let rewritten = rewritten
        .transpose()
        .map_err(|_| Error::explain(ErrorType::InternalError, "canonical target is no path"))?;
    change(request, |parts| {
        if let Some(target) = rewritten {
            parts.uri = Uri::from(target);
        }
        strip(&mut parts.headers, exchange, &route.forward);
        let put = |name: &HeaderName, value: HeaderValue| {
            parts.headers.append(name, value);
        };
        for_service(exchange, &route.forward, trace, put);
    });
    Ok(())
}

/// Removes what is not the client's to say.
fn strip(headers: &mut HeaderMap, exchange: &Exchange, forward: &Forward) {
    let watched = answer::is_watched(exchange);
    let strips = |name: &&HeaderName| stays_here(name, forward) || (watched && is_of_answers(name));
    let strip: SmallVec<[HeaderName; 4]> = headers.keys().filter(strips).cloned().collect();
    for name in &strip {
        headers.remove(name);
    }
    if watched {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
}

/// Whether a client's field goes no further: it is not the client's to set, or we set it ourselves.
pub(super) fn stays_here(name: &HeaderName, forward: &Forward) -> bool {
    // We answered `100 Continue` ourselves when we read the body.
    *name == EXPECT || is_never_from_clients(name.as_str()) || forward.strips(name.as_str())
}

/// What a client may not ask for when somebody looks at the answer. A range is a piece of an answer: a leak that is
/// fetched in pieces matches no rule (CVE-2022-39958). A service may always send the whole (RFC 9110 §14.2).
fn is_of_answers(name: &HeaderName) -> bool {
    // `Request-Range` is what Apache httpd takes for `Range` of old clients.
    *name == ACCEPT_ENCODING || *name == RANGE || *name == IF_RANGE || *name == "request-range"
}

/// Calls `put` with each field that a service gets from us. None of the client's has such a name any more.
pub(super) fn for_service(
    exchange: &Exchange,
    forward: &Forward,
    trace: &Trace,
    mut put: impl FnMut(&HeaderName, HeaderValue),
) {
    if let Some(identity) = &exchange.identity {
        for (name, value) in forward.fields(identity) {
            put(&name, value);
        }
    }
    put(&trace::TRACEPARENT, trace.parent.clone());
    if let Some(state) = &trace.state {
        put(&trace::TRACESTATE, state.clone());
    }
    put(&X_REQUEST_ID, trace.request_id.clone());
    put(&X_FORWARDED_FOR, client(exchange));
    let scheme = if exchange.reading.secure { "https" } else { "http" };
    put(&X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
}

/// The client's address as a field value.
fn client(exchange: &Exchange) -> HeaderValue {
    let ip = exchange.reading.client.ip;
    if ip == exchange.connection.peer_ip() {
        return exchange.connection.peer_text.clone();
    }
    HeaderValue::try_from(ip.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// Services that read fields from an environment (CGI, WSGI) take `X_Real_IP` for `X-Real-IP`: an underscore must not
/// be a second spelling of a field that only proxies write, or that frames the message.
fn is_never_from_clients(name: &str) -> bool {
    // Most fields are told apart by their first letter.
    if name.starts_with(['f', 't', 'x']) && NEVER_FROM_CLIENTS.contains(&name) {
        return true;
    }
    if !name.as_bytes().contains(&b'_') {
        return false;
    }
    let name = name.replace('_', "-");
    NEVER_FROM_CLIENTS.contains(&name.as_str())
        || name.starts_with("x-forwarded-")
        || matches!(name.as_str(), "content-length" | "transfer-encoding")
}

/// What goes to the client: the service's answer with what limits say, without what tells about our inside.
pub(super) fn to_client(response: &mut ResponseHeader, exchange: &Exchange, trace: &Trace) {
    let empty = ResponseHeader::from(http::Response::new(()).into_parts().0);
    let header = std::mem::replace(response, empty);
    let reason = header.get_reason_phrase();
    let reason = reason
        .filter(|reason| Some(*reason) != header.status.canonical_reason())
        .map(str::to_owned);
    let mut parts = response::Parts::from(header);
    let upgraded = parts.status == http::StatusCode::SWITCHING_PROTOCOLS;
    fields_to_client(&mut parts.headers, exchange, trace, upgraded);
    *response = ResponseHeader::from(parts);
    if reason.is_some() {
        // A phrase that was written once is valid; only the framework's own parser makes them.
        let _ = response.set_reason_phrase(reason.as_deref());
    }
}

/// The same for the fields alone.
pub(super) fn fields_to_client(
    headers: &mut HeaderMap,
    exchange: &Exchange,
    trace: &Trace,
    upgraded: bool,
) {
    let hides = |name: &&HeaderName| is_hidden(name) && !(upgraded && **name == CONNECTION);
    let hidden: SmallVec<[HeaderName; 4]> = headers.keys().filter(hides).cloned().collect();
    for name in &hidden {
        headers.remove(name);
    }
    let own_nosniff = headers.contains_key(X_CONTENT_TYPE_OPTIONS);
    for_client(exchange, trace, own_nosniff, |name, value| {
        headers.append(name, value.clone());
    });
}

/// Whether a service's field goes no further: it tells about our inside, concerns one connection, or is ours to set.
pub(super) fn is_hidden(name: &HeaderName) -> bool {
    [&SERVER, &X_POWERED_BY, &CONNECTION, &X_REQUEST_ID].contains(&name)
}

/// Calls `put` with each field that an answer gets from us. A service's own `nosniff` wins. HSTS is not ours to set: it
/// binds a whole host for a year.
pub(super) fn for_client(
    exchange: &Exchange,
    trace: &Trace,
    own_nosniff: bool,
    mut put: impl FnMut(&HeaderName, &HeaderValue),
) {
    for (name, value) in &exchange.answer_fields {
        put(name, value);
    }
    put(&X_REQUEST_ID, &trace.request_id);
    if !own_nosniff {
        put(&X_CONTENT_TYPE_OPTIONS, &HeaderValue::from_static("nosniff"));
    }
}
