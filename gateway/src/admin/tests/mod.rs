//! A listener on a real socket, and a client that sends what it likes, byte for byte.

mod events;
mod guard;
mod resources;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use parking_lot::Mutex;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Ban, Control, serve};
use crate::telemetry::Telemetry;
use crate::telemetry::tests::{PATIENCE, silent};

const TOKEN: &str = "0123456789abcdef-token";

/// A gateway as the admin listener sees it.
#[derive(Debug, Default)]
struct Gateway {
    ready: Mutex<bool>,
    /// What the next reload comes to.
    refused: Mutex<Option<String>>,
    reloads: Mutex<u64>,
    bans: Mutex<Vec<Ban>>,
}

impl Control for Gateway {
    fn ready(&self) -> Result<(), String> {
        if *self.ready.lock() { Ok(()) } else { Err("no generation serves yet".into()) }
    }

    fn generation(&self) -> u64 {
        *self.reloads.lock()
    }

    fn config(&self) -> Value {
        json!({ "admin": { "token": "file:/run/secrets/admin" } })
    }

    fn reload(&self) -> Result<u64, String> {
        if let Some(problems) = self.refused.lock().clone() {
            return Err(problems);
        }
        *self.reloads.lock() += 1;
        Ok(*self.reloads.lock())
    }

    fn routes(&self) -> Vec<Map<String, Value>> {
        let route = json!({ "id": "orders", "to": "orders-v1" });
        vec![route.as_object().cloned().unwrap_or_default()]
    }

    fn bans(&self) -> Vec<Ban> {
        self.bans.lock().clone()
    }

    fn ban(&self, ban: Ban) -> Result<(), String> {
        if ban.block.contains(&"127.0.0.1".parse::<std::net::IpAddr>().unwrap()) {
            return Err("loopback must not be banned".into());
        }
        self.bans.lock().push(ban);
        Ok(())
    }

    fn unban(&self, block: IpNet) -> bool {
        let mut bans = self.bans.lock();
        let before = bans.len();
        bans.retain(|ban| ban.block != block);
        bans.len() < before
    }

    fn status(&self) -> Map<String, Value> {
        Map::from_iter([("store".to_owned(), json!("up"))])
    }
}

struct Fixture {
    address: SocketAddr,
    gateway: Arc<Gateway>,
    telemetry: Arc<Telemetry>,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn start() -> Fixture {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gateway = Arc::new(Gateway::default());
    let telemetry = Arc::new(silent());
    let (stop, stopped) = watch::channel(false);
    let serving = serve(listener, TOKEN.into(), gateway.clone(), telemetry.clone(), stopped);
    Fixture { address, gateway, telemetry, stop, server: tokio::spawn(serving) }
}

/// An answer, as it came.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Fixture {
    /// Sends bytes and reads until the listener closes.
    async fn raw(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // A listener that refuses early may close before it has read everything.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
        let _ = read.expect("the listener answers or closes");
        answer(&String::from_utf8(bytes).unwrap())
    }

    /// One request with the token.
    async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        self.raw(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }

    /// One request with these further lines and nothing else.
    async fn with(&self, method: &str, path: &str, lines: &str) -> Answer {
        self.raw(&format!("{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")).await
    }
}

fn answer(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Reads until `text` contains `until`.
async fn read_until(stream: &mut TcpStream, text: &mut String, until: &str) {
    let reading = async {
        let mut bytes = [0; 4096];
        while !text.contains(until) {
            let read = stream.read(&mut bytes).await.unwrap();
            assert!(read > 0, "closed before `{until}`: {text}");
            text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("it comes");
}

#[tokio::test]
async fn shutdown_ends_idle_connections_and_streams() {
    let fixture = start().await;
    let idle = TcpStream::connect(fixture.address).await.unwrap();
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut stream, &mut String::new(), ":\n\n").await;
    fixture.stop.send(true).unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(4), fixture.server).await;
    ended.expect("before the drain time is over").unwrap().unwrap();
    drop(idle);
}
