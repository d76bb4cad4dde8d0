//! Which heads may go the direct way, and how answers are written. That both ways are alike is tested end to end.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;

use super::ClientHead;
use super::answer::{Framing, interim, put_hex};

fn head(line: &str, fields: &str) -> Option<ClientHead> {
    ClientHead::read(Bytes::from(format!("{line}\r\nHost: a.test\r\n{fields}\r\n")))
}

#[test]
fn what_only_the_framework_does() {
    for (line, fields) in [
        ("HEAD / HTTP/1.1", ""),
        ("CONNECT a.test:443 HTTP/1.1", ""),
        ("GET / HTTP/1.0", ""),
        ("GET / HTTP/1.1", "Expect: 100-continue\r\n"),
        ("GET / HTTP/1.1", "Connection: upgrade\r\n"),
        ("GET / HTTP/1.1", "Connection: keep-alive, x-a\r\n"),
        ("GET / HTTP/1.1", "Connection: close, x-a\r\n"),
        ("GET / HTTP/1.1", "Connection:\r\n"),
        ("GET / HTTP/1.1", "Upgrade: websocket\r\n"),
        ("GET / HTTP/1.1", "TE: trailers\r\n"),
        ("GET / HTTP/1.1", "Trailer: x\r\n"),
        ("GET / HTTP/1.1", "Keep-Alive: timeout=5\r\n"),
        ("GET / HTTP/1.1", "Proxy-Connection: close\r\n"),
        ("GET / HTTP/1.1", "Proxy-Authorization: x\r\n"),
        ("GET / HTTP/1.1", "HTTP2-Settings: x\r\n"),
    ] {
        assert!(head(line, fields).is_none(), "{line} {fields}");
    }
}

#[test]
fn a_head_is_read_whole() {
    let read = head("DELETE /a%20b?c HTTP/1.1", "A:1\r\nx-b: \t2 3 \r\na: 4\r\nx-c:\r\n").unwrap();
    let view = read.view(true);
    assert_eq!((view.method.as_str(), view.target), ("DELETE", b"/a%20b?c".as_slice()));
    let all = |name| view.headers.get_all(name).iter().cloned().collect::<Vec<HeaderValue>>();
    assert_eq!(
        (all("a"), all("x-b"), all("x-c")),
        (
            vec!["1".parse().unwrap(), "4".parse().unwrap()],
            vec!["2 3".parse().unwrap()],
            vec!["".parse().unwrap()],
        )
    );
    assert_eq!(view.raw.fields().count(), 5);
    assert!(read.view(false).raw.is_empty());
}

#[test]
fn the_last_request_says_so() {
    for (fields, keeps) in [
        ("", true),
        ("Connection: Keep-Alive\r\n", true),
        ("connection:close\r\n", false),
        ("Connection: keep-alive\r\nConnection: close\r\n", false),
        ("Connection: close\r\nConnection: keep-alive\r\n", false),
    ] {
        assert_eq!(head("GET / HTTP/1.1", fields).unwrap().keeps_connection, keeps, "{fields}");
    }
}

#[test]
fn framing_follows_status_and_fields() {
    for (status, fields, framing) in [
        (200, "", Framing::Chunked),
        (200, "content-length: 5", Framing::Length(5)),
        (200, "content-length: 5, 5", Framing::Length(5)),
        (200, "content-length: 0", Framing::Length(0)),
        (200, "content-length: five", Framing::Chunked),
        (200, "content-length: 5\ntransfer-encoding: chunked", Framing::Chunked),
        (204, "content-length: 5", Framing::Bodiless(None)),
        (304, "content-length: 5", Framing::Bodiless(Some(5))),
        (304, "", Framing::Bodiless(None)),
        (404, "transfer-encoding: chunked", Framing::Chunked),
    ] {
        let mut head = ResponseHeader::build(status, None).unwrap();
        for (name, value) in fields.lines().filter_map(|line| line.split_once(": ")) {
            head.append_header(name.to_owned(), value).unwrap();
        }
        assert_eq!(Framing::of(&head), framing, "{status} {fields:?}");
    }
}

#[test]
fn sizes_of_chunks() {
    let sizes = [0, 1, 9, 10, 15, 16, 255, 256, 4095, 65_536, usize::MAX];
    for size in sizes {
        let mut out = BytesMut::new();
        put_hex(&mut out, size);
        assert_eq!(out, format!("{size:x}\r\n").as_bytes());
    }
}

#[test]
fn interim_answers_frame_nothing() {
    let mut fields = HeaderMap::new();
    for (name, value) in [("link", "</a>"), ("server", "x"), ("transfer-encoding", "chunked")] {
        fields.insert(name, value.parse().unwrap());
    }
    let bytes = interim(StatusCode::EARLY_HINTS, &fields);
    assert_eq!(bytes, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".as_slice());
}
