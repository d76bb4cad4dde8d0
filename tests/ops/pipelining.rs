//! Requests that come before the last one is answered (RFC 9112 §9.3.2): each is answered, in order.

use std::io::Write;
use std::time::Duration;

use crate::harness::client::{Client, Request, connect};
use crate::harness::gateway::Gateway;
use crate::harness::origin::{Answer, Origin};

fn start() -> (Gateway, Origin) {
    let web = Origin::start(|seen| {
        // Long enough for what follows to arrive while the service works.
        std::thread::park_timeout(Duration::from_millis(100));
        Answer::ok(format!("{} {}", seen.line(), String::from_utf8_lossy(&seen.body)))
    });
    let config = format!(
        "services: {{ web: {{ endpoints: [\"{}\"] }} }}\n\
         routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
        web.address()
    );
    (Gateway::start(&config), web)
}

#[track_caller]
fn expect(client: &mut Client, texts: &[&str]) {
    for text in texts {
        let answer = client.response();
        assert_eq!((answer.status, answer.text().as_str()), (200, *text));
    }
}

#[test]
fn requests_sent_together_or_early_are_answered_in_order() {
    let (gateway, web) = start();
    let post = Request::new("POST", "/b").body("0123456789").bytes();
    let (get, last) = (Request::get("/a").bytes(), Request::get("/c").bytes());
    let all = [get, post, last].concat();
    let texts = ["GET /a HTTP/1.1 ", "POST /b HTTP/1.1 0123456789", "GET /c HTTP/1.1 "];
    // Cut at any place: in a head, between two requests, in a body.
    for cut in [1, 20, all.len() / 3, all.len() / 2, all.len() - 60, all.len() - 3, all.len()] {
        let socket = connect(gateway.address());
        let mut writer = socket.try_clone().unwrap();
        let mut client = Client::over(socket);
        writer.write_all(&all[..cut]).unwrap();
        std::thread::park_timeout(Duration::from_millis(30));
        writer.write_all(&all[cut..]).unwrap();
        expect(&mut client, &texts);
    }
    assert_eq!(web.seen().len(), 21);
}

#[test]
fn more_than_is_kept_ahead_waits_and_is_answered() {
    let (gateway, web) = start();
    let socket = connect(gateway.address());
    let mut writer = socket.try_clone().unwrap();
    let mut client = Client::over(socket);
    let paths: Vec<String> = (0..8).map(|at| format!("/{at}{}", "p".repeat(1500))).collect();
    for path in &paths {
        writer.write_all(&Request::get(path).bytes()).unwrap();
        std::thread::park_timeout(Duration::from_millis(10));
    }
    for path in &paths {
        expect(&mut client, &[&format!("GET {path} HTTP/1.1 ")]);
    }
    assert_eq!(web.seen().len(), 8);
}

#[test]
fn an_upgraded_connection_has_no_boundary() {
    let web = Origin::start(|_| {
        Answer::stream(|wire| {
            let head =
                "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
            let _ = wire.write_all(head.as_bytes());
            let mut bytes = [0; 5];
            while wire.read_exact(&mut bytes).is_ok() {
                let _ = wire.write_all(&bytes);
            }
        })
    });
    let config = format!(
        "services: {{ web: {{ endpoints: [\"{}\"] }} }}\n\
         routes: [{{ id: web, match: {{ path: \"/*\" }}, to: web, public: \"a test\" }}]\n",
        web.address()
    );
    let gateway = Gateway::start(&config);
    let mut client = Client::connect(gateway.address());
    let ask = Request::get("/").header("connection", "Upgrade").header("upgrade", "websocket");
    client.send(&ask.bytes());
    assert!(client.head().starts_with(b"HTTP/1.1 101 "));
    for word in [b"first", b"other"] {
        client.send(word);
        assert_eq!(client.take(5), word);
    }
}
