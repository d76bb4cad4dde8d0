//! The process: listeners come and go with the configuration, are passed to a successor, and drain at the end.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::gateway::Gateway;
use super::handover::{self, Inheritance, Passed};
use super::listener::{self, Door, Slots, Stop};
use crate::base::clock::Now;
use crate::config::document::AuditLogFormat;
use crate::config::listener_plan::ListenerPlan;
use crate::config::reload::Host;
use crate::config::snapshot::{AdminPlan, Snapshot};
use crate::state::endpoints::resolve;
use crate::telemetry::{AccessLog, AuditFormat, AuditLog, Target};

/// Name under which the admin listener is handed over; no listener of a configuration can have it.
pub const ADMIN: &str = "(admin)";
/// How often draining looks whether connections are left.
const DRAIN_TICK: Duration = Duration::from_millis(10);
/// How long a start or a reload waits for host names of services.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(2);
/// Pause after a successor could not be accepted (no descriptors).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the admin listener until told to stop. What it answers is not the edge's matter.
pub type ServeAdmin = Box<dyn Fn(TcpListener, &AdminPlan, Stop) + Send + Sync>;

/// All listeners of the process.
pub struct Server {
    gateway: Arc<Gateway>,
    runtime: Handle,
    running: Mutex<BTreeMap<Arc<str>, Running>>,
    /// Listeners that a reload ended and whose connections have not all ended yet.
    leaving: Mutex<Vec<Leaving>>,
    /// Bound for a configuration that is not in force yet.
    prepared: Mutex<Prepared>,
    /// Sockets of a predecessor that nobody has claimed yet.
    inherited: Mutex<Vec<Passed>>,
    admin: Mutex<Option<RunningAdmin>>,
    serve_admin: OnceLock<ServeAdmin>,
    ending: AtomicBool,
}

#[derive(Default)]
struct Prepared {
    listeners: Vec<(Arc<str>, Bound)>,
    admin: Option<std::net::TcpListener>,
}

/// A socket and the address that the configuration gave it; port 0 becomes another one.
struct Bound {
    wanted: SocketAddr,
    socket: std::net::TcpListener,
}

struct Running {
    wanted: SocketAddr,
    /// A second handle of the socket, for a handover or another name.
    socket: std::net::TcpListener,
    stop: watch::Sender<bool>,
    rest: Leaving,
}

/// What is left of a listener that was stopped.
struct Leaving {
    accepting: JoinHandle<()>,
    slots: Arc<Slots>,
}

struct RunningAdmin {
    plan: AdminPlan,
    /// A second handle of the socket, for a handover or another token.
    socket: std::net::TcpListener,
    stop: watch::Sender<bool>,
}

impl Server {
    pub fn new(gateway: Arc<Gateway>, inherited: Vec<Passed>) -> Arc<Server> {
        Arc::new(Server {
            gateway,
            runtime: Handle::current(),
            running: Mutex::default(),
            leaving: Mutex::default(),
            prepared: Mutex::default(),
            inherited: Mutex::new(inherited),
            admin: Mutex::default(),
            serve_admin: OnceLock::new(),
            ending: AtomicBool::new(false),
        })
    }

    /// Says how the admin listener is served; before the first configuration is adopted.
    pub fn serve_admin(&self, serve: ServeAdmin) {
        // Set once: there is one admin listener, and one place that calls this.
        let _ = self.serve_admin.set(serve);
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
        self.running
            .lock()
            .iter()
            .map(|(name, one)| (name.clone(), one.rest.slots.clone()))
            .collect()
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
            let Ok(mut successor) = successor else {
                std::thread::park_timeout(ACCEPT_PAUSE);
                continue;
            };
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
        let admin = admin.as_ref().and_then(|admin| {
            Some((format!("{ADMIN} {}", admin.plan.bind), admin.socket.try_clone().ok()?))
        });
        sockets.extend(admin);
        sockets
    }

