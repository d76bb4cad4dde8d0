//! What a limit decision of this process costs: `cargo bench -p yett --bench ratelimit`.

#![allow(clippy::unwrap_used, missing_docs)] // a bench may stop at the first surprise

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, HeaderValue};

use yett::base::clock::Now;
use yett::base::compile::Compile;
use yett::stages::ratelimit::decide::{Checked, LimitSet};
use yett::stages::ratelimit::key::Inputs;
use yett::stages::ratelimit::plan::{LimitName, LimitPlan, RouteLimits};
use yett::state::counters::Counters;

fn limits(sections: &[&str]) -> RouteLimits {
    let mut cx = Compile::new();
    let plans: Vec<_> = sections
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let name = LimitName::named(&format!("limit-{index}"));
            let section = serde_json::from_str(text).unwrap();
            LimitPlan::compile(name, &section, false, &mut cx).unwrap()
        })
        .collect();
    RouteLimits::compile(&plans, &[], &Arc::new(Counters::new()), &mut cx)
}

fn check(set: &LimitSet, ip: IpAddr, headers: &HeaderMap, now: Now) -> bool {
    let inputs =
        Inputs { client_ip: ip, headers, route: "orders", path_param: &|_| None, identity: None };
    match set.check(black_box(&inputs), now) {
        Checked::Done(verdict) => black_box(verdict).refusal.is_none(),
        Checked::Wait(_) => unreachable!("limits of this process never wait"),
    }
}

fn decisions(criterion: &mut Criterion) {
    let one = limits(&[r#"{"rate":"1000000/1s","key":"client.ip"}"#]);
    let three = limits(&[
        r#"{"rate":"1000000/1s","key":"client.ip"}"#,
        r#"{"rate":"1000000/1s","key":"route"}"#,
        r#"{"quota":"1000000000/day","key":"header.x-api-key"}"#,
    ]);
    let strict = limits(&[r#"{"rate":"1/1h","key":"client.ip"}"#]);
    let mut headers = HeaderMap::new();
    headers.insert("x-api-key", HeaderValue::from_static("0123456789abcdef0123456789abcdef"));
    let ip = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    let now = Now::read();

    let mut group = criterion.benchmark_group("ratelimit/local");
    group.bench_function("admitted, one hot key", |bencher| {
        bencher.iter(|| check(&one.early, ip, &headers, Now::read()));
    });
    group.bench_function("admitted, three limits", |bencher| {
        bencher.iter(|| check(&three.early, ip, &headers, Now::read()));
    });
    group.bench_function("refused, one hot key", |bencher| {
        bencher.iter(|| check(&strict.early, ip, &headers, now));
    });
    group.bench_function("a million keys", |bencher| {
        let mut key: u64 = 0;
        bencher.iter(|| {
            key = (key + 1) % 1_000_000;
            let ip = IpAddr::V6(Ipv6Addr::from_bits(u128::from(key) << 64));
            check(&one.early, ip, &headers, Now::read())
        });
    });
    let yardstick: DefaultKeyedRateLimiter<u128> =
        RateLimiter::keyed(Quota::per_second(NonZeroU32::new(1_000_000).unwrap()));
    group.bench_function("governor for comparison, one hot key, hash not included", |bencher| {
        bencher.iter(|| yardstick.check_key(black_box(&7)).is_ok());
    });
    group.bench_function("reading the clock (part of the above)", |bencher| {
        bencher.iter(|| black_box(Now::read()));
    });
    group.finish();
}

criterion_group!(benches, decisions);
criterion_main!(benches);
