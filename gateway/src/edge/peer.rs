//! From the upstream stage's choice to the framework's peer, and back: what became of it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::{Method, StatusCode};
use parking_lot::RwLock;
use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::utils::tls::{WrappedX509, parse_x509};
use pingora::{Error, ErrorType, Result};

use super::fields;
use super::proxy::{Context, is_unanswered};
use super::upgrade::Patient;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Stage;
use crate::base::event::UpstreamFacts;
use crate::stages::upstream::{Peer, Tried, UpstreamTls};

/// The attempts of one exchange.
#[derive(Debug)]
pub(super) struct Attempt {
    tried: Tried,
    /// In flight until the exchange ends or another peer is chosen.
    peer: Peer,
    /// Chosen for another attempt, when the one in flight failed and may be repeated.
    next: Option<Peer>,
    started: Instant,
}

/// Chooses a peer. The permit is asked for here: this is the only way to a service.
pub(super) fn choose(session: &Session, context: &mut Context) -> Result<Box<HttpPeer>> {
    let earlier = context.attempt.take();
    let exchange = context.exchange()?;
    let (now, mut tried, next, started) = match earlier {
        Some(attempt) => (Now::read(), attempt.tried, attempt.next, attempt.started),
        None => {
            let now = exchange.last_lap();
            (now, Tried::new(), None, now.instant)
        }
    };
    if exchange.permit().is_none() {
        return Err(Error::explain(ErrorType::InternalError, "no permit"));
    }
    let Some(service) = exchange.route().and_then(|route| route.service.clone()) else {
        return Err(Error::explain(ErrorType::InternalError, "route without service"));
    };
    let picked = next.map_or_else(|| service.pick(&tried, now), Ok);
    let peer = match exchange.ledger.demand(picked) {
        Ok(peer) => peer,
        Err(_refused) => return Err(Error::new(ErrorType::HTTPStatus(503))),
    };
    tried.add(&peer);
    exchange.upstream = Some(UpstreamFacts {
        service: service.name.clone(),
        endpoint: Some(peer.address),
        attempts: u32::try_from(tried.attempts()).unwrap_or(u32::MAX),
        reused: false,
        response: None,
        status: None,
    });
    let mut target = Box::new(framework_peer(&peer));
    if session.is_upgrade_req() && !peer.http2 {
        let connect_timeout = peer.timeouts.connect;
        target.options.custom_l4 =
            Some(Arc::new(Patient { address: peer.address, connect_timeout }));
        // Such a connection never comes from the pool of ordinary ones.
        target.group_key = !target.group_key;
    }
    if !session.req_header().headers.keys().any(fields::is_hop_by_hop) {
        // Nothing is there that the framework would have to strip: it need not look a dozen times.
        target.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::preserve();
    }
    context.attempt = Some(Box::new(Attempt { tried, peer, next: None, started }));
    Ok(target)
}

/// A connection stands.
pub(super) fn connected(context: &mut Context, reused: bool) {
    if let Some(attempt) = &mut context.attempt {
        attempt.peer.connected();
    }
    if let Ok(exchange) = context.exchange()
        && let Some(facts) = &mut exchange.upstream
    {
        facts.reused = reused;
    }
}

/// The service answered.
pub(super) fn answered(context: &mut Context, status: StatusCode) {
    let started = context.attempt.as_ref().map(|attempt| attempt.started);
    let Ok(exchange) = context.exchange() else { return };
    let now = exchange.ledger.lap(Stage::Upstream);
    if let Some(facts) = &mut exchange.upstream {
        facts.status = Some(status.as_u16());
        facts.response = started.map(|started| now.saturating_duration_since(started));
    }
}

/// No connection: nothing was sent, so any method may be tried elsewhere.
pub(super) fn refused(session: &Session, context: &mut Context, error: Box<Error>) -> Box<Error> {
    if let Some(attempt) = &mut context.attempt {
        attempt.peer.refused(Now::read());
    }
    retry_if(session, context, error, &Method::GET)
}