    /// Stops accepting, lets requests finish for `grace` at most, and says whether all did.
    pub async fn drain(&self, grace: Duration) -> bool {
        let deadline = Instant::now() + grace;
        self.announce_end();
        if let Some(admin) = self.admin.lock().take() {
            admin.stop.send_replace(true);
        }
        let stopped = std::mem::take(&mut *self.running.lock());
        let mut leaving = std::mem::take(&mut *self.leaving.lock());
        leaving.extend(stopped.into_values().map(Running::stop));
        for one in &mut leaving {
            // Until it has ended it may still admit a connection.
            if timeout_at(deadline, &mut one.accepting).await.is_err() {
                return false;
            }
        }
        while leaving.iter().any(|one| one.slots.open() > 0) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(DRAIN_TICK).await;
        }
        true
    }

    /// Waits for the host names of a configuration's services, for a bounded time, and binds what it needs.
    pub async fn prepare_all(&self, next: &Snapshot) -> Result<(), String> {
        let services: Vec<_> = next.services.values().map(|plan| plan.service.clone()).collect();
        let lookup: Arc<dyn resolve::Lookup> = Arc::new(resolve::SystemLookup);
        resolve::prepare(&next.state.endpoints, &services, &lookup, RESOLVE_DEADLINE).await;
        let prepared = Prepared {
            listeners: self.bind_listeners(next)?,
            admin: next.admin.as_ref().map_or(Ok(None), |plan| self.bind_admin(plan))?,
        };
        *self.prepared.lock() = prepared;
        Ok(())
    }

    fn bind_listeners(&self, next: &Snapshot) -> Result<Vec<(Arc<str>, Bound)>, String> {
        let mut bound = Vec::new();
        for (name, plan) in &next.listeners {
            let known = self.running.lock().get(name).is_some_and(|one| one.wanted == plan.bind);
            if known {
                continue;
            }
            let socket = match self.claim(name, plan.bind).or_else(|| self.renamed(plan.bind, next))
            {
                Some(socket) => Ok(socket),
                None => listener::bind(plan.bind).and_then(TcpListener::into_std),
            };
            let socket = socket
                .map_err(|error| format!("listener `{name}` cannot bind {}: {error}", plan.bind))?;
            bound.push((name.clone(), Bound { wanted: plan.bind, socket }));
        }
        Ok(bound)
    }

    /// The socket of a running listener whose address the next configuration gives to another name.
    fn renamed(&self, wanted: SocketAddr, next: &Snapshot) -> Option<std::net::TcpListener> {
        let running = self.running.lock();
        let stays = |name: &Arc<str>| next.listener(name).is_some_and(|plan| plan.bind == wanted);
        let (_, one) = running.iter().find(|(name, one)| one.wanted == wanted && !stays(name))?;
        one.socket.try_clone().ok()
    }

    /// A socket for the admin listener, unless the one that runs stays as it is. A new token needs a new server on the
    /// same socket.
    fn bind_admin(&self, plan: &AdminPlan) -> Result<Option<std::net::TcpListener>, String> {
        let running = self.admin.lock();
        let same_bind = running.as_ref().filter(|admin| admin.plan.bind == plan.bind);
        let socket = match same_bind {
            Some(admin) if admin.plan.token == plan.token => return Ok(None),
            Some(admin) => admin.socket.try_clone(),
            None => match self.claim(ADMIN, plan.bind) {
                Some(socket) => Ok(socket),
                None => listener::bind(plan.bind).and_then(TcpListener::into_std),
            },
        };
        let failed = |error| format!("admin listener cannot bind {}: {error}", plan.bind);
        socket.map(Some).map_err(failed)
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

    /// Stops what the configuration does not name any more, or names with another address.
    fn stop_gone(&self, next: &Snapshot, prepared: &[(Arc<str>, Bound)]) {
        let moved = |name: &Arc<str>| prepared.iter().any(|(other, _)| other == name);
        let gone = |name: &Arc<str>| next.listener(name).is_none() || moved(name);
        let stopped: Vec<Running> =
            self.running.lock().extract_if(.., |name, _| gone(name)).map(|(_, one)| one).collect();
        let mut leaving = self.leaving.lock();
        leaving.retain(|one| one.slots.open() > 0 || !one.accepting.is_finished());
        leaving.extend(stopped.into_iter().map(Running::stop));
    }

    fn start(&self, name: &Arc<str>, plan: &Arc<ListenerPlan>, bound: Bound) {
        let (stop, stopped) = watch::channel(false);
        let slots = Arc::new(Slots::default());
        let socket = match from_std(&bound.socket) {
            Ok(socket) => socket,
            Err(error) => {
                return log::error!(target: "yett::edge", "listener `{name}` cannot accept: {error}");
            }
        };
        log_address(&format!("listener `{name}`"), &socket);
        let door = Door {
            name: name.clone(),
            gateway: self.gateway.clone(),
            slots: slots.clone(),
            stop: stopped,
        };
        let accepting = self.runtime.spawn(listener::accept(socket, door, plan.clone()));
        let rest = Leaving { accepting, slots };
        let running = Running { wanted: bound.wanted, socket: bound.socket, stop, rest };
        self.running.lock().insert(name.clone(), running);
    }

    fn adopt_admin(&self, next: Option<&AdminPlan>, prepared: Option<std::net::TcpListener>) {
        let mut running = self.admin.lock();
        if (next.is_none() || prepared.is_some())
            && let Some(admin) = running.take()
        {
            admin.stop.send_replace(true);
        }
        let (Some(plan), Some(socket), Some(serve)) = (next, prepared, self.serve_admin.get())
        else {
            return;
        };
        match from_std(&socket) {
            Ok(listener) => {
                log_address("admin listener", &listener);
                let (stop, stopped) = watch::channel(false);
                serve(listener, plan, stopped);
                *running = Some(RunningAdmin { plan: plan.clone(), socket, stop });
            }
            Err(error) => {
                log::error!(target: "yett::edge", "admin listener cannot accept: {error}")
            }
        }
    }
}

