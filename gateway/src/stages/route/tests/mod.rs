use std::net::{Ipv4Addr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use super::section::MatchSection;
use super::table::{Leaf, Node};
use super::{RouteEntry, RouteTable, Verdict};
use crate::base::bounds;
use crate::base::code::Code;
use crate::base::compile::{Compile, Problem};
use crate::base::net::Client;
use crate::base::request::{Canonical, Request};

mod problems;
mod random;

/// One request as text: `METHOD host path` and then `name: value` pairs.
pub(super) struct Ask {
    method: Method,
    canonical: Canonical,
    headers: HeaderMap,
}

impl Ask {
    pub(super) fn new(method: &str, host: &str, path: &str, fields: &[(String, String)]) -> Ask {
        let canonical = Canonical { host: host.into(), path: path.into(), ..Canonical::default() };
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        Ask { method: method.parse().unwrap(), canonical, headers }
    }

    fn parse(line: &str) -> Ask {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("");
        let (method, host, path, fields) = (word(), word(), word(), word());
        let fields: Vec<_> = fields
            .split_terminator(';')
            .map(|field| field.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ask::new(method, host, path, &fields)
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            canonical: &self.canonical,
            headers: &self.headers,
            version: Version::HTTP_11,
            secure: true,
            client: Client::direct(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000))),
            raw_target: self.canonical.path.as_bytes(),
        }
    }
}

/// A route as text: `host path METHOD,METHOD name=value;name=value`; `-` stands for absent.
fn section(line: &str) -> MatchSection {
    let mut words = line.splitn(4, ' ');
    let mut word = || words.next().filter(|word| *word != "-").unwrap_or("");
    let (host, path, methods, headers) = (word(), word(), word(), word());
    MatchSection {
        host: (!host.is_empty()).then(|| host.into()),
        path: path.into(),
        methods: (!methods.is_empty()).then(|| methods.split(',').map(str::to_owned).collect()),
        headers: headers
            .split_terminator(';')
            .map(|field| field.split_once('=').unwrap())
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    }
}

pub(super) fn compile(sections: &[MatchSection]) -> (RouteTable, Vec<Problem>) {
    let entries: Vec<_> = sections.iter().map(|matches| RouteEntry { id: "r", matches }).collect();
    let mut cx = Compile::new();
    let table = RouteTable::compile(&entries, &mut cx);
    (table, cx.into_problems())
}

fn table(lines: &[&str]) -> RouteTable {
    let sections: Vec<_> = lines.iter().map(|line| section(line)).collect();
    let (table, problems) = compile(&sections);
    assert_eq!(problems, [], "{lines:?}");
    assert_eq!(table.len(), lines.len());
    table
}

/// What a request is decided to: `route INDEX name=value ...`, or code and `Allow`.
fn verdict(table: &RouteTable, line: &str) -> String {
    let ask = Ask::parse(line);
    match table.decide(&ask.request()) {
        Ok(matched) => {
            let path = &ask.canonical.path;
            let params = matched.params().map(|(name, range)| {
                assert_eq!(matched.param(path, name), Some(&path[range.clone()]));
                format!(" {name}={}", &path[range])
            });
            format!("{}{}", matched.index, params.collect::<String>())
        }
        Err(finding) => {
            let allow = finding.headers.iter().find(|(name, _)| name == header::ALLOW);
            let allow = allow.map(|(_, value)| format!(" {}", value.to_str().unwrap()));
            format!("{}{}", finding.code.as_str(), allow.unwrap_or_default())
        }
    }
}

fn run(routes: &[&str], cases: &[(&str, &str)]) {
    let table = table(routes);
    for (request, expected) in cases {
        assert_eq!(verdict(&table, request), *expected, "{request} in {routes:?}");
    }
}

const NOT_FOUND: &str = "route.not_found";

#[test]
fn hosts_from_exact_over_wildcard_to_any() {
    run(
        &[
            "api.example.com /a",
            "*.example.com /a",
            "- /a",
            "*.eu.example.com /a",
            "[2001:DB8::1] /a",
        ],
        &[
            ("GET api.example.com /a", "0"),
            ("GET www.example.com /a", "1"),
            ("GET x.eu.example.com /a", "3"),
            ("GET example.com /a", "2"),
            // Exactly one more label.
            ("GET a.b.example.com /a", "2"),
            ("GET [2001:db8::1] /a", "4"),
            // HTTP/1.0 without Host.
            ("GET  /a", "2"),
        ],
    );
}

