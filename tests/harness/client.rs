//! Requests as bytes, answers taken apart. Nothing between the test and the socket corrects anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DEADLINE, Wire};

/// A well-formed request, unless the test writes something else into it.
#[derive(Clone)]
pub struct Request {
    line: String,
    host: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub fn new(method: &str, target: &str) -> Request {
        Request {
            line: format!("{method} {target} HTTP/1.1"),
            host: "gateway.test".into(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub fn get(target: &str) -> Request {
        Request::new("GET", target)
    }

    pub fn host(mut self, host: &str) -> Request {
        self.host = host.into();
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn bearer(self, token: &str) -> Request {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// With its Content-Length.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Request {
        self.body = Some(body.as_ref().to_vec());
        self
    }

    pub fn json(self, value: &Value) -> Request {
        self.header("content-type", "application/json").body(value.to_string())
    }

    pub fn form(self, body: &str) -> Request {
        self.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}\r\nHost: {}\r\n", self.line, self.host);
        for (name, value) in &self.headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        let mut bytes = format!("{text}\r\n").into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Over a connection of its own.
    #[track_caller]
    pub fn send(&self, address: SocketAddr) -> Response {
        let mut client = Client::connect(address);
        client.send(&self.bytes());
        client.response_to(self.line.split(' ').next().unwrap())
    }
}

/// A body in chunks.
pub fn chunked(chunks: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in chunks {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// Sends bytes and reads until the gateway closes; it must.
#[track_caller]
pub fn raw(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut client = Client::connect(address);
    client.offer(bytes);
    client.rest()
}

/// A connection whose answers are read one by one.
pub struct Client {
    wire: Box<dyn Wire>,
    read: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Client {
        Client::over(connect(address))
    }

    pub fn over(wire: impl Wire + 'static) -> Client {
        Client { wire: Box::new(wire), read: Vec::new() }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.wire.write_all(bytes).unwrap();
        self.wire.flush().unwrap();
    }

    /// Sends what the gateway may refuse to read to its end.
    pub fn offer(&mut self, bytes: &[u8]) {
        let _ = self.wire.write_all(bytes).and_then(|()| self.wire.flush());
    }

    /// The next answer, to a request of any method but HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        let head = self.head();
        let mut response = Response::of_head(&head);
        let status = response.status;
        if method == "HEAD" || status == 204 || status == 304 || (100..200).contains(&status) {
            return response;
        }
        response.body = if response.header("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else if let Some(length) = response.header("content-length") {
            self.take(length.parse().unwrap())
        } else {
            self.rest()
        };
        response
    }

    /// One head, its empty line included.
    #[track_caller]
    pub fn head(&mut self) -> Vec<u8> {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                return self.read.drain(..end + 4).collect();
            }
            if self.more() == 0 {
                let text = String::from_utf8_lossy(&self.read);
                panic!("connection closed within an answer's head: {text:?}");
            }
        }
    }

    /// The next `count` bytes.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more() > 0, "connection closed within {count} bytes");
        }
        self.read.drain(..count).collect()
    }

    #[track_caller]
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(2).position(|two| two == b"\r\n") {
                let line: Vec<u8> = self.read.drain(..end + 2).collect();
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            assert!(self.more() > 0, "connection closed within a chunk");
        }
    }

    /// One chunk of a body; empty: the last.
    #[track_caller]
    pub fn chunk(&mut self) -> Vec<u8> {
        let size = usize::from_str_radix(&self.line(), 16).unwrap();
        let chunk = self.take(size);
        self.line();
        chunk
    }

    #[track_caller]
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let chunk = self.chunk();
            if chunk.is_empty() {
                return body;
            }
            body.extend_from_slice(&chunk);
        }
    }

    /// Everything until the end of the connection, which must come.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        while self.more() > 0 {}
        std::mem::take(&mut self.read)
    }

    /// The connection ends, and nothing more comes before.
    #[track_caller]
    pub fn expect_close(&mut self) {
        let rest = self.rest();
        assert!(rest.is_empty(), "after the answer: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Reads once; 0: the connection is closed.
    #[track_caller]
    fn more(&mut self) -> usize {
        let mut bytes = [0; 16 * 1024];
        match self.wire.read(&mut bytes) {
            Ok(count) => {
                self.read.extend_from_slice(&bytes[..count]);
                count
            }
            Err(error) if is_end(error.kind()) => 0,
            Err(error) => panic!("neither an answer nor an end of the connection: {error}"),
        }
    }
}

fn is_end(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof)
}

/// A socket with deadlines.
pub fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

/// How long something took.
pub fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let done = what();
    (done, start.elapsed())
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// Takes apart what a closed connection left behind: one answer and nothing after it.
    #[track_caller]
    pub fn only(bytes: &[u8]) -> Response {
        let mut client = Client::over(std::io::Cursor::new(bytes.to_vec()));
        let response = client.response();
        client.expect_close();
        response
    }

    #[track_caller]
    fn of_head(head: &[u8]) -> Response {
        let text = String::from_utf8_lossy(head).into_owned();
        let mut lines = text.trim_end().split("\r\n");
        let line = lines.next().unwrap();
        let status =
            line.strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("status line {line:?}"));
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("field {line:?}"));
            (name.to_ascii_lowercase(), value.trim().to_owned())
        });
        let status = status[..3].parse().unwrap();
        Response { status, headers: headers.collect(), body: Vec::new() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(one, _)| one == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The finding's code of a problem answer, which must be a proper one.
    #[track_caller]
    pub fn code(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], self.status, "{problem}");
        assert_eq!(problem["request_id"].as_str().map(str::len), Some(32), "{problem}");
        problem["code"].as_str().unwrap().to_owned()
    }
}
