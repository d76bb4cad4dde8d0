//! Answers that a service codes though it was asked not to: the rules see what the client will read, the client gets what the
//! service sent, and what cannot be read never counts as seen.

use crate::harness::client::Request;
use crate::harness::coding::coded;
use crate::harness::gateway::{Gateway, Setup, action, findings};
use crate::harness::h2;
use crate::harness::origin::{Answer, Origin, Seen};

const KIB: usize = 1024;
const RULES: &str = r#"
SecRule RESPONSE_BODY "@contains LEAK" "id:103,phase:4,deny,status:403,msg:'leak'"
"#;

fn config(service: &str) -> String {
    format!(
        r#"
waf:
  part: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 16KiB, hold: 1m }} }}
  whole: {{ rules: ["@DIR@/leaks.conf"], response: {{ inspect: 16KiB, hold: 1m, over: reject }} }}
  watch: {{ rules: ["@DIR@/leaks.conf"], mode: monitor, response: {{ inspect: 16KiB, over: reject }} }}
services: {{ web: {{ {service} }} }}
defaults: {{ waf: part }}
routes:
  - {{ id: part, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: whole, match: {{ path: "/whole/*" }}, to: web, public: "a test", waf: whole }}
  - {{ id: watch, match: {{ path: "/watch/*" }}, to: web, public: "a test", waf: watch }}
"#
    )
}

fn gateway(origin: &Origin) -> Gateway {
    let config = config(&format!("endpoints: [\"{}\"]", origin.address()));
    Setup::new(&config).file("leaks.conf", RULES).start()
}

fn page(leaks: bool) -> String {
    let text: String = (0..300).map(|line| format!("<p>line {line}</p>\n")).collect();
    if leaks { text + "LEAK" } else { text }
}

/// Coding as the head names it, and the body.
fn body(name: &str) -> (&'static str, Vec<u8>) {
    let (clean, leak) = (page(false), page(true));
    let cut = |mut bytes: Vec<u8>| {
        bytes.truncate(bytes.len() - 8);
        bytes
    };
    match name {
        "gzip" => ("gzip", coded("gzip", &clean)),
        "gzip-leak" => ("GZip", coded("gzip", &leak)),
        "members-leak" => ("x-gzip", [coded("gzip", &clean), coded("gzip", "LEAK")].concat()),
        "deflate-leak" => ("deflate", coded("deflate", &leak)),
        "raw-leak" => ("deflate", coded("raw", &leak)),
        "br" => ("br", coded("br", &clean)),
        "br-leak" => ("identity, br", coded("br", &leak)),
        // The check sum is gone: clients show the text all the same.
        "cut" => ("gzip", cut(coded("gzip", &clean))),
        "cut-leak" => ("gzip", cut(coded("gzip", &leak))),
        "behind-leak" => ("gzip", [coded("gzip", &clean), b"LEAK".to_vec()].concat()),
        // Not coded at all: some clients show that, too.
        "mislabelled" => ("gzip", clean.into_bytes()),
        "mislabelled-leak" => ("gzip", leak.into_bytes()),
        "mislabelled-deflate-leak" => ("deflate", leak.into_bytes()),
        "mislabelled-br-leak" => ("br", leak.into_bytes()),
        "two" => ("gzip, br", coded("gzip", &leak)),
        "zstd" => ("zstd", clean.into_bytes()),
        "bomb" => ("gzip", coded("gzip", &"0".repeat(4 * 1024 * KIB))),
        "bomb-leak" => ("gzip", coded("gzip", &format!("LEAK{}", "0".repeat(4 * 1024 * KIB)))),
        "late-leak" => ("gzip", coded("gzip", &format!("{}LEAK", clean.repeat(9)))),
        // Blocks without a byte in them: the coding yields nothing, for as long as it likes.
        "void" => ("deflate", [0, 0, 0, 0xff, 0xff].repeat(64 * KIB)),
        other => panic!("{other}"),
    }
}

fn answer(seen: &Seen) -> Answer {
    let (coding, body) = body(seen.target().rsplit('/').next().unwrap_or_default());
    let fields = [("content-type", "text/html"), ("content-encoding", coding)];
    let owned = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Answer::Reply(200, owned.to_vec(), body)
}

