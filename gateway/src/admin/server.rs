//! Accept, bounds, shutdown.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;

use super::control::Control;
use super::guard::{Guard, check_bind, check_content, check_site};
use super::reply::{Problem, Reply};
use super::resources;
use super::stall::Stalling;
use crate::telemetry::Telemetry;

/// Connections at once; further ones wait to be accepted.
const CONNECTIONS: usize = 64;
/// Clients of the event stream; fewer than connections, so that they cannot shut out a scrape.
pub(super) const STREAMS: usize = 16;
/// Time for a request head, and for a kept connection to be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_FIELDS: usize = 64;
/// Bytes of a request head.
const HEAD_BYTES: usize = 16 * 1024;
/// Time that an answer may wait for a client that does not read.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// Time that open requests have after shutdown was asked for.
const DRAIN: Duration = Duration::from_secs(5);
/// Pause after a failed accept (no descriptors): an endless loop would take the processor too.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What every resource may use.
pub(super) struct Admin {
    guard: Guard,
    pub(super) control: Arc<dyn Control>,
    pub(super) telemetry: Arc<Telemetry>,
    pub(super) started: Instant,
    pub(super) shutdown: watch::Receiver<bool>,
    /// Scrapes and reloads run one at a time.
    pub(super) scrape: Mutex<()>,
    pub(super) reload: Mutex<()>,
    pub(super) streams: Arc<Semaphore>,
}

/// Serves until `shutdown` turns true, then lets open requests end.
///
/// # Errors
/// The listener is not bound to a loopback address, or the token has fewer than 16 bytes.
pub async fn serve(
    listener: TcpListener,
    token: Arc<str>,
    control: Arc<dyn Control>,
    telemetry: Arc<Telemetry>,
    mut shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
    let bind = check_bind(listener.local_addr()?).map_err(invalid)?;
    let admin = Arc::new(Admin {
        guard: Guard::new(bind.ip(), &token).map_err(invalid)?,
        control,
        telemetry,
        started: Instant::now(),
        shutdown: shutdown.clone(),
        scrape: Mutex::new(()),
        reload: Mutex::new(()),
        streams: Arc::new(Semaphore::new(STREAMS)),
    });
    let mut connections = JoinSet::new();
    tokio::select! {
        () = accept(&listener, &admin, &mut connections) => {}
        () = stopped(&mut shutdown) => {}
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    // Connections that outlast it are closed when the set is dropped.
    let _ = tokio::time::timeout(DRAIN, drained).await;
    Ok(())
}

async fn accept(listener: &TcpListener, admin: &Arc<Admin>, connections: &mut JoinSet<()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = places.clone().acquire_owned().await {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let admin = admin.clone();
                connections.spawn(async move {
                    connection(stream, admin).await;
                    drop(place);
                });
            }
            Err(error) => {
                log::warn!("admin: accept failed: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, admin: Arc<Admin>) {
    let mut shutdown = admin.shutdown.clone();
    let authenticated = AtomicBool::new(false);
    let service = service_fn(|request| answer(&admin, &authenticated, request));
    let io = TokioIo::new(Stalling::new(stream, STALL_TIMEOUT));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADER_FIELDS)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    // An error is the client's: a bad head, a time-out, a closed connection.
    let _ = tokio::select! {
        result = connection.as_mut() => result,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
}

/// Ends when shutdown is asked for, or when nobody is left to ask.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|asked| *asked).await;
}

async fn answer(
    admin: &Arc<Admin>,
    authenticated: &AtomicBool,
    request: Request<Incoming>,
) -> Result<Reply, Infallible> {
    let reply = match check(admin, authenticated, &request) {
        Ok(()) => resources::answer(admin, request).await,
        Err(problem) => Err(problem),
    };
    Ok(reply.unwrap_or_else(Reply::from))
}

fn check(
    admin: &Admin,
    authenticated: &AtomicBool,
    request: &Request<Incoming>,
) -> Result<(), Problem> {
    let headers = request.headers();
    admin.guard.check_host(headers, request.uri())?;
    check_site(headers)?;
    if !resources::is_open(request.uri().path()) {
        let before = authenticated.load(Ordering::Relaxed);
        admin.guard.check_token(headers, before, Instant::now())?;
        authenticated.store(true, Ordering::Relaxed);
    }
    check_content(request.method(), headers)
}