#[test]
fn a_host_without_the_path_falls_back_to_less_specific_hosts() {
    run(
        &["api.example.com /a", "*.example.com /b", "- /healthz", "- /b GET"],
        &[
            ("GET api.example.com /b", "1"),
            ("GET api.example.com /healthz", "2"),
            ("GET api.example.com /c", NOT_FOUND),
            ("GET other.net /a", NOT_FOUND),
            ("GET other.net /b", "3"),
        ],
    );
}

#[test]
fn paths_segment_by_segment_literal_over_param_over_prefix() {
    run(
        &[
            "- /v1/orders/{id}",
            "- /v1/orders/new",
            "- /v1/*",
            "- /{any}/orders/{id}",
            "- /*",
            "- /v1/orders/",
        ],
        &[
            ("GET h /v1/orders/7", "0 id=7"),
            ("GET h /v1/orders/new", "1"),
            ("GET h /v1/orders", "2"),
            ("GET h /v1", "2"),
            ("GET h /v1/", "2"),
            ("GET h /v1/orders/7/lines", "2"),
            ("GET h /v2/orders/7", "3 any=v2 id=7"),
            ("GET h /v2/orders/7/lines", "4"),
            ("GET h /", "4"),
            ("GET h /v1/orders/", "5"),
            ("GET h /v10/x", "4"),
            // A parameter is never empty.
            ("GET h //orders/7", "4"),
            ("GET h /v1//orders", "2"),
            // `OPTIONS *` has no path.
            ("OPTIONS h *", NOT_FOUND),
        ],
    );
}

#[test]
fn a_literal_that_dead_ends_falls_back_to_param_then_prefix() {
    run(
        &["- /a/b/c", "- /a/{x}/d", "- /{y}/b/e", "- /{y}/{z}/f", "- /a/*", "- /{w}/b/*"],
        &[
            ("GET h /a/b/c", "0"),
            ("GET h /a/b/d", "1 x=b"),
            // `/a/*` is more specific than `/{y}/b/e`: its first segment is a literal.
            ("GET h /a/b/e", "4"),
            ("GET h /z/b/e", "2 y=z"),
            ("GET h /z/q/f", "3 y=z z=q"),
            // ... and here its second.
            ("GET h /z/b/f", "5 w=z"),
            ("GET h /z/b/g", "5 w=z"),
            ("GET h /z/q/g", NOT_FOUND),
        ],
    );
}

#[test]
fn methods_listed_over_any_and_405_names_them_sorted() {
    run(
        &["- /a GET", "- /a POST,PURGE", "- /b", "- /b DELETE", "- /c/{id} PUT", "- /c/* GET"],
        &[
            ("GET h /a", "0"),
            ("HEAD h /a", "0"),
            ("POST h /a", "1"),
            ("PURGE h /a", "1"),
            ("DELETE h /a", "route.method_not_allowed GET, HEAD, POST, PURGE"),
            ("OPTIONS h /a", "route.method_not_allowed GET, HEAD, POST, PURGE"),
            ("get h /a", "route.method_not_allowed GET, HEAD, POST, PURGE"),
            ("DELETE h /b", "3"),
            ("BREW h /b", "2"),
            // Specificity decides among routes that take the request at all.
            ("GET h /c/7", "5"),
            ("POST h /c/7", "route.method_not_allowed GET, HEAD, PUT"),
        ],
    );
}

#[test]
fn header_conditions_exactly_once_with_exactly_the_value() {
    run(
        &["- /a - x-v=2", "- /a", "- /a - x-v=2;x-w=1", "- /b GET x-v=2"],
        &[
            ("GET h /a", "1"),
            ("GET h /a x-v=2", "0"),
            ("GET h /a x-v=2;x-w=1", "2"),
            ("GET h /a x-v=22", "1"),
            ("GET h /a x-v=2;x-v=2", "1"),
            ("GET h /a x-v=1;x-v=2", "1"),
            ("GET h /b x-v=2", "3"),
            // Not another method but other fields are missing: 404.
            ("GET h /b", NOT_FOUND),
            ("POST h /b", NOT_FOUND),
            ("POST h /b x-v=2", "route.method_not_allowed GET, HEAD"),
        ],
    );
}

#[test]
fn literals_are_compared_in_canonical_form() {
    run(
        &["- /caf%c3%a9/%7Euser", "- /a%2fb/{id}", "- /%41/é", "- /x%3ay", "- /x:y"],
        &[
            ("GET h /caf%C3%A9/~user", "0"),
            ("GET h /a%2Fb/7", "1 id=7"),
            ("GET h /a/b/7", NOT_FOUND),
            ("GET h /A/%C3%A9", "2"),
            ("GET h /x%3Ay", "3"),
            ("GET h /x:y", "4"),
        ],
    );
}