/// Path, status, finding ("" for none, `~` for one that only was recorded), how much the rules saw.
const CASES: &[(&str, u16, &str, &str)] = &[
    ("/gzip", 200, "", "whole"),
    ("/br", 200, "", "whole"),
    ("/gzip-leak", 403, "waf.response_blocked", "whole"),
    ("/members-leak", 403, "waf.response_blocked", "whole"),
    ("/deflate-leak", 403, "waf.response_blocked", "whole"),
    ("/raw-leak", 403, "waf.response_blocked", "whole"),
    ("/br-leak", 403, "waf.response_blocked", "whole"),
    ("/watch/gzip-leak", 200, "~waf.response_blocked", "whole"),
    ("/cut", 200, "", "unreadable"),
    ("/cut-leak", 403, "waf.response_blocked", "unreadable"),
    ("/whole/cut", 502, "waf.response_unreadable", "unreadable"),
    ("/watch/cut", 200, "~waf.response_unreadable", "unreadable"),
    ("/behind-leak", 200, "", "unreadable"),
    ("/whole/behind-leak", 502, "waf.response_unreadable", "unreadable"),
    ("/mislabelled", 200, "", "unreadable"),
    ("/mislabelled-leak", 403, "waf.response_blocked", "unreadable"),
    ("/mislabelled-deflate-leak", 403, "waf.response_blocked", "unreadable"),
    ("/mislabelled-br-leak", 403, "waf.response_blocked", "unreadable"),
    ("/two", 200, "", "unreadable"),
    ("/whole/two", 502, "waf.response_unreadable", "unreadable"),
    ("/zstd", 200, "", "unreadable"),
    ("/whole/zstd", 502, "waf.response_unreadable", "unreadable"),
    ("/bomb", 200, "", "partial"),
    ("/bomb-leak", 403, "waf.response_blocked", "partial"),
    ("/whole/bomb", 502, "waf.response_too_large", "partial"),
    ("/late-leak", 200, "", "partial"),
    ("/void", 200, "", "partial"),
    ("/whole/void", 502, "waf.response_too_large", "partial"),
];

#[test]
fn the_rules_see_what_the_client_will_read() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for (path, status, finding, _) in CASES {
        let answer =
            Request::get(path).header("accept-encoding", "gzip, br").send(gateway.address());
        assert_eq!(answer.status, *status, "{path}");
        if *status == 200 {
            let (coding, body) = body(path.rsplit('/').next().unwrap());
            assert_eq!(answer.header("content-encoding"), Some(coding), "{path}");
            assert!(answer.body == body, "{path}: the client gets what the service sent");
        } else {
            assert_eq!(answer.code(), *finding, "{path}");
        }
    }
    expect_events(&gateway);
}

#[track_caller]
fn expect_events(gateway: &Gateway) {
    for (event, (path, status, finding, seen)) in gateway.events(CASES.len()).iter().zip(CASES) {
        let code = finding.trim_start_matches('~');
        assert_eq!(
            findings(event),
            Vec::from_iter(Some(code).filter(|code| !code.is_empty())),
            "{path}"
        );
        assert_eq!(action(event), if *status == 200 { "allowed" } else { *finding }, "{path}");
        assert_eq!(event["yett"]["waf"]["response"], *seen, "{path}");
    }
}

#[test]
fn the_same_over_http2() {
    let origin = Origin::start(answer);
    let config = config(&format!("endpoints: [\"{}\"]", origin.address()));
    let (gateway, client) = h2::gateway(&config, &[("leaks.conf", RULES)]);
    for (path, status, finding, _) in CASES {
        let answer = client.send(h2::request("GET", &format!("https://a.test{path}"), ""));
        assert_eq!(answer.status().as_u16(), *status, "{path}");
        match status {
            200 => assert!(answer.body() == &body(path.rsplit('/').next().unwrap()).1, "{path}"),
            _ => assert!(String::from_utf8_lossy(answer.body()).contains(finding), "{path}"),
        }
    }
    expect_events(&gateway);
}

/// There is nothing to read where no body follows, whatever the head says of it.
#[test]
fn heads_without_a_body_are_no_unreadable_answers() {
    let origin = Origin::start(answer);
    let gateway = gateway(&origin);
    for path in ["/whole/two", "/whole/cut", "/whole/gzip-leak"] {
        assert_eq!(Request::new("HEAD", path).send(gateway.address()).status, 200, "{path}");
    }
    assert!(gateway.events(3).iter().all(|event| event["yett"]["waf"]["response"] == "head"));
}
