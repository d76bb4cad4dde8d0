//! What the rules get to see of a request: the bytes that the client sent, in its order and spelling.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use http::{Version, header};
use waf_rules::Transaction;

use super::decide::Call;
use super::lists::Lists;
use crate::base::clock::Now;
use crate::base::identity::Identity;
use crate::base::raw::RawHead;
use crate::base::request::Request;
use crate::state::dnsbl::asker::Listings;

/// What the client sent, where the canonical reading says it in other bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sent<'a> {
    /// The head of HTTP/1. Its line may be the canonical one: `Request::raw_target` then has what was sent.
    pub head: RawHead<'a>,
    /// `:path` of HTTP/2.
    pub target: &'a [u8],
    /// `:authority` of HTTP/2.
    pub authority: Option<&'a str>,
}

/// The addresses of both ends, the id of the request, and the time.
pub(super) fn call(transaction: &mut Transaction, call: &Call) {
    let (client, server) = (call.client, call.server);
    // Behind a proxy the socket's port is the proxy's.
    let port = if client.is_peer() { client.peer.port() } else { 0 };
    transaction.connection(client.ip, port, server.ip(), server.port());
    transaction.unique_id(call.request_id.as_str().as_bytes());
    time(transaction, call.now);
}

pub(super) fn time(transaction: &mut Transaction, now: Now) {
    transaction.time(UNIX_EPOCH + Duration::from_micros(now.unix_us));
}

/// `REMOTE_USER` is `ISSUER:SUBJECT`: a subject means something only beside its issuer (OIDC Core §5.7), and a rule that
/// trusts one must not trust its namesake of another. The first colon ends the issuer: one in its name is escaped.
pub(super) fn identity(transaction: &mut Transaction, identity: &Identity) {
    let mut issuer = Cow::Borrowed(&*identity.issuer_name);
    if issuer.contains([':', '%']) {
        issuer = issuer.replace('%', "%25").replace(':', "%3A").into();
    }
    let user = [&*issuer, ":", &*identity.subject].concat();
    transaction.authenticated(b"Bearer", user.as_bytes());
}

pub(super) fn listings(transaction: &mut Transaction, lists: &Lists, listings: &Listings) {
    for (at, answer) in listings {
        transaction.listed(lists.list(*at), *answer);
    }
}

pub(super) fn request(transaction: &mut Transaction, request: &Request<'_>, sent: &Sent<'_>) {
    if sent.head.is_empty() {
        parsed_line(transaction, request, sent);
        parsed_fields(transaction, request, sent);
        return;
    }
    let line = sent.head.line();
    let target = if request.raw_target.is_empty() { line.target } else { request.raw_target };
    transaction.request_line(line.method, target, line.protocol);
    sent.head.fields().for_each(|(name, value)| transaction.header(name, value));
}

/// A head that nobody could, or should, read.
pub(super) fn raw(transaction: &mut Transaction, head: RawHead<'_>) {
    let line = head.line();
    match head.is_simple() {
        true => transaction.request_line(line.method, line.target.trim_ascii_end(), b"HTTP/0.9"),
        false => transaction.request_line(line.method, line.target, line.protocol),
    }
    head.fields().for_each(|(name, value)| transaction.header(name, value));
}

fn parsed_line(transaction: &mut Transaction, request: &Request<'_>, sent: &Sent<'_>) {
    let protocol = protocol(request.version);
    let method = request.method.as_str().as_bytes();
    match [request.raw_target, sent.target].into_iter().find(|target| !target.is_empty()) {
        Some(target) => transaction.request_line(method, target, protocol),
        None => {
            transaction.request_line(method, request.canonical.target().as_bytes(), protocol);
        }
    }
}

/// As ModSecurity writes it.
pub(super) fn protocol(version: Version) -> &'static [u8] {
    match version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        _ => b"HTTP/1.1",
    }
}

/// Fields as HPACK decoded them. HTTP/2 names the host in a pseudo field; rules look for Host.
fn parsed_fields(transaction: &mut Transaction, request: &Request<'_>, sent: &Sent<'_>) {
    if !request.headers.contains_key(header::HOST) {
        let host = sent.authority.unwrap_or_else(|| request.host());
        if !host.is_empty() {
            transaction.header(b"Host", host.as_bytes());
        }
    }
    for (name, value) in request.headers {
        transaction.header(name.as_str().as_bytes(), value.as_bytes());
    }
}