/// The connection broke. Only what may be done twice is done again, and only while the client has seen nothing.
pub(super) fn broke(
    session: &Session,
    context: &mut Context,
    error: Box<Error>,
    reused: bool,
) -> Box<Error> {
    let mut error = error;
    let replayable = !session.as_downstream().retry_buffer_truncated();
    let transport = matches!(
        error.etype(),
        ErrorType::ConnectionClosed
            | ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::H2Error
    );
    error.retry.decide_reuse(reused);
    if error.esource() != &pingora::ErrorSource::Upstream || !replayable || !transport {
        error.set_retry(false);
        return error;
    }
    let method = session.req_header().method.clone();
    retry_if(session, context, error, &method)
}

/// Another attempt needs another endpoint: without one the failure of this attempt is the answer.
fn retry_if(
    session: &Session,
    context: &mut Context,
    error: Box<Error>,
    method: &Method,
) -> Box<Error> {
    let mut error = error;
    error.set_retry(is_untouched(session, context) && next(context, method).is_some());
    error
}

/// Nothing of an answer has reached the client, or the rules that look at answers first.
fn is_untouched(session: &Session, context: &Context) -> bool {
    let upstream = context.exchange.as_ref().and_then(|exchange| exchange.upstream.as_ref());
    is_unanswered(session)
        && upstream.and_then(|upstream| upstream.status).is_none_or(|status| status < 200)
}

fn next(context: &mut Context, method: &Method) -> Option<()> {
    let route = context.exchange.as_ref().and_then(|exchange| exchange.route())?;
    let service = route.service.clone()?;
    let attempt = context.attempt.as_mut()?;
    let now = Now::read();
    let peer = service.pick(&attempt.tried, now).ok()?;
    // Last, because it takes one retry out of the budget.
    if !service.may_retry(method, &attempt.tried, now) {
        return None;
    }
    attempt.next = Some(peer);
    Some(())
}

/// Failures before a connection stands.
pub(super) fn is_connect(etype: &ErrorType) -> bool {
    use ErrorType::*;
    matches!(
        etype,
        ConnectTimedout
            | ConnectRefused
            | ConnectNoRoute
            | ConnectError
            | BindError
            | SocketError
            | TLSHandshakeFailure
            | TLSHandshakeTimedout
            | InvalidCert
            | HandshakeError
    )
}

pub(super) fn framework_peer(peer: &Peer) -> HttpPeer {
    let name = peer.tls.as_ref().map(|tls| tls.server_name.clone()).unwrap_or_default();
    let mut target = HttpPeer::new(peer.address, peer.tls.is_some(), name);
    target.group_key = peer.group_key;
    let options = &mut target.options;
    options.connection_timeout = Some(peer.timeouts.connect);
    options.total_connection_timeout = Some(peer.timeouts.connect * 2);
    options.read_timeout = Some(peer.timeouts.response);
    options.write_timeout = Some(peer.timeouts.response);
    options.idle_timeout = Some(peer.timeouts.idle);
    if peer.http2 {
        options.set_http_version(2, 2);
        options.max_h2_streams = bounds::UPSTREAM_HTTP2_STREAMS;
    }
    if let Some(tls) = &peer.tls
        && tls.ca.is_some()
    {
        options.ca = Some(authorities(tls));
    }
    target
}

type Authorities = Arc<[WrappedX509]>;

/// The framework's form of a service's authorities, made once per generation of them. Holds one entry per distinct
/// `ca` file that was ever configured.
fn authorities(tls: &UpstreamTls) -> Authorities {
    static MADE: LazyLock<RwLock<HashMap<u64, Authorities>>> = LazyLock::new(RwLock::default);
    if let Some(made) = MADE.read().get(&tls.generation) {
        return made.clone();
    }
    let ca = tls.ca.as_deref().unwrap_or_default();
    // The compiler of the configuration has parsed each of them: parsing again cannot fail.
    let made: Authorities =
        ca.iter().map(|der| WrappedX509::new(der.clone(), parse_x509)).collect();
    MADE.write().insert(tls.generation, made.clone());
    made
}
