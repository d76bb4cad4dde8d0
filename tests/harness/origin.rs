//! A service behind the gateway. It records every byte that reaches it, before it understands any of them.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Wire, eventually};

/// A request as it arrived.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Request line and fields, as sent.
    pub head: Vec<u8>,
    /// What has arrived of the body, without chunk framing.
    pub body: Vec<u8>,
    pub complete: bool,
}

impl Seen {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    pub fn line(&self) -> String {
        self.text().split("\r\n").next().unwrap_or_default().to_owned()
    }

    pub fn method(&self) -> String {
        self.line().split(' ').next().unwrap_or_default().to_owned()
    }

    pub fn target(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> Vec<String> {
        let text = self.text();
        let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        let found = fields.filter(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim().to_owned()).collect()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// Field names in lower case.
    pub fn names(&self) -> Vec<String> {
        let text = self.text();
        let fields = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.map(|(name, _)| name.to_ascii_lowercase()).collect()
    }
}

type Script = Box<dyn FnOnce(&mut dyn Wire) + Send>;

/// What the service does with a request.
pub enum Answer {
    /// Status, fields, body. With Content-Length, unless the fields frame the body.
    Reply(u16, Vec<(String, String)>, Vec<u8>),
    /// Closes without a word.
    Close,
    /// Says nothing until the gateway goes.
    Silence,
    /// Writes to and reads from the connection itself, which is closed afterwards.
    Stream(Script),
}

impl Answer {
    pub fn ok(body: impl AsRef<[u8]>) -> Answer {
        Answer::Reply(200, Vec::new(), body.as_ref().to_vec())
    }

    pub fn status(status: u16) -> Answer {
        Answer::Reply(status, Vec::new(), format!("status {status}").into_bytes())
    }

    /// These bytes, then the end.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Answer {
        let bytes = bytes.as_ref().to_vec();
        Answer::stream(move |wire| _ = wire.write_all(&bytes))
    }

    pub fn stream(script: impl FnOnce(&mut dyn Wire) + Send + 'static) -> Answer {
        Answer::Stream(Box::new(script))
    }
}

type Handler = dyn Fn(&Seen) -> Answer + Send + Sync;

/// An HTTP/1.1 service on a free port of the loopback, one thread per connection.
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    handler: Box<Handler>,
    tls: Option<Arc<ServerConfig>>,
    seen: Mutex<Vec<Seen>>,
    sockets: Mutex<Vec<TcpStream>>,
    connections: AtomicUsize,
    bytes: AtomicUsize,
    stopped: AtomicBool,
}

impl Origin {
    pub fn start(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Origin {
        Origin::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, handler)
    }

    /// Answers every request with 200 and its request line.
    pub fn echo() -> Origin {
        Origin::start(|seen| Answer::ok(seen.line()))
    }

    pub fn start_tls(
        tls: ServerConfig,
        handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Origin {
        Origin::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Some(Arc::new(tls)), handler)
    }

    /// On an address that a service had before.
    pub fn restart(
        address: SocketAddr,
        handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Origin {
        Origin::bind(address, None, handler)
    }

    fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind(address).unwrap();
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            tls,
            seen: Mutex::default(),
            sockets: Mutex::default(),
            connections: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let address = listener.local_addr().unwrap();
        std::thread::spawn({
            let shared = shared.clone();
            move || accept(&listener, &shared)
        });
        Origin { address, shared }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far, in the order of their heads.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Waits for `count` complete requests; more are an error.
    #[track_caller]
    pub fn requests(&self, count: usize) -> Vec<Seen> {
        let seen = eventually(&format!("{count} requests at the origin"), || {
            let seen = self.seen();
            (seen.iter().filter(|one| one.complete).count() >= count).then_some(seen)
        });
        assert_eq!(seen.len(), count, "{seen:?}");
        seen
    }

    #[track_caller]
    pub fn request(&self) -> Seen {
        self.requests(1).remove(0)
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Not one byte has arrived.
    #[track_caller]
    pub fn expect_nothing(&self) {
        assert_eq!(self.shared.bytes.load(Ordering::SeqCst), 0, "{:?}", self.seen());
    }

    /// Closes the port and every connection.
    pub fn stop(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes the accept, which then drops the listener.
        let _ = TcpStream::connect(self.address);
        for socket in self.shared.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        eventually("origin is closed", || TcpStream::connect(self.address).is_err().then_some(()));
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for socket in listener.incoming() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let Ok(socket) = socket else { return };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        shared.sockets.lock().unwrap().push(socket.try_clone().unwrap());
        let shared = shared.clone();
        std::thread::spawn(move || {
            let closer = socket.try_clone().unwrap();
            match &shared.tls {
                None => _ = serve(&mut Counted { wire: socket, shared: &shared }, &shared),
                Some(tls) => {
                    let tls = ServerConnection::new(tls.clone()).unwrap();
                    let wire = StreamOwned::new(tls, socket);
                    _ = serve(&mut Counted { wire, shared: &shared }, &shared);
                }
            }
            let _ = closer.shutdown(Shutdown::Both);
        });
    }
}

/// Counts what arrives.
struct Counted<'s, W> {
    wire: W,
    shared: &'s Shared,
}

impl<W: Read> Read for Counted<'_, W> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let count = self.wire.read(bytes)?;
        self.shared.bytes.fetch_add(count, Ordering::SeqCst);
        Ok(count)
    }
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.wire.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.wire.flush()
    }
}

