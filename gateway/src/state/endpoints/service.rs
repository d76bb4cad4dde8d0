//! The endpoints of one service in one configuration.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::budget::RetryBudget;
use super::endpoint::Endpoint;
use super::health::Check;

/// Most addresses that one name may stand for. Prevents that a name server fills the memory.
pub const ADDRESSES_PER_NAME: usize = 64;

/// What is configured.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    pub name: Arc<str>,
    pub targets: Vec<Target>,
    /// Absent: an endpoint is taken as healthy until it refuses a connection.
    pub check: Option<Check>,
}

/// `HOST:PORT` of one endpoint; a name may stand for several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    pub host: TargetHost,
    pub port: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TargetHost {
    Ip(IpAddr),
    Name(Arc<str>),
}

/// The endpoints of one service. Members change when names resolve anew; the rest is fixed.
#[derive(Debug)]
pub struct Service {
    spec: ServiceSpec,
    budget: Arc<RetryBudget>,
    turn: Arc<Turn>,
    members: ArcSwap<Vec<Arc<Endpoint>>>,
}

impl Service {
    pub(super) fn new(spec: ServiceSpec, budget: Arc<RetryBudget>, turn: Arc<Turn>) -> Service {
        Service { spec, budget, turn, members: ArcSwap::default() }
    }

    pub fn name(&self) -> &Arc<str> {
        &self.spec.name
    }

    pub fn check(&self) -> Option<&Check> {
        self.spec.check.as_ref()
    }

    pub fn is_checked(&self) -> bool {
        self.spec.check.is_some()
    }

    pub fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    /// The endpoints as they are now.
    pub fn members(&self) -> arc_swap::Guard<Arc<Vec<Arc<Endpoint>>>> {
        self.members.load()
    }

    /// A number that no other request of the service gets.
    pub fn turn(&self) -> u64 {
        self.turn.next()
    }

    pub(super) fn set_members(&self, members: Vec<Arc<Endpoint>>) {
        self.members.store(Arc::new(members));
    }

    /// Host names that must be resolved.
    pub(super) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.spec.targets.iter().filter_map(|target| match &target.host {
            TargetHost::Name(name) => Some(name),
            TargetHost::Ip(_) => None,
        })
    }

    /// Addresses of all targets, sorted, each once.
    pub(super) fn addresses(&self, known: impl Fn(&Arc<str>) -> Vec<IpAddr>) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for target in &self.spec.targets {
            let ips = match &target.host {
                TargetHost::Ip(ip) => vec![*ip],
                TargetHost::Name(name) => known(name),
            };
            addresses.extend(ips.into_iter().map(|ip| SocketAddr::new(ip, target.port)));
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }
}

/// Whose turn it is.
#[derive(Debug, Default)]
pub struct Turn(AtomicU64);

impl Turn {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        let (host, port) = text
            .rsplit_once(':')
            .ok_or_else(|| format!("endpoint `{text}` has no port, for example 10.0.0.1:8080"))?;
        let port =
            port.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                format!("endpoint `{text}`: port `{port}` is not from 1 to 65535")
            })?;
        let host = parse_host(host).map_err(|why| format!("endpoint `{text}`: {why}"))?;
        Ok(Target { host, port })
    }
}

fn parse_host(host: &str) -> Result<TargetHost, String> {
    if let Some(inner) = host.strip_prefix('[') {
        let ip = inner.strip_suffix(']').and_then(|ip| ip.parse::<Ipv6Addr>().ok());
        return ip
            .map(|ip| TargetHost::Ip(ip.into()))
            .ok_or_else(|| format!("`{host}` is not an IPv6 address in brackets"));
    }
    if host.contains(':') {
        return Err("an IPv6 address stands in brackets, for example [2001:db8::1]:8080".into());
    }
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(TargetHost::Ip(ip));
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let labels = || name.split('.');
    let numeric =
        labels().next_back().is_some_and(|label| label.bytes().all(|b| b.is_ascii_digit()));
    if name.is_empty() || name.len() > 253 || numeric || !labels().all(is_label) {
        return Err(format!("`{host}` is neither an address nor a host name"));
    }
    Ok(TargetHost::Name(host.to_ascii_lowercase().into()))
}

/// RFC 1123 §2.1, and `_`, which service names in clusters use.
fn is_label(label: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len())
        && label.bytes().all(word)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
