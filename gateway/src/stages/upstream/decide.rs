//! Which endpoint, and whether once more.

use std::borrow::Borrow;
use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderValue, Method, header};
use smallvec::SmallVec;

use super::plan::{ServicePlan, Timeouts};
use super::section::Balance;
use super::tls::UpstreamTls;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::state::endpoints::endpoint::{Availability, Endpoint, InFlight};

/// Endpoints that one request has been sent to.
#[derive(Clone, Debug, Default)]
pub struct Tried(SmallVec<[SocketAddr; 5]>);

impl Tried {
    pub fn new() -> Tried {
        Tried::default()
    }

    /// Attempts so far.
    pub fn attempts(&self) -> usize {
        self.0.len()
    }

    /// The pick was used, whatever came of it.
    pub fn add(&mut self, peer: &Peer) {
        self.0.push(peer.address);
    }

    fn holds(&self, address: SocketAddr) -> bool {
        self.0.contains(&address)
    }
}

/// Where one attempt goes. Counts as in flight until it is dropped: keep it as long as the exchange lasts.
#[derive(Debug)]
pub struct Peer {
    pub address: SocketAddr,
    /// `None`: plain text.
    pub tls: Option<Arc<UpstreamTls>>,
    /// HTTP/2 and nothing else: by ALPN with TLS, by prior knowledge without. `false`: HTTP/1.1.
    pub http2: bool,
    pub timeouts: Timeouts,
    /// Pooled connections are shared only between peers with the same key.
    pub group_key: u64,
    in_flight: InFlight,
}

impl Peer {
    /// A connection stands, new or from the pool. Report it as soon as it is known.
    pub fn connected(&mut self) {
        self.in_flight.connected();
    }

    /// No connection could be made (refused, timed out, TLS failed).
    pub fn refused(&mut self, now: Now) {
        self.in_flight.refused(now);
    }
}

impl ServicePlan {
    /// The endpoint for the next attempt. Never one that was tried, never an unhealthy one. When every endpoint that is
    /// left refused its last connection, one request at a time goes through to find out whether it is back.
    pub fn pick(&self, tried: &Tried, now: Now) -> Decision<Peer> {
        if tried.attempts() == 0 {
            self.service.budget().request(now);
        }
        let members = self.service.members();
        let turn = self.service.turn();
        let in_flight = self
            .first(&members, turn, tried, now)
            .or_else(|| self.among_ready(&members, turn, tried, now))
            .or_else(|| self.trial(&members, tried, now));
        match in_flight {
            Some(in_flight) => Ok(self.peer(in_flight)),
            None => Err(self.unavailable(members.len(), tried)),
        }
    }

    /// Whether a failed attempt may be repeated on another endpoint. Takes one retry out of the budget when it may. That
    /// the body can be sent again is for the caller to know.
    pub fn may_retry(&self, method: &Method, tried: &Tried, now: Now) -> bool {
        is_idempotent(method)
            && tried.attempts() < self.attempts as usize
            && self.service.budget().try_retry(self.budget, now)
    }

    /// The first choice, when it is available: O(1) however many endpoints there are.
    fn first(
        &self,
        members: &[Arc<Endpoint>],
        turn: u64,
        tried: &Tried,
        now: Now,
    ) -> Option<InFlight> {
        let endpoint = self.balanced(members, turn)?;
        if tried.holds(endpoint.address) {
            return None;
        }
        match endpoint.availability(self.service.is_checked(), now) {
            Availability::Ready => Some(InFlight::new(Arc::clone(endpoint))),
            Availability::Returning => InFlight::trial(Arc::clone(endpoint)),
            Availability::PassedOver | Availability::Unhealthy => None,
        }
    }

    /// The endpoints that are ready get an even share of what the others cannot take.
    fn among_ready(
        &self,
        members: &[Arc<Endpoint>],
        turn: u64,
        tried: &Tried,
        now: Now,
    ) -> Option<InFlight> {
        let checked = self.service.is_checked();
        let ready: SmallVec<[&Arc<Endpoint>; 16]> = members
            .iter()
            .filter(|endpoint| endpoint.availability(checked, now) == Availability::Ready)
            .filter(|endpoint| !tried.holds(endpoint.address))
            .collect();
        let round = turn.checked_div(members.len() as u64)?;
        self.balanced(&ready, round).map(|endpoint| InFlight::new(Arc::clone(endpoint)))
    }

    fn balanced<'m, E>(&self, members: &'m [E], turn: u64) -> Option<&'m Arc<Endpoint>>
    where
        E: Borrow<Arc<Endpoint>>,
    {
        if self.balance == Balance::RoundRobin {
            return members.get(index(turn, members.len())?).map(Borrow::borrow);
        }
        let (one, other) = two(turn, members.len())?;
        let (one, other) = (members.get(one)?.borrow(), members.get(other)?.borrow());
        Some(if other.in_flight() < one.in_flight() { other } else { one })
    }

    fn trial(&self, members: &[Arc<Endpoint>], tried: &Tried, now: Now) -> Option<InFlight> {
        let checked = self.service.is_checked();
        members
            .iter()
            .filter(|endpoint| endpoint.availability(checked, now) != Availability::Unhealthy)
            .filter(|endpoint| !tried.holds(endpoint.address))
            .find_map(|endpoint| InFlight::trial(Arc::clone(endpoint)))
    }

    fn peer(&self, in_flight: InFlight) -> Peer {
        Peer {
            address: in_flight.endpoint().address,
            tls: self.tls.clone(),
            http2: self.http2,
            timeouts: self.timeouts,
            group_key: self.group_key,
            in_flight,
        }
    }

    fn unavailable(&self, members: usize, tried: &Tried) -> Box<Finding> {
        let evidence = format!(
            "service `{}`: none of {members} endpoints is available, {} tried",
            self.name,
            tried.attempts()
        );
        Finding::new(Code::UpstreamUnavailable, evidence)
            .header(header::RETRY_AFTER, HeaderValue::from(self.retry_after_s))
    }
}

/// Doing it twice is as good as doing it once (RFC 9110 §9.2.2).
pub fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

#[allow(clippy::cast_possible_truncation)] // below `len`
fn index(turn: u64, len: usize) -> Option<usize> {
    turn.checked_rem(len as u64).map(|index| index as usize)
}

/// Two different indexes below `len`, scattered over successive turns; the same twice when there is only one.
fn two(turn: u64, len: usize) -> Option<(usize, usize)> {
    let bits = scatter(turn);
    let one = index(bits >> 32, len)?;
    let step = index(bits & 0xffff_ffff, len - 1).map_or(0, |step| step + 1);
    Some((one, (one + step) % len))
}

/// SplitMix64 (Steele, Lea, Flood 2014): successive numbers to unrelated ones.
fn scatter(turn: u64) -> u64 {
    let mut bits = turn.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}
