//! HTTP/1: we read each head ourselves, strictly and under a deadline, before the framework parses it. It then gets
//! exactly these bytes, so what was judged is what is parsed.

use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::BytesMut;
use pingora::apps::HttpServerApp;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, timeout_at};

use super::direct::{ClientHead, Passed};
use super::gateway::Gateway;
use super::listener::Stop;
use super::proxy::Brought;
use super::reply::Reply;
use super::stream::Gathered;
use super::{begun, direct, matches};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::base::raw::RawHead;
use crate::pipeline;
use crate::pipeline::exchange::{Arrival, Connection, End};
use crate::stages::normalise::chunks::{Broken, Chunks};
use crate::stages::normalise::decide::{Raw, decide};
use crate::stages::normalise::head::{self, Framing};
use crate::telemetry::trace::Trace;

/// Room for a head; most fit at once.
const READ_BYTES: usize = 2 * 1024;
/// How long an idle connection is kept once we drain: its client gets one more answer, with `Connection: close`,
/// instead of a reset.
const DRAIN_LINGER: Duration = Duration::from_secs(5);
/// After a refusal, how long and how much we read before we close: a close with unread bytes would be a reset, and
/// the client would lose the answer.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 256 * 1024;

/// For the last request that a connection may carry. The framework forgets what it was told of keep-alive when it reads
/// a head, but asks whether its server stops: then the answer says `Connection: close`.
static LAST: LazyLock<Stop> = LazyLock::new(|| watch::channel(true).1);

/// Serves requests until the connection ends; once the listener stops, the next answer ends it.
pub(super) async fn serve(
    stream: Gathered,
    connection: Arc<Connection>,
    gateway: &Arc<Gateway>,
    stop: &Stop,
) {
    let bounds = &connection.listener.bounds;
    let boundary = stream.boundary();
    let mut stream: Stream = Box::new(stream);
    let mut bytes = BytesMut::new();
    // Made once for the connection: registering a timer and a watcher for every request costs more than the waiting.
    let idle = tokio::time::sleep(bounds.idle_timeout.0);
    tokio::pin!(idle);
    let stopped = stopped(stop.clone());
    tokio::pin!(stopped);
    for served in 1..=bounds.requests_per_connection {
        let due = Instant::now() + bounds.idle_timeout.0;
        let quiet = Quiet { idle: idle.as_mut(), due, stopped: stopped.as_mut() };
        let length = match read_head(&mut stream, &mut bytes, &connection, quiet).await {
            Ok(Some(length)) => length,
            Ok(None) => return,
            Err(finding) => {
                return Box::pin(refuse(stream, finding, &bytes, &connection, gateway)).await;
            }
        };
        let now = Now::read();
        let Admitted { request, rest, left } = match admit(&mut bytes, length, &connection, now) {
            Ok(admitted) => admitted,
            Err(finding) => {
                return Box::pin(refuse(stream, finding, &bytes, &connection, gateway)).await;
            }
        };
        bytes = rest;
        match left {
            Left::Bytes(left) => boundary.set(left),
            Left::Chunks(chunks) => boundary.chunked(chunks),
            Left::Unknown => boundary.open(),
        }
        let last = served == bounds.requests_per_connection;
        // Boxed: it would be a part of every idle connection.
        match Box::pin(carry(gateway, stream, request, last, stop)).await {
            Some(kept) => stream = kept,
            None => return,
        }
        boundary.open();
    }
}

/// Carries a request the direct way or through the framework. `None`: its connection has ended.
async fn carry(
    gateway: &Gateway,
    mut stream: Stream,
    request: Request,
    last: bool,
    stop: &Stop,
) -> Option<Stream> {
    let Request { arrival, bytes, head_bytes, body_bytes } = request;
    let bytes = bytes.freeze();
    let head = body_bytes.and_then(|_| ClientHead::read(bytes.slice(..head_bytes)));
    let brought = match head.as_ref().zip(body_bytes) {
        None => Brought::Arrival(arrival),
        Some((head, length)) => {
            let last = last || *stop.borrow();
            let request = direct::Request { head, body: bytes.slice(head_bytes..), length };
            match direct::serve(gateway, &mut stream, request, arrival, last).await {
                Passed::Kept => return Some(stream),
                Passed::Ended => return None,
                Passed::ToFramework(begun) => Brought::Judged(begun),
            }
        }
    };
    drop(head);
    let mut session = ServerSession::new_http1(stream);
    session.set_pipelined_prefix(bytes.into());
    session.set_connection_user_context(Some(Box::new(brought)));
    let stop = if last { &LAST } else { stop };
    let reused = gateway.proxy.process_new_http(session, stop).await?;
    Some(reused.consume().0)
}

