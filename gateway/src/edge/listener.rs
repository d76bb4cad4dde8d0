//! One listener: accept, count, PROXY protocol, TLS, then HTTP. Everything has a bound and a deadline.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::listeners::tls::Acceptor;
use pingora::protocols::l4::socket::SocketAddr as PingoraAddr;
use pingora::protocols::l4::stream::Stream as TransportStream;
use pingora::protocols::{ALPN, GetSocketDigest, SocketDigest, Ssl};
use std::os::fd::AsRawFd;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::gateway::Gateway;
use super::stream::Gathered;
use super::{h1, h2, proxy_protocol};
use crate::base::bounds;
use crate::base::net::any_contains;
use crate::config::listener_plan::{ListenerPlan, TlsPlan};
use crate::pipeline::exchange::Connection;

/// Connections that the kernel queues until we accept them.
const BACKLOG: u32 = 4096;
/// Pause after accept fails for lack of descriptors or memory: the cure is that connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Binds an address.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Turns true when a listener ends: it accepts no more, and its connections end with their next answer.
pub type Stop = watch::Receiver<bool>;

/// One listener, as its connections see it.
#[derive(Clone)]
pub struct Door {
    pub name: Arc<str>,
    pub gateway: Arc<Gateway>,
    pub slots: Arc<Slots>,
    pub stop: Stop,
}

/// Accepts until `stop` turns true. The plan is read anew for each connection: a reload changes certificates and
/// bounds without touching the socket. `plan` is the first.
pub async fn accept(listener: TcpListener, door: Door, mut plan: Arc<ListenerPlan>) {
    let mut stop = door.stop.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => break,
            accepted = listener.accept() => accepted,
        };
        // Gone from the configuration: we are about to be stopped, but who was accepted is served.
        if let Some(newer) = door.gateway.live.load().listener(&door.name) {
            plan = newer.clone();
        }
        match accepted {
            Ok((socket, peer)) => admit(socket, peer, &plan, &door),
            Err(error) if is_resource(&error) => {
                log::warn!(target: "yett::edge", "accept on `{}`: {error}", door.name);
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            // The client gave up between its SYN and our accept.
            Err(_) => {}
        }
    }
    // The kernel resets what waits in its queue when the socket closes.
    while let Some(Ok((socket, peer))) = listener.accept().now_or_never() {
        admit(socket, peer, &plan, &door);
    }
}

fn is_resource(error: &io::Error) -> bool {
    const RESOURCES: [rustix::io::Errno; 4] = [
        rustix::io::Errno::MFILE,
        rustix::io::Errno::NFILE,
        rustix::io::Errno::NOBUFS,
        rustix::io::Errno::NOMEM,
    ];
    error
        .raw_os_error()
        .is_some_and(|code| RESOURCES.iter().any(|errno| errno.raw_os_error() == code))
}

fn admit(socket: TcpStream, peer: SocketAddr, plan: &Arc<ListenerPlan>, door: &Door) {
    let Some(mut slot) = door.slots.take(plan) else { return };
    // Behind a PROXY header all connections come from the balancer: the client is counted once it is known.
    if !plan.proxy_protocol && !slot.count(peer.ip(), plan) {
        return;
    }
    let (plan, door) = (plan.clone(), door.clone());
    tokio::spawn(async move {
        if let Err(error) = serve(socket, peer, plan, &door, &mut slot).await {
            log::debug!(target: "yett::edge", "connection of {peer}: {error}");
        }
    });
}