#[test]
fn hosts_are_compared_in_canonical_form() {
    run(
        &["API.Example.COM. /a"],
        &[("GET api.example.com /a", "0"), ("GET api.example.com.evil /a", NOT_FOUND)],
    );
}

#[test]
fn paths_beyond_the_bounds_still_end_at_a_prefix() {
    let table = table(&["- /s/*", "- /{a}/{b}"]);
    let deep = "/s".to_owned() + &"/x".repeat(bounds::TARGET_BYTES / 2);
    assert_eq!(verdict(&table, &format!("GET h {deep}")), "0");
    assert_eq!(verdict(&table, &format!("GET h /t{deep}")), NOT_FOUND);
    assert_eq!(verdict(&table, &format!("GET h /t{}", "/".repeat(8000))), NOT_FOUND);
}

#[test]
fn a_pattern_of_the_most_segments_matches() {
    let path = "/x".repeat(bounds::PATH_SEGMENTS);
    let table = table(&[&format!("- {path}"), &format!("- {}/{{p}}", &path[2..])]);
    assert_eq!(verdict(&table, &format!("GET h {path}")), "0");
    assert_eq!(verdict(&table, &format!("GET h {}/y", &path[2..])), "1 p=y");
}

/// Room for 10,000 routes: the table is most of what routing keeps.
#[test]
fn ten_thousand_routes_fit_one_mebibyte() {
    let line =
        |n: usize| format!("api{}.example.com /v1/service-{}/resource-{n}/{{id}}", n % 10, n % 100);
    let sections: Vec<_> = (0..10_000).map(|n| section(&line(n))).collect();
    let (table, problems) = compile(&sections);
    assert_eq!(problems, []);
    assert_eq!((size_of::<Node>(), size_of::<Leaf>()), (4 * Node::CELLS, 4 * Leaf::CELLS));
    let table = &table.table;
    let bytes = table.cells.capacity() * size_of::<u32>() + table.words.bytes();
    assert!(bytes < 1 << 20, "{bytes} bytes");
    assert_eq!(table.shapes.len(), 1);
}

#[test]
fn an_empty_table_finds_nothing() {
    let table = RouteTable::default();
    assert!(table.is_empty());
    assert_eq!(verdict(&table, "GET h /"), NOT_FOUND);
}

#[test]
fn many_routes_with_one_host_and_path_are_told_apart() {
    let lines: Vec<_> = (0..1000).map(|tenant| format!("- /a - x-tenant={tenant}")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let table = table(&lines);
    assert_eq!(verdict(&table, "GET h /a x-tenant=999"), "999");
    assert_eq!(verdict(&table, "GET h /a x-tenant=1000"), NOT_FOUND);
}

#[test]
fn explain_names_every_candidate_and_why_it_lost() {
    let table = table(&[
        "- /a/{id} POST",
        "- /a/7 - x-v=2",
        "h.example.com /a/*",
        "- /*",
        "k.example.com /a/7",
    ]);
    let ask = Ask::parse("GET h.example.com /a/7");
    let found: Vec<_> =
        table.explain(&ask.request()).into_iter().map(|c| (c.index, c.verdict)).collect();
    let expected = [
        (2, Verdict::Wins),
        (1, Verdict::Header { name: "x-v".into() }),
        (0, Verdict::Method { allowed: "POST".into() }),
        (3, Verdict::LessSpecific),
    ];
    assert_eq!(found, expected);
}

#[test]
fn explain_names_routes_of_other_hosts_when_nothing_fits() {
    let table = table(&["k.example.com /a/{id}", "*.example.net /a/*", "k.example.com /b"]);
    let ask = Ask::parse("GET h /a/7");
    let found: Vec<_> =
        table.explain(&ask.request()).into_iter().map(|c| (c.index, c.verdict)).collect();
    assert!(found.contains(&(0, Verdict::Host { wanted: "k.example.com".into() })), "{found:?}");
    assert!(found.contains(&(1, Verdict::Host { wanted: "*.example.net".into() })), "{found:?}");
    assert_eq!(found.len(), 2);
}

#[test]
fn a_refusal_does_not_repeat_a_long_method() {
    let table = table(&["- /a GET"]);
    let method = "M".repeat(10_000);
    let ask = Ask::new(&method, "h", "/a", &[]);
    let finding = table.decide(&ask.request()).unwrap_err();
    assert_eq!(finding.code, Code::RouteMethod);
    assert!(finding.evidence.len() < bounds::EVIDENCE_BYTES);
}
