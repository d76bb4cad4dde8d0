//! What of HTTP/1 holds for HTTP/2 too: bounds, deadlines, one event for each request.

use std::time::Duration;

use crate::harness::client::timed;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::h2::{H2Client, request, stalled};
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::{Authority, TlsClient};

const NAME: &str = "one.test";

fn start(web: &Origin, service: &str) -> (Gateway, H2Client) {
    let authority = Authority::new("http2");
    let leaf = authority.leaf(&[NAME]);
    let config = format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", tls: {{ certificates: [{{ cert: cert.pem, key: cert.key }}] }} }} }}
waf: {{ early: {{ rules: [builtin], response: {{ hold: 1m }} }} }}
services: {{ web: {{ endpoints: ["{}"] {service} }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: watched, match: {{ path: "/watched" }}, to: web, public: "a test", waf: early }}
"#,
        web.address()
    );
    let setup = Setup::new(&config).file("cert.pem", &leaf.cert).file("cert.key", &leaf.key);
    let gateway = setup.start();
    let client = H2Client::connect(TlsClient::trusting(&authority), gateway.address(), NAME);
    (gateway, client)
}

fn uri(path: &str) -> String {
    format!("https://{NAME}{path}")
}

#[test]
fn fields_are_counted_and_the_crumbs_of_a_cookie_are_one() {
    let web = Origin::echo();
    let (gateway, client) = start(&web, "");
    for (name, count, status) in
        [("x-one", 90, 200), ("x-one", 101, 431), ("cookie", 300, 200), ("cookie", 1, 200)]
    {
        let mut request = request("GET", &uri("/"), "");
        for number in 0..count {
            let value = http::HeaderValue::try_from(format!("a{number}=b")).unwrap();
            request.headers_mut().append(name, value);
        }
        let answer = client.send(request);
        assert_eq!(answer.status(), status, "{count} {name}");
        let text = String::from_utf8_lossy(answer.body());
        assert_eq!(text.contains("normalise.head_too_large"), status == 431, "{text}");
    }
    let events = gateway.events(4);
    assert_eq!(action(&events[1]), "normalise.head_too_large");
    assert_eq!(
        events[1]["yett"]["findings"][0]["evidence"], "more than 100 header fields",
        "{}",
        events[1]
    );
    assert_eq!(web.seen().len(), 3);
}

/// The codec refuses them before anybody sees them; they leave an event all the same.
#[test]
fn streams_that_the_codec_rejects_leave_an_event() {
    let web = Origin::echo();
    let (gateway, client) = start(&web, "");
    for hosts in [&["two.test"][..], &["user@one.test"], &[NAME, NAME]] {
        let mut request = request("GET", &uri("/"), "");
        for host in hosts {
            request.headers_mut().append("host", host.parse().unwrap());
        }
        assert_eq!(client.send(request).status(), 400, "{hosts:?}");
    }
    // The connection, and the other streams on it, go on.
    assert_eq!(client.send(request("GET", &uri("/"), "")).status(), 200);

    let events = gateway.events(4);
    for event in &events[..3] {
        assert_eq!(action(event), "normalise.header", "{event}");
        assert_eq!(event["http"]["version"], "2", "{event}");
        assert_eq!(event["client"]["ip"], "127.0.0.1");
        assert!(event["http"]["response"]["status_code"].is_null(), "{event}");
    }
    assert_eq!(web.seen().len(), 1);
}

/// A body that nobody inspects has a deadline between two reads, as over HTTP/1; a stream may be silent for as long as
/// its service bears it.
#[test]
fn a_body_that_stops_is_given_up() {
    let web = Origin::start(|seen| match seen.target().as_str() {
        "/answered" => Answer::bytes("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone"),
        _ => Answer::Silence,
    });
    let (gateway, client) = start(&web, ", timeouts: { response: 14s }, retries: { attempts: 1 }");
    let cases = [
        ("text/plain", 408, "waf.body_timeout", 10..14),
        ("application/grpc", 504, "upstream.timeout", 14..30),
    ];
    for (content_type, status, code, seconds) in cases {
        let (answer, took) = timed(|| client.send(stalled("POST", &uri("/"), content_type)));
        assert_eq!(answer.status(), status, "{content_type}");
        assert!(String::from_utf8_lossy(answer.body()).contains(code), "{content_type}");
        assert!(took >= Duration::from_secs(seconds.start), "{content_type}: {took:?}");
    }
    let events = gateway.events(2);
    assert_eq!(
        events.iter().map(action).collect::<Vec<_>>(),
        ["waf.body_timeout", "upstream.timeout"]
    );
}

/// Bodies that arrive are forwarded as ever, whoever looks at the answer.
#[test]
fn bodies_that_go_on_arrive_whole() {
    let web = Origin::start(|seen| Answer::ok(seen.body.len().to_string()));
    let (gateway, client) = start(&web, "");
    for path in ["/", "/watched"] {
        for size in [0, 1, 70_000, 300_000] {
            let answer = client.send(request("POST", &uri(path), "x".repeat(size)));
            let text = String::from_utf8_lossy(answer.body()).into_owned();
            match (path, size) {
                ("/watched", 300_000) => assert_eq!(answer.status(), 413, "{text}"),
                _ => {
                    assert_eq!((answer.status().as_u16(), text), (200, size.to_string()), "{path}")
                }
            }
        }
    }
    assert!(
        gateway.stop().iter().all(|event| event["http"]["response"]["status_code"].is_number())
    );
}
