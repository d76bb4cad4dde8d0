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

/// A block of IPv4-mapped IPv6 addresses is the IPv4 block; host bits are cut off. A wider IPv6 block, `::/0`
/// included, holds IPv6 clients alone.
pub fn canonical_block(block: IpNet) -> IpNet {
    let mapped = match block {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => v6.addr().to_ipv4_mapped(),
        _ => None,
    };
    let v4 = mapped.and_then(|addr| IpNet::new(addr.into(), block.prefix_len() - 96).ok());
    v4.unwrap_or(block).trunc()
}

/// Whether any block holds the address.
pub fn any_contains(blocks: &[IpNet], ip: IpAddr) -> bool {
    let ip = canonical_ip(ip);
    blocks.iter().any(|block| block.contains(&ip))
}
