//! Requests that can be read two ways, over a raw socket. Each gets one answer that says why, leaves one event, ends
//! its connection, and never reaches the service.

mod chunks;
mod forwarded;
mod heads;
mod smuggling;

use crate::harness::client::{Response, raw};
use crate::harness::gateway::{Setup, action};
use crate::harness::origin::Origin;

/// One route that takes everything and inspects it.
fn guarded(origin: &Origin) -> Setup {
    Setup::new(&format!(
        r#"
waf: {{ standard: {{ rules: [builtin] }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test", waf: standard }}
  - {{ id: plain, match: {{ path: "/plain/*" }}, to: web, public: "a test" }}
"#,
        origin.address()
    ))
}

/// A request with `Host` and what else is given, between request line and empty line.
fn with(line: &str, fields: &str) -> Vec<u8> {
    format!("{line}\r\nHost: a.test\r\n{fields}\r\n").into_bytes()
}

fn get(target: &str) -> Vec<u8> {
    with(&format!("GET {target} HTTP/1.1"), "")
}

fn field(line: &str) -> Vec<u8> {
    with("GET / HTTP/1.1", &format!("{line}\r\n"))
}

fn post(fields: &str, body: &str) -> Vec<u8> {
    let mut bytes = with("POST / HTTP/1.1", &format!("{fields}\r\n"));
    bytes.extend_from_slice(body.as_bytes());
    bytes
}

fn host(line: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\n{line}\r\n").into_bytes()
}

/// Sends each, expects its status and code, one event each, and nothing at the service.
#[track_caller]
fn refuses(cases: &[(Vec<u8>, u16, &str)]) {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for (bytes, status, code) in cases {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(120)]).into_owned();
        let answer = Response::only(&raw(gateway.address(), bytes));
        assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{shown:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{shown:?}");
    }
    let events = gateway.stop();
    let seen: Vec<_> = events.iter().map(action).collect();
    let expected: Vec<_> = cases.iter().map(|(_, _, code)| *code).collect();
    assert_eq!(seen, expected);
    origin.expect_nothing();
}
