//! Listeners with TLS: which certificate, which version, which key exchange, whose client certificate.

use rustls::NamedGroup;

use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::h2::{self, H2Client};
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::{Authority, Leaf, TlsClient, shown};

/// Certificates for `a.test` (the default) and `*.b.test`, and what else the section says.
fn gateway(origin: &Origin, a: &Leaf, b: &Leaf, tls: &str) -> Setup {
    Setup::new(&format!(
        r#"
listeners:
  public:
    bind: "127.0.0.1:0"
    tls:
      certificates: [{{ cert: a.pem, key: a.key }}, {{ cert: b.pem, key: b.key }}]
      {tls}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
        origin.address()
    ))
    .file("a.pem", &a.cert)
    .file("a.key", &a.key)
    .file("b.pem", &b.cert)
    .file("b.key", &b.key)
}

struct Door {
    authority: Authority,
    a: Leaf,
    b: Leaf,
    origin: Origin,
}

impl Door {
    fn new() -> Door {
        let authority = Authority::new("tests");
        let (a, b) = (authority.leaf(&["a.test"]), authority.leaf(&["*.b.test"]));
        Door { authority, a, b, origin: Origin::echo() }
    }

    fn open(&self, tls: &str) -> Gateway {
        self.setup(tls).start()
    }

    fn setup(&self, tls: &str) -> Setup {
        gateway(&self.origin, &self.a, &self.b, tls)
    }
}

#[test]
fn the_name_chooses_the_certificate() {
    let door = Door::new();
    let gateway = door.open("");
    let client = TlsClient::trusting(&door.authority);
    let show = |name: &str| shown(&client.connect(gateway.address(), name).unwrap());
    assert_eq!(show("a.test"), door.a.der());
    assert_eq!(show("x.b.test"), door.b.der());
    // An unknown name gets the first, which then does not fit; so does none at all.
    assert!(client.connect(gateway.address(), "unknown.test").is_err());
    let nameless = client.clone().without_sni().connect(gateway.address(), "a.test").unwrap();
    assert_eq!(shown(&nameless), door.a.der());
}

#[test]
fn the_key_exchange_is_post_quantum() {
    let door = Door::new();
    let gateway = door.open("");
    let stream = TlsClient::trusting(&door.authority).connect(gateway.address(), "a.test").unwrap();
    let group = stream.conn.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert_eq!(u16::from(group), 0x11EC);
}

#[test]
fn old_versions_are_refused_where_they_should_be() {
    let door = Door::new();
    let old = TlsClient::with(&door.authority, None, &[&rustls::version::TLS12]);
    let new = TlsClient::with(&door.authority, None, &[&rustls::version::TLS13]);
    let lenient = door.open("");
    assert!(old.connect(lenient.address(), "a.test").is_ok());
    assert!(new.connect(lenient.address(), "a.test").is_ok());
    let strict = door.open("min_version: \"1.3\"");
    assert!(old.connect(strict.address(), "a.test").is_err());
    assert!(new.connect(strict.address(), "a.test").is_ok());
    assert!(strict.metrics().contains("handshake"), "failed handshakes are counted");
}

#[test]
fn the_protocol_is_agreed_on() {
    let door = Door::new();
    let gateway = door.open("");
    let client = TlsClient::trusting(&door.authority);
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = client.clone().alpn(offered).connect(gateway.address(), "a.test").unwrap();
        assert_eq!(stream.conn.alpn_protocol(), chosen, "{offered:?}");
    }
    let mut client = Client::over(client.connect(gateway.address(), "a.test").unwrap());
    client.send(&Request::get("/x").host("a.test").bytes());
    let answer = client.response();
    assert_eq!(answer.text(), "GET /x HTTP/1.1");
    assert_eq!(door.origin.request().header("x-forwarded-proto").as_deref(), Some("https"));
}

#[test]
fn http2_end_to_end() {
    let door = Door::new();
    let gateway = door.open("");
    let client =
        H2Client::connect(TlsClient::trusting(&door.authority), gateway.address(), "a.test");
    for index in 0..3 {
        let answer = client.send(h2::request("GET", &format!("https://a.test/x?{index}"), ""));
        assert_eq!(
            (answer.status().as_u16(), answer.body().as_ref()),
            (200, format!("GET /x?{index} HTTP/1.1").as_bytes())
        );
    }
    for (uri, status) in
        [("https://a.test/%2f", 400), ("https://a.test/../x", 400), ("https://a.test/%zz", 400)]
    {
        assert_eq!(client.send(h2::request("GET", uri, "")).status(), status, "{uri}");
    }
    let events = gateway.events(6);
    assert!(events.iter().all(|event| event["http"]["version"] == "2"));
    assert_eq!(door.origin.seen().len(), 3);
}

