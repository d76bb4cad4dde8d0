//! Who may ask at all. Each check names what it defends against.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use aws_lc_rs::{constant_time, digest};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use parking_lot::Mutex;

use super::reply::{Problem, problem};

/// Fewest bytes of a token.
const TOKEN_BYTES: usize = 16;
/// Wrong tokens within [`WINDOW`] that lock the door.
const WRONG_TOKENS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// Short: whoever can lock the door can keep it locked, and the door is the operator's.
const LOCKED: Duration = Duration::from_secs(10);

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Reads an admin address. Anyone who reaches the listener and has the token owns the gateway, and without TLS
/// the token is readable on the way: only loopback will do.
///
/// # Errors
/// Not `ADDRESS:PORT`, or not a loopback address.
pub fn parse_bind(bind: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        bind.parse().map_err(|_| format!("admin address `{bind}` is not ADDRESS:PORT"))?;
    check_bind(address)
}

pub(super) fn check_bind(address: SocketAddr) -> Result<SocketAddr, String> {
    if address.ip().to_canonical().is_loopback() {
        Ok(address)
    } else {
        Err(format!("admin address `{address}` is not a loopback address (127.0.0.0/8 or ::1)"))
    }
}

/// The listener's token and its lock.
#[derive(Debug)]
pub(super) struct Guard {
    bind: IpAddr,
    token: digest::Digest,
    lockout: Mutex<Lockout>,
}

impl Guard {
    /// # Errors
    /// The token is too short to be one.
    pub(super) fn new(bind: IpAddr, token: &str) -> Result<Guard, String> {
        if token.len() < TOKEN_BYTES {
            return Err(format!("admin token {} bytes, bound {TOKEN_BYTES} or more", token.len()));
        }
        Ok(Guard { bind, token: hash(token.as_bytes()), lockout: Mutex::default() })
    }

    /// DNS rebinding: a name that the attacker points at 127.0.0.1 makes the victim's browser call us with that
    /// name in Host. Only names of the loopback are ours.
    pub(super) fn check_host(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
        let refuse = |detail: &str| problem(StatusCode::MISDIRECTED_REQUEST, detail);
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return Err(problem(StatusCode::BAD_REQUEST, "exactly one Host is needed"));
        };
        let host = host.to_str().map_err(|_| refuse("host is not a loopback name"))?;
        let target_is_ours = uri.authority().is_none_or(|target| self.is_ours(target.as_str()));
        if self.is_ours(host) && target_is_ours {
            Ok(())
        } else {
            Err(refuse("host is not a loopback name"))
        }
    }

    fn is_ours(&self, authority: &str) -> bool {
        let Some(host) = host_of(authority) else { return false };
        match host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(ip) => ip == self.bind || ip.to_canonical().is_loopback(),
            Err(_) => host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// `authenticated`: an earlier request on this connection had the token, so nobody guesses here and a
    /// lockout that somebody else caused does not hold.
    pub(super) fn check_token(
        &self,
        headers: &HeaderMap,
        authenticated: bool,
        now: Instant,
    ) -> Result<(), Problem> {
        let Some(given) = bearer(headers) else {
            return Err(unauthorized("a bearer token is needed"));
        };
        if !authenticated && let Some(left) = self.lockout.lock().locked(now) {
            let seconds = left.as_secs() + 1;
            return Err(problem(StatusCode::TOO_MANY_REQUESTS, "too many wrong tokens")
                .header(http::header::RETRY_AFTER, seconds.into()));
        }
        // Digests have one length, so the time tells nothing about the token's.
        let given = hash(given);
        match constant_time::verify_slices_are_equal(given.as_ref(), self.token.as_ref()) {
            Ok(()) => Ok(()),
            Err(_) => {
                self.lockout.lock().wrong(now);
                Err(unauthorized("wrong token"))
            }
        }
    }
}

/// Cross-site requests: a page may make the browser send what needs no preflight. Browsers say where a request
/// comes from (`Sec-Fetch-Site`, `Origin`); other programs say nothing.
pub(super) fn check_site(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = || problem(StatusCode::FORBIDDEN, "requests from other sites are not allowed");
    if headers.get_all(SEC_FETCH_SITE).iter().any(|site| site != "same-origin" && site != "none") {
        return Err(refuse());
    }
    let own = |origin: &str| {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        origin.strip_prefix("http://").is_some_and(|origin| Some(origin) == host)
    };
    let foreign = |origin: &http::HeaderValue| !origin.to_str().is_ok_and(own);
    if headers.get_all(ORIGIN).iter().any(foreign) { Err(refuse()) } else { Ok(()) }
}

/// A form can send `text/plain` and its own types to any site, but not `application/json` (Fetch standard,
/// CORS-safelisted request headers).
pub(super) fn check_content(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let has_body = headers.contains_key(TRANSFER_ENCODING)
        || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
    let media_type = headers.get(CONTENT_TYPE).map(|kind| {
        let kind = kind.to_str().unwrap_or("");
        kind.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
    });
    match media_type {
        Some(true) => Ok(()),
        None if !has_body => Ok(()),
        _ => Err(problem(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content type must be application/json",
        )),
    }
}

fn unauthorized(detail: &'static str) -> Problem {
    let challenge = http::HeaderValue::from_static("Bearer realm=\"yett admin\"");
    problem(StatusCode::UNAUTHORIZED, detail).header(http::header::WWW_AUTHENTICATE, challenge)
}

/// The only `Authorization`, when it is a bearer token (RFC 6750 §2.1).
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?.as_bytes(), values.next()) else { return None };
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

/// Host without port; `None` when the port is not one.
fn host_of(authority: &str) -> Option<&str> {
    let end = match authority.strip_prefix('[') {
        Some(literal) => literal.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at_checked(end)?;
    let port_holds = match rest.strip_prefix(':') {
        Some(port) => port.parse::<u16>().is_ok(),
        None => rest.is_empty(),
    };
    port_holds.then_some(host)
}

fn hash(token: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, token)
}

/// Counts wrong tokens of all clients together: they all come from the loopback.
#[derive(Debug, Default)]
struct Lockout {
    wrong: u32,
    since: Option<Instant>,
    until: Option<Instant>,
}

impl Lockout {
    fn locked(&self, now: Instant) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    fn wrong(&mut self, now: Instant) {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > WINDOW) {
            *self = Lockout { wrong: 0, since: Some(now), until: None };
        }
        self.wrong += 1;
        if self.wrong >= WRONG_TOKENS {
            log::warn!("admin: {} wrong tokens, locked for {} s", self.wrong, LOCKED.as_secs());
            *self = Lockout { wrong: 0, since: None, until: Some(now + LOCKED) };
        }
    }
}
