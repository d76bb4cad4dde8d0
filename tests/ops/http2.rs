//! HTTP/2 from clients that ask much, and from those that only pretend to.

use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::process::resident_kib;
use crate::harness::client::Request;
use crate::harness::gateway::{Gateway, Setup};
use crate::harness::h2::{H2Client, request};
use crate::harness::origin::{Answer, Origin};
use crate::harness::tls::{Authority, TlsClient, TlsStream};
use crate::harness::{DEADLINE, GRACE, eventually};

const NAME: &str = "one.test";

struct Secure {
    authority: Authority,
    gateway: Gateway,
}

impl Secure {
    fn start(web: &Origin) -> Secure {
        let authority = Authority::new("http2");
        let leaf = authority.leaf(&[NAME]);
        let config = format!(
            r#"
listeners: {{
  public: {{ bind: "127.0.0.1:0", bounds: {{ idle_timeout: 2s }},
    tls: {{ certificates: [{{ cert: cert.pem, key: cert.key }}] }} }},
  plain: {{ bind: "127.0.0.1:0" }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}]
"#,
            web.address()
        );
        let setup = Setup::new(&config).file("cert.pem", &leaf.cert).file("cert.key", &leaf.key);
        Secure { gateway: setup.start(), authority }
    }

    fn client(&self) -> H2Client {
        H2Client::connect(TlsClient::trusting(&self.authority), self.gateway.address(), NAME)
    }

    /// A connection on which the test writes frames itself.
    fn raw(&self) -> TlsStream {
        let client = TlsClient::trusting(&self.authority).alpn(&["h2"]);
        client.connect(self.gateway.address(), NAME).unwrap()
    }

    /// Others are served meanwhile.
    #[track_caller]
    fn expect_service(&self) {
        assert_eq!(Request::get("/").send(self.gateway.listener("plain")).status, 200);
    }
}

fn get(
    path: &str,
) -> http::Request<http_body_util::combinators::BoxBody<bytes::Bytes, std::convert::Infallible>> {
    request("GET", &format!("https://{NAME}{path}"), "")
}

#[test]
fn many_streams_share_a_connection() {
    let web = Origin::echo();
    let secure = Secure::start(&web);
    let client = secure.client();
    // Five times as many as may be open at once: the client waits for room, the gateway refuses none.
    let streams: Vec<_> = (0..500).map(|number| client.start(get(&format!("/{number}")))).collect();
    for stream in streams {
        assert_eq!(client.join(stream), 200);
    }
    web.requests(500);
}

#[test]
fn a_connection_without_streams_ends_in_order() {
    let web = Origin::echo();
    let secure = Secure::start(&web);
    let client = secure.client();
    assert_eq!(client.send(get("/")).status(), 200);
    client.expect_end();
}

#[test]
fn streams_under_way_are_finished_at_the_end() {
    let web = Origin::start(|_| {
        std::thread::park_timeout(Duration::from_millis(1500));
        Answer::ok("late")
    });
    let secure = Secure::start(&web);
    let client = secure.client();
    let streams: Vec<_> = (0..3).map(|_| client.start(get("/"))).collect();
    web.requests(3);
    let told = Instant::now();
    secure.gateway.signal(Signal::TERM);
    for stream in streams {
        assert_eq!(client.join(stream), 200);
    }
    client.expect_end();
    secure.gateway.stop();
    assert!(told.elapsed() < GRACE, "{:?}", told.elapsed());
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM_AND_HEADERS: u8 = 0x5;

/// A frame (RFC 9113 §4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend_from_slice(&stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// `GET / ` of the static table, with a literal `:authority` (RFC 7541 §6).
fn head() -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x84, 0x01, u8::try_from(NAME.len()).unwrap()];
    block.extend_from_slice(NAME.as_bytes());
    block
}

/// CVE-2023-44487: streams that are opened and reset cost the client nothing.
#[test]
fn rapid_resets_cost_their_client_the_connection() {
    let web = Origin::echo();
    let secure = Secure::start(&web);
    secure.expect_service();
    let before = resident_kib(secure.gateway.pid());
    let mut ended = 0;
    for _ in 0..3 {
        let mut stream = secure.raw();
        let mut bytes = PREFACE.to_vec();
        bytes.extend_from_slice(&frame(SETTINGS, 0, 0, &[]));
        for number in (1..20_000u32).step_by(2) {
            bytes.extend_from_slice(&frame(HEADERS, END_STREAM_AND_HEADERS, number, &head()));
            bytes.extend_from_slice(&frame(RST_STREAM, 0, number, &8u32.to_be_bytes()));
        }
        let written = stream.write_all(&bytes).and_then(|()| stream.flush());
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let closed = |error: &std::io::Error| error.kind() != ErrorKind::WouldBlock;
        ended += usize::from(written.is_err() || read.as_ref().map_or_else(closed, |_| true));
        secure.expect_service();
    }
    assert_eq!(ended, 3, "the gateway kept the connection");
    let arrived = web.seen().len();
    assert!(arrived < 10_000, "{arrived} of 30000 resets reached the service");
    let grown = resident_kib(secure.gateway.pid()).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB more after the resets");
}

/// A client that grants no window: the answer cannot leave, and the stream must not stay.
#[test]
fn an_answer_that_is_given_no_window_is_given_up() {
    let web = Origin::echo();
    let secure = Secure::start(&web);
    let mut stream = secure.raw();
    let mut bytes = PREFACE.to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE 0.
    bytes.extend_from_slice(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    bytes.extend_from_slice(&frame(HEADERS, END_STREAM_AND_HEADERS, 1, &head()));
    stream.write_all(&bytes).unwrap();
    stream.flush().unwrap();
    web.requests(1);
    let open = "yett_connections{listener=\"public\"} 0";
    let closed = || secure.gateway.metrics().contains(open);
    let end = Instant::now() + DEADLINE;
    while !closed() {
        assert!(Instant::now() < end, "the stream lives on");
        std::thread::park_timeout(Duration::from_millis(500));
    }
    eventually("its event", || (!secure.gateway.access_log().is_empty()).then_some(()));
}
