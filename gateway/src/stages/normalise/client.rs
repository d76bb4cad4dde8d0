//! The client's address: the socket's peer, or what trusted proxies say. Read from the right: everything left of
//! the first untrusted hop was written by the client.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;
use http::header::{FORWARDED, HeaderName};
use ipnet::IpNet;

use crate::base::net::{Client, any_contains, canonical_ip};

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Hops that are looked at: a longer list is an attack or a loop.
const HOPS: usize = 32;

/// Who the client is. `peer` is the socket's peer, or the address of a PROXY protocol header.
pub fn client(peer: SocketAddr, headers: &HeaderMap, trusted: &[IpNet]) -> Client {
    let peer_ip = canonical_ip(peer.ip());
    if trusted.is_empty() || !any_contains(trusted, peer_ip) {
        return Client { ip: peer_ip, peer };
    }
    // The standard field wins when both are there: a proxy that writes it replaces the client's.
    let ip = match headers.contains_key(FORWARDED) {
        true => walk(peer_ip, hops(headers, &FORWARDED).map(forwarded_for), trusted),
        false => walk(peer_ip, hops(headers, &X_FORWARDED_FOR).map(address), trusted),
    };
    Client { ip, peer }
}

/// From the right: the first address that is not a trusted proxy. A hop that cannot be read ends the walk at the
/// last address that could.
fn walk(peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>, trusted: &[IpNet]) -> IpAddr {
    let mut client = peer;
    for hop in hops.take(HOPS) {
        let Some(ip) = hop else { break };
        client = canonical_ip(ip);
        if !any_contains(trusted, client) {
            break;
        }
    }
    client
}

/// List elements of all lines of a field, last first.
fn hops<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let lines: smallvec::SmallVec<[&str; 4]> =
        headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("")).collect();
    lines.into_iter().rev().flat_map(|line| line.rsplit(',')).map(str::trim)
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`.
fn address(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    if let Ok(socket) = text.parse::<SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// The `for` parameter of one `Forwarded` element (RFC 7239 §4), once.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in element.split(';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            let value = value.trim();
            let value =
                value.strip_prefix('"').map_or(Some(value), |rest| rest.strip_suffix('"'))?;
            if found.replace(address(value)?).is_some() {
                return None;
            }
        }
    }
    found
}
