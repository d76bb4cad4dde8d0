//! From the upstream stage's choice to the framework's peer, and back: what became of it.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use http::{Method, StatusCode};
use parking_lot::RwLock;
use pingora::proxy::Session;
use pingora::upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy};
use pingora::utils::tls::{WrappedX509, parse_x509};
use pingora::{Error, ErrorSource, ErrorType, Result};

use super::fields;
use super::proxy::{Context, is_unanswered};
use super::upgrade::Patient;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Stage;
use crate::base::event::UpstreamFacts;
use crate::pipeline::exchange::Exchange;
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

impl Attempt {
    /// Chooses a peer, for the first attempt or the one after `earlier`. The permit is asked for here: this is the only
    /// way to a service.
    pub(super) fn choose(
        earlier: Option<Box<Attempt>>,
        exchange: &mut Exchange,
    ) -> Result<Box<Attempt>> {
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
        Ok(Box::new(Attempt { tried, peer, next: None, started }))
    }

    pub(super) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// A connection stands.
    pub(super) fn connected(&mut self, exchange: &mut Exchange, reused: bool) {
        self.peer.connected();
        if let Some(facts) = &mut exchange.upstream {
            facts.reused = reused;
        }
    }

    /// No connection: nothing was sent.
    pub(super) fn refused(&mut self) {
        self.peer.refused(Now::read());
    }

    /// The service answered.
    pub(super) fn answered(&self, exchange: &mut Exchange, status: StatusCode) {
        let now = exchange.ledger.lap(Stage::Upstream);
        if let Some(facts) = &mut exchange.upstream {
            facts.status = Some(status.as_u16());
            facts.response = Some(now.saturating_duration_since(self.started));
        }
    }

    /// Whether there is another attempt, which takes one out of the service's budget. It needs another endpoint: without
    /// one the failure of this attempt is the answer.
    pub(super) fn may_repeat(&mut self, exchange: &Exchange, method: &Method) -> bool {
        let Some(service) = exchange.route().and_then(|route| route.service.as_ref()) else {
            return false;
        };
        let now = Now::read();
        let Ok(peer) = service.pick(&self.tried, now) else { return false };
        // Last, because it takes one retry out of the budget.
        if !service.may_retry(method, &self.tried, now) {
            return false;
        }
        self.next = Some(peer);
        true
    }
}

/// Chooses a peer for the framework.
pub(super) fn choose(session: &Session, context: &mut Context) -> Result<Box<HttpPeer>> {
    let earlier = context.attempt.take();
    let attempt = Attempt::choose(earlier, context.exchange()?)?;
    let peer = &attempt.peer;
    let mut target = Box::new(framework_peer(peer));
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
    context.attempt = Some(attempt);
    Ok(target)
}

/// A connection stands.
pub(super) fn connected(context: &mut Context, reused: bool) {
    if let (Some(attempt), Some(exchange)) = (&mut context.attempt, &mut context.exchange) {
        attempt.connected(exchange, reused);
    }
}

/// The service answered.
pub(super) fn answered(context: &mut Context, status: StatusCode) {
    if let (Some(attempt), Some(exchange)) = (&context.attempt, &mut context.exchange) {
        attempt.answered(exchange, status);
    }
}

/// No connection: nothing was sent, so any method may be tried elsewhere.
pub(super) fn refused(session: &Session, context: &mut Context, error: Box<Error>) -> Box<Error> {
    if let Some(attempt) = &mut context.attempt {
        attempt.refused();
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
    error.retry.decide_reuse(reused);
    if !replayable || !is_broken_transport(&error) {
        error.set_retry(false);
        return error;
    }
    let method = session.req_header().method.clone();
    retry_if(session, context, error, &method)
}

fn retry_if(
    session: &Session,
    context: &mut Context,
    error: Box<Error>,
    method: &Method,
) -> Box<Error> {
    let mut error = error;
    let untouched = is_unanswered(session);
    let again = match (&context.exchange, &mut context.attempt) {
        (Some(exchange), Some(attempt)) if untouched && is_untouched(exchange) => {
            attempt.may_repeat(exchange, method)
        }
        _ => false,
    };
    error.set_retry(again);
    error
}

/// Nothing of an answer has reached the rules that look at answers, nor the client.
pub(super) fn is_untouched(exchange: &Exchange) -> bool {
    let status = exchange.upstream.as_ref().and_then(|upstream| upstream.status);
    status.is_none_or(|status| status < 200)
}

/// The service's side of the connection broke: another may hold.
pub(super) fn is_broken_transport(error: &Error) -> bool {
    use ErrorType::{ConnectionClosed, H2Error, ReadError, WriteError};
    error.esource() == &ErrorSource::Upstream
        && matches!(error.etype(), ConnectionClosed | ReadError | WriteError | H2Error)
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
