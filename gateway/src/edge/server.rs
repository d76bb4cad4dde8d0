//! The process: listeners come and go with the configuration, are passed to a successor, and drain at the end.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::Instant;

use super::gateway::Gateway;
use super::handover::{self, Inheritance, Passed};
use super::listener::{self, Slots};
use crate::base::clock::Now;
use crate::config::reload::Host;
use crate::config::snapshot::Snapshot;
use crate::state::endpoints::resolve;
use crate::telemetry::{AccessLog, Target};

/// Name under which the admin listener is handed over; no listener of a configuration can have it.
pub const ADMIN: &str = "(admin)";
/// How long a new generation waits for host names of services.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(2);
/// How often draining looks whether connections are left.
const DRAIN_TICK: Duration = Duration::from_millis(10);

/// All listeners of the process.
pub struct Server {
    gateway: Arc<Gateway>,
    runtime: Handle,
    running: Mutex<BTreeMap<Arc<str>, Running>>,
    /// Bound for a configuration that is not in force yet.
    prepared: Mutex<Vec<(Arc<str>, Bound)>>,
    /// Sockets of a predecessor that nobody has claimed yet.
    inherited: Mutex<Vec<Passed>>,
    /// The admin listener's socket, to be handed over with the others.
    admin: Mutex<Option<Bound>>,
    followers: Mutex<Option<Follow>>,
    draining: watch::Sender<bool>,
    ending: AtomicBool,
}

type Follow = Box<dyn Fn(&Snapshot) + Send + Sync>;

/// A socket and the address that the configuration gave it; port 0 becomes another one.
struct Bound {
    wanted: SocketAddr,
    socket: std::net::TcpListener,
}

struct Running {
    wanted: SocketAddr,
    /// A second handle of the socket, for a handover.
    socket: std::net::TcpListener,
    slots: Arc<Slots>,
    stop: watch::Sender<bool>,
}

impl Server {
    pub fn new(
        gateway: Arc<Gateway>,
        draining: watch::Sender<bool>,
        inherited: Vec<Passed>,
    ) -> Arc<Server> {
        Arc::new(Server {
            gateway,
            runtime: Handle::current(),
            running: Mutex::default(),
            prepared: Mutex::default(),
            inherited: Mutex::new(inherited),
            admin: Mutex::default(),
            followers: Mutex::default(),
            draining,
            ending: AtomicBool::new(false),
        })
    }

    /// Bound addresses by listener name, for people and tests: port 0 has become a real one.
    pub fn addresses(&self) -> Vec<(Arc<str>, SocketAddr)> {
        let running = self.running.lock();
        let address = |(name, one): (&Arc<str>, &Running)| {
            Some((name.clone(), one.socket.local_addr().ok()?))
        };
        running.iter().filter_map(address).collect()
    }

    /// Open and refused connections and failed handshakes by listener name, for metrics.
    pub fn connections(&self) -> Vec<(Arc<str>, Arc<Slots>)> {
        self.running.lock().iter().map(|(name, one)| (name.clone(), one.slots.clone())).collect()
    }

    /// The admin listener: the one that is bound already, an inherited one, or a new one.
    pub fn bind_admin(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let mut admin = self.admin.lock();
        let socket = match admin.take().filter(|bound| bound.wanted == address) {
            Some(bound) => bound.socket,
            None => match self.claim(ADMIN, address) {
                Some(socket) => socket,
                None => into_std(listener::bind(address)?)?,
            },
        };
        let tokio = from_std(&socket)?;
        *admin = Some(Bound { wanted: address, socket });
        Ok(tokio)
    }

    /// The configuration wants no admin listener any more.
    pub fn close_admin(&self) {
        *self.admin.lock() = None;
    }

    /// Called with every generation that serves, after its listeners are there.
    pub fn on_adopt(&self, follow: impl Fn(&Snapshot) + Send + Sync + 'static) {
        *self.followers.lock() = Some(Box::new(follow));
    }

