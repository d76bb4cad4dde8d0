//! Connections to services for requests that ask for an upgrade.
//!
//! The framework ends a tunnel when the end of the upgrade request's empty body reaches its upstream half after the
//! service's 101 (its issue 946); both wait in one task, and it takes whichever it looks at first. A read that lets
//! the task go round before it looks for an answer to what was just written puts the body's end first, always.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use pingora::{Error, ErrorType, OrErr, Result};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Rounds of the task between a write and the next look for an answer: the first half hands the end of the body
/// over, the second takes it.
const ROUNDS: u8 = 2;

/// Opens connections that look for answers late.
#[derive(Debug)]
pub(super) struct Patient {
    pub(super) address: SocketAddr,
    pub(super) connect_timeout: Duration,
}

#[async_trait]
impl L4Connect for Patient {
    async fn connect(&self, _: &PingoraAddr) -> Result<Stream> {
        let connect = TcpStream::connect(self.address);
        let socket = tokio::time::timeout(self.connect_timeout, connect)
            .await
            .or_err(ErrorType::ConnectTimedout, "connecting for an upgrade")?
            .map_err(|error| match error.kind() {
                io::ErrorKind::ConnectionRefused => {
                    Error::because(ErrorType::ConnectRefused, "connecting for an upgrade", error)
                }
                _ => Error::because(ErrorType::ConnectError, "connecting for an upgrade", error),
            })?;
        socket.set_nodelay(true).or_err(ErrorType::SocketError, "TCP_NODELAY")?;
        Ok(VirtualSocketStream::new(Box::new(Late { socket, rounds: 0 })).into())
    }
}

/// A socket whose reads wait a little after each write.
#[derive(Debug)]
struct Late {
    socket: TcpStream,
    /// Left until the socket is looked at.
    rounds: u8,
}

impl VirtualSocket for Late {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.socket.set_nodelay(true),
            // Dead tunnels end by the response time-out, which counts between any two reads.
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Late {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.rounds > 0 {
            self.rounds -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.socket).poll_read(cx, buf)
    }
}

impl AsyncWrite for Late {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.rounds = ROUNDS;
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
