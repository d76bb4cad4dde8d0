//! Endpoints of services: addresses, health, load. Outlives configurations: an endpoint that keeps its service and
//! its address keeps its health; a service that keeps its name keeps its retry budget.
//!
//! | file | what it holds |
//! |---|---|
//! | [`endpoint`] | one address: requests in flight, refusals, verdict of the checks |
//! | [`service`] | the endpoints of one service in one configuration |
//! | [`budget`] | retries as a share of requests |
//! | [`health`] | active checks, in the background |
//! | [`resolve`] | names to addresses, in the background |
//!
//! Compiling a configuration opens services here; they count only once [`Endpoints::serve`] was called with
//! them, so that a refused configuration leaves nothing behind.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::base::clock::Now;

pub mod budget;
pub mod endpoint;
pub mod health;
pub mod resolve;
pub mod service;

#[cfg(test)]
mod tests;

use budget::RetryBudget;
use endpoint::{Endpoint, EndpointStatus};
use service::{Service, ServiceSpec, Turn};

/// All endpoints of the process.
#[derive(Debug)]
pub struct Endpoints {
    started: Now,
    known: Shared<(Arc<str>, SocketAddr), Endpoint>,
    budgets: Shared<Arc<str>, RetryBudget>,
    turns: Shared<Arc<str>, Turn>,
    /// Last good addresses of each name.
    names: Mutex<HashMap<Arc<str>, Vec<IpAddr>>>,
    serving: ArcSwap<Vec<Arc<Service>>>,
    /// Counts changes of `serving` and of any service's members.
    changes: watch::Sender<u64>,
}

/// What lives as long as some configuration holds it.
type Shared<K, T> = Mutex<HashMap<K, Weak<T>>>;

impl Endpoints {
    pub fn new(started: Now) -> Arc<Endpoints> {
        Arc::new(Endpoints {
            started,
            known: Mutex::default(),
            budgets: Mutex::default(),
            turns: Mutex::default(),
            names: Mutex::default(),
            serving: ArcSwap::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// A service of a configuration that is being compiled. Names are resolved as far as they are known.
    pub fn open(&self, spec: ServiceSpec) -> Arc<Service> {
        let budget = shared(&self.budgets, &spec.name, RetryBudget::new);
        let turn = shared(&self.turns, &spec.name, Turn::default);
        let service = Arc::new(Service::new(spec, budget, turn));
        self.refresh(&service);
        service
    }

    /// The services of the configuration that now serves: checks and resolution follow them, and what no
    /// configuration holds any more is forgotten.
    pub fn serve(&self, services: Vec<Arc<Service>>) {
        let names: HashSet<Arc<str>> =
            services.iter().flat_map(|service| service.names()).map(Arc::clone).collect();
        self.names.lock().retain(|name, _| names.contains(name));
        for service in &services {
            self.refresh(service);
        }
        self.serving.store(Arc::new(services));
        self.forget();
        self.announce();
    }

    /// The services that are being served.
    pub fn serving(&self) -> Arc<Vec<Arc<Service>>> {
        self.serving.load_full()
    }

    /// Every endpoint of the serving configuration, for metrics and operators.
    pub fn status(&self, now: Now) -> Vec<EndpointStatus> {
        let services = self.serving();
        let all = services.iter().flat_map(|service| {
            let members = service.members();
            members.iter().map(|endpoint| endpoint.status(service, now)).collect::<Vec<_>>()
        });
        all.collect()
    }

    /// Told of every change of services or members.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Takes the addresses of a name; an empty answer changes nothing.
    pub(super) fn learn(&self, name: &Arc<str>, addresses: Vec<IpAddr>) {
        if addresses.is_empty() {
            return;
        }
        self.names.lock().insert(Arc::clone(name), addresses);
    }

    /// Fills a service's members from the last good addresses.
    pub(super) fn refresh(&self, service: &Service) -> bool {
        let addresses = {
            let names = self.names.lock();
            service.addresses(|name| names.get(name).cloned().unwrap_or_default())
        };
        let members = service.members();
        if members.iter().map(|endpoint| endpoint.address).eq(addresses.iter().copied()) {
            return false;
        }
        service.set_members(
            addresses.into_iter().map(|address| self.endpoint(service.name(), address)).collect(),
        );
        true
    }

    pub(super) fn announce(&self) {
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn endpoint(&self, service: &Arc<str>, address: SocketAddr) -> Arc<Endpoint> {
        let mut known = self.known.lock();
        let key = (Arc::clone(service), address);
        if let Some(endpoint) = known.get(&key).and_then(Weak::upgrade) {
            return endpoint;
        }
        let endpoint = Arc::new(Endpoint::new(Arc::clone(service), address, self.started.instant));
        known.insert(key, Arc::downgrade(&endpoint));
        endpoint
    }

    /// Drops entries whose value is gone.
    pub(super) fn forget(&self) {
        sweep(&self.known);
        sweep(&self.budgets);
        sweep(&self.turns);
    }
}

fn shared<T>(map: &Shared<Arc<str>, T>, name: &Arc<str>, make: impl FnOnce() -> T) -> Arc<T> {
    let mut map = map.lock();
    if let Some(value) = map.get(name).and_then(Weak::upgrade) {
        return value;
    }
    let value = Arc::new(make());
    map.insert(Arc::clone(name), Arc::downgrade(&value));
    value
}

fn sweep<K: Eq + Hash, T>(map: &Shared<K, T>) {
    map.lock().retain(|_, value| value.strong_count() > 0);
}
