use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Endpoints;
use super::budget::{RETRIES_PER_SECOND_MIN, RetryBudget};
use super::endpoint::{Availability, Endpoint, InFlight, Needed};
use super::resolve::{self, Lookup};
use super::service::{ADDRESSES_PER_NAME, Service, ServiceSpec, Target, TargetHost};
use crate::base::clock::Now;
use crate::base::units::Percent;

mod checks;

pub(super) fn spec(name: &str, targets: &[&str]) -> ServiceSpec {
    let targets = targets.iter().map(|text| text.parse().unwrap()).collect();
    ServiceSpec { name: name.into(), targets, check: None }
}

fn addresses(service: &Service) -> Vec<String> {
    service.members().iter().map(|endpoint| endpoint.address.to_string()).collect()
}

fn endpoint(now: Now) -> Arc<Endpoint> {
    let address = SocketAddr::from(([127, 0, 0, 1], 1));
    Arc::new(Endpoint::new("s".into(), address, now.instant))
}

#[test]
fn targets_are_addresses_or_names_with_a_port() {
    let ip = |text: &str| TargetHost::Ip(text.parse().unwrap());
    let name = |text: &str| TargetHost::Name(text.into());
    let good = [
        ("10.0.1.11:8080", ip("10.0.1.11"), 8080),
        ("[2001:db8::1]:443", ip("2001:db8::1"), 443),
        ("Orders.internal.:80", name("orders.internal."), 80),
        ("orders_v2:80", name("orders_v2"), 80),
    ];
    for (text, host, port) in good {
        assert_eq!(text.parse::<Target>().unwrap(), Target { host, port }, "{text}");
    }
    let bad = [
        ("orders", "has no port"),
        ("orders:0", "from 1 to 65535"),
        ("orders:65536", "from 1 to 65535"),
        ("orders:http", "from 1 to 65535"),
        (":80", "neither"),
        ("2001:db8::1:443", "in brackets"),
        ("[2001:db8::g]:443", "not an IPv6 address"),
        ("10.0.0.256:80", "neither"),
        ("http://orders:80", "in brackets"),
        ("or ders:80", "neither"),
        ("-orders:80", "neither"),
    ];
    for (text, part) in bad {
        let error = text.parse::<Target>().unwrap_err();
        assert!(error.contains(part), "{text}: {error}");
    }
}

