//! Who the client is: the socket's peer, unless a proxy that we trust says otherwise.

use crate::harness::client::{Client, Request, raw};
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::origin::Origin;

fn gateway(origin: &Origin, listener: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", {listener} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ))
}

/// Sends requests with these fields; expects these client addresses at the service and in the events.
#[track_caller]
fn clients(listener: &str, cases: &[(&[(&str, &str)], &str)]) {
    let origin = Origin::echo();
    let gateway = gateway(&origin, listener);
    for (fields, _) in cases {
        let request =
            fields.iter().fold(Request::get("/"), |one, (name, value)| one.header(name, value));
        assert_eq!(request.send(gateway.address()).status, 200);
    }
    let (seen, events) = (origin.requests(cases.len()), gateway.events(cases.len()));
    for (((fields, expected), seen), event) in cases.iter().zip(seen).zip(events) {
        assert_eq!(seen.all("x-forwarded-for"), [*expected], "{fields:?}");
        assert!(seen.all("forwarded").is_empty(), "{fields:?}");
        assert_eq!(event["client"]["ip"], *expected, "{fields:?}");
        assert_eq!(event["source"]["ip"], "127.0.0.1", "{fields:?}");
    }
}

#[test]
fn an_untrusted_peer_says_nothing_about_itself() {
    clients(
        "trusted_proxies: [10.0.0.0/8]",
        &[
            (&[], "127.0.0.1"),
            (&[("X-Forwarded-For", "203.0.113.9")], "127.0.0.1"),
            (&[("x_forwarded_for", "203.0.113.9")], "127.0.0.1"),
            (&[("Forwarded", "for=203.0.113.9")], "127.0.0.1"),
            (&[("X-Real-IP", "203.0.113.9")], "127.0.0.1"),
        ],
    );
}