/// Reads until `bytes` holds a whole head, whose length it returns. `None`: the client left, or was idle.
async fn read_head(
    stream: &mut Stream,
    bytes: &mut BytesMut,
    connection: &Connection,
    mut quiet: Quiet<'_, impl Future<Output = ()> + Send>,
) -> Decision<Option<usize>> {
    let bounds = &connection.listener.bounds;
    let mut deadline = None;
    let mut seen = 0;
    loop {
        skip_empty_lines(bytes);
        if let Some(length) = head::end_of_head(bytes, seen) {
            return if length > bounds.head.0 {
                too_large(bounds.head.0)
            } else {
                Ok(Some(length))
            };
        }
        if head::has_bare_line_feed(bytes) {
            return Err(Finding::new(Code::NormaliseHeader, "line ends in a bare LF")
                .detail("lines must end in CR LF"));
        }
        if bytes.len() >= bounds.head.0 {
            return too_large(bounds.head.0);
        }
        seen = bytes.len();
        bytes.reserve(READ_BYTES);
        let read = if bytes.is_empty() {
            match first_byte(stream, bytes, &mut quiet).await {
                Some(read) => read,
                None => return Ok(None),
            }
        } else {
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + bounds.head_timeout.0);
            match timeout_at(deadline, stream.read_buf(bytes)).await {
                Ok(read) => read,
                Err(_) => {
                    let text = format!("head incomplete after {}", bounds.head_timeout);
                    return Err(Finding::new(Code::NormaliseHeadTimeout, text));
                }
            }
        };
        match read {
            Ok(0) if !bytes.is_empty() => {
                return Err(Finding::new(
                    Code::NormaliseHeader,
                    "connection ended within the head",
                ));
            }
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
    }
}

/// What ends the wait for the next request.
struct Quiet<'a, S> {
    /// Fires at `due` or before: it is set anew when it fires, not for every request.
    idle: Pin<&'a mut Sleep>,
    due: Instant,
    stopped: Pin<&'a mut S>,
}

/// Resolves once a connection that waits for a request should go, because the listener ends.
async fn stopped(mut stop: Stop) {
    // An error means that the sender is gone: the listener has ended.
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(DRAIN_LINGER).await;
}

/// Waits for a request on an idle connection. `None`: idle for too long, or drained.
async fn first_byte(
    stream: &mut Stream,
    bytes: &mut BytesMut,
    quiet: &mut Quiet<'_, impl Future<Output = ()> + Send>,
) -> Option<std::io::Result<usize>> {
    loop {
        tokio::select! {
            biased;
            read = stream.read_buf(bytes) => return Some(read),
            () = &mut quiet.idle => {
                if quiet.idle.deadline() >= quiet.due {
                    return None;
                }
                quiet.idle.as_mut().reset(quiet.due);
            }
            () = &mut quiet.stopped => return None,
        }
    }
}

/// Empty lines before a request line are skipped (RFC 9112 §2.2), two at most: some old clients end a body so.
fn skip_empty_lines(bytes: &mut BytesMut) {
    for _ in 0..2 {
        if bytes.starts_with(b"\r\n") {
            let _ = bytes.split_to(2);
        }
    }
}

fn too_large(bound: usize) -> Decision<Option<usize>> {
    Err(Finding::new(Code::NormaliseHeadTooLarge, format!("head larger than {bound} bytes"))
        .detail(format!("the request head is larger than {bound} bytes")))
}

/// What was read up to the end of a head that is good.
struct Admitted {
    request: Request,
    /// What was read after it.
    rest: BytesMut,
    left: Left,
}

/// A request at the door.
struct Request {
    arrival: Arrival,
    /// What was read of it, its head first.
    bytes: BytesMut,
    head_bytes: usize,
    /// The declared length of its body, 0 without one. `None`: in chunks, or it may become another protocol.
    body_bytes: Option<u64>,
}

/// What is still to be read of a request.
enum Left {
    Bytes(u64),
    /// Chunks, until the last.
    Chunks(Chunks),
    /// Nobody knows: it may become another protocol.
    Unknown,
}

