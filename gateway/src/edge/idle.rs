//! Connections to services between two requests, for those that go the direct way.
//!
//! The framework keeps a task, a lock and two channels for each idle connection of its own pool. Here a connection only
//! lies there: whether it is still good is asked when it is taken, and of those that nobody takes once a second.
//!
//! Each worker thread has a shelf of its own and looks at the others' only when it is empty, so that no lock is waited for.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use pingora::Result;
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::protocols::Stream;
use pingora::server::configuration::ServerConf;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::peer::framework_peer;
use crate::stages::upstream::Peer;

/// How often idle connections are looked through.
const SWEEP: Duration = Duration::from_secs(1);

/// The idle connections of all services.
pub(super) struct Idle {
    connector: TransportConnector,
    shelves: Box<[Mutex<Shelf>]>,
    /// Connections that one shelf holds at most.
    room: usize,
}

/// Only peers that agree in this share connections: address, and what [`Peer::group_key`] stands for.
type Key = (SocketAddr, u64);

#[derive(Default)]
struct Shelf {
    /// The last that came back goes out first: the others grow old and are closed.
    lying: HashMap<Key, Vec<Lying>>,
    count: usize,
}

struct Lying {
    stream: Stream,
    /// When it has been unused for too long.
    due: Instant,
}

impl Idle {
    /// A shelf for each worker thread, each as large as the framework's pool.
    pub(super) fn new(conf: &ServerConf) -> Arc<Idle> {
        Arc::new(Idle {
            connector: TransportConnector::new(Some(ConnectorOptions::from_server_conf(conf))),
            shelves: (0..conf.threads.max(1)).map(|_| Mutex::default()).collect(),
            room: conf.upstream_keepalive_pool_size,
        })
    }

    /// Closes, once a second, what the service has closed or what is due, for as long as there is a gateway.
    pub(super) async fn sweep(idle: Weak<Idle>) {
        loop {
            tokio::time::sleep(SWEEP).await;
            let Some(idle) = idle.upgrade() else { return };
            let now = Instant::now();
            for shelf in &idle.shelves {
                // They are closed when nobody waits for the shelf any more.
                let gone = shelf.lock().sweep(now);
                drop(gone);
            }
        }
    }

    /// A connection that was used before, if there is a good one.
    pub(super) fn take(&self, peer: &Peer) -> Option<Stream> {
        let (key, now) = (key(peer), Instant::now());
        let own = self.own();
        let taken = self.shelves[own].lock().take(&key, now);
        taken.or_else(|| {
            let others = (0..self.shelves.len()).filter(|at| *at != own);
            others.into_iter().find_map(|at| self.shelves[at].try_lock()?.take(&key, now))
        })
    }

    /// A new connection, with TLS where the service has it.
    pub(super) async fn connect(&self, peer: &Peer) -> Result<Stream> {
        let target = framework_peer(peer);
        self.connector.new_stream(&target).await
    }

    /// Keeps a connection on which nothing is under way. Without room it is closed.
    pub(super) fn put(&self, peer: &Peer, stream: Stream) {
        let lying = Lying { stream, due: Instant::now() + peer.timeouts.idle };
        self.shelves[self.own()].lock().put(key(peer), lying, self.room);
    }

    /// The shelf of this thread.
    fn own(&self) -> usize {
        thread_local!(static TURN: Cell<Option<usize>> = const { Cell::new(None) });
        static TURNS: AtomicUsize = AtomicUsize::new(0);
        let turn = TURN.get().unwrap_or_else(|| TURNS.fetch_add(1, Ordering::Relaxed));
        TURN.set(Some(turn));
        turn % self.shelves.len()
    }
}

fn key(peer: &Peer) -> Key {
    (peer.address, peer.group_key)
}

impl Shelf {
    fn take(&mut self, key: &Key, now: Instant) -> Option<Stream> {
        let lying = self.lying.get_mut(key)?;
        while let Some(mut one) = lying.pop() {
            self.count -= 1;
            if one.is_good(now) {
                return Some(one.stream);
            }
        }
        None
    }

    fn put(&mut self, key: Key, lying: Lying, room: usize) {
        if self.count < room {
            self.count += 1;
            self.lying.entry(key).or_default().push(lying);
        }
    }

    /// Gives back what is to be closed. Services that have nothing here are forgotten.
    fn sweep(&mut self, now: Instant) -> Vec<Lying> {
        let mut gone = Vec::new();
        self.lying.retain(|_, lying| {
            gone.extend(lying.extract_if(.., |one| !one.is_good(now)));
            !lying.is_empty()
        });
        self.count -= gone.len();
        gone
    }
}

impl Lying {
    /// Whether a request may be sent on it. A service that says something unasked is not to be understood: what it said
    /// would be taken for the next answer.
    fn is_good(&mut self, now: Instant) -> bool {
        now < self.due && self.stream.read(&mut [0; 1]).now_or_never().is_none()
    }
}

#[cfg(test)]
mod tests;