/// Serves requests until the connection ends.
fn serve(wire: &mut impl Wire, shared: &Shared) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            more(wire, &mut buffer)?;
        };
        let head: Vec<u8> = buffer.drain(..end).collect();
        let mut request = Recording { shared, index: 0 };
        request.begin(Seen { head, ..Seen::default() });
        read_body(wire, &mut buffer, &request)?;
        request.update(|seen| seen.complete = true);
        let seen = request.seen();
        match (shared.handler)(&seen) {
            Answer::Reply(status, headers, body) => {
                wire.write_all(&reply(&seen, status, &headers, &body)).ok()?;
                wire.flush().ok()?;
            }
            Answer::Close => return None,
            Answer::Silence => while more(wire, &mut buffer).is_some() {},
            Answer::Stream(script) => {
                script(wire);
                return None;
            }
        }
    }
}

/// One entry of the record, while its request is read.
struct Recording<'s> {
    shared: &'s Shared,
    index: usize,
}

impl Recording<'_> {
    fn begin(&mut self, seen: Seen) {
        let mut all = self.shared.seen.lock().unwrap();
        self.index = all.len();
        all.push(seen);
    }

    fn update(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.shared.seen.lock().unwrap()[self.index]);
    }

    fn seen(&self) -> Seen {
        self.shared.seen.lock().unwrap()[self.index].clone()
    }
}

fn read_body(wire: &mut impl Wire, buffer: &mut Vec<u8>, request: &Recording<'_>) -> Option<()> {
    let seen = request.seen();
    if seen.header("transfer-encoding").is_some() {
        return read_chunks(wire, buffer, request);
    }
    let mut left: usize = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    while left > 0 {
        if buffer.is_empty() {
            more(wire, buffer)?;
        }
        let part: Vec<u8> = buffer.drain(..left.min(buffer.len())).collect();
        left -= part.len();
        request.update(|seen| seen.body.extend_from_slice(&part));
    }
    Some(())
}

fn read_chunks(wire: &mut impl Wire, buffer: &mut Vec<u8>, request: &Recording<'_>) -> Option<()> {
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            more(wire, buffer)?;
        };
        let line: Vec<u8> = buffer.drain(..end + 2).collect();
        let size = usize::from_str_radix(String::from_utf8_lossy(&line).trim(), 16).ok()?;
        while buffer.len() < size + 2 {
            more(wire, buffer)?;
        }
        let chunk: Vec<u8> = buffer.drain(..size + 2).collect();
        request.update(|seen| seen.body.extend_from_slice(&chunk[..size]));
        if size == 0 {
            return Some(());
        }
    }
}

fn more(wire: &mut impl Wire, buffer: &mut Vec<u8>) -> Option<()> {
    let mut bytes = [0; 16 * 1024];
    match wire.read(&mut bytes) {
        Ok(0) | Err(_) => None,
        Ok(count) => {
            buffer.extend_from_slice(&bytes[..count]);
            Some(())
        }
    }
}

fn reply(seen: &Seen, status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let framed =
        headers.iter().any(|(name, _)| name == "content-length" || name == "transfer-encoding");
    if !framed && status != 204 && status != 304 {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    let mut bytes = format!("{text}\r\n").into_bytes();
    if seen.method() != "HEAD" && status != 204 && status != 304 {
        bytes.extend_from_slice(body);
    }
    bytes
}
