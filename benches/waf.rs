//! What inspection costs: whole transactions, all five phases, on the built-in rules and, where
//! `YETT_CRS` or `../shared/crs` has it, on the complete OWASP CRS; and what loading costs.
//!
//! `cargo bench -p waf-rules --bench waf`
#![allow(clippy::panic, reason = "a bench that cannot set up must stop")]

mod rulesets;

use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use rustix::time::{ClockId, clock_gettime};
use waf_rules::{Ruleset, RulesetBuilder, Transaction};

use rulesets::{crs, profile};

/// A request as a client would send it. `{n}` in its texts is another number every time: what is
/// measured is a request that was never seen, from a client that was.
struct Request {
    name: &'static str,
    method: &'static str,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// The body of an HTML response.
    response: String,
}

/// The kinds of request that rule engines are compared on.
fn requests() -> Vec<Request> {
    vec![
        simple_get(),
        static_asset(),
        api_get(),
        browser_get(),
        form_post(),
        graphql_post(),
        multipart_post(),
        large_form(),
        json_leaves(),
        html_response(),
        attack(),
    ]
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
    let (target, body, response) = (target.to_owned(), String::new(), String::new());
    Request { name, method, target, headers, body, response }
}

fn simple_get() -> Request {
    request("simple_get", "GET", "/products?category=shoes&page={n}")
}

fn static_asset() -> Request {
    request("static_asset", "GET", "/assets/js/app.{n}.min.js")
}

fn api_get() -> Request {
    let mut request = request("api_get_bearer", "GET", "/v1/orders/{n}?expand=items,customer");
    let token = "eyJhbGciOiJFUzI1NiIsImtpZCI6IjEifQ.eyJzdWIiOiI0MiIsImV4cCI6MTc5MDAwMDAwMH0.c2lnbmF0dXJl{n}";
    request.headers.push(("Authorization", format!("Bearer {token}")));
    request
}