#[test]
fn replaced_certificates_are_used() {
    let door = Door::new();
    let gateway = door.open("");
    let client = TlsClient::trusting(&door.authority);
    let mut before = Client::over(client.connect(gateway.address(), "a.test").unwrap());
    let renewed = door.authority.leaf(&["a.test"]);
    // Between the two files there is a moment at which they do not fit: the old pair stays in use.
    gateway.replace("a.pem", &renewed.cert);
    gateway.replace("a.key", &renewed.key);
    eventually("the new certificate", || {
        let stream = client.connect(gateway.address(), "a.test").unwrap();
        (shown(&stream) == renewed.der()).then_some(())
    });
    before.send(&Request::get("/").host("a.test").bytes());
    assert_eq!(before.response().status, 200, "what was open goes on");
}

#[test]
fn a_broken_certificate_changes_nothing() {
    let door = Door::new();
    let gateway = door.open("");
    let client = TlsClient::trusting(&door.authority);
    gateway.replace("a.pem", "nonsense");
    eventually("the problem is logged", || {
        gateway.log().contains("keeps its certificates").then_some(())
    });
    assert_eq!(shown(&client.connect(gateway.address(), "a.test").unwrap()), door.a.der());
}

#[test]
fn client_certificates() {
    let (door, clients, strangers) =
        (Door::new(), Authority::new("clients"), Authority::new("strangers"));
    let known = clients.leaf(&["shop.test"]);
    let unknown = strangers.leaf(&["shop.test"]);
    for (mode, without) in [("required", false), ("optional", true)] {
        let tls = format!("client_certificates: {{ mode: {mode}, ca: clients.pem }}");
        let gateway = door.setup(&tls).file("clients.pem", &clients.pem).start();
        for (identity, served) in [(None, without), (Some(&known), true), (Some(&unknown), false)] {
            let client = TlsClient::with(&door.authority, identity, rustls::ALL_VERSIONS);
            // With TLS 1.3 the refusal comes behind the client's handshake.
            let answer = client.connect(gateway.address(), "a.test").and_then(|mut stream| {
                use std::io::{Read, Write};
                stream.write_all(
                    &Request::get("/").host("a.test").header("connection", "close").bytes(),
                )?;
                let mut start = [0; 12];
                stream.read_exact(&mut start)?;
                Ok(start)
            });
            assert_eq!(answer.is_ok(), served, "{mode}, {:?}", answer);
        }
    }
}

/// A connection that is told to go finishes what it began.
#[test]
fn shutdown_says_goaway_and_finishes() {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let origin = Origin::start(move |_| {
        wait.lock().unwrap().recv().unwrap();
        Answer::ok("late")
    });
    let authority = Authority::new("tests");
    let (a, b) = (authority.leaf(&["a.test"]), authority.leaf(&["b.test"]));
    let mut gateway = gateway(&origin, &a, &b, "").start();
    let client = H2Client::connect(TlsClient::trusting(&authority), gateway.address(), "a.test");
    let open = client.start(h2::request("GET", "https://a.test/slow", ""));
    eventually("the request is at the service", || (origin.seen().len() == 1).then_some(()));
    gateway.signal(rustix::process::Signal::TERM);
    eventually("it drains", || gateway.log().contains("draining").then_some(()));
    assert!(gateway.ended().is_none());
    release.send(()).unwrap();
    assert_eq!(client.join(open), 200);
    client.expect_end();
    let status = eventually("it ends", || gateway.ended());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn plain_text_at_a_tls_door() {
    let door = Door::new();
    let gateway = door.open("");
    let answer = crate::harness::client::raw(gateway.address(), &Request::get("/").bytes());
    assert!(!answer.starts_with(b"HTTP/"), "{answer:?}");
    let stream = TlsClient::trusting(&door.authority).connect(gateway.address(), "a.test").unwrap();
    let mut client = Client::over(stream);
    client.send(&Request::get("/").host("a.test").bytes());
    assert_eq!(client.response().status, 200, "the door is still open");
}
