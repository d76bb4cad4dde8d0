//! The client's connection, with small writes gathered: head and body of a short answer leave in one packet and one
//! system call. The buffer exists only while something waits in it, so ten thousand idle connections hold none.
//!
//! Two times belong to it. What waits is sent after [`GATHER_TIME`] at the latest, so a service that answers slowly is
//! heard slowly, not at the end. And a client that takes nothing for [`bounds::WRITE_TIMEOUT`] loses its connection: the
//! framework times the writes of bodies, but neither heads nor flushes.
//!
//! And it knows where a request ends. The framework listens to the client while a service works, to see it leave, and
//! takes whatever it hears for a breach of protocol; but a client may send its next request early (RFC 9112 §9.3.2).
//! What comes after the end of a request waits here, and a body in chunks is
//! walked along, strictly, to find that end.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::base::bounds;
use crate::stages::normalise::chunks::{Broken, Chunks};

/// Writes of this size and more go out at once.
const GATHER_BYTES: usize = 8 * 1024;
/// Room for what waits, at first: most answers have a head and a body that fit.
const WAITING_BYTES: usize = 2 * 1024;
/// Bytes of the next request that are taken before the present one is answered; the rest waits in the kernel.
const AHEAD_BYTES: usize = 2 * 1024;
/// How long written bytes may wait for more.
const GATHER_TIME: Duration = Duration::from_millis(5);

/// Where the present request ends.
#[derive(Debug)]
pub(super) struct Boundary {
    /// Bytes of it that have not been read yet; `u64::MAX`: its end is not known.
    left: AtomicU64,
    /// Finds the end, when only the body itself says where it is.
    chunks: Mutex<Option<Chunks>>,
}

impl Boundary {
    /// Its end is not known: all that comes belongs to it.
    pub(super) fn open(&self) {
        *self.chunks.lock() = None;
        self.set(u64::MAX);
    }

    /// So many bytes are left of it.
    pub(super) fn set(&self, left: u64) {
        self.left.store(left, Ordering::Relaxed);
    }

    /// The last chunk ends it. Chunks before it were read already.
    pub(super) fn chunked(&self, chunks: Chunks) {
        self.open();
        *self.chunks.lock() = Some(chunks);
    }

    fn left(&self) -> u64 {
        self.left.load(Ordering::Relaxed)
    }

    /// Passes over what was read: how much of it belongs to the request.
    fn pass(&self, bytes: &[u8]) -> Result<usize, Broken> {
        let left = self.left();
        if left != u64::MAX {
            self.set(left.saturating_sub(bytes.len() as u64));
            return Ok(bytes.len());
        }
        let mut chunks = self.chunks.lock();
        let Some(walk) = &mut *chunks else { return Ok(bytes.len()) };
        let Some(end) = walk.read(bytes)? else { return Ok(bytes.len()) };
        *chunks = None;
        self.set(0);
        Ok(end)
    }
}

/// A connection that gathers small writes until it is flushed.
#[derive(Debug)]
pub(super) struct Gathered {
    inner: Stream,
    waiting: BytesMut,
    boundary: Arc<Boundary>,
    /// Read beyond the boundary.
    ahead: BytesMut,
    /// Set while the client takes nothing: when it loses the connection.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Set while something waits and the other side is listened to: when it is sent.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Gathered {
    pub(super) fn new(inner: Stream) -> Gathered {
        Gathered {
            inner,
            waiting: BytesMut::new(),
            boundary: Arc::new(Boundary {
                left: AtomicU64::new(u64::MAX),
                chunks: Mutex::default(),
            }),
            ahead: BytesMut::new(),
            stalled: None,
            lingering: None,
        }
    }

    /// Says where the present request ends.
    pub(super) fn boundary(&self) -> Arc<Boundary> {
        self.boundary.clone()
    }

    /// Listens beyond the end of the request: ready only when the client is gone.
    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Asked while every service works: nothing is cleared that nobody reads.
        let mut bytes = [const { MaybeUninit::uninit() }; AHEAD_BYTES];
        while self.ahead.len() < AHEAD_BYTES {
            let mut read = ReadBuf::uninit(&mut bytes[self.ahead.len()..]);
            ready!(Pin::new(&mut self.inner).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                // Who sent a request before it closed its half still waits for the answer.
                return if self.ahead.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            self.ahead.extend_from_slice(read.filled());
        }
        // Enough is known: it listens. Whoever reads on after the answer finds it here.
        Poll::Pending
    }

