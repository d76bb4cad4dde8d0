//! Names to addresses, in the background. A name that no longer resolves keeps its last good addresses.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinSet;
use tokio::time;

use super::Endpoints;
use super::service::{ADDRESSES_PER_NAME, Service};

/// How often names are resolved again.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for one answer.
pub const TIMEOUT: Duration = Duration::from_secs(5);
/// Questions under way at once.
const CONCURRENT: usize = 32;

/// Asks for the addresses of a name.
#[async_trait]
pub trait Lookup: Send + Sync {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver: hosts file, search domains, name servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Resolves the names of the serving configuration every [`INTERVAL`], and at once when it changes. Never returns.
pub async fn run(endpoints: Arc<Endpoints>, lookup: Arc<dyn Lookup>) {
    let mut changes = endpoints.watch();
    loop {
        let known = resolve_now(&endpoints, &lookup).await;
        let next = time::sleep(INTERVAL);
        tokio::pin!(next);
        // Members change far more often than names: only a new name is a reason to ask before the time.
        loop {
            tokio::select! {
                () = &mut next => break,
                _ = changes.changed() => {
                    if !names(&endpoints.serving()).is_subset(&known) {
                        break;
                    }
                }
            }
        }
    }
}

/// Resolves the names of services that do not serve yet, so that a new configuration starts with addresses.
/// Ends after `deadline` whatever is missing.
pub async fn prepare(
    endpoints: &Endpoints,
    services: &[Arc<Service>],
    lookup: &Arc<dyn Lookup>,
    deadline: Duration,
) {
    let missing: BTreeSet<Arc<str>> = {
        let known = endpoints.names.lock();
        names(services).into_iter().filter(|name| !known.contains_key(name)).collect()
    };
    if time::timeout(deadline, ask(endpoints, &missing, lookup)).await.is_err() {
        log::warn!("some host names of services are not resolved yet");
    }
    for service in services {
        endpoints.refresh(service);
    }
}

/// Asks for every name of the serving configuration; returns the names.
pub(super) async fn resolve_now(
    endpoints: &Endpoints,
    lookup: &Arc<dyn Lookup>,
) -> BTreeSet<Arc<str>> {
    let names = names(&endpoints.serving());
    ask(endpoints, &names, lookup).await;
    let mut changed = false;
    for service in endpoints.serving().iter() {
        changed |= endpoints.refresh(service);
    }
    if changed {
        endpoints.forget();
        endpoints.announce();
    }
    names
}

/// Asks for every name, a bounded number at a time; answers are learnt as they come.
async fn ask(endpoints: &Endpoints, names: &BTreeSet<Arc<str>>, lookup: &Arc<dyn Lookup>) {
    let mut waiting = names.iter().cloned();
    let mut asked = JoinSet::new();
    for name in waiting.by_ref().take(CONCURRENT) {
        asked.spawn(answer(name, Arc::clone(lookup)));
    }
    while let Some(answered) = asked.join_next().await {
        match answered {
            Ok((name, Ok(addresses))) => endpoints.learn(&name, addresses),
            Ok((name, Err(error))) => log::warn!("host name `{name}` does not resolve: {error}"),
            Err(error) => log::error!("a resolver task ended: {error}"),
        }
        if let Some(name) = waiting.next() {
            asked.spawn(answer(name, Arc::clone(lookup)));
        }
    }
}

async fn answer(name: Arc<str>, lookup: Arc<dyn Lookup>) -> (Arc<str>, io::Result<Vec<IpAddr>>) {
    let found = time::timeout(TIMEOUT, lookup.lookup(&name)).await;
    let found = found.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)));
    (name, found.and_then(bounded))
}

/// Sorted, each once, at most [`ADDRESSES_PER_NAME`].
fn bounded(mut addresses: Vec<IpAddr>) -> io::Result<Vec<IpAddr>> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses.truncate(ADDRESSES_PER_NAME);
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the answer holds no address"));
    }
    Ok(addresses)
}

fn names(services: &[Arc<Service>]) -> BTreeSet<Arc<str>> {
    services.iter().flat_map(|service| service.names()).map(Arc::clone).collect()
}
