//! What a rule decides is what the client gets: the status that it names, the place that it sends to, or nothing at all.

use http::StatusCode;

use crate::harness::client::{Client, Request, raw};
use crate::harness::gateway::{Gateway, Setup, action, findings, yett};
use crate::harness::h2;
use crate::harness::origin::{Answer, Origin};

const RULES: &str = r#"
SecRule REQUEST_FILENAME "@endsWith /hidden" "id:1,phase:1,deny,status:404"
SecRule REQUEST_FILENAME "@endsWith /empty" "id:2,phase:1,deny,status:204"
SecRule REQUEST_FILENAME "@endsWith /moved" "id:3,phase:1,redirect:'https://sorry.test/?from=%{ARGS.from}'"
SecRule REQUEST_FILENAME "@endsWith /kept" "id:4,phase:1,status:307,redirect:'https://sorry.test/'"
SecRule REQUEST_FILENAME "@endsWith /dropped" "id:5,phase:1,drop"
SecRule ARGS_POST:x "@streq drop" "id:6,phase:2,drop"
SecRule ARGS_POST:x "@streq teapot" "id:7,phase:2,deny,status:418"
SecRule RESPONSE_BODY "@contains teapot" "id:8,phase:4,deny,status:418"
SecRule RESPONSE_BODY "@contains drop" "id:9,phase:4,drop"
SecRule RESPONSE_BODY "@contains move" "id:10,phase:4,redirect:https://sorry.test/"
SecRule RESPONSE_STATUS "@streq 202" "id:11,phase:3,deny,status:410"
SecRule REQUEST_HEADERS:X-Watch "@rx ." "id:20,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly"
SecRule ARGS:attack "@rx ." "id:21,phase:1,deny,status:404"
SecRule RESPONSE_BODY "@contains leak" "id:22,phase:4,deny"
SecRule ARGS:late "@rx ." "id:23,phase:2,drop"
"#;

fn config(origin: &Origin) -> String {
    format!(
        r#"
waf:
  asked: {{ rules: ["@DIR@/verdicts.conf"] }}
  both: {{ rules: ["@DIR@/verdicts.conf"], response: {{ inspect: 16KiB }} }}
  watch: {{ rules: ["@DIR@/verdicts.conf"], response: {{ inspect: 16KiB }}, mode: monitor }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: asked, match: {{ path: "/asked/*" }}, to: web, public: "a test", waf: asked }}
  - {{ id: both, match: {{ path: "/both/*" }}, to: web, public: "a test", waf: both }}
  - {{ id: watch, match: {{ path: "/watch/*" }}, to: web, public: "a test", waf: watch }}
"#,
        origin.address()
    )
}

/// Says the last segment of the path.
fn origin() -> Origin {
    Origin::start(|seen| {
        let target = seen.target();
        let path = target.split('?').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let status = if last == "accepted" { 202 } else { 200 };
        let kind = ("Content-Type".into(), "text/plain".into());
        Answer::Reply(status, vec![kind], last.as_bytes().to_vec())
    })
}

fn gateway(origin: &Origin) -> Gateway {
    Setup::new(&config(origin)).file("verdicts.conf", RULES).start()
}

/// Each request, and what the client gets: status, and where it is sent. Routes whose answers are looked at go another way
/// through the gateway than those whose answers are not.
const VERDICTS: &[(&str, &str, u16, Option<&str>)] = &[
    ("/hidden", "", 404, None),
    ("/empty", "", 204, None),
    ("/moved?from=a%20b", "", 302, Some("https://sorry.test/?from=a b")),
    ("/kept", "", 307, Some("https://sorry.test/")),
    ("/form", "x=teapot", 418, None),
    ("/fine", "x=1", 200, None),
];

const ANSWERS: &[(&str, u16, Option<&str>)] = &[
    ("/teapot", 418, None),
    ("/move", 302, Some("https://sorry.test/")),
    ("/accepted", 410, None),
    ("/fine", 200, None),
];

fn request(path: &str, form: &str) -> Request {
    if form.is_empty() { Request::get(path) } else { Request::new("POST", path).form(form) }
}

#[test]
fn a_rule_chooses_the_answer() {
    let origin = origin();
    let gateway = gateway(&origin);
    for way in ["/asked", "/both"] {
        for (path, form, status, location) in VERDICTS {
            let answer = request(&format!("{way}{path}"), form).send(gateway.address());
            assert_eq!(
                (answer.status, answer.header("location")),
                (*status, *location),
                "{way}{path}"
            );
            if *status == 204 {
                assert_eq!(answer.header("content-length"), None, "{way}{path}");
            } else if *status != 200 {
                let problem = answer.json();
                assert_eq!(
                    (&problem["status"], &problem["code"]),
                    (&(*status).into(), &"waf.blocked".into())
                );
            }
            let monitored = request(&format!("/watch{path}"), form).send(gateway.address());
            assert_eq!((monitored.status, monitored.header("location")), (200, None), "{path}");
        }
    }
    for (path, status, location) in ANSWERS {
        let answer = Request::get(&format!("/both{path}")).send(gateway.address());
        assert_eq!((answer.status, answer.header("location")), (*status, *location), "{path}");
    }
}

