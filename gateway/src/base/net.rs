//! Addresses: the client's, and blocks of them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

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

    /// No proxy stands in between, as far as anybody said.
    pub fn is_peer(&self) -> bool {
        self.ip == canonical_ip(self.peer.ip())
    }
}

/// What the schema says of an address block. Sections hold [`IpNet`] itself, whose crate knows no schema.
#[derive(Debug)]
pub struct Block;

impl Block {
    /// Reads a block; the error shows how one is written.
    pub fn read(text: &str) -> Result<IpNet, String> {
        text.parse().map_err(|_| match text.parse::<IpAddr>() {
            Ok(ip) => {
                let bits = if ip.is_ipv4() { 32 } else { 128 };
                format!("`{text}` is an address; as a block it is {ip}/{bits}")
            }
            Err(_) => format!("`{text}` is not an address block, for example 10.0.0.0/8"),
        })
    }
}

impl JsonSchema for Block {
    fn schema_name() -> Cow<'static, str> {
        "Block".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "pattern": "^[0-9a-fA-F.:]+/[0-9]{1,3}$",
            "description": "an address block", "examples": ["10.0.0.0/8"]
        })
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
