//! One request and its answer. An exchange holds one snapshot from start to end: a reload in between changes nothing
//! for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Version, header};
use smallvec::SmallVec;

use super::mode::Ledger;
use super::permit::Permit;
use super::refused;
use crate::base::clock::Now;
use crate::base::event::{
    Event, IdentityFacts, LimitFacts, Outcome, RequestFacts, RouteRef, TraceContext, UpstreamFacts,
};
use crate::base::identity::Identity;
use crate::base::net::{Client, canonical_ip};
use crate::base::raw::RawHead;
use crate::base::request::{Canonical, Request};
use crate::config::listener_plan::ListenerPlan;
use crate::config::snapshot::{RoutePlan, Snapshot};
use crate::stages::route::Matched;
use crate::stages::waf::decide::{Call, Inspection, Sent};
use crate::stages::{normalise, waf};

/// What all requests of a connection share.
#[derive(Debug)]
pub struct Connection {
    pub listener: Arc<ListenerPlan>,
    /// The socket's peer, or what a trusted PROXY header says.
    pub peer: SocketAddr,
    /// The address that the client connected to: the socket's own, or what a trusted PROXY header says.
    pub local: SocketAddr,
    /// `peer` without its port, as a field value: it is the same for all requests.
    pub peer_text: HeaderValue,
    pub secure: bool,
    pub tls_version: Option<&'static str>,
}

impl Connection {
    pub fn new(
        listener: Arc<ListenerPlan>,
        peer: SocketAddr,
        local: SocketAddr,
        secure: bool,
        tls_version: Option<&'static str>,
    ) -> Connection {
        let peer_text = HeaderValue::try_from(canonical_ip(peer.ip()).to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Connection { listener, peer, local, peer_text, secure, tls_version }
    }

    pub fn peer_ip(&self) -> IpAddr {
        canonical_ip(self.peer.ip())
    }
}

/// A request at the door.
#[derive(Debug)]
pub struct Arrival {
    pub connection: Arc<Connection>,
    pub now: Now,
    /// Made before the framework parses the head for HTTP/1; `None` for HTTP/2, where the codec comes first.
    pub canonical: Option<Canonical>,
    /// The target as sent, when it is not the canonical one.
    pub raw_target: Option<Box<[u8]>>,
}

/// The parsed head, as the framework holds it.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub method: &'a Method,
    pub headers: &'a HeaderMap,
    pub version: Version,
    /// Target as parsed, for HTTP/2.
    pub target: &'a [u8],
    pub authority: Option<&'a str>,
    /// The head as it was sent over HTTP/1; empty where nobody asks for it (see [`Snapshot::inspects`]).
    pub raw: RawHead<'a>,
}

impl<'a> Head<'a> {
    pub(super) fn sent(&self) -> Sent<'a> {
        Sent { head: self.raw, target: self.target, authority: self.authority }
    }
}

/// The state of one request, from its head to its event.
#[derive(Debug)]
pub struct Exchange {
    pub snapshot: Arc<Snapshot>,
    pub connection: Arc<Connection>,
    pub started: Now,
    pub trace: TraceContext,
    pub reading: Reading,
    pub ledger: Ledger,
    pub matched: Option<Matched>,
    pub identity: Option<Arc<Identity>>,
    pub token_cached: Option<bool>,
    pub limits: SmallVec<[LimitFacts; 2]>,
    /// Fields that limits add to an allowed answer.
    pub answer_fields: Vec<(http::HeaderName, HeaderValue)>,
    pub inspection: Option<Inspection>,
    /// The rules do not look at this request, which its event says.
    pub(super) sampled_out: Option<Arc<waf::plan::Plan>>,
    pub(super) permit: Option<Permit>,
    pub upstream: Option<UpstreamFacts>,
    /// What could be read of a request that never became one.
    pub(super) sent: Option<Box<RequestFacts>>,
    /// Instead of a token: offline tests and explanations say who asks. Never set for a request from a socket.
    pub offline: Option<Offline>,
}

/// An exchange without sockets, keys and counters: `yett explain` and the configuration's own tests.
#[derive(Clone, Debug)]
pub struct Offline {
    /// Claims of a token that counts as verified.
    pub token: Option<serde_json::Map<String, serde_json::Value>>,
}

/// The canonical reading and who sent it.
#[derive(Debug)]
pub struct Reading {
    pub canonical: Canonical,
    pub raw_target: Option<Box<[u8]>>,
    pub client: Client,
    pub secure: bool,
}

impl Reading {
    /// What stages look at.
    pub fn request<'a>(&'a self, head: Head<'a>) -> Request<'a> {
        Request {
            method: head.method,
            canonical: &self.canonical,
            headers: head.headers,
            version: head.version,
            secure: self.secure,
            client: self.client,
            raw_target: self.raw_target.as_deref().unwrap_or_default(),
        }
    }
}

