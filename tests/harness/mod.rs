//! What every test stands on.
//!
//! | file | what |
//! |---|---|
//! | [`gateway`] | the binary: start, address, events, reload, signals, stop |
//! | [`origin`] | a service that records whatever reaches it and answers as the test says |
//! | [`coding`] | content codings |
//! | [`client`] | requests as bytes, answers taken apart |
//! | [`tls`] | authorities, certificates, TLS clients |
//! | [`h2`] | an HTTP/2 client and an HTTP/2 service |
//! | [`tokens`] | an issuer with its key set |
//! | [`redis`] | a store |
//! | [`dns`] | a name server |

pub mod client;
pub mod coding;
pub mod dns;
pub mod gateway;
pub mod h2;
pub mod origin;
pub mod redis;
pub mod tls;
pub mod tokens;

use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Longest wait for anything: a start, an answer, an event, an end. Far longer than any of them should take, because
/// machines that run tests are starved at times; nobody waits for it unless a test fails.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// Grace period of gateways. Below `DEADLINE`, so that an end that waited for it is told from one that never came.
pub const GRACE: Duration = Duration::from_secs(60);

/// A connection, whatever is below it.
pub trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// Looks until there is something to see.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < end, "{what}: not seen within {DEADLINE:?}");
        std::thread::park_timeout(Duration::from_millis(3));
    }
}

/// Nobody accepts there.
pub fn connect_refused(address: std::net::SocketAddr) -> bool {
    std::net::TcpStream::connect(address)
        .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
}
