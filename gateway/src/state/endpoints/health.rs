//! Active checks: one small task per endpoint of a checked service. An endpoint starts as healthy; results in a row
//! change the verdict.
//!
//! Checks follow the serving configuration. A check that stays the same is not restarted by a reload, so frequent
//! reloads cannot starve it.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time;
use tokio_rustls::TlsConnector;

use super::Endpoints;
use super::endpoint::{Endpoint, Needed};

/// Largest response head of a check, bytes. Prevents that a service fills the memory.
const ANSWER_BYTES: usize = 16 * 1024;

/// How the endpoints of a service are asked: `GET`, and a status of 200 to 299 is healthy. Over the protocol that
/// requests take: HTTP/1.1 or HTTP/2, with the same TLS, each check on a connection of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Path and query, checked when the configuration was compiled.
    pub target: String,
    /// `Host` or `:authority`.
    pub authority: String,
    pub interval: Duration,
    pub timeout: Duration,
    pub needed: Needed,
    pub http2: bool,
    pub tls: Option<CheckTls>,
}

/// TLS of a check: what requests to the service trust, and nothing else.
#[derive(Clone)]
pub struct CheckTls {
    pub server_name: ServerName<'static>,
    pub client: Arc<ClientConfig>,
    /// Changes when the name or the authorities change.
    pub generation: u64,
}

impl PartialEq for CheckTls {
    fn eq(&self, other: &CheckTls) -> bool {
        self.generation == other.generation
    }
}

impl fmt::Debug for CheckTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckTls({:?}, {:016x})", self.server_name, self.generation)
    }
}

/// Starts, keeps and stops checks as the serving configuration says. Never returns; dropping it stops all checks.
/// `seed` spreads the checks of several gateways: draw it once per process.
pub async fn run(endpoints: Arc<Endpoints>, seed: u64) {
    let mut changes = endpoints.watch();
    let mut running = HashMap::new();
    loop {
        reconcile(&endpoints, &mut running, seed);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

pub(super) type Running = HashMap<(Arc<str>, SocketAddr), Task>;

/// One check under way; stops when dropped.
pub(super) struct Task {
    check: Check,
    handle: AbortHandle,
}

impl Task {
    #[cfg(test)]
    pub(super) fn id(&self) -> tokio::task::Id {
        self.handle.id()
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

pub(super) fn reconcile(endpoints: &Arc<Endpoints>, running: &mut Running, seed: u64) {
    let mut before = std::mem::take(running);
    for service in endpoints.serving().iter() {
        let Some(check) = service.check() else { continue };
        for endpoint in service.members().iter() {
            let key = (Arc::clone(service.name()), endpoint.address);
            let task = match before.remove(&key) {
                Some(task) if task.check == *check => task,
                _ => start(check.clone(), Arc::clone(endpoint), seed),
            };
            running.insert(key, task);
        }
    }
}

fn start(check: Check, endpoint: Arc<Endpoint>, seed: u64) -> Task {
    let handle = tokio::spawn(repeat(check.clone(), endpoint, seed)).abort_handle();
    Task { check, handle }
}

/// The first check comes at a random point of the first interval, the others with 10 % of jitter: neither the
/// endpoints of one gateway nor the gateways of one service ask in step.
async fn repeat(check: Check, endpoint: Arc<Endpoint>, seed: u64) {
    let mut draw = Draw::new(seed, &endpoint);
    time::sleep(draw.share(check.interval)).await;
    loop {
        let result = probe(&check, endpoint.address).await;
        let text = result.as_ref().err().cloned();
        if endpoint.checked(result, check.needed) {
            let (service, address) = (&endpoint.service, endpoint.address);
            match text {
                Some(why) => {
                    log::warn!("endpoint {address} of service `{service}` is unhealthy: {why}")
                }
                None => log::info!("endpoint {address} of service `{service}` is healthy again"),
            }
        }
        time::sleep(check.interval.mul_f64(0.9) + draw.share(check.interval.mul_f64(0.2))).await;
    }
}

/// Asks once. The error says what was wrong, for operators.
pub async fn probe(check: &Check, address: SocketAddr) -> Result<(), String> {
    let answer = time::timeout(check.timeout, ask(check, address)).await;
    let status = answer.map_err(|_| format!("no answer within {:?}", check.timeout))??;
    if status.is_success() { Ok(()) } else { Err(format!("status {}", status.as_u16())) }
}

async fn ask(check: &Check, address: SocketAddr) -> Result<StatusCode, String> {
    let tcp = TcpStream::connect(address).await.map_err(|error| format!("connection: {error}"))?;
    let Some(tls) = &check.tls else { return exchange(check, tcp).await };
    let connector = TlsConnector::from(Arc::clone(&tls.client));
    let stream = connector
        .connect(tls.server_name.clone(), tcp)
        .await
        .map_err(|error| format!("tls handshake: {error}"))?;
    exchange(check, stream).await
}

async fn exchange<S>(check: &Check, stream: S) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let answer =
        if check.http2 { over_http2(check, io).await } else { over_http1(check, io).await };
    answer.map_err(|error| format!("answer: {error}"))
}

type Body = Empty<bytes::Bytes>;

async fn over_http1<S>(check: &Check, io: TokioIo<S>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connected = http1::Builder::new().max_buf_size(ANSWER_BYTES).handshake::<_, Body>(io).await;
    let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
    let request = request(check, &check.target)?;
    drive(connection, sender.send_request(request)).await
}

async fn over_http2<S>(check: &Check, io: TokioIo<S>) -> Result<StatusCode, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(u32::try_from(ANSWER_BYTES).unwrap_or(u32::MAX));
    let connected = builder.handshake::<_, Body>(io).await;
    let (mut sender, connection) = connected.map_err(|error| error.to_string())?;
    let scheme = if check.tls.is_some() { "https" } else { "http" };
    let request = request(check, &format!("{scheme}://{}{}", check.authority, check.target))?;
    drive(connection, sender.send_request(request)).await
}

/// Keeps the connection going until the answer is there. A connection may end in the very moment in which it hands over the
/// answer; without one, its end is an error of the answer.
async fn drive<B>(
    connection: impl Future<Output = hyper::Result<()>>,
    answer: impl Future<Output = hyper::Result<http::Response<B>>>,
) -> Result<StatusCode, String> {
    tokio::pin!(answer);
    let answered = tokio::select! {
        biased;
        answered = &mut answer => answered,
        _ = connection => answer.await,
    };
    answered.map(|response| response.status()).map_err(|error| error.to_string())
}

fn request(check: &Check, uri: &str) -> Result<Request<Body>, String> {
    let mut builder = Request::get(uri).header(http::header::USER_AGENT, "yett-health");
    if !check.http2 {
        builder = builder
            .header(http::header::HOST, &check.authority)
            .header(http::header::CONNECTION, "close");
    }
    builder.body(Empty::new()).map_err(|error| error.to_string())
}

/// Reproducible jitter: from the seed, the endpoint and a counter.
struct Draw {
    base: u64,
    count: u64,
}

impl Draw {
    fn new(seed: u64, endpoint: &Endpoint) -> Draw {
        let base = FixedState::with_seed(seed).hash_one((&endpoint.service, endpoint.address));
        Draw { base, count: 0 }
    }

    /// A random share of `whole`.
    fn share(&mut self, whole: Duration) -> Duration {
        self.count += 1;
        let mut hasher = FixedState::with_seed(self.base).build_hasher();
        hasher.write_u64(self.count);
        let per_mille = u32::try_from(hasher.finish() >> 48).unwrap_or(0) * 1000 / 65_536;
        whole * per_mille / 1000
    }
}
