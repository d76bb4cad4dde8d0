//! Addresses: the client's, and blocks of them.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Who is at the other end, and how we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The address that limits, lists and events use: the socket's peer, or what a trusted proxy says.
    pub ip: IpAddr,
    /// The socket's peer.
    pub peer: SocketAddr,
}

impl Client {
    /// A client that speaks to us directly.
    pub fn direct(peer: SocketAddr) -> Client {
        Client { ip: canonical_ip(peer.ip()), peer }
    }
}

/// IPv4-mapped IPv6 addresses are the IPv4 address: `::ffff:10.0.0.1` must not get round a list of `10.0.0.0/8`.
pub fn canonical_ip(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Whether any block holds the address.
pub fn any_contains(blocks: &[IpNet], ip: IpAddr) -> bool {
    let ip = canonical_ip(ip);
    blocks.iter().any(|block| block.contains(&ip))
}
