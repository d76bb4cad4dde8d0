//! The real network client against real sockets on 127.0.0.1.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::base::bounds;
use crate::state::keys::fetch::{Fetch, HttpFetch};
use crate::state::keys::source::is_public;

/// Serves the same bytes to every connection; `None` accepts and never answers.
struct Server {
    port: u16,
    connections: Arc<AtomicU32>,
}

impl Server {
    async fn start(answer: Option<Vec<u8>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicU32::new(0));
        let count = connections.clone();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                match answer.clone() {
                    Some(answer) => drop(tokio::spawn(serve(stream, answer))),
                    None => silent.push(stream),
                }
            }
        });
        Server { port, connections }
    }

    fn url(&self) -> Url {
        format!("http://127.0.0.1:{}/keys", self.port).parse().unwrap()
    }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>) {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk).await {
            Ok(read) if read > 0 => head.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

fn client() -> HttpFetch {
    // Fails when another test was first, which is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    HttpFetch::new().unwrap()
}

fn ok(body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A body without a length: it ends with the connection.
fn endless(bytes: usize) -> Vec<u8> {
    [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", &*vec![b'x'; bytes]].concat()
}

#[tokio::test]
async fn a_document_is_fetched() {
    let server = Server::start(Some(ok(b"{\"keys\":[]}"))).await;
    assert_eq!(client().get(&server.url(), true).await.unwrap(), b"{\"keys\":[]}");
}

#[tokio::test]
async fn answers_that_are_refused() {
    let bound = bounds::KEY_SET_BYTES;
    let cases = [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec(), "status 500"),
        (b"HTTP/1.1 204 Empty\r\n\r\n".to_vec(), "status 204"),
        (ok(&vec![b'x'; bound + 1]), "larger than"),
        (endless(bound + 1), "larger than"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort".to_vec(), "error"),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec(), "error"),
    ];
    for (answer, reason) in cases {
        let server = Server::start(Some(answer)).await;
        let error = client().get(&server.url(), true).await.unwrap_err();
        assert!(error.contains(reason), "`{error}` does not say `{reason}`");
    }
}

/// A redirect could lead to a place that nobody configured.
#[tokio::test]
async fn redirects_are_not_followed() {
    let target = Server::start(Some(ok(b"{}"))).await;
    for status in ["301", "302", "307", "308"] {
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n",
            target.url()
        );
        let server = Server::start(Some(answer.into_bytes())).await;
        let error = client().get(&server.url(), true).await.unwrap_err();
        assert!(error.contains(status), "{error}");
    }
    assert_eq!(target.connections.load(Ordering::Relaxed), 0);
}

/// The clock is paused: it jumps to the deadline once nothing else can happen.
#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let server = Server::start(None).await;
    let started = tokio::time::Instant::now();
    assert!(client().get(&server.url(), true).await.is_err());
    assert!(started.elapsed() <= bounds::KEY_FETCH_TIMEOUT);
}

#[tokio::test]
async fn nothing_private_without_leave() {
    let server = Server::start(Some(ok(b"{}"))).await;
    let named = format!("https://localhost:{}/keys", server.port).parse().unwrap();
    let error = client().get(&named, false).await.unwrap_err();
    assert!(error.contains("resolves to a private address"), "{error}");
    assert!(client().get(&server.url(), false).await.is_err(), "no TLS");
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_refused_connection_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let error = client().get(&url, true).await.unwrap_err();
    assert!(error.contains("refused"), "{error}");
}

#[test]
fn addresses_of_the_public_internet() {
    let private = [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "fc00::1",
        "fe80::1",
        "ff02::1",
        "2001:db8::1",
        "2002:a00:1::",
        "2001::1",
    ];
    for address in private {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
    for address in ["1.1.1.1", "8.8.8.8", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
}
