//! HTTP/2: a client over TLS, and a service, with or without TLS.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::DEADLINE;
use super::gateway::{Gateway, Setup};
use super::tls::{Authority, TlsClient};

type Body = BoxBody<Bytes, Infallible>;

/// A connection that speaks HTTP/2.
pub struct H2Client {
    runtime: Runtime,
    sender: SendRequest<Body>,
    /// Resolves when the connection ends.
    end: tokio::task::JoinHandle<Result<(), hyper::Error>>,
}

/// The listener that [`gateway`] adds.
const LISTENER: &str = "listeners: { public: { bind: \"127.0.0.1:0\", tls: { certificates: [{ cert: cert.pem, key: key.pem }] } } }";

/// A gateway that serves `a.test` over TLS, with files beside its configuration, which names no listeners; and its client.
#[track_caller]
pub fn gateway(config: &str, files: &[(&str, &str)]) -> (Gateway, H2Client) {
    let authority = Authority::new("tests");
    let leaf = authority.leaf(&["a.test"]);
    let setup = Setup::new(&format!("{config}\n{LISTENER}"))
        .file("cert.pem", &leaf.cert)
        .file("key.pem", &leaf.key);
    let add = |setup: Setup, (name, text): &(&str, &str)| setup.file(name, text);
    let gateway = files.iter().fold(setup, add).start();
    let client = H2Client::connect(TlsClient::trusting(&authority), gateway.address(), "a.test");
    (gateway, client)
}

impl H2Client {
    pub fn connect(client: TlsClient, address: SocketAddr, name: &str) -> H2Client {
        let runtime = runtime();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let config = client.alpn(&["h2"]).config();
        let (sender, end) = runtime.block_on(async {
            let socket = TcpStream::connect(address).await.unwrap();
            let tls = TlsConnector::from(config).connect(name, socket).await.unwrap();
            assert_eq!(tls.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
            let io = TokioIo::new(tls);
            let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
            (sender, tokio::spawn(connection))
        });
        H2Client { runtime, sender, end }
    }

    /// Sends a request and reads its answer whole.
    #[track_caller]
    pub fn send(&self, request: Request<Body>) -> Response<Bytes> {
        self.try_send(request).unwrap()
    }

    pub fn try_send(&self, request: Request<Body>) -> Result<Response<Bytes>, hyper::Error> {
        let mut sender = self.sender.clone();
        let exchange = async move {
            let response = sender.send_request(request).await?;
            let (parts, body) = response.into_parts();
            Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
        };
        let timed = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await });
        timed.expect("an answer within the deadline")
    }

    /// Sends a request and reads the head of its answer.
    #[track_caller]
    pub fn open(&self, request: Request<Body>) -> Response<Incoming> {
        let mut sender = self.sender.clone();
        let exchange = async move { sender.send_request(request).await };
        let timed = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, exchange).await });
        timed.expect("an answer within the deadline").unwrap()
    }

    /// The next part of its body; `None`: that was all.
    #[track_caller]
    pub fn part(&self, answer: &mut Response<Incoming>) -> Option<Result<Bytes, hyper::Error>> {
        let frame = answer.body_mut().frame();
        let timed = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, frame).await });
        let frame = timed.expect("a part within the deadline")?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// Sends a request without waiting for its answer.
    pub fn start(&self, request: Request<Body>) -> tokio::task::JoinHandle<u16> {
        let mut sender = self.sender.clone();
        self.runtime.spawn(async move {
            let response = sender.send_request(request).await.unwrap();
            let status = response.status().as_u16();
            response.into_body().collect().await.unwrap();
            status
        })
    }

    #[track_caller]
    pub fn join<T: Send + 'static>(&self, task: tokio::task::JoinHandle<T>) -> T {
        let timed = self.runtime.block_on(async { tokio::time::timeout(DEADLINE, task).await });
        timed.expect("a result within the deadline").unwrap()
    }

    /// The gateway ends the connection, and in order.
    #[track_caller]
    pub fn expect_end(self) {
        let H2Client { runtime, sender, end } = self;
        let timed = runtime.block_on(async { tokio::time::timeout(DEADLINE, end).await });
        timed.expect("an end within the deadline").unwrap().unwrap();
        drop(sender);
    }
}

/// A request with a body that names its length.
pub fn request(method: &str, uri: &str, body: impl Into<Bytes>) -> Request<Body> {
    let body = Full::new(body.into()).boxed();
    Request::builder().method(method).uri(uri).body(body).unwrap()
}

/// A request whose body comes in parts and names no length.
pub fn streamed(method: &str, uri: &str, parts: Vec<Bytes>) -> Request<Body> {
    let frames = futures_util::stream::iter(parts.into_iter().map(|part| Ok(Frame::data(part))));
    Request::builder()
        .method(method)
        .uri(uri)
        .body(BodyExt::boxed(StreamBody::new(frames)))
        .unwrap()
}

/// A request whose body begins and never goes on.
pub fn stalled(method: &str, uri: &str, content_type: &str) -> Request<Body> {
    let begin = futures_util::stream::iter([Ok(Frame::data(Bytes::from_static(b"begin")))]);
    let body = StreamBody::new(begin.chain(futures_util::stream::pending()));
    let request = Request::builder().method(method).uri(uri).header("content-type", content_type);
    request.body(BodyExt::boxed(body)).unwrap()
}

/// What reached an HTTP/2 service.
#[derive(Clone, Debug)]
pub struct Arrived {
    pub method: String,
    pub target: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A service that speaks HTTP/2 only and answers 200 with the target, as plain text; with trailers where the target asks.
pub struct H2Origin {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Arrived>>>,
    connections: Arc<Mutex<usize>>,
    _runtime: Runtime,
}

impl H2Origin {
    pub fn start(tls: Option<ServerConfig>) -> H2Origin {
        let runtime = runtime();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let (record, count) = (seen.clone(), connections.clone());
        runtime.spawn(async move {
            let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
            while let Ok((socket, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let (tls, record) = (tls.clone(), record.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(TokioIo::new(socket), record).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(socket).await {
                                serve(TokioIo::new(stream), record).await;
                            }
                        }
                    }
                });
            }
        });
        H2Origin { address, seen, connections, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn seen(&self) -> Vec<Arrived> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

async fn serve<I>(io: I, record: Arc<Mutex<Vec<Arrived>>>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let record = record.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let target = parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
            let answer = answer(&target);
            let method = parts.method.to_string();
            record.lock().unwrap().push(Arrived { method, target, headers: parts.headers, body });
            Ok::<_, hyper::Error>(answer)
        }
    });
    // The gateway may close whenever it likes.
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(io, service)
        .await;
}

fn answer(target: &str) -> Response<Body> {
    let mut frames = vec![Ok(Frame::data(Bytes::from(target.to_owned())))];
    if target.contains("trailers") {
        let fields = [(HeaderName::from_static("x-sum"), HeaderValue::from_static("1"))];
        frames.push(Ok(Frame::trailers(fields.into_iter().collect())));
    }
    let body = StreamBody::new(futures_util::stream::iter(frames));
    Response::builder().header("content-type", "text/plain").body(BodyExt::boxed(body)).unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}