impl Exchange {
    /// Begins an exchange; boxed, because it is half a page and handed around. The client's address is known from here on, the canonical reading may not be.
    pub fn begin(
        snapshot: Arc<Snapshot>,
        arrival: Arrival,
        trace: TraceContext,
        headers: &HeaderMap,
    ) -> Box<Exchange> {
        let connection = arrival.connection;
        let client = normalise::client::client(
            connection.peer,
            headers,
            &connection.listener.trusted_proxies,
        );
        Box::new(Exchange {
            snapshot,
            started: arrival.now,
            trace,
            reading: Reading {
                canonical: arrival.canonical.unwrap_or_default(),
                raw_target: arrival.raw_target,
                client,
                secure: connection.secure,
            },
            connection,
            ledger: Ledger::new(arrival.now.instant),
            matched: None,
            identity: None,
            token_cached: None,
            limits: SmallVec::new(),
            answer_fields: Vec::new(),
            inspection: None,
            sampled_out: None,
            permit: None,
            upstream: None,
            sent: None,
            offline: None,
        })
    }

    /// The route, once it is known.
    pub fn route(&self) -> Option<&RoutePlan> {
        self.matched.as_ref().map(|matched| self.snapshot.route(matched.index))
    }

    /// Who called whom, under which id, when.
    pub(super) fn call(&self) -> Call {
        Call {
            client: self.reading.client,
            server: self.connection.local,
            request_id: self.trace.request_id(),
            now: self.started,
        }
    }

    /// The time at which the last stage ended: near enough to now while nobody has waited since.
    pub fn last_lap(&self) -> Now {
        let lap = self.ledger.last_lap();
        self.started.after(lap.saturating_duration_since(self.started.instant))
    }

    /// Host and path, canonical or, where there is no such reading, as they were sent.
    pub fn asked(&self) -> (&str, &str) {
        match &self.sent {
            Some(sent) => (&sent.host, &sent.path),
            None => (&self.reading.canonical.host, &self.reading.canonical.path),
        }
    }

    /// The proof that every stage agreed. Nothing goes upstream without it.
    pub fn permit(&self) -> Option<&Permit> {
        self.permit.as_ref()
    }

    /// The exchange ends: exactly one event.
    pub fn finish(mut self: Box<Self>, head: Option<Head<'_>>, end: End) -> Box<Event> {
        let route = self.route().map(|route| RouteRef {
            id: route.id.clone(),
            service: route.service.as_ref().map(|service| service.name.clone()),
            slot: route.slot,
        });
        let outcome = match (self.ledger.decisive(), end.failed) {
            (Some(code), _) => Outcome::of(code),
            (None, Some(outcome)) => outcome,
            (None, None) => Outcome::Allowed,
        };
        let (findings, timings) = self.ledger.close();
        let mut request = match self.sent.take() {
            Some(sent) => *sent,
            None => request_facts(self.reading, head),
        };
        if let Some(inspection) = &self.inspection {
            inspection.mask(&mut request);
        }
        Box::new(Event {
            unix_us: self.started.unix_us,
            trace: self.trace,
            listener: self.connection.listener.name.clone(),
            generation: self.snapshot.generation,
            route,
            request,
            identity: self.identity.take().map(|identity| IdentityFacts {
                issuer: identity.issuer_name.clone(),
                subject_hash: self.snapshot.subjects.hash(&identity.issuer, &identity.subject),
                mfa: identity.mfa,
            }),
            findings,
            waf: match self.inspection.take() {
                Some(inspection) => Some(inspection.into_facts(Now::read(), end.status)),
                None => self.sampled_out.map(|plan| plan.sampled_out()),
            },
            audit: None,
            limits: self.limits,
            token_cached: self.token_cached,
            upstream: self.upstream,
            timings,
            bytes_in: end.bytes_in,
            bytes_out: end.bytes_out,
            status: end.status,
            outcome,
            duration: self.started.instant.elapsed(),
        })
    }
}

/// How an exchange ended, as the edge saw it.
#[derive(Clone, Copy, Debug, Default)]
pub struct End {
    pub status: u16,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// A failure that no finding stands for, e.g. the client went away.
    pub failed: Option<Outcome>,
}

fn request_facts(reading: Reading, head: Option<Head<'_>>) -> RequestFacts {
    let user_agent = head
        .and_then(|head| head.headers.get(header::USER_AGENT))
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into());
    let mut facts = RequestFacts {
        client: reading.client,
        method: head.map(|head| head.method.clone()),
        secure: reading.secure,
        host: reading.canonical.host,
        path: reading.canonical.path,
        query: reading.canonical.query,
        version: head.map_or(Version::HTTP_11, |head| head.version),
        user_agent,
    };
    if facts.path.is_empty()
        && let Some(head) = head
    {
        // It was refused because it has no canonical reading.
        (facts.path, facts.query) = refused::split(head.target);
        facts.host = head.authority.unwrap_or_default().to_owned();
    }
    facts
}
