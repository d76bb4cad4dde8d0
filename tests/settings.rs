//! Keys whose effect only a socket shows, each with and without: `gateway/src/pipeline/tests/keys.txt` names these tests
//! as their proof.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use rustls::version::{TLS12, TLS13};

use crate::harness::client::{Request, timed};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action};
use crate::harness::h2::H2Origin;
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::{Authority, TlsClient};

const NAME: &str = "one.test";

fn start(sections: &str, service: &str) -> Gateway {
    Gateway::start(&format!(
        "{sections}\nservices: {{ web: {{ {service} }} }}\n\
         routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n"
    ))
}

#[test]
fn an_answer_of_our_own_is_the_one_that_is_written() {
    let gateway = Gateway::start(
        r#"routes:
  - { id: full, match: { path: /full }, public: "a test", respond: { status: 418, body: "{}", content_type: application/json } }
  - { id: bare, match: { path: /bare }, public: "a test", respond: { status: 200 } }
"#,
    );
    let full = Request::get("/full").send(gateway.address());
    let said = (full.status, full.text(), full.header("content-type").map(str::to_owned));
    assert_eq!(said, (418, "{}".to_owned(), Some("application/json".to_owned())));
    let bare = Request::get("/bare").send(gateway.address());
    let said = (bare.status, bare.text(), bare.header("content-type").map(str::to_owned));
    assert_eq!(said, (200, String::new(), Some("text/plain; charset=utf-8".to_owned())));
}

#[test]
fn trust_decides_whose_trace_goes_on() {
    let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    for (trust, goes_on) in [("[]", false), ("[10.0.0.0/8]", false), ("[127.0.0.0/8]", true)] {
        let origin = Origin::echo();
        let listener = format!(
            "listeners: {{ public: {{ bind: \"127.0.0.1:0\", trace: {{ trust: {trust} }} }} }}"
        );
        let gateway = start(&listener, &format!("endpoints: [\"{}\"]", origin.address()));
        let request = Request::get("/").header("traceparent", &format!("00-{trace}-{span}-00"));
        assert_eq!(request.send(gateway.address()).status, 200);
        let seen = origin.request().header("traceparent").unwrap();
        assert_eq!(seen.contains(trace), goes_on, "{trust}: {seen}");
        assert_eq!(
            seen.ends_with("-00"),
            goes_on,
            "{trust}: who is trusted decides on sampling too"
        );
        assert!(!seen.contains(span), "the service's parent is the gateway's span");
    }
}

#[test]
fn a_silent_service_is_given_up_at_its_time() {
    let origin = Origin::start(|_| Answer::Silence);
    let service = format!(
        "endpoints: [\"{}\"], retries: {{ attempts: 1 }}, timeouts: {{ response: 200ms }}",
        origin.address()
    );
    let gateway = start("", &service);
    let (answer, took) = timed(|| Request::get("/").send(gateway.address()));
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream.timeout"));
    // The default is 30 s.
    assert!((Duration::from_millis(200)..Duration::from_secs(30)).contains(&took), "{took:?}");
    assert_eq!(action(&gateway.event()), "upstream.timeout");
}

/// A listener that nobody accepts from, with its queue full: the kernel lets the next connection wait (listen(2)).
fn crowded() -> (tokio::runtime::Runtime, tokio::net::TcpListener, Vec<tokio::net::TcpStream>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (listener, waiting) = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        let connect = || tokio::net::TcpStream::connect(listener.local_addr().unwrap());
        while let Ok(taken) = tokio::time::timeout(Duration::from_millis(300), connect()).await {
            waiting.push(taken.unwrap());
            assert!(waiting.len() < 100, "a queue of one takes {}", waiting.len());
        }
        (listener, waiting)
    });
    (runtime, listener, waiting)
}

#[test]
fn a_connection_that_does_not_come_about_is_given_up_at_its_time() {
    let (_runtime, listener, _waiting) = crowded();
    let service = format!(
        "endpoints: [\"{}\"], retries: {{ attempts: 1 }}, timeouts: {{ connect: 2s }}",
        listener.local_addr().unwrap()
    );
    let gateway = start("", &service);
    let (answer, took) = timed(|| Request::get("/").send(gateway.address()));
    assert_eq!((answer.status, answer.code().as_str()), (504, "upstream.timeout"));
    // The default is 1 s; the kernel itself would try for minutes.
    assert!((Duration::from_secs(2)..Duration::from_secs(60)).contains(&took), "{took:?}");
    assert_eq!(action(&gateway.event()), "upstream.timeout");
}

#[test]
fn an_unused_connection_to_a_service_ends_at_its_time() {
    let connections = |idle: &str, more_than: usize| {
        let origin = Origin::echo();
        let service =
            format!("endpoints: [\"{}\"], timeouts: {{ idle: {idle} }}", origin.address());
        let gateway = start("", &service);
        let mut requests = 0;
        eventually("connections", || {
            assert_eq!(Request::get("/").send(gateway.address()).status, 200);
            requests += 1;
            (requests >= 10 && origin.connections() > more_than).then_some(origin.connections())
        })
    };
    // Two workers, and each keeps connections of its own.
    assert!(connections("1h", 0) <= 2);
    assert!(connections("1ms", 4) > 4);
}

