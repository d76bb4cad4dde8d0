//! Active checks against real sockets.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::Endpoints;
use super::super::endpoint::{Availability, Needed};
use super::super::health::{self, Check, CheckTls, probe};
use super::super::service::ServiceSpec;
use super::spec;
use crate::base::clock::Now;

const SOON: Duration = Duration::from_secs(120);

fn check() -> Check {
    Check {
        target: "/healthz?full".into(),
        authority: "orders.internal:8080".into(),
        interval: Duration::from_millis(2),
        timeout: SOON,
        needed: Needed { unhealthy_after: 2, healthy_after: 2 },
        http2: false,
        tls: None,
    }
}

/// A service whose status can be set, and that counts what it was asked.
struct Server {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Server {
    async fn start(http2: bool, tls: Option<Arc<ServerConfig>>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Server {
            address: listener.local_addr().unwrap(),
            status: Arc::new(AtomicU16::new(200)),
            asked: Arc::default(),
        };
        let (status, asked) = (Arc::clone(&server.status), Arc::clone(&server.asked));
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (status, asked) = (Arc::clone(&status), Arc::clone(&asked));
                let tls = tls.clone();
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(tcp, http2, status, asked).await };
                    if let Ok(stream) = TlsAcceptor::from(tls).accept(tcp).await {
                        serve(stream, http2, status, asked).await;
                    }
                });
            }
        });
        server
    }
}

async fn serve<S>(stream: S, http2: bool, status: Arc<AtomicU16>, asked: Arc<AtomicUsize>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer = service_fn(move |request: Request<Incoming>| {
        asked.fetch_add(1, Ordering::Relaxed);
        let authority = request.uri().authority().map(ToString::to_string);
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        let good = request.uri().path_and_query().unwrap() == "/healthz?full"
            && authority.or(host).unwrap() == "orders.internal:8080";
        let code = if good { status.load(Ordering::Relaxed) } else { 400 };
        async move {
            Ok::<_, Infallible>(
                Response::builder().status(code).body(Empty::<Bytes>::new()).unwrap(),
            )
        }
    });
    let io = TokioIo::new(stream);
    // A client that goes away is its own business.
    let _ = if http2 {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(io, answer)
            .await
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await
    };
}

/// Answers every connection with these bytes, then keeps it open.
async fn raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                if tcp.write_all(answer).await.is_ok() {
                    let _ = tcp.read_to_end(&mut Vec::new()).await;
                }
            });
        }
    });
    address
}

struct Trust {
    server: Arc<ServerConfig>,
    roots: RootCertStore,
}

fn trust(name: &str, alpn: &[u8]) -> Trust {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    server.alpn_protocols = vec![alpn.to_vec()];
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    Trust { server: Arc::new(server), roots }
}

fn client(roots: RootCertStore, name: &str, alpn: &[u8]) -> CheckTls {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![alpn.to_vec()];
    let server_name = ServerName::try_from(name.to_owned()).unwrap();
    CheckTls { server_name, client: Arc::new(client), generation: 1 }
}