    /// The process was told to stop: readiness fails from now on, connections are still taken.
    pub fn announce_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }

    /// Closes what a predecessor passed and this configuration does not use.
    pub fn close_unclaimed(&self) {
        for passed in self.inherited.lock().drain(..) {
            log::info!(target: "yett::edge", "listener `{}` is not in the configuration any more", passed.name);
        }
    }

    /// Serves one handover after the other until one succeeds: then a successor accepts, and we may drain. Blocks.
    pub fn hand_over(&self, door: &UnixListener) {
        for successor in door.incoming() {
            let Ok(mut successor) = successor else { continue };
            let sockets = self.sockets();
            let named: Vec<_> =
                sockets.iter().map(|(name, socket)| (name.clone(), socket.as_fd())).collect();
            match handover::hand_over(&mut successor, &named) {
                Ok(()) => return,
                Err(error) => {
                    log::warn!(target: "yett::edge", "handover failed, this process goes on: {error}");
                }
            }
        }
    }

    fn sockets(&self) -> Vec<(String, std::net::TcpListener)> {
        let mut sockets: Vec<_> = {
            let running = self.running.lock();
            let socket = |(name, one): (&Arc<str>, &Running)| {
                Some((format!("{name} {}", one.wanted), one.socket.try_clone().ok()?))
            };
            running.iter().filter_map(socket).collect()
        };
        let admin = self.admin.lock();
        let admin = admin.as_ref().and_then(|bound| {
            Some((format!("{ADMIN} {}", bound.wanted), bound.socket.try_clone().ok()?))
        });
        sockets.extend(admin);
        sockets
    }

    /// Stops accepting, lets requests finish for `grace` at most, and says whether all did.
    pub async fn drain(&self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        self.announce_end();
        self.draining.send_replace(true);
        let stopped = std::mem::take(&mut *self.running.lock());
        *self.admin.lock() = None;
        let slots: Vec<Arc<Slots>> = stopped
            .into_values()
            .map(|one| {
                one.stop.send_replace(true);
                one.slots
            })
            .collect();
        while slots.iter().any(|slots| slots.open() > 0) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(DRAIN_TICK).await;
        }
        true
    }

    /// The socket of a predecessor for a listener of this name and address.
    fn claim(&self, name: &str, wanted: SocketAddr) -> Option<std::net::TcpListener> {
        let key = format!("{name} {wanted}");
        let mut inherited = self.inherited.lock();
        let at = inherited.iter().position(|passed| passed.name == key).or_else(|| {
            // Renamed, or port 0: what counts is where it is bound.
            inherited.iter().position(|passed| passed.listener.local_addr().ok() == Some(wanted))
        })?;
        Some(inherited.swap_remove(at).listener)
    }

    fn start(&self, name: Arc<str>, bound: Bound) {
        let (stop, stopped) = watch::channel(false);
        let slots = Arc::new(Slots::default());
        let socket = match from_std(&bound.socket) {
            Ok(socket) => socket,
            Err(error) => {
                return log::error!(target: "yett::edge", "listener `{name}` cannot accept: {error}");
            }
        };
        let accept =
            listener::accept(name.clone(), socket, self.gateway.clone(), slots.clone(), stopped);
        self.runtime.spawn(accept);
        let running = Running { wanted: bound.wanted, socket: bound.socket, slots, stop };
        self.running.lock().insert(name, running);
    }
}

impl Host for Server {
    fn warm(&self, next: &Snapshot) {
        self.runtime.block_on(resolve_names(next));
    }

    fn prepare(&self, next: &Arc<Snapshot>) -> Result<(), String> {
        let _runtime = self.runtime.enter();
        let mut prepared = Vec::new();
        for (name, plan) in &next.listeners {
            let known = self.running.lock().get(name).is_some_and(|one| one.wanted == plan.bind);
            if known {
                continue;
            }
            let socket = match self.claim(name, plan.bind) {
                Some(socket) => Ok(socket),
                None => listener::bind(plan.bind).and_then(into_std),
            };
            let socket = socket
                .map_err(|error| format!("listener `{name}` cannot bind {}: {error}", plan.bind))?;
            prepared.push((name.clone(), Bound { wanted: plan.bind, socket }));
        }
        *self.prepared.lock() = prepared;
        Ok(())
    }

    fn adopt(&self, next: &Arc<Snapshot>) {
        let _runtime = self.runtime.enter();
        adopt_state(next, &self.runtime);
        let routes: Vec<Arc<str>> = next.routes.iter().map(|route| route.id.clone()).collect();
        self.gateway.telemetry.metrics().begin_generation(next.generation, &routes);
        if let Err(error) = self.gateway.telemetry.configure(access_log(next)) {
            log::error!(target: "yett::edge", "access log: {error}; the old one goes on");
        }
        let prepared = std::mem::take(&mut *self.prepared.lock());
        let mut stopped = Vec::new();
        {
            let mut running = self.running.lock();
            let gone: Vec<Arc<str>> = running
                .keys()
                .filter(|name| {
                    !next.listeners.contains_key(*name)
                        || prepared.iter().any(|(other, _)| other == *name)
                })
                .cloned()
                .collect();
            stopped.extend(gone.iter().filter_map(|name| running.remove(name)));
        }
        for one in stopped {
            one.stop.send_replace(true);
        }
        for (name, bound) in prepared {
            self.start(name, bound);
        }
        if let Some(follow) = &*self.followers.lock() {
            follow(next);
        }
    }

    fn refused(&self, _why: &str) {
        self.gateway.telemetry.metrics().reload_refused();
    }
}

/// Addresses of host names that no generation before had: without them their services would start unavailable.
pub async fn resolve_names(next: &Snapshot) {
    let lookup: Arc<dyn resolve::Lookup> = Arc::new(resolve::SystemLookup);
    let services: Vec<_> = next.services.values().map(|plan| plan.service.clone()).collect();
    resolve::prepare(&next.state.endpoints, &services, &lookup, RESOLVE_DEADLINE).await;
}

/// What outlives snapshots follows the one in force.
fn adopt_state(next: &Snapshot, runtime: &Handle) {
    let state = &next.state;
    state.keys.adopt(next.issuers.iter().map(|issuer| issuer.key_source()), Now::read());
    state.endpoints.serve(next.services.values().map(|plan| plan.service.clone()).collect());
    state.counters.configure(next.store.clone(), runtime);
}

/// Where a configuration wants its access log.
pub fn access_log(snapshot: &Snapshot) -> AccessLog {
    let section = &snapshot.document.telemetry.access_log;
    AccessLog { target: Target::parse(&section.to), allowed_percent: section.allowed.0 }
}

/// Takes over from the process behind `path`, if there is one.
pub fn inherit(path: &Path) -> io::Result<Option<Inheritance>> {
    Inheritance::claim(path)
}

fn into_std(listener: TcpListener) -> io::Result<std::net::TcpListener> {
    listener.into_std()
}

fn from_std(socket: &std::net::TcpListener) -> io::Result<TcpListener> {
    let socket = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}
