//! PROXY protocol v2: a load balancer in front says whose connection it carries.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest address block with its extensions that is read.
const BLOCK_BYTES: usize = 4096;

/// Whose connection a balancer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Carried {
    pub(super) client: SocketAddr,
    /// The address that the client connected to.
    pub(super) server: SocketAddr,
}

/// Reads the header. `None`: the balancer's own connection (LOCAL), or an address family that is no IP.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Carried>> {
    let mut start = [0u8; 16];
    stream.read_exact(&mut start).await?;
    if &start[..12] != SIGNATURE {
        return Err(invalid("no PROXY protocol v2 signature"));
    }
    let length = usize::from(u16::from_be_bytes([start[14], start[15]]));
    if length > BLOCK_BYTES {
        return Err(invalid("PROXY protocol address block too large"));
    }
    let mut block = vec![0u8; length];
    stream.read_exact(&mut block).await?;
    match start[12] {
        0x20 => Ok(None),
        0x21 => addresses(start[13], &block),
        _ => Err(invalid("unknown PROXY protocol version or command")),
    }
}

/// Both addresses, then both ports, the client's first.
fn addresses(family: u8, block: &[u8]) -> io::Result<Option<Carried>> {
    let port = |at: usize| u16::from_be_bytes([block[at], block[at + 1]]);
    match family {
        0x11 if block.len() >= 12 => {
            let address = |at: usize| {
                IpAddr::V4(Ipv4Addr::new(block[at], block[at + 1], block[at + 2], block[at + 3]))
            };
            Ok(Some(Carried {
                client: SocketAddr::new(address(0), port(8)),
                server: SocketAddr::new(address(4), port(10)),
            }))
        }
        0x21 if block.len() >= 36 => {
            let address = |at: usize| {
                let mut octets = [0u8; 16];
                octets.copy_from_slice(&block[at..at + 16]);
                IpAddr::V6(Ipv6Addr::from(octets))
            };
            Ok(Some(Carried {
                client: SocketAddr::new(address(0), port(32)),
                server: SocketAddr::new(address(16), port(34)),
            }))
        }
        0x00 => Ok(None),
        _ => Err(invalid("PROXY protocol family is not TCP over IP")),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