#[tokio::test]
async fn only_a_status_of_200_to_299_is_healthy() {
    for http2 in [false, true] {
        let server = Server::start(http2, None).await;
        let check = Check { http2, ..check() };
        for (status, healthy) in
            [(200, true), (204, true), (301, false), (404, false), (503, false)]
        {
            server.status.store(status, Ordering::Relaxed);
            let result = probe(&check, server.address).await;
            assert_eq!(result.is_ok(), healthy, "http2 {http2}, status {status}: {result:?}");
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http_is_unhealthy_and_says_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let cases = [
        (closed, SOON, "connection"),
        (raw(b"SSH-2.0-OpenSSH_9.2\r\n").await, SOON, "answer"),
        (raw(b"").await, Duration::from_millis(50), "no answer within 50ms"),
        (raw(b"HTTP/1.1 200").await, Duration::from_millis(50), "no answer within 50ms"),
    ];
    for (address, timeout, part) in cases {
        let error = probe(&Check { timeout, ..check() }, address).await.unwrap_err();
        assert!(error.contains(part), "{error} lacks {part}");
    }
}

#[tokio::test]
async fn an_endless_response_head_ends_at_its_bound() {
    let head: &'static [u8] =
        Box::leak([b"HTTP/1.1 200 OK\r\nx: ".as_slice(), &[b'a'; 64 * 1024]].concat().into());
    let error = probe(&check(), raw(head).await).await.unwrap_err();
    assert!(error.contains("answer"), "{error}");
}

#[tokio::test]
async fn checks_verify_what_requests_verify() {
    for (http2, alpn) in [(false, b"http/1.1".as_slice()), (true, b"h2")] {
        let real = trust("orders.internal", alpn);
        let server = Server::start(http2, Some(real.server)).await;
        let good = client(real.roots.clone(), "orders.internal", alpn);
        let wrong_name = client(real.roots, "other.internal", alpn);
        let wrong_roots = client(trust("orders.internal", alpn).roots, "orders.internal", alpn);
        for (tls, healthy) in [(good, true), (wrong_name, false), (wrong_roots, false)] {
            let check = Check { http2, tls: Some(tls), ..check() };
            let result = probe(&check, server.address).await;
            assert_eq!(result.is_ok(), healthy, "http2 {http2}: {result:?}");
            if let Err(error) = result {
                assert!(error.contains("tls handshake"), "{error}");
            }
        }
    }
}

/// Waits for a condition of another task.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let met = async {
        while !condition() {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(SOON, met).await.is_ok(), "never: {what}");
}

fn checked(server: &Server, check: Check) -> ServiceSpec {
    let target = server.address.to_string();
    ServiceSpec { check: Some(check), ..spec("orders", &[&target]) }
}

#[tokio::test]
async fn an_endpoint_goes_and_comes_back_and_its_verdict_survives_a_reload() {
    let server = Server::start(false, None).await;
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let task = tokio::spawn(health::run(Arc::clone(&endpoints), 7));
    let service = endpoints.open(checked(&server, check()));
    endpoints.serve(vec![Arc::clone(&service)]);
    let endpoint = Arc::clone(&service.members()[0]);
    until("asked", || server.asked.load(Ordering::Relaxed) > 2).await;
    assert_eq!(endpoint.availability(true, now), Availability::Ready);

    server.status.store(500, Ordering::Relaxed);
    until("taken out", || endpoint.availability(true, now) == Availability::Unhealthy).await;
    let reloaded = endpoints.open(checked(&server, check()));
    assert_eq!(reloaded.members()[0].availability(true, now), Availability::Unhealthy);
    endpoints.serve(vec![reloaded]);
    assert_eq!(endpoints.status(now)[0].last_failure.as_deref(), Some("status 500"));

    server.status.store(200, Ordering::Relaxed);
    until("taken back", || endpoint.availability(true, now) == Availability::Ready).await;
    assert_eq!(endpoints.status(now)[0].last_failure, None);
    task.abort();
}

#[tokio::test]
async fn checks_end_with_their_service() {
    let server = Server::start(false, None).await;
    let endpoints = Endpoints::new(Now::read());
    let task = tokio::spawn(health::run(Arc::clone(&endpoints), 7));
    let service = endpoints.open(checked(&server, check()));
    let endpoint = Arc::downgrade(&service.members()[0]);
    endpoints.serve(vec![service]);
    until("asked", || server.asked.load(Ordering::Relaxed) > 0).await;
    endpoints.serve(Vec::new());
    until("ended", || endpoint.strong_count() == 0).await;
    task.abort();
}

#[tokio::test]
async fn a_reload_restarts_only_checks_that_changed() {
    let server = Server::start(false, None).await;
    let endpoints = Endpoints::new(Now::read());
    let mut running = health::Running::new();
    let mut reload = |check: Check| {
        endpoints.serve(vec![endpoints.open(checked(&server, check))]);
        health::reconcile(&endpoints, &mut running, 7);
        running.values().map(health::Task::id).collect::<Vec<_>>()
    };
    let first = reload(check());
    assert_eq!(first.len(), 1);
    assert_eq!(reload(check()), first);
    let second = reload(Check { target: "/other".into(), ..check() });
    assert_ne!(second, first);
    let tls = |generation| {
        let tls = client(RootCertStore::empty(), "orders.internal", b"http/1.1");
        Check { tls: Some(CheckTls { generation, ..tls }), ..check() }
    };
    let third = reload(tls(1));
    assert_eq!(reload(tls(1)), third);
    assert_ne!(reload(tls(2)), third);
}
