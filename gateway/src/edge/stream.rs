//! The client's connection, with small writes gathered: head and body of a short answer leave in one packet and one
//! system call. The buffer exists only while something waits in it, so ten thousand idle connections hold none.
//!
//! Two times belong to it. What waits is sent after [`GATHER_TIME`] at the latest, so a service that answers slowly is
//! heard slowly, not at the end. And a client that takes nothing for [`bounds::WRITE_TIMEOUT`] loses its connection: the
//! framework times the writes of bodies, but neither heads nor flushes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf, BytesMut};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::{SslDigest, TlsRef};
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl,
    Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::base::bounds;

/// Writes of this size and more go out at once.
const GATHER_BYTES: usize = 8 * 1024;
/// How long written bytes may wait for more.
const GATHER_TIME: Duration = Duration::from_millis(5);

/// A connection that gathers small writes until it is flushed.
#[derive(Debug)]
pub(super) struct Gathered {
    inner: Stream,
    waiting: BytesMut,
    /// Set while the client takes nothing: when it loses the connection.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Set while something waits and the other side is listened to: when it is sent.
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Gathered {
    pub(super) fn new(inner: Stream) -> Gathered {
        Gathered { inner, waiting: BytesMut::new(), stalled: None, lingering: None }
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
        let read = Pin::new(&mut self.inner).poll_read(cx, buf);
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