#[test]
fn a_service_is_spoken_to_as_its_section_says() {
    let plain = H2Origin::start(None);
    let gateway = start("", &format!("endpoints: [\"{}\"], protocol: h2", plain.address()));
    assert_eq!(Request::get("/h2").send(gateway.address()).status, 200);
    assert_eq!(plain.seen()[0].target, "/h2");

    let authority = Authority::new("services");
    let origin = Origin::start_tls(authority.leaf(&[NAME]).server(&["http/1.1"]), |seen| {
        Answer::ok(seen.line())
    });
    let stranger = Authority::new("strangers");
    for (name, ca, status) in
        [(NAME, &authority, 200), ("two.test", &authority, 502), (NAME, &stranger, 502)]
    {
        let config = format!(
            "services: {{ web: {{ endpoints: [\"{}\"], tls: {{ server_name: {name}, ca: ca.pem }}, retries: {{ attempts: 1 }} }} }}\n\
             routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
            origin.address()
        );
        let gateway = Setup::new(&config).file("ca.pem", &ca.pem).start();
        let answer = Request::get("/").send(gateway.address());
        assert_eq!(answer.status, status, "{name}: {}", gateway.event());
    }
}

#[test]
fn a_tls_listener_takes_what_its_section_says() {
    let (authority, stranger) = (Authority::new("clients"), Authority::new("strangers"));
    let server = authority.leaf(&[NAME]);
    let (known, unknown) = (authority.leaf(&["client"]), stranger.leaf(&["client"]));
    let listener = |tls: &str| {
        let config = format!(
            "listeners: {{ public: {{ bind: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert: cert.pem, key: cert.key }}], {tls} }} }} }}\n\
             routes: [{{ id: own, match: {{ path: / }}, public: \"a test\", respond: {{ status: 200 }} }}]\n"
        );
        let files =
            Setup::new(&config).file("cert.pem", &server.cert).file("cert.key", &server.key);
        files.file("clients.pem", &authority.pem).start()
    };
    let both = rustls::ALL_VERSIONS;
    let optional = "client_certificates: { mode: optional, ca: clients.pem }";
    let required = "client_certificates: { mode: required, ca: clients.pem }";
    for (tls, client, served) in [
        ("min_version: \"1.2\"", TlsClient::with(&authority, None, &[&TLS12]), true),
        ("min_version: \"1.3\"", TlsClient::with(&authority, None, &[&TLS12]), false),
        ("min_version: \"1.3\"", TlsClient::with(&authority, None, &[&TLS13]), true),
        (optional, TlsClient::with(&authority, None, both), true),
        (optional, TlsClient::with(&authority, Some(&unknown), both), false),
        (required, TlsClient::with(&authority, None, both), false),
        (required, TlsClient::with(&authority, Some(&known), both), true),
        (required, TlsClient::with(&authority, Some(&unknown), both), false),
    ] {
        let gateway = listener(tls);
        // In TLS 1.3 a refused certificate shows with the first read.
        let answered = client.connect(gateway.address(), NAME).and_then(|mut stream| {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: one.test\r\n\r\n")?;
            let mut start = [0; 12];
            stream.read_exact(&mut start).map(|()| start)
        });
        assert_eq!(answered.ok().as_ref(), served.then_some(b"HTTP/1.1 200"), "{tls}");
    }
}

/// SETTINGS_MAX_CONCURRENT_STREAMS (RFC 9113 §6.5.2) of a listener with these bounds.
fn streams(bounds: &str) -> u32 {
    let authority = Authority::new("http2");
    let leaf = authority.leaf(&[NAME]);
    let config = format!(
        "listeners: {{ public: {{ bind: \"127.0.0.1:0\", tls: {{ certificates: [{{ cert: cert.pem, key: cert.key }}] }}, bounds: {bounds} }} }}\n\
         routes: [{{ id: own, match: {{ path: / }}, public: \"a test\", respond: {{ status: 200 }} }}]\n"
    );
    let gateway =
        Setup::new(&config).file("cert.pem", &leaf.cert).file("cert.key", &leaf.key).start();
    let client = TlsClient::trusting(&authority).alpn(&["h2"]);
    let mut stream = client.connect(gateway.address(), NAME).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[3], 4, "the first frame of a server is SETTINGS");
    let mut settings = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    stream.read_exact(&mut settings).unwrap();
    let found = settings.chunks(6).find(|setting| setting[..2] == [0, 3]).unwrap();
    u32::from_be_bytes(found[2..].try_into().unwrap())
}

#[test]
fn a_client_is_told_how_many_streams_it_may_open() {
    assert_eq!((streams("{}"), streams("{ http2_streams: 7 }")), (100, 7));
}

#[test]
fn allowed_requests_are_written_in_the_share_that_is_asked_for() {
    for (allowed, written) in [("100%", 3), ("0%", 1)] {
        let gateway = Gateway::start(&format!(
            "telemetry: {{ access_log: {{ to: \"@DIR@/access.ndjson\", allowed: {allowed} }} }}\n\
             routes: [{{ id: own, match: {{ path: / }}, public: \"a test\", respond: {{ status: 200 }} }}]\n"
        ));
        for path in ["/", "/", "/refused"] {
            Request::get(path).send(gateway.address());
        }
        let events = gateway.stop();
        assert_eq!(events.len(), written, "{allowed}");
        assert_eq!(action(events.last().unwrap()), "route.not_found");
    }
}
