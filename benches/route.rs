//! Route lookup over tables of 10 to 50,000 routes: hits spread over the whole table, and misses.
//!
//! Asked twice. `busy`: requests to 256 routes, as traffic is that prefers some routes; what is measured is the
//! work. `spread`: requests to 4,096 routes, evenly; what is measured is the work and the cache misses of a table, and
//! of requests, that no longer fit the second-level cache. Every size is asked the same number of requests.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use http::{HeaderMap, Method, Version};
use yett::base::compile::Compile;
use yett::base::net::Client;
use yett::base::request::{Canonical, Request};
use yett::stages::route::section::MatchSection;
use yett::stages::route::{RouteEntry, RouteTable};

/// Different requests per table.
const IN_USE: [(&str, usize); 2] = [("busy", 256), ("spread", 4096)];

/// What one resource of an API looks like, with a request for each route.
const RESOURCE: [(&str, &str, &str); 10] = [
    ("", "GET", ""),
    ("", "POST", ""),
    ("/{id}", "GET", "/0195f3c2"),
    ("/{id}", "PUT", "/0195f3c2"),
    ("/{id}", "DELETE", "/0195f3c2"),
    ("/{id}/lines", "GET", "/0195f3c2/lines"),
    ("/{id}/lines/{line}", "GET", "/0195f3c2/lines/17"),
    ("/{id}/refund", "POST", "/0195f3c2/refund"),
    ("/search", "GET", "/search"),
    ("/files/*", "GET", "/{id}/files/a/b.png"),
];

/// Route `n`: ten to a resource, ten resources to a service, ten services to a host.
fn place(n: usize) -> (String, String) {
    let (resource, service, host) = (n / 10 % 10, n / 100 % 10, n / 1000);
    (format!("api{host}.example.com"), format!("/v1/service-{service}/resource-{resource}"))
}

fn section(n: usize) -> MatchSection {
    let (host, base) = place(n);
    let (tail, method, _) = RESOURCE[n % 10];
    MatchSection {
        host: Some(host),
        path: base + tail,
        methods: Some(vec![method.into()]),
        headers: BTreeMap::new(),
    }
}

fn table(routes: usize) -> RouteTable {
    let sections: Vec<_> = (0..routes).map(section).collect();
    let entries: Vec<_> = sections.iter().map(|matches| RouteEntry { id: "r", matches }).collect();
    let mut cx = Compile::new();
    let table = RouteTable::compile(&entries, &mut cx);
    assert!(!cx.has_errors());
    table
}

/// A request for route `n`.
fn hit(n: usize) -> (Method, Canonical) {
    let (host, base) = place(n);
    let (tail, method, path) = RESOURCE[n % 10];
    let path = if tail == "/files/*" { "/files/a/b.png" } else { path };
    let method = method.parse().unwrap_or_default();
    (method, Canonical { host, path: base + path, ..Canonical::default() })
}

/// Misses of four kinds: host, first segment, deep segment (after a parameter), method.
fn miss(n: usize) -> (Method, Canonical) {
    let (method, mut canonical) = hit(n);
    match n % 4 {
        0 => canonical.host = format!("other{n}.example.net"),
        1 => canonical.path = format!("/wp-admin/{n}/setup.php"),
        2 => canonical.path.push_str("/none/none/none"),
        _ => return (Method::TRACE, canonical),
    }
    (method, canonical)
}

/// Numbers of the requests, spread over the table without order.
fn numbers(routes: usize, count: usize) -> impl Iterator<Item = usize> {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    (0..count).map(move |_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % routes as u64).unwrap_or_default()
    })
}

fn lookup(c: &mut Criterion) {
    for (use_name, count) in IN_USE {
        for (name, make) in [("hit", hit as fn(usize) -> _), ("miss", miss)] {
            let mut group = c.benchmark_group(format!("route/{use_name}/{name}"));
            group.throughput(Throughput::Elements(1));
            for routes in [10, 100, 1_000, 50_000] {
                let table = table(routes);
                let asks: Vec<_> = numbers(routes, count).map(make).collect();
                let headers = HeaderMap::new();
                let requests: Vec<_> = asks.iter().map(|ask| request(ask, &headers)).collect();
                let hits = requests.iter().filter(|request| table.decide(request).is_ok()).count();
                assert_eq!(hits, if name == "hit" { count } else { 0 });
                let mut turn = requests.iter().cycle();
                group.bench_function(BenchmarkId::from_parameter(routes), |b| {
                    b.iter(|| turn.next().map(|request| table.decide(black_box(request)).is_ok()));
                });
            }
        }
    }
}

fn request<'a>(
    (method, canonical): &'a (Method, Canonical),
    headers: &'a HeaderMap,
) -> Request<'a> {
    Request {
        method,
        canonical,
        headers,
        version: Version::HTTP_11,
        secure: true,
        client: Client::direct(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000))),
        raw_target: b"",
    }
}

fn compile(c: &mut Criterion) {
    let mut group = c.benchmark_group("route/compile");
    for routes in [100, 10_000] {
        let sections: Vec<_> = (0..routes).map(section).collect();
        let entries: Vec<_> =
            sections.iter().map(|matches| RouteEntry { id: "r", matches }).collect();
        group.bench_function(BenchmarkId::from_parameter(routes), |b| {
            b.iter(|| RouteTable::compile(black_box(&entries), &mut Compile::new()));
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = lookup, compile
}
criterion_main!(benches);