/// Judges the head; splits what was read into this request and what follows it (pipelining).
fn admit(
    bytes: &mut BytesMut,
    length: usize,
    connection: &Arc<Connection>,
    now: Now,
) -> Decision<Admitted> {
    let head = head::read(&bytes[..length])?;
    let canonical = decide(Raw { method: head.method, target: head.target, host: head.host })?;
    let raw_target = canonical.rewritten.then(|| Box::from(head.target));
    // The framework's parser refuses bytes that we only encode: it gets the canonical line.
    let line = canonical.rewritten.then(|| rewritten_line(&head, &canonical.target()));
    let old_line = head.method.len() + 1 + head.target.len();
    let body_bytes = match head.framing {
        _ if head.upgrade => None,
        Framing::None => Some(0),
        Framing::Length(body) => Some(body),
        Framing::Chunked => None,
    };
    let (end, left) = match head.framing {
        Framing::None if head.upgrade => (length, Left::Unknown),
        Framing::None => (length, Left::Bytes(0)),
        Framing::Length(body) => {
            let whole = length.saturating_add(usize::try_from(body).unwrap_or(usize::MAX));
            let end = bytes.len().min(whole);
            (end, Left::Bytes(body - (end - length) as u64))
        }
        Framing::Chunked => chunked(bytes, length)?,
    };
    // Nothing follows most requests: then no buffer is shared.
    let (mut bytes, rest) = match end == bytes.len() {
        true => (std::mem::take(bytes), BytesMut::new()),
        false => (bytes.split_to(end), std::mem::take(bytes)),
    };
    let mut head_bytes = length;
    if let Some(mut line) = line {
        head_bytes = head_bytes - old_line + line.len();
        line.extend_from_slice(&bytes[old_line..]);
        bytes = line;
    }
    let arrival =
        Arrival { connection: connection.clone(), now, canonical: Some(canonical), raw_target };
    let request = Request { arrival, bytes, head_bytes, body_bytes };
    Ok(Admitted { request, rest, left })
}

/// Walks along what is here of a body in chunks.
fn chunked(bytes: &[u8], length: usize) -> Decision<(usize, Left)> {
    let mut chunks = Chunks::default();
    match chunks.read(&bytes[length..]) {
        Ok(Some(end)) => Ok((length + end, Left::Bytes(0))),
        Ok(None) => Ok((bytes.len(), Left::Chunks(chunks))),
        Err(Broken(why)) => Err(Finding::new(Code::NormaliseFraming, why).detail(why)),
    }
}

fn rewritten_line(head: &head::Head<'_>, target: &str) -> BytesMut {
    let mut line = BytesMut::with_capacity(READ_BYTES);
    line.extend_from_slice(head.method);
    line.extend_from_slice(b" ");
    line.extend_from_slice(target.as_bytes());
    line
}

/// Answers a request that never became one, and closes so that the client can read it. `bytes` is what was read of it.
/// Boxed by who calls it: its buffer would be a part of every idle connection.
async fn refuse(
    mut stream: Stream,
    finding: Box<Finding>,
    bytes: &[u8],
    connection: &Arc<Connection>,
    gateway: &Gateway,
) {
    let arrival = Arrival {
        connection: connection.clone(),
        now: Now::read(),
        canonical: None,
        raw_target: None,
    };
    let trace = Trace::of(&http::HeaderMap::new(), false);
    let raw = RawHead::new(&bytes[..bytes.len().min(connection.listener.bounds.head.0)]);
    let mut exchange = pipeline::refused(gateway.live.load(), arrival, trace.context, finding, raw);
    let Some(finding) = exchange.ledger.decisive_finding() else { return };
    let reply = Reply::problem(finding, trace.context.request_id().as_str());
    let reply = reply.filter(|_| !raw.is_simple());
    let status = reply.as_ref().map_or(0, |reply| reply.status.as_u16());
    matches::log(&gateway.telemetry, &mut exchange, status);
    let answer = reply.map(|reply| reply.into_bytes(false)).unwrap_or_default();
    begun::finish(&gateway.telemetry, exchange, None, None, End { status, ..End::default() });
    // The client may be gone; there is nobody left to tell.
    let _ = tokio::time::timeout(LINGER, stream.write_all(&answer)).await;
    linger(&mut stream).await;
}

/// Ends a connection on which an answer was written and more may come: sends what waits and reads on for a moment.
pub(super) async fn linger(stream: &mut Stream) {
    let ended = async {
        stream.flush().await?;
        stream.shutdown().await?;
        let mut read = 0;
        let mut bytes = [0u8; 4096];
        while read < LINGER_BYTES {
            match stream.read(&mut bytes).await? {
                0 => break,
                count => read += count,
            }
        }
        std::io::Result::Ok(())
    };
    // The client may be gone; there is nobody left to tell.
    let _ = tokio::time::timeout(LINGER, ended).await;
}
