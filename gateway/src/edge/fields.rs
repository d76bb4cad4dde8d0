//! Header fields on their way: what a service gets of a request, what a client gets of an answer.

use http::header::{
    ACCEPT_ENCODING, CONNECTION, EXPECT, HeaderName, HeaderValue, IF_RANGE, RANGE, SERVER,
    X_CONTENT_TYPE_OPTIONS,
};
use http::uri::PathAndQuery;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType, Result};

use crate::pipeline::answer;
use crate::pipeline::exchange::Exchange;
use crate::telemetry::trace::{self, Trace};

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Fields by which a client could claim what only proxies may say, or steer a service past our decision
/// (CVE-2026-40575: override and original-URL fields).
static NEVER_FROM_CLIENTS: [&str; 12] = [
    "forwarded",
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

/// What goes to the service: the canonical target, verified facts, and of the client's fields only those that are
/// the client's to set. Hop-by-hop fields and those that `Connection` names were removed by the framework.
pub(super) fn to_upstream(
    request: &mut RequestHeader,
    exchange: &Exchange,
    trace: Option<&Trace>,
) -> Result<()> {
    let Some(route) = exchange.route() else {
        return Err(Error::explain(ErrorType::InternalError, "no route"));
    };
    let reading = &exchange.reading;
    if reading.canonical.rewritten {
        let target = PathAndQuery::try_from(reading.canonical.target())
            .map_err(|_| Error::explain(ErrorType::InternalError, "canonical target is no path"))?;
        request.set_uri(http::Uri::from(target));
    }
    let strip: smallvec::SmallVec<[HeaderName; 4]> = request
        .headers
        .keys()
        .filter(|name| route.forward.strips(name.as_str()) || is_never_from_clients(name.as_str()))
        .cloned()
        .collect();
    for name in &strip {
        request.remove_header(name);
    }
    if answer::is_watched(exchange) {
        request.insert_header(ACCEPT_ENCODING, "identity")?;
        // A range is a piece of an answer: a leak that is fetched in pieces matches no rule (CVE-2022-39958). A service
        // may always send the whole (RFC 9110 §14.2).
        request.remove_header(&RANGE);
        request.remove_header(&IF_RANGE);
    }
    // We answered `100 Continue` ourselves when we read the body.
    if request.headers.contains_key(EXPECT) {
        request.remove_header(&EXPECT);
    }
    if let Some(identity) = &exchange.identity {
        for (name, value) in route.forward.fields(identity) {
            request.insert_header(name, value)?;
        }
    }
    if let Some(trace) = trace {
        request.insert_header(trace::TRACEPARENT, trace::header_value(&trace.context))?;
        match &trace.state {
            Some(state) => request.insert_header(trace::TRACESTATE, state.clone())?,
            None if request.headers.contains_key(trace::TRACESTATE) => {
                request.remove_header(&trace::TRACESTATE);
            }
            None => {}
        }
    }
    request.insert_header(X_REQUEST_ID.clone(), exchange.trace.request_id().as_bytes())?;
    let client = match reading.client.ip == exchange.connection.peer_ip() {
        true => exchange.connection.peer_text.clone(),
        false => HeaderValue::try_from(reading.client.ip.to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown")),
    };
    request.insert_header(X_FORWARDED_FOR.clone(), client)?;
    let scheme = if reading.secure { "https" } else { "http" };
    request.insert_header(X_FORWARDED_PROTO.clone(), HeaderValue::from_static(scheme))?;
    Ok(())
}

/// Services that read fields from an environment (CGI, WSGI) take `X_Real_IP` for `X-Real-IP`: an underscore must not
/// be a second spelling of a field that only proxies write, or that frames the message.
fn is_never_from_clients(name: &str) -> bool {
    // Most fields are told apart by their first letter.
    if name.starts_with(['f', 'x']) && NEVER_FROM_CLIENTS.contains(&name) {
        return true;
    }
    if !name.contains('_') {
        return false;
    }
    let name = name.replace('_', "-");
    NEVER_FROM_CLIENTS.contains(&name.as_str())
        || name.starts_with("x-forwarded-")
        || matches!(name.as_str(), "x-request-id" | "content-length" | "transfer-encoding")
}

/// What goes to the client: the service's answer with what limits say, without what tells about our inside.
pub(super) fn to_client(response: &mut ResponseHeader, exchange: &Exchange) -> Result<()> {
    response.remove_header(&SERVER);
    if response.headers.contains_key("x-powered-by") {
        response.remove_header("x-powered-by");
    }
    if response.status != http::StatusCode::SWITCHING_PROTOCOLS
        && response.headers.contains_key(CONNECTION)
    {
        response.remove_header(&CONNECTION);
    }
    for (name, value) in &exchange.answer_fields {
        response.append_header(name.clone(), value.clone())?;
    }
    response.insert_header(X_REQUEST_ID.clone(), exchange.trace.request_id().as_bytes())?;
    // A service's own field wins. HSTS is not ours to set: it binds a whole host for a year.
    if !response.headers.contains_key(X_CONTENT_TYPE_OPTIONS) {
        response.insert_header(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))?;
    }
    Ok(())
}
