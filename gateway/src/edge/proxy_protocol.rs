//! PROXY protocol v2: a load balancer in front says whose connection it carries.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Longest address block with its extensions that is read.
const BLOCK_BYTES: usize = 4096;

/// Reads the header. `None`: the balancer's own connection (LOCAL), or an address family that is no IP.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
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
        0x21 => source(start[13], &block),
        _ => Err(invalid("unknown PROXY protocol version or command")),
    }
}

fn source(family: u8, block: &[u8]) -> io::Result<Option<SocketAddr>> {
    match (family, block) {
        (0x11, [a, b, c, d, _, _, _, _, p, q, _, _, ..]) => {
            let ip = IpAddr::V4(Ipv4Addr::new(*a, *b, *c, *d));
            Ok(Some(SocketAddr::new(ip, u16::from_be_bytes([*p, *q]))))
        }
        (0x21, block) if block.len() >= 36 => {
            let mut octets = [0u8; 16];
            octets.copy_from_slice(&block[..16]);
            let ip = IpAddr::V6(Ipv6Addr::from(octets));
            Ok(Some(SocketAddr::new(ip, u16::from_be_bytes([block[32], block[33]]))))
        }
        (0x00, _) => Ok(None),
        _ => Err(invalid("PROXY protocol family is not TCP over IP")),
    }
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
