//! What a reload of 10,000 routes costs: reading the text, compiling the document, and all of it as a reload does it.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use yett::base::clock::Now;
use yett::base::compile::Compile;
use yett::config::compile::{Day, compile};
use yett::config::load::load_str;
use yett::config::reload::{Source, accept};
use yett::pipeline::trial;
use yett::state::State;
use yett::state::keys::fetch::NoFetch;

/// The binary's own: reading a configuration is allocating.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NAME: &str = "bench.yaml";

const HEAD: &str = r#"version: 1
listeners: { public: { bind: "127.0.0.1:0" } }
telemetry: { access_log: { to: "off" } }
issuers:
  corp: { issuer: https://id.example.com, audiences: [bench], jwks: discover, mfa: { any_acr: ["urn:example:mfa"] } }
limits:
  per-client: { rate: 100/1s, key: client.ip }
  per-user: { rate: 20/1s, key: token.sub }
waf: { standard: { rules: [builtin] } }
services: { web: { endpoints: ["127.0.0.1:1"] } }
defaults: { auth: { issuers: [corp] }, limits: [per-client], waf: standard }
routes:
"#;

/// Routes as an API has them: each is guarded by everything, every fourth says something of its own.
fn text(routes: usize) -> String {
    let mut text = HEAD.to_owned();
    for n in 0..routes {
        let (host, service, tail) = (n / 1000, n / 10, n % 10);
        let own = match n % 4 {
            0 => r#"auth: { scopes: ["orders:read"], max_age: 5m }"#,
            1 => "limits: [per-user]",
            2 => "waf: { profile: standard, paranoia: 2 }",
            _ => "auth: { roles: { any: [clerk] } }",
        };
        let _ = writeln!(
            text,
            "  - id: r{n}\n    match: {{ host: api{host}.example.com, path: \"/v1/s{service}/{{id}}/t{tail}\", \
             methods: [GET] }}\n    to: web\n    {own}"
        );
    }
    text
}

fn stages(c: &mut Criterion) {
    let state = State::new(Arc::new(NoFetch), Now::read());
    let today = Day::of(Now::read().unix_s());
    for routes in [100, 10_000] {
        let text = text(routes);
        let mut group = c.benchmark_group("config");
        group.bench_function(BenchmarkId::new("parse", routes), |b| {
            b.iter(|| load_str(NAME, black_box(&text)).is_ok());
        });
        let document = load_str(NAME, &text).map(|loaded| loaded.document);
        let Ok(document) = document else { unreachable!("the text is right") };
        group.bench_function(BenchmarkId::new("compile", routes), |b| {
            b.iter(|| {
                let mut cx = Compile::new();
                assert!(compile(black_box(&document), &state, today, &mut cx).is_some());
            });
        });
        let source = Source::Embedded { name: NAME, text };
        group.bench_function(BenchmarkId::new("whole", routes), |b| {
            b.iter(|| accept(black_box(&source), &state, trial::tests, 1).is_ok());
        });
        assert!(accept(&source, &state, trial::tests, 1).is_ok());
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4));
    targets = stages
}
criterion_main!(benches);