async fn serve(
    mut socket: TcpStream,
    mut peer: SocketAddr,
    plan: Arc<ListenerPlan>,
    door: &Door,
    slot: &mut Slot,
) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut local = socket.local_addr()?;
    if plan.proxy_protocol {
        if !any_contains(&plan.trusted_proxies, peer.ip()) {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "PROXY header from an untrusted peer",
            ));
        }
        let header = timeout(bounds::HANDSHAKE_TIMEOUT, proxy_protocol::read(&mut socket));
        if let Some(carried) = header.await.map_err(io::Error::from)?? {
            (peer, local) = (carried.client, carried.server);
            if !slot.count(peer.ip(), &plan) {
                return Err(io::Error::new(
                    io::ErrorKind::QuotaExceeded,
                    "too many connections of this client",
                ));
            }
        }
    }
    let (gateway, stop) = (&door.gateway, &door.stop);
    let transport = transport(socket, peer);
    let Some(tls) = &plan.tls else {
        let connection = Arc::new(Connection::new(plan, peer, local, false, None));
        h1::serve(Gathered::new(Box::new(transport)), connection, gateway, stop).await;
        return Ok(());
    };
    // Boxed, as HTTP/2 is: what only some connections need, or only at first, would be a part of every idle one.
    let secured = Box::pin(handshake(transport, tls, door)).await?;
    let connection = Arc::new(Connection::new(plan, peer, local, true, secured.tls_version));
    match secured.speaks_h2 {
        true => {
            Box::pin(h2::serve(Box::new(secured.stream), connection, gateway, stop)).await;
        }
        false => h1::serve(secured.stream, connection, gateway, stop).await,
    }
    Ok(())
}

/// A connection behind its handshake.
struct Secured {
    stream: Gathered,
    tls_version: Option<&'static str>,
    speaks_h2: bool,
}

async fn handshake(transport: TransportStream, tls: &TlsPlan, door: &Door) -> io::Result<Secured> {
    let acceptor = Acceptor::from_server_config(tls.config.clone());
    let handshake = timeout(bounds::HANDSHAKE_TIMEOUT, acceptor.tls_handshake(transport));
    let stream = match handshake.await.map_err(io::Error::from)? {
        Ok(stream) => stream,
        Err(error) => {
            door.slots.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            return Err(io::Error::other(error.to_string()));
        }
    };
    let tls_version = stream.get_ssl().and_then(|tls| tls.version());
    let speaks_h2 = matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
    Ok(Secured { stream: Gathered::new(Box::new(stream)), tls_version, speaks_h2 })
}

fn transport(socket: TcpStream, peer: SocketAddr) -> TransportStream {
    let digest = SocketDigest::from_raw_fd(socket.as_raw_fd());
    // The framework would ask the kernel; behind a PROXY header that is the wrong address.
    let _ = digest.peer_addr.set(Some(PingoraAddr::Inet(peer)));
    let mut stream = TransportStream::from(socket);
    stream.set_socket_digest(digest);
    stream
}

/// Open connections: of a listener, and of one client address on it; and those that never came to be.
#[derive(Debug, Default)]
pub struct Slots {
    open: AtomicUsize,
    refused: AtomicU64,
    handshakes_failed: AtomicU64,
    per_client: Mutex<HashMap<IpAddr, usize>>,
}

/// Gives its place back when dropped.
#[derive(Debug)]
pub struct Slot {
    slots: Arc<Slots>,
    counted: Option<IpAddr>,
}

impl Slots {
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Connections that found no place.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Connections whose TLS handshake failed.
    pub fn handshakes_failed(&self) -> u64 {
        self.handshakes_failed.load(Ordering::Relaxed)
    }

    /// A place for one connection; `None` when the listener has used all of its own.
    pub(super) fn take(self: &Arc<Slots>, plan: &ListenerPlan) -> Option<Slot> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let slot = Slot { slots: self.clone(), counted: None };
        if before >= plan.bounds.connections {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(slot)
    }
}

impl Slot {
    /// Counts the connection for its client; false when the client has used all of its own. The map holds one entry
    /// per client with an open connection, so the listener's bound bounds it too.
    pub(super) fn count(&mut self, client: IpAddr, plan: &ListenerPlan) -> bool {
        if plan.bounds.connections_per_client >= plan.bounds.connections {
            return true;
        }
        let client = crate::base::net::canonical_ip(client);
        let mut per_client = self.slots.per_client.lock();
        let open = per_client.get(&client).copied().unwrap_or(0);
        if open >= plan.bounds.connections_per_client {
            self.slots.refused.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        per_client.insert(client, open + 1);
        drop(per_client);
        self.counted = Some(client);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.open.fetch_sub(1, Ordering::Relaxed);
        let Some(client) = self.counted else { return };
        let mut per_client = self.slots.per_client.lock();
        if let Some(count) = per_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                per_client.remove(&client);
            }
        }
    }
}
