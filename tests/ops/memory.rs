//! What attackers send grows no memory.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::load::{Load, Style};
use super::process::resident_kib;
use crate::harness::client::{Request, connect};
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::tokens::{ISSUERS, Tokens};

/// Requests of one flood, unless `YETT_FLOOD` says otherwise.
const FLOOD: usize = 20_000;
/// Requests that are sent at once.
const BATCH: usize = 50;
/// Growth that allocators may show without anything growing, KiB.
const NOISE_KIB: u64 = 8 * 1024;
const ROUTES: usize = 10_000;

fn flood_size() -> usize {
    std::env::var("YETT_FLOOD").ok().and_then(|text| text.parse().ok()).unwrap_or(FLOOD)
}

fn config(text: &str) -> String {
    format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", trusted_proxies: [127.0.0.0/8],
  bounds: {{ requests_per_connection: 1000000 }} }} }}
telemetry: {{ access_log: {{ to: "off" }} }}
limits: {{ each: {{ rate: 100/1s, key: client.ip }} }}
{text}"#
    )
}

/// Sends requests in batches and reads their answers; each is made from its number.
fn flood(address: SocketAddr, numbers: std::ops::Range<usize>, make: &dyn Fn(usize) -> Request) {
    let mut socket = connect(address);
    let numbers: Vec<usize> = numbers.collect();
    for batch in numbers.chunks(BATCH) {
        let bytes: Vec<u8> = batch.iter().flat_map(|number| make(*number).bytes()).collect();
        socket.write_all(&bytes).unwrap();
        read_answers(&mut socket, batch.len());
    }
}

/// Counts status lines; bodies here never hold one.
fn read_answers(socket: &mut TcpStream, wanted: usize) {
    let (mut read, mut seen) = (Vec::new(), 0);
    let mut bytes = [0; 64 * 1024];
    while seen < wanted || !is_whole(&read) {
        let count = socket.read(&mut bytes).unwrap();
        assert!(
            count > 0,
            "closed after {seen} answers of {wanted}: {}",
            String::from_utf8_lossy(&read)
        );
        read.extend_from_slice(&bytes[..count]);
        seen = read.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count();
    }
}

/// Whether the last answer is complete.
fn is_whole(read: &[u8]) -> bool {
    let Some(start) = read.windows(9).rposition(|nine| nine == b"HTTP/1.1 ") else { return false };
    let last = String::from_utf8_lossy(&read[start..]).to_ascii_lowercase();
    let Some((head, body)) = last.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|text| text.lines().next());
    length
        .and_then(|text| text.trim().parse::<usize>().ok())
        .is_some_and(|length| body.len() >= length)
}

#[test]
fn floods_of_paths_tokens_and_addresses_grow_no_memory() {
    let tokens = Tokens::new();
    let routes = r#"
routes:
  - { id: here, match: { path: "/here/*" }, public: "a test", respond: { status: 200, body: here }, limits: [each] }
  - { id: own, match: { path: "/own" }, auth: { issuers: [corp] }, respond: { status: 200, body: own } }
"#;
    let gateway = Setup::new(&config(&format!("{ISSUERS}{routes}")))
        .file("keys.json", tokens.key_set())
        .start();
    let address = gateway.address();
    let good = tokens.good();
    let unsigned = &good[..=good.rfind('.').unwrap()];
    let nowhere = |number: usize| Request::get(&format!("/nowhere/{number:x}/{}", "p".repeat(60)));
    let here = |number: usize| Request::get(&format!("/here/{number:x}?q={number}"));
    let bad = |number: usize| Request::get("/own").bearer(&format!("{unsigned}{number:086}"));
    let from = |number: usize| {
        let client = format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255);
        Request::get("/here/").header("x-forwarded-for", &client)
    };
    let floods: [(&str, &dyn Fn(usize) -> Request); 4] =
        [("paths", &nowhere), ("routed paths", &here), ("bad tokens", &bad), ("addresses", &from)];
    // Buffers, caches and tables that are made once are made now.
    for (_, make) in &floods {
        flood(address, 0..2_000, make);
    }
    let idle = resident_kib(gateway.pid());
    for (what, make) in &floods {
        let before = resident_kib(gateway.pid());
        flood(address, 2_000..2_000 + flood_size(), make);
        let after = resident_kib(gateway.pid());
        println!("{} {what}: {before} KiB -> {after} KiB", flood_size());
        // The table of local counters is laid out at its bound and filled by use.
        let table = if *what == "addresses" { 8 * 1024 } else { 0 };
        assert!(after < before + NOISE_KIB + table, "{what}: {before} KiB -> {after} KiB");
    }
    println!("all floods: {idle} KiB -> {} KiB", resident_kib(gateway.pid()));
    assert!(gateway.metrics().lines().count() < 2_000, "metrics grow with what clients send");
}

fn many_routes(generation: usize) -> String {
    let route = |number: usize| {
        format!(
            "  - {{ id: r{number}, match: {{ host: h{}.test, path: \"/r{number}/{{id}}\" }}, \
             public: \"a test\", respond: {{ status: 200, body: g{generation} }} }}\n",
            number % 100
        )
    };
    format!("routes:\n{}", (0..ROUTES).map(route).collect::<String>())
}

#[test]
fn ten_thousand_routes_are_taken_under_load() {
    let gateway = Gateway::start(&config(
        "routes: [{ id: r7, match: { path: \"/r7/*\" }, public: \"a test\", respond: { status: 200, body: g0 } }]",
    ));
    let one = resident_kib(gateway.pid());
    let ask = Request::get("/r7/1").host("h7.test");
    let load = Load::start(gateway.address(), &ask, &[Style::KeepAlive, Style::Fresh]);
    let mut took = Vec::new();
    for generation in 1..=3 {
        let started = Instant::now();
        let answer = gateway.reload(&config(&many_routes(generation)));
        took.push(started.elapsed());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(ask.send(gateway.address()).text(), format!("g{generation}"));
    }
    load.stop().expect_only_200();
    println!(
        "resident memory: one route {one} KiB, {ROUTES} routes {} KiB",
        resident_kib(gateway.pid())
    );
    println!("reload of {ROUTES} routes: {took:?}");
}