fn browser_get() -> Request {
    let mut request =
        request("browser_get", "GET", "/products/{n}/reviews?sort=newest&lang=en&ref=home");
    let more = [
        ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
        ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Referer", "https://shop.example.com/products?category=shoes&page={n}"),
        (
            "Cookie",
            "sid=7f9c2ba4e88f827d6160455{n}5853e; theme=dark; cart=3; _ga=GA1.2.{n}.1700000000; lang=en",
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
    let body = "first_name=Jane&last_name=Miller&email=jane.miller{n}%40example.com&street={n}+High+Street&city=Leeds\
                &zip=LS1+4AP&phone=%2B44+113+{n}&comment=Please+leave+parcel+{n}+with+a+neighbour.";
    with_body(
        request("form_post", "POST", "/checkout"),
        "application/x-www-form-urlencoded",
        body.into(),
    )
}

fn graphql_post() -> Request {
    let body = r#"{"operationName":"Product","variables":{"id":"{n}","first":10},"query":"query Product($id: ID!, $first: Int) { product(id: $id) { name price reviews(first: $first) { edges { node { author text } } } } }"}"#;
    with_body(request("graphql_post", "POST", "/graphql"), "application/json", body.to_owned())
}

fn multipart_post() -> Request {
    let file = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".repeat(18);
    let part = |head: &str, content: &str| {
        format!("--boundary42\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n")
    };
    let body = [
        part("name=\"title\"", "Holiday {n}"),
        part("name=\"file\"; filename=\"notes{n}.txt\"\r\nContent-Type: text/plain", &file),
        "--boundary42--\r\n".to_owned(),
    ];
    let content_type = "multipart/form-data; boundary=boundary42";
    with_body(request("multipart_1k_file", "POST", "/upload"), content_type, body.concat())
}

fn json_leaves() -> Request {
    let items: Vec<String> = (0..125)
        .map(|n| format!(r#"{{"id":{n},"name":"Item {{n}} {n}","price":"{n}.99","stock":true}}"#))
        .collect();
    let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
    with_body(request("json_500_leaves", "POST", "/api/items"), "application/json", body)
}

fn large_form() -> Request {
    let text =
        "The quick brown fox jumps over the lazy dog, and then it rests a while. ".repeat(140);
    let body = format!("text={}{{n}}", text.replace(' ', "+"));
    with_body(request("form_10k", "POST", "/notes"), "application/x-www-form-urlencoded", body)
}

fn html_response() -> Request {
    let row = "<tr><td class=\"name\">Article {n}</td><td>A plain description of the article, with a price of 42.00</td></tr>\n";
    let mut request = request("response_100k_html", "GET", "/products?page={n}");
    request.response =
        format!("<!doctype html><html><body><table>{}</table></body></html>", row.repeat(900));
    request
}

fn attack() -> Request {
    request(
        "sqli_get",
        "GET",
        "/products?id={n}%27%20UNION%20SELECT%20password%20FROM%20users--%20-",
    )
}

fn with_body(mut request: Request, content_type: &str, body: String) -> Request {
    request.headers.push(("Content-Type", content_type.to_owned()));
    request.body = body;
    request
}

impl Request {
    /// The request with its numbers filled in.
    fn fresh(&self, number: u32) -> Self {
        let fill = |text: &str| text.replace("{n}", &number.to_string());
        let mut headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (*name, fill(value))).collect();
        let (target, body, response) = (fill(&self.target), fill(&self.body), fill(&self.response));
        if !body.is_empty() {
            headers.push(("Content-Length", body.len().to_string()));
        }
        Self { name: self.name, method: self.method, target, headers, body, response }
    }
}

fn inspect(mut tx: Transaction, request: &Request) -> Transaction {
    let address = |last| std::net::IpAddr::from([192, 0, 2, last]);
    tx.connection(address(7), 40_000, address(1), 443);
    tx.request_line(request.method.as_bytes(), request.target.as_bytes(), b"HTTP/1.1");
    request.headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    tx.head();
    tx.body_chunk(request.body.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    tx.body();
    tx.response_line(200, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"text/html; charset=utf-8");
    tx.response_head();
    if !request.response.is_empty() && tx.wants_response_body() {
        let body = request.response.as_bytes();
        tx.response_body_chunk(body).unwrap_or_else(|error| panic!("{error}"));
    }
    tx.response_body();
    tx.finish();
    tx
}

fn builders() -> Vec<(&'static str, RulesetBuilder)> {
    let responses = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html";
    let mut builders = vec![("builtin", Ruleset::builder().builtin().text("bench", responses))];
    match crs() {
        Ok(folder) => {
            let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
            let builder = builder.file(folder.join("rules/*.conf"));
            builders.push(("crs", builder.text("bench", responses)));
        }
        Err(remark) => eprintln!("{remark}"),
    }
    builders
}

fn build(builder: RulesetBuilder) -> Ruleset {
    builder.build().unwrap_or_else(|errors| panic!("{errors}"))
}

/// One group a kind of request; in it both rule sets, and CRS without the prefilter for comparison.
fn transactions(criterion: &mut Criterion<CpuTime>) {
    let rulesets: Vec<_> =
        builders().into_iter().map(|(name, builder)| (name, build(builder))).collect();
    for request in requests() {
        for paranoia in [1, 4] {
            let mut group = criterion.benchmark_group(format!("{}_pl{paranoia}", request.name));
            for (name, ruleset) in &rulesets {
                let profile = profile(ruleset, paranoia);
                measure(&mut group, name, &request, || Transaction::new(profile.clone()));
                if *name == "crs" {
                    group.sample_size(10);
                    let new = || Transaction::exhaustive(profile.clone());
                    measure(&mut group, "crs_naive", &request, new);
                }
            }
            group.finish();
        }
    }
}

fn measure(
    group: &mut BenchmarkGroup<'_, CpuTime>,
    name: &str,
    request: &Request,
    new: impl Fn() -> Transaction,
) {
    let mut number = 100_000_u32;
    let mut fresh = || {
        number = number.wrapping_add(1);
        request.fresh(number)
    };
    group.bench_function(name, |bencher| {
        bencher.iter_batched(&mut fresh, |request| inspect(new(), &request), BatchSize::SmallInput);
    });
}

fn load(criterion: &mut Criterion<CpuTime>) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for (name, builder) in builders() {
        group.bench_function(name, |bencher| bencher.iter(|| build(builder.clone())));
    }
    group.finish();
}

/// Processor time of this thread, so that what else the machine does is not measured.
struct CpuTime;

impl Measurement for CpuTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        cpu_time()
    }

    fn end(&self, start: Duration) -> Duration {
        cpu_time().saturating_sub(start)
    }

    fn add(&self, left: &Duration, right: &Duration) -> Duration {
        *left + *right
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn cpu_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = transactions, load
}
criterion_main!(benches);