    fn poll_within(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = usize::try_from(self.boundary.left()).unwrap_or(usize::MAX).min(buf.remaining());
        let before = buf.filled().len();
        if !self.ahead.is_empty() {
            let count = room.min(self.ahead.len());
            buf.put_slice(&self.ahead.split_to(count));
            return Poll::Ready(self.end_request(buf, before));
        }
        self.ahead = BytesMut::new();
        if room == buf.remaining() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
            return Poll::Ready(self.end_request(buf, before));
        }
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(room));
        ready!(Pin::new(&mut self.inner).poll_read(cx, &mut part))?;
        let count = part.filled().len();
        buf.advance(count);
        Poll::Ready(self.end_request(buf, before))
    }

    /// Keeps what was read beyond the end of the request for the next one.
    fn end_request(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> io::Result<()> {
        let read = &buf.filled()[before..];
        let ours = self.boundary.pass(read).map_err(io::Error::other)?;
        if ours < read.len() {
            let mut ahead = BytesMut::from(&read[ours..]);
            ahead.extend_from_slice(&self.ahead);
            self.ahead = ahead;
            buf.set_filled(before + ours);
        }
        Ok(())
    }

    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.waiting.is_empty() {
            let polled = Pin::new(&mut self.inner).poll_write(cx, &self.waiting);
            let written = ready!(self.timed(cx, polled))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.waiting.advance(written);
        }
        self.waiting = BytesMut::new();
        self.lingering = None;
        Poll::Ready(Ok(()))
    }

    /// Turns a wait for the client into an error once it is too long. Anything it takes starts the time anew.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(bounds::WRITE_TIMEOUT)));
        ready!(deadline.as_mut().poll(cx));
        // Whoever polls on after the error gets it again, soon.
        deadline.as_mut().reset(Instant::now());
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Sends what has waited for long enough. Called while the other side is listened to: then nothing is being
    /// written. An error will meet the next write.
    fn poll_linger(&mut self, cx: &mut Context<'_>) {
        if self.waiting.is_empty() {
            return;
        }
        let over = self.lingering.get_or_insert_with(|| Box::pin(sleep(GATHER_TIME)));
        if over.as_mut().poll(cx).is_ready() {
            let _ = self.poll_empty(cx);
        }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = match self.boundary.left() {
            0 => self.poll_ahead(cx),
            _ => self.poll_within(cx, buf),
        };
        if read.is_pending() {
            self.poll_linger(cx);
        }
        read
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waiting.len() + bytes.len() <= GATHER_BYTES {
            if self.waiting.is_empty() {
                self.waiting.reserve(WAITING_BYTES);
            }
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_empty(cx))?;
        if bytes.len() < GATHER_BYTES {
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.timed(cx, polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        let polled = Pin::new(&mut self.inner).poll_flush(cx);
        self.timed(cx, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_empty(cx))?;
        let polled = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.timed(cx, polled)
    }
}

#[async_trait]
impl Shutdown for Gathered {
    async fn shutdown(&mut self) {
        // What waits belongs to an answer that was decided: the client gets it before the end.
        let _ = tokio::io::AsyncWriteExt::flush(self).await;
        // TLS says goodbye, which takes room in a buffer that the client may never empty.
        let _ = tokio::time::timeout(bounds::WRITE_TIMEOUT, self.inner.shutdown()).await;
    }
}

impl UniqueID for Gathered {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Gathered {
    fn get_ssl(&self) -> Option<&TlsRef> {
        self.inner.get_ssl()
    }

    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl GetTimingDigest for Gathered {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.inner.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.inner.get_write_pending_time()
    }
}

impl GetProxyDigest for Gathered {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Gathered {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

#[async_trait]
impl Peek for Gathered {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.inner.try_peek(buf).await
    }
}

#[cfg(test)]
mod tests;