impl Running {
    fn stop(self) -> Leaving {
        self.stop.send_replace(true);
        self.rest
    }
}

impl Host for Server {
    /// Blocks; never called on a worker thread.
    fn prepare(&self, next: &Arc<Snapshot>) -> Result<(), String> {
        self.runtime.block_on(self.prepare_all(next))
    }

    fn adopt(&self, next: &Arc<Snapshot>) {
        let _runtime = self.runtime.enter();
        adopt_state(next, &self.runtime);
        let routes: Vec<Arc<str>> = next.routes.iter().map(|route| route.id.clone()).collect();
        self.gateway.telemetry.metrics().begin_generation(next.generation, &routes);
        if let Err(error) = self.gateway.telemetry.configure(access_log(next), waf_log(next)) {
            log::error!(target: "yett::edge", "{error}; the old one goes on");
        }
        if let Err(error) = self.gateway.telemetry.configure_audit(audit_log(next)) {
            log::error!(target: "yett::edge", "{error}; the old one goes on");
        }
        let prepared = std::mem::take(&mut *self.prepared.lock());
        self.stop_gone(next, &prepared.listeners);
        for (name, bound) in prepared.listeners {
            if let Some(plan) = next.listener(&name) {
                self.start(&name, plan, bound);
            }
        }
        self.adopt_admin(next.admin.as_ref(), prepared.admin);
    }

    fn refused(&self, _why: &str) {
        self.gateway.telemetry.metrics().reload_refused();
    }
}

/// What outlives snapshots follows the one in force.
pub fn adopt_state(next: &Snapshot, runtime: &Handle) {
    let state = &next.state;
    state.keys.adopt(next.issuers.iter().map(|issuer| issuer.key_source()), Now::read());
    state.endpoints.serve(next.services.values().map(|plan| plan.service.clone()).collect());
    state.counters.configure(next.store.clone(), runtime);
}

/// Where a configuration wants its access log.
pub fn access_log(snapshot: &Snapshot) -> AccessLog {
    let section = &snapshot.access_log;
    AccessLog { target: Target::parse(&section.to), allowed_percent: section.allowed.0 }
}

/// Where a configuration wants the log of the rules' matches.
pub fn waf_log(snapshot: &Snapshot) -> Target {
    let section = snapshot.waf_log.as_ref();
    section.map_or(Target::Off, |section| Target::parse(&section.to))
}

/// Where a configuration wants records for auditors.
pub fn audit_log(snapshot: &Snapshot) -> AuditLog {
    let section = snapshot.audit_log.as_ref();
    AuditLog {
        target: section.map_or(Target::Off, |section| Target::parse(&section.to)),
        format: match section.map(|section| section.format) {
            Some(AuditLogFormat::Native) => AuditFormat::Native,
            Some(AuditLogFormat::Json) | None => AuditFormat::Json,
        },
    }
}

/// Takes over from the process behind `path`, if there is one.
pub fn inherit(path: &Path) -> io::Result<Option<Inheritance>> {
    Inheritance::claim(path)
}

/// For people and tests: port 0 has become a real one.
fn log_address(what: &str, socket: &TcpListener) {
    if let Ok(address) = socket.local_addr() {
        log::info!(target: "yett::edge", "{what} on {address}");
    }
}

fn from_std(socket: &std::net::TcpListener) -> io::Result<TcpListener> {
    let socket = socket.try_clone()?;
    socket.set_nonblocking(true)?;
    TcpListener::from_std(socket)
}
