//! Clients that ask without pause, and remember whatever went wrong.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::harness::client::Request;
use crate::harness::{DEADLINE, eventually};

/// Pause between two requests of a client: a test machine has other things to do too.
const PAUSE: Duration = Duration::from_millis(2);

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One connection for as long as the gateway keeps it.
    KeepAlive,
    /// A connection for each request.
    Fresh,
}

/// Load on one address.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<Tally>>,
}

struct Shared {
    stopped: AtomicBool,
    answered: AtomicUsize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub statuses: BTreeMap<u16, usize>,
    /// Requests without an answer.
    pub failures: Vec<String>,
    pub slowest: Duration,
    /// Connections that the gateway announced to close.
    pub closes: usize,
}

impl Load {
    /// One client for each style.
    pub fn start(address: SocketAddr, request: &Request, styles: &[Style]) -> Load {
        let shared =
            Arc::new(Shared { stopped: AtomicBool::new(false), answered: AtomicUsize::new(0) });
        let client = |style: &Style| {
            let (shared, bytes, style) = (shared.clone(), request.bytes(), *style);
            std::thread::spawn(move || ask(address, &bytes, style, &shared))
        };
        let clients = styles.iter().map(client).collect();
        Load { shared, clients }
    }

    /// Waits until so many more requests were answered.
    #[track_caller]
    pub fn more(&self, count: usize) {
        let wanted = self.shared.answered.load(Ordering::SeqCst) + count;
        eventually(&format!("{count} more answers"), || {
            (self.shared.answered.load(Ordering::SeqCst) >= wanted).then_some(())
        });
    }

    pub fn stop(self) -> Tally {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for client in self.clients {
            let one = client.join().unwrap();
            for (status, count) in one.statuses {
                *all.statuses.entry(status).or_default() += count;
            }
            all.failures.extend(one.failures);
            all.slowest = all.slowest.max(one.slowest);
            all.closes += one.closes;
        }
        all
    }
}

impl Tally {
    pub fn answered(&self) -> usize {
        self.statuses.values().sum()
    }

    /// Every request was answered, and with 200.
    #[track_caller]
    pub fn expect_only_200(&self) {
        assert!(self.failures.is_empty(), "{:?} of {}", self.failures, self.answered());
        assert_eq!(self.statuses.keys().copied().collect::<Vec<_>>(), [200], "{:?}", self.statuses);
    }
}

fn ask(address: SocketAddr, bytes: &[u8], style: Style, shared: &Shared) -> Tally {
    let mut tally = Tally::default();
    let mut kept = None;
    while !shared.stopped.load(Ordering::SeqCst) {
        let started = Instant::now();
        match exchange(kept.take(), address, bytes) {
            Ok((status, closes, socket)) => {
                *tally.statuses.entry(status).or_default() += 1;
                tally.closes += usize::from(closes);
                kept = (!closes && style == Style::KeepAlive).then_some(socket);
                shared.answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => {
                tally.failures.push(format!("{style:?} after {:?}: {error}", started.elapsed()));
            }
        }
        tally.slowest = tally.slowest.max(started.elapsed());
        std::thread::park_timeout(PAUSE);
    }
    tally
}

/// Sends a request and reads its answer whole: status, whether the connection closes, the connection.
fn exchange(
    kept: Option<TcpStream>,
    address: SocketAddr,
    bytes: &[u8],
) -> Result<(u16, bool, TcpStream), Error> {
    let mut socket = match kept {
        Some(socket) => socket,
        None => dial(address)?,
    };
    socket.write_all(bytes)?;
    let (status, closes) = read_answer(&mut socket)?;
    Ok((status, closes, socket))
}

fn dial(address: SocketAddr) -> Result<TcpStream, Error> {
    let socket = TcpStream::connect_timeout(&address, DEADLINE)?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.set_write_timeout(Some(DEADLINE))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// An answer with Content-Length, as those of our services and of the gateway itself.
fn read_answer(socket: &mut TcpStream) -> Result<(u16, bool), Error> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        more(socket, &mut read)?;
    };
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let field = |name: &str| {
        let found = head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.map(|value| value.trim().to_owned())
    };
    let invalid = || Error::new(ErrorKind::InvalidData, head.clone());
    let status = head.get(9..12).and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
    let length: usize =
        field("content-length").and_then(|text| text.parse().ok()).ok_or_else(invalid)?;
    while read.len() < end + length {
        more(socket, &mut read)?;
    }
    Ok((status, field("connection").as_deref() == Some("close")))
}

fn more(socket: &mut TcpStream, read: &mut Vec<u8>) -> Result<(), Error> {
    let mut bytes = [0; 4096];
    match socket.read(&mut bytes)? {
        0 => {
            Err(Error::new(ErrorKind::UnexpectedEof, format!("closed after {} bytes", read.len())))
        }
        count => {
            read.extend_from_slice(&bytes[..count]);
            Ok(())
        }
    }
}
