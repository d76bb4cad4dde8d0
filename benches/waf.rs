//! What inspection costs: whole transactions, phases 1, 2 and 5, on the built-in rules and, where
//! `YETT_CRS` or `../shared/crs` has it, on the complete OWASP CRS.
//!
//! `cargo bench -p waf-rules --bench waf`
#![allow(clippy::panic, reason = "a bench that cannot set up must stop")]

use std::path::PathBuf;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use waf_rules::{EngineMode, Profile, ProfileOptions, Ruleset, Transaction};

/// A request as a client would send it.
struct Request {
    name: &'static str,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn requests() -> Vec<Request> {
    vec![simple_get(), browser_get(), form_post(), json_leaves(), large_form(), attack()]
}

fn request(name: &'static str, method: &'static str, target: &str) -> Request {
    let headers = vec![
        ("Host", "shop.example.com".to_owned()),
        (
            "User-Agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned(),
        ),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
    ];
    Request { name, method, target: target.to_owned(), headers, body: Vec::new() }
}

fn simple_get() -> Request {
    request("simple_get", "GET", "/products?category=shoes&page=2")
}

fn browser_get() -> Request {
    let mut request =
        request("browser_get", "GET", "/products/42/reviews?sort=newest&lang=en&ref=home");
    let more = [
        ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Referer", "https://shop.example.com/products?category=shoes&page=2"),
        (
            "Cookie",
            "sid=7f9c2ba4e88f827d616045507605853e; theme=dark; cart=3; _ga=GA1.2.1234567.1700000000; lang=en",
        ),
        ("Upgrade-Insecure-Requests", "1"),
        ("Sec-Fetch-Dest", "document"),
        ("Sec-Fetch-Mode", "navigate"),
        ("Sec-Fetch-Site", "same-origin"),
        ("Cache-Control", "max-age=0"),
    ];
    request.headers.extend(more.map(|(name, value)| (name, value.to_owned())));
    request
}

fn form_post() -> Request {
    let body = "first_name=Jane&last_name=Miller&email=jane.miller%40example.com&street=12+High+Street&city=Leeds\
                &zip=LS1+4AP&phone=%2B44+113+496+0000&comment=Please+leave+the+parcel+with+a+neighbour.";
    with_body(
        request("form_post", "POST", "/checkout"),
        "application/x-www-form-urlencoded",
        body.into(),
    )
}

fn json_leaves() -> Request {
    let items: Vec<String> = (0..125)
        .map(|n| format!(r#"{{"id":{n},"name":"Item number {n}","price":"{n}.99","stock":true}}"#))
        .collect();
    let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
    with_body(request("json_500_leaves", "POST", "/api/items"), "application/json", body)
}

fn large_form() -> Request {
    let text =
        "The quick brown fox jumps over the lazy dog, and then it rests a while. ".repeat(140);
    let body = format!("text={}", text.replace(' ', "+"));
    with_body(request("form_10k", "POST", "/notes"), "application/x-www-form-urlencoded", body)
}

fn attack() -> Request {
    request("sqli_get", "GET", "/products?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20-")
}

fn with_body(mut request: Request, content_type: &str, body: String) -> Request {
    request.headers.push(("Content-Type", content_type.to_owned()));
    request.headers.push(("Content-Length", body.len().to_string()));
    request.body = body.into_bytes();
    request
}

fn inspect(mut tx: Transaction, request: &Request) -> Transaction {
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 443);
    tx.request_line(request.method.as_bytes(), request.target.as_bytes(), b"HTTP/1.1");
    request.headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    tx.head();
    tx.body_chunk(&request.body).unwrap_or_else(|error| panic!("{error}"));
    tx.body();
    tx.finish();
    tx
}

fn crs() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/crs");
    let folder = std::env::var_os("YETT_CRS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    folder.join("rules").is_dir().then_some(folder)
}

fn rulesets() -> Vec<(&'static str, Ruleset)> {
    let build = |builder: waf_rules::RulesetBuilder| {
        builder.build().unwrap_or_else(|errors| panic!("{errors}"))
    };
    let mut rulesets = vec![("builtin", build(Ruleset::builder().builtin()))];
    match crs() {
        Some(folder) => {
            let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
            rulesets.push(("crs", build(builder.file(folder.join("rules/*.conf")))));
        }
        None => eprintln!("SKIPPED: the CRS half, no CRS found; set YETT_CRS to its folder"),
    }
    rulesets
}

fn profile(ruleset: &Ruleset, paranoia: u8) -> Profile {
    let options = ProfileOptions {
        blocking_paranoia: paranoia,
        detection_paranoia: paranoia,
        engine: Some(EngineMode::DetectionOnly),
        ..ProfileOptions::default()
    };
    Profile::new(ruleset, options).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn transactions(criterion: &mut Criterion) {
    for (name, ruleset) in rulesets() {
        for paranoia in [1, 4] {
            let profile = profile(&ruleset, paranoia);
            let mut group = criterion.benchmark_group(format!("{name}_pl{paranoia}"));
            for request in requests() {
                group.bench_function(request.name, |bencher| {
                    let new = || Transaction::new(profile.clone());
                    bencher.iter_batched(new, |tx| inspect(tx, &request), BatchSize::SmallInput);
                });
            }
            group.finish();
        }
    }
}

fn lifecycle(criterion: &mut Criterion) {
    for (name, ruleset) in rulesets() {
        let profile = profile(&ruleset, 1);
        criterion.bench_function(&format!("{name}_transaction_new"), |bencher| {
            bencher.iter(|| Transaction::new(profile.clone()));
        });
    }
}

criterion_group!(benches, transactions, lifecycle);
criterion_main!(benches);
