//! Which connections are handed out again, over real sockets and a clock that the tests turn.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use pingora::protocols::l4::stream::Stream as Transport;
use pingora::server::configuration::ServerConf;
use serde_json::json;
use tokio::net::TcpStream;

use super::Idle;
use crate::base::clock::Now;
use crate::base::compile::Compile;
use crate::stages::upstream::{Peer, ServicePlan, Tried};
use crate::state::endpoints::Endpoints;

const IDLE: Duration = Duration::from_secs(5);

/// A service, and both ends of connections to it.
struct Rig {
    listener: TcpListener,
    idle: Arc<Idle>,
}

impl Rig {
    fn new(threads: usize, room: usize) -> Rig {
        let conf =
            ServerConf { threads, upstream_keepalive_pool_size: room, ..ServerConf::default() };
        Rig { listener: TcpListener::bind("127.0.0.1:0").unwrap(), idle: Idle::new(&conf) }
    }

    fn peer(&self, service: &str) -> Peer {
        let section = json!({
            "endpoints": [self.listener.local_addr().unwrap().to_string()],
            "timeouts": { "idle": "5s" },
        });
        let section = serde_json::from_value(section).unwrap();
        let now = Now::read();
        let endpoints = Endpoints::new(now);
        let plan = ServicePlan::compile(service, &section, &mut Compile::new(), &endpoints);
        plan.unwrap().pick(&Tried::new(), now).unwrap()
    }

    /// Puts a new connection on the shelf; the service's end of it comes back.
    async fn put(&self, peer: &Peer) -> std::net::TcpStream {
        let own = TcpStream::connect(peer.address).await.unwrap();
        let (others, _) = self.listener.accept().unwrap();
        self.idle.put(peer, Box::new(Transport::from(own)));
        others
    }

    fn has(&self, peer: &Peer) -> bool {
        self.idle.take(peer).is_some()
    }

    fn lying(&self) -> usize {
        self.idle.shelves.iter().map(|shelf| shelf.lock().count).sum()
    }
}

/// Lets the runtime hear what the kernel knows: it asks every 61 turns.
async fn heard() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_serves_only_its_service() {
    let rig = Rig::new(1, 8);
    let (one, other) = (rig.peer("one"), rig.peer("other"));
    let _service = rig.put(&one).await;
    assert!(!rig.has(&other), "it belongs to another service at the same address");
    assert!(rig.has(&one));
    assert!(!rig.has(&one), "it was handed out");
}

#[tokio::test]
async fn closed_by_the_service() {
    let rig = Rig::new(1, 8);
    let peer = rig.peer("web");
    let service = rig.put(&peer).await;
    service.shutdown(Shutdown::Both).unwrap();
    heard().await;
    assert!(!rig.has(&peer));
    assert_eq!(rig.lying(), 0);
}

#[tokio::test]
async fn spoken_on_unasked() {
    let rig = Rig::new(1, 8);
    let peer = rig.peer("web");
    let mut service = rig.put(&peer).await;
    service.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    heard().await;
    assert!(!rig.has(&peer));
}

#[tokio::test]
async fn the_youngest_goes_first_and_the_old_are_closed() {
    let rig = Rig::new(1, 8);
    let peer = rig.peer("web");
    let _old = rig.put(&peer).await;
    tokio::time::pause();
    tokio::time::advance(IDLE - Duration::from_secs(1)).await;
    tokio::time::resume();
    let mut young = rig.put(&peer).await;
    let taken = rig.idle.take(&peer).unwrap();
    drop(taken);
    let mut byte = [0; 1];
    assert_eq!(young.read(&mut byte).unwrap(), 0, "the young one was taken");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(!rig.has(&peer), "the old one is due");
}

#[tokio::test]
async fn sweeping_closes_what_nobody_takes() {
    let rig = Rig::new(2, 8);
    let peer = rig.peer("web");
    let gone = rig.put(&peer).await;
    let _stays = rig.put(&peer).await;
    gone.shutdown(Shutdown::Both).unwrap();
    heard().await;
    for (seconds, left) in [(0, 1), (6, 0)] {
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(seconds)).await;
        for shelf in &rig.idle.shelves {
            drop(shelf.lock().sweep(tokio::time::Instant::now()));
        }
        tokio::time::resume();
        assert_eq!(rig.lying(), left, "after {seconds} s");
        assert_eq!(rig.idle.shelves.iter().any(|shelf| !shelf.lock().lying.is_empty()), left > 0);
    }
}

#[tokio::test]
async fn a_full_shelf_keeps_no_more() {
    let rig = Rig::new(1, 2);
    let peer = rig.peer("web");
    let mut services = Vec::new();
    for _ in 0..3 {
        services.push(rig.put(&peer).await);
    }
    assert_eq!(rig.lying(), 2);
    let taken: Vec<_> = std::iter::from_fn(|| rig.idle.take(&peer)).collect();
    assert_eq!((taken.len(), rig.lying()), (2, 0));
}

/// Whoever has nothing takes from the others.
#[tokio::test]
async fn every_thread_finds_what_another_put_down() {
    let rig = Rig::new(4, 8);
    let peer = rig.peer("web");
    let _service = rig.put(&peer).await;
    let handle = tokio::runtime::Handle::current();
    let found = std::thread::scope(|scope| {
        let threads = (0..4).map(|_| {
            scope.spawn(|| {
                let _entered = handle.enter();
                rig.has(&peer)
            })
        });
        threads.map(|thread| thread.join().unwrap()).filter(|found| *found).count()
    });
    assert_eq!(found, 1);
}
