//! What is not request and answer: upgraded connections, and answers without an end.

use std::sync::Mutex;
use std::sync::mpsc::channel;

use crate::harness::client::{Client, Request};
use crate::harness::gateway::Gateway;
use crate::harness::origin::{Answer, Origin};

fn gateway(origin: &Origin) -> Gateway {
    Gateway::start(&format!(
        r#"
waf: {{ standard: {{ rules: [builtin] }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", waf: standard }}]
"#,
        origin.address()
    ))
}

fn echo() -> Origin {
    Origin::start(|_| {
        Answer::stream(|wire| {
            wire.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n").unwrap();
            let mut bytes = [0; 1024];
            while let Ok(count @ 1..) = wire.read(&mut bytes) {
                if wire.write_all(&bytes[..count]).is_err() {
                    return;
                }
            }
        })
    })
}

fn upgrade() -> Request {
    Request::get("/socket")
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// Twenty times, because the first version of such code fails one time in ten.
#[test]
fn an_upgraded_connection_carries_both_ways() {
    let origin = echo();
    let gateway = gateway(&origin);
    for round in 0..20 {
        let mut client = Client::connect(gateway.address());
        client.send(&upgrade().bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.header("upgrade")), (101, Some("websocket")), "{round}");
        for message in ["hello", "\u{1}\u{2}\u{3} any bytes", "' OR 1=1 -- no rule reads this"] {
            client.send(message.as_bytes());
            assert_eq!(client.take(message.len()), message.as_bytes(), "{round}");
        }
    }
    let events = gateway.events(20);
    assert!(events.iter().all(|event| event["http"]["response"]["status_code"] == 101));
    assert!(events.iter().all(|event| event["yett"]["waf"]["inspected"] == "head"));
}

#[test]
fn the_request_of_an_upgrade_is_inspected() {
    let origin = echo();
    let gateway = gateway(&origin);
    let attack = Request::get("/socket?id=1'+UNION+SELECT+password+FROM+users--");
    let attack = attack.header("connection", "upgrade").header("upgrade", "websocket");
    assert_eq!(attack.send(gateway.address()).code(), "waf.blocked");
    origin.expect_nothing();
}

#[test]
fn an_upgrade_that_is_refused_is_an_ordinary_answer() {
    let origin = Origin::echo();
    let gateway = gateway(&origin);
    let mut client = Client::connect(gateway.address());
    for _ in 0..2 {
        client.send(&upgrade().bytes());
        assert_eq!(client.response().status, 200);
    }
}

/// Each event of a stream arrives when it was sent, not when the stream ends.
#[test]
fn events_of_a_stream_pass_at_once() {
    let (next, wait) = channel::<()>();
    let wait = Mutex::new(Some(wait));
    let origin = Origin::start(move |_| {
        let wait = wait.lock().unwrap().take().unwrap();
        Answer::stream(move |wire| {
            wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
            for index in 0..3 {
                wire.write_all(format!("9\r\ndata: {index}\n\n\r\n").as_bytes()).unwrap();
                wire.flush().unwrap();
                wait.recv().unwrap();
            }
            wire.write_all(b"0\r\n\r\n").unwrap();
        })
    });
    let gateway = gateway(&origin);
    let mut client = Client::connect(gateway.address());
    client.send(&Request::get("/events").bytes());
    let head = String::from_utf8(client.head()).unwrap().to_lowercase();
    assert!(head.contains("text/event-stream"));
    for index in 0..3 {
        assert_eq!(client.chunk(), format!("data: {index}\n\n").as_bytes());
        next.send(()).unwrap();
    }
    assert!(client.chunk().is_empty());
    assert_eq!(gateway.event()["http"]["response"]["bytes"], 27);
}
