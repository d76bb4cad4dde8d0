//! The engine allocates nothing for a benign request once it has served one like it.
//!
//! In a binary of its own: the counter is the allocator of the whole process.
#![allow(clippy::panic, reason = "tests only: every failure to set up is one")]

mod material;

use std::net::IpAddr;

use material::crs;
use waf_rules::{Exclusion, Profile, ProfileOptions, RuleSelector, Ruleset, Transaction, Verdict};

/// Requests served before one is counted: caches of the regular expressions are filled by then.
const WARM_UP: usize = 32;

const HEADERS: &[(&str, &str)] = &[
    ("Host", "shop.example.com"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
];

const BROWSER_HEADERS: &[(&str, &str)] = &[
    ("Accept-Language", "en-GB,en;q=0.7,de;q=0.3"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Referer", "https://shop.example.com/products?category=shoes&page=2"),
    ("Cookie", "sid=7f9c2ba4e88f827d616045507605853e; theme=dark; cart=3; lang=en"),
    ("Upgrade-Insecure-Requests", "1"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Cache-Control", "max-age=0"),
];

#[test]
fn benign_requests_allocate_nothing() {
    let mut counts = Vec::new();
    for (rules, ruleset) in rulesets() {
        let profile = Profile::new(&ruleset, ProfileOptions::default());
        let profile = profile.unwrap_or_else(|errors| panic!("{errors:?}"));
        let browser = [HEADERS, BROWSER_HEADERS].concat();
        let requests = [
            ("simple", "/products?category=shoes&page=", HEADERS),
            ("browser", "/products/42/reviews?sort=newest&lang=en&ref=", browser.as_slice()),
        ];
        for (name, target, headers) in requests {
            // The last one brings a value that was never seen.
            let targets: Vec<String> =
                (0..=WARM_UP).map(|page| format!("{target}{page}")).collect();
            targets[..WARM_UP].iter().for_each(|target| serve(&profile, target, headers));
            let last = &targets[WARM_UP];
            let counted = allocation_counter::measure(|| serve(&profile, last, headers));
            counts.push((rules, name, counted.count_total));
        }
    }
    assert!(counts.iter().all(|(_, _, count)| *count == 0), "allocations: {counts:?}");
}

fn rulesets() -> Vec<(&'static str, Ruleset)> {
    let build = |builder: waf_rules::RulesetBuilder| {
        builder.build().unwrap_or_else(|errors| panic!("{errors}"))
    };
    let mut rulesets = vec![("builtin", build(Ruleset::builder().builtin()))];
    match crs() {
        Ok(folder) => {
            let builder = Ruleset::builder().file(folder.join("crs-setup.conf.example"));
            rulesets.push(("crs", build(builder.file(folder.join("rules/*.conf")))));
        }
        Err(remark) => eprintln!("{remark}"),
    }
    rulesets
}

/// The whole life of a request, from its connection to the end of its response.
fn serve(profile: &Profile, target: &str, headers: &[(&str, &str)]) {
    let address = |last| IpAddr::from([192, 0, 2, last]);
    let mut tx = Transaction::new(profile.clone());
    tx.connection(address(7), 40_000, address(1), 443);
    tx.unique_id(b"4bf92f3577b34da6a3ce929d0e0e4736");
    tx.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    let verdicts = [tx.head(), tx.body(), respond(&mut tx), tx.response_body()];
    tx.finish();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::Pass), "{:?}", tx.matches());
}

fn respond(tx: &mut Transaction) -> Verdict {
    tx.response_line(200, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"text/html; charset=utf-8");
    tx.response_header(b"Content-Length", b"5120");
    tx.response_head()
}

/// One compiled rule set serves all routes, whatever each of them leaves out.
#[test]
fn routes_share_the_rules() {
    const ROUTES: u32 = 10_000;
    const RULES_BYTES_MAX: i64 = 60 * 1024 * 1024;
    const ROUTE_BYTES_MAX: i64 = 1_024;
    for (name, ruleset) in rulesets() {
        let id = ruleset.rules().map(|rule| rule.id()).find(|id| *id > 0).unwrap_or_default();
        let mut profiles = Vec::with_capacity(ROUTES as usize);
        let counted = allocation_counter::measure(|| {
            for _ in 0..ROUTES {
                let exclusion = Exclusion { rules: vec![RuleSelector::Id(id)], target: None };
                let options =
                    ProfileOptions { exclusions: vec![exclusion], ..ProfileOptions::default() };
                profiles.extend(Profile::new(&ruleset, options));
            }
        });
        let route = counted.bytes_current / i64::from(ROUTES);
        assert!(route <= ROUTE_BYTES_MAX, "{name}: {route} bytes a route");
        assert_eq!(profiles.len(), ROUTES as usize, "{name}");
    }
    let loaded = allocation_counter::measure(|| std::mem::forget(rulesets()));
    let bytes = loaded.bytes_current;
    assert!(bytes <= RULES_BYTES_MAX, "{bytes} bytes of rules, bound {RULES_BYTES_MAX}");
    eprintln!("rule sets hold {bytes} bytes");
}