#[test]
fn refusals_double_the_pause_up_to_its_bound() {
    let now = Now::read();
    let endpoint = endpoint(now);
    let mut at = now;
    for seconds in [1, 2, 4, 8, 16, 30, 30] {
        endpoint.refused(at);
        // Requests that failed together count once.
        endpoint.refused(at);
        let pause = Duration::from_secs(seconds);
        let before = at.after(pause.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(endpoint.availability(false, before), Availability::PassedOver, "{seconds}");
        at = at.after(pause);
        assert_eq!(endpoint.availability(false, at), Availability::Returning, "{seconds}");
    }
    endpoint.connected();
    assert_eq!(endpoint.availability(false, at), Availability::Ready);
    endpoint.refused(at);
    assert_eq!(
        endpoint.availability(false, at.after(Duration::from_secs(1))),
        Availability::Returning
    );
}

#[test]
fn one_trial_at_a_time_and_it_ends_when_dropped() {
    let now = Now::read();
    let endpoint = endpoint(now);
    endpoint.refused(now);
    let mut first = InFlight::trial(Arc::clone(&endpoint)).unwrap();
    assert!(InFlight::trial(Arc::clone(&endpoint)).is_none());
    assert_eq!(endpoint.in_flight(), 1);
    first.refused(now);
    let second = InFlight::trial(Arc::clone(&endpoint)).unwrap();
    drop(first);
    assert!(InFlight::trial(Arc::clone(&endpoint)).is_none(), "the first ended another's trial");
    drop(second);
    assert!(InFlight::trial(Arc::clone(&endpoint)).is_some());
    assert_eq!(endpoint.in_flight(), 0);
}

#[test]
fn the_verdict_of_checks_needs_results_in_a_row() {
    let now = Now::read();
    let endpoint = endpoint(now);
    let needed = Needed { unhealthy_after: 2, healthy_after: 3 };
    let bad = || Err("status 500".to_owned());
    let steps = [
        (bad(), false, Availability::Ready),
        (Ok(()), false, Availability::Ready),
        (bad(), false, Availability::Ready),
        (bad(), true, Availability::Unhealthy),
        (Ok(()), false, Availability::Unhealthy),
        (Ok(()), false, Availability::Unhealthy),
        (bad(), false, Availability::Unhealthy),
        (Ok(()), false, Availability::Unhealthy),
        (Ok(()), false, Availability::Unhealthy),
        (Ok(()), true, Availability::Ready),
    ];
    for (step, (result, changed, availability)) in steps.into_iter().enumerate() {
        assert_eq!(endpoint.checked(result, needed), changed, "step {step}");
        assert_eq!(endpoint.availability(true, now), availability, "step {step}");
        // Without checks in the configuration an old verdict does not count.
        assert_eq!(endpoint.availability(false, now), Availability::Ready);
    }
}

#[test]
fn a_healthy_check_ends_the_pause_after_refusals() {
    let now = Now::read();
    let endpoint = endpoint(now);
    let needed = Needed { unhealthy_after: 1, healthy_after: 1 };
    endpoint.refused(now);
    endpoint.checked(Err("refused".into()), needed);
    endpoint.checked(Ok(()), needed);
    assert_eq!(endpoint.availability(true, now), Availability::Ready);
}

#[test]
fn retries_are_a_share_of_requests_over_a_sliding_window() {
    let (budget, now) = (RetryBudget::new(), Now::read());
    let taken =
        |share: u8, now: Now| (0..).take_while(|_| budget.try_retry(Percent(share), now)).count();
    let floor = usize::try_from(RETRIES_PER_SECOND_MIN * 10).unwrap();
    assert_eq!(taken(0, now), 0);
    assert_eq!(taken(10, now), floor);
    for _ in 0..1000 {
        budget.request(now);
    }
    assert_eq!(taken(10, now), 100 - floor);
    assert_eq!(taken(10, now.after(Duration::from_secs(9))), 0);
    // The window has passed: only the floor is left.
    assert_eq!(taken(10, now.after(Duration::from_secs(10))), floor);
    assert_eq!(taken(10, now.after(Duration::from_secs(1000))), floor);
}

#[test]
fn counts_of_a_second_stop_at_their_top() {
    let (budget, now) = (RetryBudget::new(), Now::read());
    for _ in 0..5 {
        budget.count(now, (1 << 24) - 3, (1 << 20) - 3);
    }
    assert_eq!(budget.sums(now), ((1 << 24) - 1, (1 << 20) - 1));
}

#[test]
fn what_keeps_its_name_and_address_keeps_its_state() {
    let now = Now::read();
    let endpoints = Endpoints::new(now);
    let old = endpoints.open(spec("s", &["127.0.0.1:1", "127.0.0.1:2"]));
    endpoints.serve(vec![Arc::clone(&old)]);
    old.members()[0].refused(now);

    let new = endpoints.open(spec("s", &["127.0.0.1:1", "127.0.0.1:3"]));
    assert_eq!(addresses(&old), ["127.0.0.1:1", "127.0.0.1:2"], "nothing serves yet");
    assert_eq!(new.members()[0].availability(false, now), Availability::PassedOver);
    assert_eq!(new.members()[1].availability(false, now), Availability::Ready);
    assert!(std::ptr::eq(old.budget(), new.budget()));

    let other = endpoints.open(spec("t", &["127.0.0.1:1"]));
    assert_eq!(other.members()[0].availability(false, now), Availability::Ready);
}

#[test]
fn a_refused_configuration_leaves_nothing_behind() {
    let endpoints = Endpoints::new(Now::read());
    let kept = endpoints.open(spec("kept", &["127.0.0.1:1"]));
    drop(endpoints.open(spec("refused", &["127.0.0.1:2"])));
    endpoints.serve(vec![kept]);
    assert_eq!(endpoints.known.lock().len(), 1);
    assert_eq!(endpoints.budgets.lock().len(), 1);
    let status = endpoints.status(Now::read());
    assert_eq!(status.len(), 1);
    assert_eq!((&*status[0].service, status[0].availability), ("kept", Availability::Ready));
}

/// A name server in memory.
#[derive(Default)]
struct Zone(Mutex<HashMap<String, Vec<IpAddr>>>);

impl Zone {
    fn set(&self, name: &str, addresses: &[&str]) {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        self.0.lock().insert(name.into(), addresses);
    }
}

#[async_trait]
impl Lookup for Zone {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        self.0.lock().get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const SOON: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_name_stands_for_all_its_addresses_and_keeps_the_last_good_ones() {
    let endpoints = Endpoints::new(Now::read());
    let zone = Arc::new(Zone::default());
    let lookup: Arc<dyn Lookup> = zone.clone();
    zone.set("orders.internal", &["10.0.0.2", "10.0.0.1", "10.0.0.2"]);
    let service =
        endpoints.open(spec("s", &["orders.internal:80", "10.0.0.1:80", "gone.internal:80"]));
    assert_eq!(addresses(&service), ["10.0.0.1:80"]);
    resolve::prepare(&endpoints, &[Arc::clone(&service)], &lookup, SOON).await;
    assert_eq!(addresses(&service), ["10.0.0.1:80", "10.0.0.2:80"]);

    endpoints.serve(vec![Arc::clone(&service)]);
    let kept = Arc::clone(&service.members()[1]);
    zone.set("orders.internal", &["10.0.0.2", "10.0.0.3"]);
    resolve::resolve_now(&endpoints, &lookup).await;
    assert_eq!(addresses(&service), ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"]);
    assert!(Arc::ptr_eq(&kept, &service.members()[1]));

    zone.0.lock().clear();
    resolve::resolve_now(&endpoints, &lookup).await;
    zone.set("orders.internal", &[]);
    resolve::resolve_now(&endpoints, &lookup).await;
    assert_eq!(addresses(&service).len(), 3);

    // A new configuration with the same name starts with the last good addresses.
    let next = endpoints.open(spec("s", &["orders.internal:81"]));
    assert_eq!(addresses(&next), ["10.0.0.2:81", "10.0.0.3:81"]);
    endpoints.serve(Vec::new());
    assert!(endpoints.names.lock().is_empty());
}

#[tokio::test]
async fn a_name_fills_no_more_than_its_bound() {
    let endpoints = Endpoints::new(Now::read());
    let zone = Zone::default();
    let many: Vec<IpAddr> = (0..1000_u32).map(|n| IpAddr::from(n.to_be_bytes())).collect();
    zone.0.lock().insert("many".into(), many);
    let service = endpoints.open(spec("s", &["many:80"]));
    let lookup: Arc<dyn Lookup> = Arc::new(zone);
    resolve::prepare(&endpoints, &[Arc::clone(&service)], &lookup, SOON).await;
    assert_eq!(service.members().len(), ADDRESSES_PER_NAME);
}

/// More names than questions under way at once.
#[tokio::test]
async fn every_name_is_asked_for() {
    let endpoints = Endpoints::new(Now::read());
    let zone = Zone::default();
    let targets: Vec<String> = (0..100).map(|n| format!("n{n}:80")).collect();
    for n in 0..100 {
        zone.set(&format!("n{n}"), &[&format!("10.0.0.{n}")]);
    }
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    let service = endpoints.open(spec("s", &targets));
    let lookup: Arc<dyn Lookup> = Arc::new(zone);
    resolve::prepare(&endpoints, &[Arc::clone(&service)], &lookup, SOON).await;
    assert_eq!(service.members().len(), 100);
}

struct Silent;

#[async_trait]
impl Lookup for Silent {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_silent_name_server_does_not_hold_up_a_configuration() {
    let endpoints = Endpoints::new(Now::read());
    let service = endpoints.open(spec("s", &["orders:80"]));
    let lookup: Arc<dyn Lookup> = Arc::new(Silent);
    resolve::prepare(&endpoints, &[Arc::clone(&service)], &lookup, Duration::from_millis(10)).await;
    assert!(service.members().is_empty());
}

#[tokio::test]
async fn the_background_task_resolves_what_a_new_configuration_names() {
    let endpoints = Endpoints::new(Now::read());
    let zone = Arc::new(Zone::default());
    zone.set("orders", &["10.0.0.1"]);
    let task = tokio::spawn(resolve::run(Arc::clone(&endpoints), zone));
    let service = endpoints.open(spec("s", &["orders:80"]));
    let mut changes = endpoints.watch();
    endpoints.serve(vec![Arc::clone(&service)]);
    let filled = async {
        while service.members().is_empty() {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(SOON, filled).await.unwrap();
    assert_eq!(addresses(&service), ["10.0.0.1:80"]);
    task.abort();
}