/// An answer without content is one answer: what follows it on the connection is the next one.
#[test]
fn the_connection_goes_on_behind_an_answer_without_content() {
    let origin = origin();
    let gateway = gateway(&origin);
    for way in ["/asked", "/both"] {
        let mut client = Client::connect(gateway.address());
        for (path, status) in [("/empty", 204), ("/fine", 200), ("/empty", 204), ("/hidden", 404)] {
            client.send(&Request::get(&format!("{way}{path}")).bytes());
            assert_eq!(client.response().status, status, "{way}{path}");
        }
    }
}

#[test]
fn dropped_is_without_an_answer() {
    let origin = origin();
    let gateway = gateway(&origin);
    let requests = [
        ("/asked/dropped", ""),
        ("/both/dropped", ""),
        ("/asked/form", "x=drop"),
        ("/both/form", "x=drop"),
        ("/both/drop", ""),
    ];
    for (path, form) in requests {
        let answer = raw(gateway.address(), &request(path, form).bytes());
        assert_eq!(String::from_utf8_lossy(&answer), "", "{path}");
    }
    assert_eq!(Request::get("/watch/drop").send(gateway.address()).status, 200);
    for (event, (path, _)) in gateway.events(6).iter().zip(requests) {
        let code = if path == "/both/drop" { "waf.response_blocked" } else { "waf.blocked" };
        assert_eq!(action(event), code, "{path}");
        assert_eq!(event["http"]["response"]["status_code"], serde_json::Value::Null, "{event}");
    }
}

#[test]
fn http2_gets_the_same_and_a_dropped_stream_ends_alone() {
    let origin = origin();
    let (gateway, client) = h2::gateway(&config(&origin), &[("verdicts.conf", RULES)]);
    for (path, form, status, location) in VERDICTS {
        let method = if form.is_empty() { "GET" } else { "POST" };
        let mut request = h2::request(method, &format!("https://a.test/asked{path}"), *form);
        if !form.is_empty() {
            let kind = "application/x-www-form-urlencoded".parse().unwrap();
            request.headers_mut().insert("content-type", kind);
        }
        let answer = client.send(request);
        let sent_to = answer.headers().get("location").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), sent_to), (*status, *location), "{path}");
    }
    for path in ["/asked/dropped", "/both/drop"] {
        let request = || h2::request("GET", &format!("https://a.test{path}"), "");
        assert!(client.try_send(request()).is_err(), "{path}");
        let next = client.send(h2::request("GET", "https://a.test/asked/fine", ""));
        assert_eq!(next.status(), StatusCode::OK, "the connection goes on behind {path}");
    }
    drop(gateway);
}

/// What macros make of a place may hold what a client wrote: it never becomes a field of its own.
#[test]
fn a_place_that_is_no_field_value_refuses_all_the_same() {
    let origin = origin();
    let gateway = gateway(&origin);
    for way in ["/asked", "/both"] {
        let path = format!("{way}/moved?from=%0d%0aSet-Cookie:%20a=b");
        let answer = Request::get(&path).send(gateway.address());
        assert_eq!((answer.status, answer.header("location")), (403, None));
        assert_eq!(answer.header("set-cookie"), None);
    }
}

/// `ctl:ruleEngine=DetectionOnly` for some requests of a profile that enforces.
#[test]
fn rules_that_only_detect_refuse_nothing() {
    let origin = origin();
    let gateway = gateway(&origin);
    let cases = [
        ("/asked/fine?attack=1", 404),
        ("/both/fine?attack=1", 404),
        ("/both/leak", 403),
        ("/asked/fine?late=1", 0),
    ];
    for (path, status) in cases {
        let watched = Request::get(path).header("x-watch", "1").send(gateway.address());
        assert_eq!(watched.status, 200, "{path}");
        if status > 0 {
            assert_eq!(Request::get(path).send(gateway.address()).status, status, "{path}");
        } else {
            assert!(raw(gateway.address(), &Request::get(path).bytes()).is_empty(), "{path}");
        }
    }
    for pair in gateway.events(8).chunks(2) {
        assert_eq!(
            (action(&pair[0]), findings(&pair[0])),
            ("allowed", findings(&pair[1])),
            "{pair:?}"
        );
        assert!(action(&pair[1]).starts_with("waf."), "{pair:?}");
    }
}

#[test]
fn tests_and_explanations_say_the_same() {
    let origin = origin();
    let tests = r#"
tests:
  - { request: { path: /asked/hidden }, expect: { status: 404, finding: waf.blocked } }
  - { request: { path: /asked/kept }, expect: { status: 307, finding: waf.blocked } }
  - { request: { path: /asked/dropped }, expect: { status: 0, finding: waf.blocked } }
"#;
    let config = format!("{}{tests}", config(&origin));
    let gateway = Setup::new(&config).file("verdicts.conf", RULES).start();
    for (path, verdict) in
        [("/asked/hidden", "404 waf.blocked"), ("/asked/dropped", "no answer: waf.blocked")]
    {
        let output = yett()
            .args(["explain", "--path", path, "--config"])
            .arg(gateway.folder())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(verdict), "{path}: {said}");
    }
}
