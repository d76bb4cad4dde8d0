//! Clients that take their time.

use std::io::{Read, Write};
use std::time::Duration;

use crate::harness::DEADLINE;
use crate::harness::client::{Client, Request, connect, timed};
use crate::harness::gateway::{Gateway, action};
use crate::harness::origin::{Answer, Origin};

const SECOND: Duration = Duration::from_secs(1);

fn config(web: &Origin) -> String {
    format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", bounds: {{ head_timeout: 1s, idle_timeout: 2s, requests_per_connection: 1000000 }} }} }}
waf: {{ slow: {{ rules: [builtin], body: {{ timeout: 1s }} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: held, match: {{ path: "/held" }}, to: web, public: "a test", waf: slow }}
"#,
        web.address()
    )
}

/// Not before `wanted`, and not at the time that holds where none is configured.
#[track_caller]
fn expect_about(took: Duration, wanted: Duration, default: Duration) {
    assert!((wanted..default).contains(&took), "took {took:?}, wanted {wanted:?}");
}

#[test]
fn a_head_that_comes_slowly_is_answered_at_its_deadline() {
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&web));
    // Silent after the first bytes; or a byte now and then, which must not win time.
    for drip in [false, true] {
        let mut socket = connect(gateway.address());
        let mut writer = socket.try_clone().unwrap();
        let (answer, took) = timed(|| {
            writer.write_all(b"GET / HTTP/1.1\r\nHost: gateway.test\r\nx: ").unwrap();
            let dripping = std::thread::spawn(move || {
                while drip && writer.write_all(b"y").is_ok() {
                    std::thread::park_timeout(Duration::from_millis(100));
                }
            });
            let mut bytes = Vec::new();
            let _ = socket.read_to_end(&mut bytes);
            drop(socket);
            dripping.join().unwrap();
            String::from_utf8(bytes).unwrap()
        });
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("normalise.head_timeout"), "{answer}");
        expect_about(took, SECOND, SECOND * 10);
    }
    web.expect_nothing();
    assert!(gateway.stop().iter().all(|event| action(event) == "normalise.head_timeout"));
}

#[test]
fn a_body_that_comes_slowly_is_answered_at_its_deadline() {
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&web));
    let mut client = Client::connect(gateway.address());
    let head = "POST /held HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 10\r\n\r\n123";
    let (answer, took) = timed(|| {
        client.send(head.as_bytes());
        client.response()
    });
    assert_eq!((answer.status, answer.code().as_str()), (408, "waf.body_timeout"));
    assert_eq!(answer.header("connection"), Some("close"));
    client.expect_close();
    expect_about(took, SECOND, SECOND * 30);
    web.expect_nothing();
}

#[test]
fn idle_connections_end_at_their_time_whether_used_or_not() {
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&web));
    for used in [false, true] {
        let mut client = Client::connect(gateway.address());
        if used {
            client.send(&Request::get("/").bytes());
            assert_eq!(client.response().status, 200);
        }
        let ((), took) = timed(|| client.expect_close());
        expect_about(took, SECOND * 2 - Duration::from_millis(100), SECOND * 60);
    }
}

/// Bytes of an answer that no buffer of kernels holds.
const LARGE: usize = 64 * 1024 * 1024;

/// An answer of any size, in pieces of this size.
fn flood(piece: usize) -> Origin {
    Origin::start(move |_| {
        Answer::stream(move |wire| {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {LARGE}\r\n\r\n");
            let bytes = vec![b'x'; piece];
            let mut result = wire.write_all(head.as_bytes());
            for _ in 0..LARGE / piece {
                result = result.and_then(|()| wire.write_all(&bytes));
            }
        })
    })
}

/// Waits until the gateway has no open connection, and says how long it took.
fn until_closed(gateway: &Gateway) -> Duration {
    let open = "yett_connections{listener=\"public\"} 0";
    let mut waited = Duration::ZERO;
    while !gateway.metrics().contains(open) {
        assert!(waited < DEADLINE, "the connection lives on");
        std::thread::park_timeout(SECOND / 2);
        waited += SECOND / 2;
    }
    waited
}

#[test]
fn a_client_that_does_not_read_loses_its_connection() {
    let web = flood(64 * 1024);
    let gateway = Gateway::start(&config(&web));
    let mut socket = connect(gateway.address());
    socket.write_all(&Request::get("/").bytes()).unwrap();
    web.requests(1);
    let waited = until_closed(&gateway);
    assert!(waited > SECOND * 20, "closed after {waited:?}");
}

/// Many small answers are never written at once: what waits is the flush.
#[test]
fn a_client_that_asks_and_does_not_read_loses_its_connection() {
    let web = Origin::echo();
    let gateway = Gateway::start(&config(&web));
    let mut socket = connect(gateway.address());
    socket.set_nonblocking(true).unwrap();
    let ask = Request::get(&format!("/{}", "a".repeat(4000))).bytes();
    // Until neither side takes any more.
    let mut quiet = 0;
    let mut left: &[u8] = &ask;
    while quiet < 100 {
        match socket.write(left) {
            Ok(count) => {
                quiet = 0;
                left = if count == left.len() { &ask } else { &left[count..] };
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                quiet += 1;
                std::thread::park_timeout(Duration::from_millis(20));
            }
            Err(error) => panic!("closed too early: {error}"),
        }
    }
    let waited = until_closed(&gateway);
    assert!(waited > SECOND * 10, "closed after {waited:?}");
}

#[test]
fn what_a_service_says_slowly_is_heard_slowly_and_not_at_the_end() {
    let (say, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(Some(told));
    let web = Origin::start(move |_| {
        let told = told.lock().unwrap().take().unwrap();
        Answer::stream(move |wire| {
            let _ = wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nfirst");
            let _ = wire.flush();
            let _ = told.recv();
            let _ = wire.write_all(b"later");
        })
    });
    let gateway = Gateway::start(&config(&web));
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/").bytes());
    client.head();
    assert_eq!(client.take(5), b"first");
    say.send(()).unwrap();
    assert_eq!(client.take(5), b"later");
}
