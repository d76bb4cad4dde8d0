//! Bodies in chunks that can be read two ways.

use super::{guarded, post, refuses};
use crate::harness::client::{Client, Request};
use crate::harness::eventually;
use crate::harness::gateway::action;
use crate::harness::origin::{Answer, Origin};

/// Chunk framing that two programs could read differently.
const BROKEN_CHUNKS: [&str; 14] = [
    "zz\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\nzz\r\nx\r\n0\r\n\r\n",
    "-1\r\nhello\r\n0\r\n\r\n",
    "+5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhelloXX0\r\n\r\n",
    "fffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\nhello\n0\n\n",
    "\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    "5 \r\nhello\r\n0\r\n\r\n",
    "2;\nxx\r\n10\r\n\r\n0\r\n\r\n",
    "5;a\0\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\nX y\r\n\r\n",
    "5\r\nhello\r\n0\r\nX: a\n\r\n\r\n",
    "5\r\nhello\r\n0\r\n\rX",
];

/// What comes with the head is judged with it.
#[test]
fn chunks_behind_their_head() {
    let cases: Vec<_> = BROKEN_CHUNKS
        .iter()
        .map(|body| (post("Transfer-Encoding: chunked", body), 400, "normalise.framing"))
        .collect();
    refuses(&cases);
}

/// What comes later is judged before anybody takes it for data; the rules want the body first, so the service sees
/// nothing.
#[test]
fn chunks_of_inspected_bodies() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for body in BROKEN_CHUNKS {
        let mut client = Client::connect(gateway.address());
        client.send(
            &Request::new("POST", "/")
                .header("expect", "100-continue")
                .header("transfer-encoding", "chunked")
                .bytes(),
        );
        assert_eq!(client.response().status, 100, "the head was read");
        client.offer(body.as_bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.code().as_str()), (400, "normalise.framing"), "{body:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{body:?}");
        client.expect_close();
    }
    let events = gateway.stop();
    assert_eq!(events.len(), BROKEN_CHUNKS.len());
    assert!(events.iter().all(|event| action(event) == "normalise.framing"));
    origin.expect_nothing();
}

/// Where nothing is inspected the head is gone already; the service must not take what it has for a whole request.
#[test]
fn chunks_of_streamed_bodies() {
    let origin = Origin::echo();
    let gateway = guarded(&origin).start();
    for (index, body) in BROKEN_CHUNKS.iter().enumerate() {
        let mut client = Client::connect(gateway.address());
        client
            .send(&Request::new("POST", "/plain/x").header("transfer-encoding", "chunked").bytes());
        eventually("the head is at the service", || (origin.seen().len() > index).then_some(()));
        client.offer(body.as_bytes());
        let answer = client.response();
        assert_eq!((answer.status, answer.code().as_str()), (400, "normalise.framing"), "{body:?}");
        client.expect_close();
    }
    let events = gateway.stop();
    assert!(events.iter().all(|event| action(event) == "normalise.framing"));
    assert!(origin.seen().iter().all(|seen| !seen.complete), "{:?}", origin.seen());
}

/// Extensions and trailers are read and go no further.
#[test]
fn chunk_extensions_and_trailers_end_here() {
    let origin = Origin::start(|seen| Answer::ok(&seen.body));
    let gateway = guarded(&origin).start();
    for path in ["/x", "/plain/x"] {
        let head = Request::new("POST", path).header("transfer-encoding", "chunked").bytes();
        let body =
            b"5;name=\"value\"\r\nhello\r\n00A\r\n0123456789\r\n0;last\r\nX-Trailer: y\r\n\r\n";
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            client.send(&[head.as_slice(), body].concat());
            assert_eq!(client.response().text(), "hello0123456789");
        }
    }
    assert!(origin.requests(4).iter().all(|seen| !seen.names().contains(&"x-trailer".into())));
}