#[test]
fn a_trusted_proxy_names_the_client() {
    clients(
        "trusted_proxies: [127.0.0.1/32, 10.0.0.0/8]",
        &[
            (&[("X-Forwarded-For", "203.0.113.9")], "203.0.113.9"),
            // Read from the right: what is further left was written by the client.
            (&[("X-Forwarded-For", "198.51.100.1, 203.0.113.9, 10.1.2.3")], "203.0.113.9"),
            (
                &[("X-Forwarded-For", "198.51.100.1"), ("X-Forwarded-For", "203.0.113.9")],
                "203.0.113.9",
            ),
            (&[("X-Forwarded-For", "203.0.113.9:4711")], "203.0.113.9"),
            (&[("X-Forwarded-For", "[2001:db8::7]:4711")], "2001:db8::7"),
            (&[("X-Forwarded-For", "::ffff:203.0.113.9")], "203.0.113.9"),
            (&[("X-Forwarded-For", "203.0.113.9, nonsense")], "127.0.0.1"),
            (&[("X-Forwarded-For", "")], "127.0.0.1"),
            (
                &[("Forwarded", "for=198.51.100.1, for=\"[2001:db8::7]:80\";proto=https")],
                "2001:db8::7",
            ),
            (
                &[("Forwarded", "for=203.0.113.9"), ("X-Forwarded-For", "198.51.100.1")],
                "203.0.113.9",
            ),
            (&[("Forwarded", "for=203.0.113.9;for=198.51.100.1")], "127.0.0.1"),
            (&[("Forwarded", "for=_hidden")], "127.0.0.1"),
        ],
    );
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// A PROXY protocol v2 header.
fn proxy(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend_from_slice(&[command, family]);
    bytes.extend_from_slice(&u16::try_from(block.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(block);
    bytes
}

fn v4() -> Vec<u8> {
    vec![203, 0, 113, 9, 192, 0, 2, 1, 0x12, 0x34, 0, 80]
}

fn v6() -> Vec<u8> {
    let mut block = vec![0; 36];
    block[..2].copy_from_slice(&[0x20, 0x01]);
    block[15] = 7;
    block
}

#[test]
fn a_proxy_header_names_the_client() {
    let origin = Origin::echo();
    let gateway = gateway(&origin, "proxy_protocol: true, trusted_proxies: [127.0.0.1/32]");
    let with_extension = [v4(), vec![0x04, 0, 1, 0]].concat();
    let cases = [
        (proxy(0x21, 0x11, &v4()), "203.0.113.9"),
        (proxy(0x21, 0x11, &with_extension), "203.0.113.9"),
        (proxy(0x21, 0x21, &v6()), "2001::7"),
        (proxy(0x20, 0x00, &[]), "127.0.0.1"),
        (proxy(0x21, 0x00, &[]), "127.0.0.1"),
    ];
    for (header, _) in &cases {
        let mut client = Client::connect(gateway.address());
        client.send(
            &[header.clone(), Request::get("/").header("x-forwarded-for", "192.0.2.9").bytes()]
                .concat(),
        );
        assert_eq!(client.response().status, 200);
    }
    for ((_, expected), event) in cases.iter().zip(gateway.events(cases.len())) {
        // The balancer's own connection is that of a trusted proxy, whose field counts.
        let expected = if *expected == "127.0.0.1" { "192.0.2.9" } else { expected };
        assert_eq!(event["client"]["ip"], expected);
    }
}

/// The address that the client connected to is the balancer's, not ours.
#[test]
fn a_proxy_header_names_the_server_too() {
    let rules =
        "SecAction \"id:1,phase:1,pass,log,msg:'%{SERVER_ADDR} %{SERVER_PORT} %{REMOTE_PORT}'\"";
    let gateway = Setup::new(
        r#"
listeners: { public: { bind: "127.0.0.1:0", proxy_protocol: true, trusted_proxies: [127.0.0.1/32] } }
waf: { call: { rules: ["@DIR@/call.conf"], mode: monitor } }
routes: [{ id: own, match: { path: "/*" }, respond: { status: 200 }, public: "a test", waf: call }]
"#,
    )
    .file("call.conf", rules)
    .start();
    let mut to_v6 = v6();
    to_v6[16..18].copy_from_slice(&[0x20, 0x02]);
    to_v6[31] = 9;
    to_v6[32..].copy_from_slice(&[0, 7, 0x20, 0xfb]);
    let own = format!("127.0.0.1 {}", gateway.address().port());
    for (at, (header, expected)) in [
        (proxy(0x21, 0x11, &v4()), "192.0.2.1 80 4660"),
        (proxy(0x21, 0x21, &to_v6), "2002::9 8443 7"),
        (proxy(0x20, 0x00, &[]), &own),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Client::connect(gateway.address());
        client.send(&[header, Request::get("/").bytes()].concat());
        assert_eq!(client.response().status, 200);
        let event = gateway.events(at + 1).pop().unwrap();
        let message = event["yett"]["waf"]["matches"][0]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with(expected), "{message}, expected {expected}");
    }
}

#[test]
fn a_malformed_proxy_header_ends_the_connection() {
    let origin = Origin::echo();
    let gateway = gateway(&origin, "proxy_protocol: true, trusted_proxies: [127.0.0.1/32]");
    let mut wrong_signature = proxy(0x21, 0x11, &v4());
    wrong_signature[5] = b'!';
    let headers = [
        wrong_signature,
        b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 80\r\n".to_vec(),
        proxy(0x11, 0x11, &v4()),
        proxy(0x22, 0x11, &v4()),
        proxy(0x21, 0x12, &v4()),
        proxy(0x21, 0x31, &[0; 216]),
        proxy(0x21, 0x11, &v4()[..8]),
        proxy(0x21, 0x21, &v6()[..20]),
        proxy(0x21, 0x11, &[0; 5000]),
        Vec::new(),
    ];
    for header in headers {
        let answer = raw(gateway.address(), &[header, Request::get("/").bytes()].concat());
        assert_eq!(String::from_utf8_lossy(&answer), "");
    }
    origin.expect_nothing();
    assert!(gateway.stop().is_empty());
}

#[test]
fn a_proxy_header_of_a_stranger_ends_the_connection() {
    let origin = Origin::echo();
    let gateway = gateway(&origin, "proxy_protocol: true, trusted_proxies: [10.0.0.0/8]");
    let bytes = [proxy(0x21, 0x11, &v4()), Request::get("/").bytes()].concat();
    assert!(raw(gateway.address(), &bytes).is_empty());
    origin.expect_nothing();
}

#[test]
fn the_named_client_is_screened() {
    let origin = Origin::echo();
    let gateway = Gateway::start(&format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", trusted_proxies: [127.0.0.1/32] }} }}
screen: {{ deny: [203.0.113.0/24] }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: office, match: {{ path: "/office" }}, to: web, public: "a test", screen: {{ allow: [198.51.100.0/24] }} }}
"#,
        origin.address()
    ));
    let ask = |path: &str, client: &str| {
        Request::get(path).header("x-forwarded-for", client).send(gateway.address())
    };
    let refused = ask("/", "203.0.113.7");
    assert_eq!((refused.status, refused.code().as_str()), (403, "screen.listed"));
    assert_eq!(ask("/office", "192.0.2.1").code(), "screen.listed");
    origin.expect_nothing();
    assert_eq!(ask("/", "192.0.2.1").status, 200);
    assert_eq!(ask("/office", "198.51.100.1").status, 200);
    let events = gateway.events(4);
    assert_eq!(action(&events[0]), "screen.listed");
}
