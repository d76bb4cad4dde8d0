//! Requests without sockets: the configuration's own tests, and `yett explain`. The same stages in the same order; only
//! tokens are assumed and counters left alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use super::exchange::{Arrival, Connection, Exchange, Head, Offline};
use crate::base::clock::Now;
use crate::base::compile::Compile;
use crate::base::event::TraceContext;
use crate::base::raw::RawHead;
use crate::config::document::{TestExpect, TestRequest, TestSection};
use crate::config::reload::failed;
use crate::config::snapshot::Snapshot;
use crate::stages::normalise::decide::{Raw, decide};
use crate::stages::waf::decide::too_large;

/// Address of a client that a test does not name (RFC 5737).
pub const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A request that was tried.
#[derive(Debug)]
pub struct Trial {
    pub exchange: Box<Exchange>,
    /// What the client would get; 200 stands for "would be forwarded", 0 for an end of the connection without answer.
    pub status: u16,
}

/// Runs every test of the configuration; each that fails is a problem at its place.
pub fn tests(snapshot: &Arc<Snapshot>, tests: &[TestSection], cx: &mut Compile) {
    for (index, test) in tests.iter().enumerate() {
        match run(snapshot, &test.request) {
            Ok(trial) => {
                for why in differences(&trial, &test.expect) {
                    failed(cx, index, why);
                }
            }
            Err(why) => failed(cx, index, why),
        }
    }
}

/// Tries one request. Errors: it cannot be written as a request at all.
pub fn run(snapshot: &Arc<Snapshot>, request: &TestRequest) -> Result<Trial, String> {
    let method = Method::from_bytes(request.method.as_bytes())
        .map_err(|_| format!("`{}` is not a method", request.method))?;
    let headers = headers(request)?;
    let mut exchange = begin(snapshot, request, &headers)?;
    let host = request.host.as_deref().unwrap_or("localhost");
    let raw = Raw {
        method: method.as_str().as_bytes(),
        target: request.path.as_bytes(),
        host: Some(host.as_bytes()),
    };
    let decided = match exchange.ledger.demand(decide(raw)) {
        Ok(canonical) => {
            if canonical.rewritten {
                exchange.reading.raw_target = Some(request.path.as_bytes().into());
            }
            exchange.reading.canonical = canonical;
            let head = Head {
                method: &method,
                headers: &headers,
                version: Version::HTTP_11,
                target: b"",
                authority: None,
                raw: RawHead::default(),
            };
            // Offline nothing waits: the future is ready at its first poll.
            super::head(&mut exchange, head).now_or_never().ok_or("a stage waited")?
        }
        Err(refused) => Err(refused),
    };
    if decided.is_ok() {
        body(&mut exchange, request);
    }
    let status = match exchange.ledger.decisive_finding() {
        Some(finding) => finding.status().map_or(0, |status| status.as_u16()),
        None => {
            exchange.route().and_then(|route| Some(route.respond.as_ref()?.status)).unwrap_or(200)
        }
    };
    Ok(Trial { exchange, status })
}

fn begin(
    snapshot: &Arc<Snapshot>,
    request: &TestRequest,
    headers: &HeaderMap,
) -> Result<Box<Exchange>, String> {
    let listener = snapshot.listeners.values().next().ok_or("no listener")?.clone();
    let peer = SocketAddr::new(request.client.unwrap_or(CLIENT), 0);
    let local = listener.bind;
    let connection = Arc::new(Connection::new(listener, peer, local, true, None));
    let arrival = Arrival { connection, now: Now::read(), canonical: None, raw_target: None };
    let trace = TraceContext { trace_id: 0, span_id: 0, parent_id: None, sampled: false };
    let mut exchange = Exchange::begin(snapshot.clone(), arrival, trace, headers);
    exchange.offline = Some(Offline { token: request.token.clone() });
    Ok(exchange)
}

fn headers(request: &TestRequest) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        let name =
            HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a field name"))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| format!("value of `{name}` is not a field value"))?;
        headers.append(name, value);
    }
    if let Some(body) = &request.body {
        headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok(headers)
}

fn body(exchange: &mut Exchange, request: &TestRequest) {
    let bytes = request.body.as_deref().unwrap_or_default().as_bytes();
    if let Some(inspection) = exchange.inspection.as_mut().filter(|_| !bytes.is_empty()) {
        match inspection.appetite() {
            Some(appetite) if appetite.reject && bytes.len() > appetite.bytes => {
                exchange.ledger.refuse(too_large(appetite.bytes));
                return;
            }
            Some(_) => inspection.feed(bytes, true),
            None => inspection.skip_body(),
        }
    }
    if super::body(exchange).is_ok() {
        super::permit(exchange);
    }
}

fn differences(trial: &Trial, expect: &TestExpect) -> Vec<String> {
    let mut differences = Vec::new();
    if expect.status.is_some_and(|status| status != trial.status) {
        differences.push(format!(
            "status {}, expected {}",
            trial.status,
            expect.status.unwrap_or_default()
        ));
    }
    let route = trial.exchange.route().map(|route| &*route.id);
    if expect.route.is_some() && expect.route.as_deref() != route {
        let expected = expect.route.as_deref().unwrap_or_default();
        differences.push(format!("route `{}`, expected `{expected}`", route.unwrap_or("none")));
    }
    let finding = trial.exchange.ledger.decisive_finding();
    let code = finding.map(|finding| finding.code.as_str());
    if expect.finding.is_some() && expect.finding.as_deref() != code {
        let evidence =
            finding.map(|finding| format!(" ({})", finding.evidence)).unwrap_or_default();
        let expected = expect.finding.as_deref().unwrap_or("none");
        differences
            .push(format!("finding {}{evidence}, expected {expected}", code.unwrap_or("none")));
    }
    differences
}
