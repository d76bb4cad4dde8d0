use std::net::SocketAddr;

use http::HeaderMap;

use super::chunks::Chunks;
use super::client::client;
use super::decide::{Raw, decide};
use super::head::{self, Framing};
use crate::base::code::Code;

/// Heads that two parsers could read differently, each with the code that refuses it.
const REFUSED: &[(&str, &[u8], Code)] = &[
    ("CL.TE", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Code::NormaliseFraming),
    ("TE.CL, other order", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", Code::NormaliseFraming),
    ("differing lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", Code::NormaliseFraming),
    ("equal lengths, twice", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", Code::NormaliseFraming),
    ("length list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", Code::NormaliseFraming),
    ("negative length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", Code::NormaliseFraming),
    ("signed length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", Code::NormaliseFraming),
    ("hex length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", Code::NormaliseFraming),
    ("empty length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", Code::NormaliseFraming),
    ("overflowing length", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", Code::NormaliseFraming),
    ("TE not chunked", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", Code::NormaliseFraming),
    ("TE list", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", Code::NormaliseFraming),
    ("TE twice", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", Code::NormaliseFraming),
    ("TE identity", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", Code::NormaliseFraming),
    ("TE in 1.0", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Code::NormaliseFraming),
    (
        "Upgrade with a body",
        b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n",
        Code::NormaliseFraming,
    ),
    (
        "Upgrade with a chunked body",
        b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        Code::NormaliseFraming,
    ),
    ("obs-fold", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", Code::NormaliseHeader),
    ("first line folded", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", Code::NormaliseHeader),
    ("space before colon", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", Code::NormaliseHeader),
    ("bare LF", b"GET / HTTP/1.1\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
    ("bare LF in fields", b"GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Code::NormaliseHeader),
    ("bare CR", b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", Code::NormaliseHeader),
    ("NUL in value", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", Code::NormaliseHeader),
    ("NUL in name", b"GET / HTTP/1.1\r\nHost: a\r\nX\0: b\r\n\r\n", Code::NormaliseHeader),
    ("no colon", b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", Code::NormaliseHeader),
    ("empty name", b"GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", Code::NormaliseHeader),
    ("two Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Code::NormaliseHost),
    ("two equal Hosts", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n", Code::NormaliseHost),
    ("no Host", b"GET / HTTP/1.1\r\nX: a\r\n\r\n", Code::NormaliseHost),
    ("HTTP/0.9", b"GET /\r\n\r\n", Code::NormaliseRequestLine),
    ("HTTP/2.0 line", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", Code::NormaliseVersion),
    ("HTTP/1.2", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n", Code::NormaliseVersion),
    ("lower-case version", b"GET / http/1.1\r\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
    ("two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
    ("tab", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
    ("space in target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
    ("method not a token", b"GE(T / HTTP/1.1\r\nHost: a\r\n\r\n", Code::NormaliseRequestLine),
];

#[test]
fn what_can_be_read_two_ways_is_refused() {
    for (name, bytes, code) in REFUSED {
        let finding = head::read(bytes).expect_err(name);
        assert_eq!(finding.code, *code, "{name}: {}", finding.evidence);
    }
}

#[test]
fn a_plain_head_is_read() {
    let head =
        head::read(b"POST /a HTTP/1.1\r\nHost: A:80\r\nX:\t y \r\nContent-Length: 12\r\n\r\n")
            .unwrap();
    assert_eq!((head.method, head.target), (b"POST".as_slice(), b"/a".as_slice()));
    assert_eq!(head.host, Some(b"A:80".as_slice()));
    assert_eq!(head.framing, Framing::Length(12));
    let head =
        head::read(b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n").unwrap();
    assert_eq!(head.framing, Framing::Chunked);
    assert!(head::read(b"GET / HTTP/1.0\r\n\r\n").unwrap().host.is_none());
}

#[test]
fn a_dripping_head_ends_where_it_ends() {
    let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody";
    let end = bytes.len() - 4;
    for seen in 0..end {
        assert_eq!(head::end_of_head(bytes, seen), Some(end), "seen {seen}");
        assert_eq!(head::end_of_head(&bytes[..seen], 0), None);
    }
}

/// method, target, host -> canonical host and target.
const READ: &[(&str, &str, &str, &str, &str)] = &[
    ("GET", "/", "Example.COM", "example.com", "/"),
    ("GET", "/a/b?q=1", "example.com.", "example.com", "/a/b?q=1"),
    ("GET", "/%7Euser/%41", "a", "a", "/~user/A"),
    ("GET", "/a%c3%a4", "a", "a", "/a%C3%A4"),
    ("GET", "/a/./b/../c", "a", "a", "/a/c"),
    ("GET", "/a/%2e/b/%2E%2e/c", "a", "a", "/a/c"),
    ("GET", "//admin///x", "a", "a", "/admin/x"),
    ("GET", "/a/", "a", "a", "/a/"),
    ("GET", "/a/..", "a", "a", "/"),
    ("GET", "/a/.", "a", "a", "/a/"),
    ("GET", "/.well-known/x", "a", "a", "/.well-known/x"),
    ("GET", "/a%2fb", "a", "a", "/a%2Fb"),
    ("GET", "/a{b}|c", "a", "a", "/a%7Bb%7D%7Cc"),
    ("GET", "/a?x={1}&y=\"<>", "a", "a", "/a?x=%7B1%7D&y=%22%3C%3E"),
    ("GET", "/a?q=100%", "a", "a", "/a?q=100%"),
    ("GET", "/a?b?c", "a", "a", "/a?b?c"),
    ("GET", "/%252e%252e/a", "a", "a", "/%252e%252e/a"),
    ("GET", "http://a/x", "a", "a", "/x"),
    ("GET", "HTTP://A:80", "a:80", "a", "/"),
    ("GET", "/x", "[2001:DB8::1]:8443", "[2001:db8::1]", "/x"),
    ("OPTIONS", "*", "a", "a", "*"),
];

#[test]
fn there_is_one_spelling() {
    for (method, target, host, expected_host, expected_target) in READ {
        let canonical = decide(Raw {
            method: method.as_bytes(),
            target: target.as_bytes(),
            host: Some(host.as_bytes()),
        })
        .unwrap_or_else(|finding| panic!("{target}: {}", finding.evidence));
        assert_eq!(canonical.host, *expected_host);
        assert_eq!(canonical.target(), *expected_target);
        assert_eq!(canonical.rewritten, target != expected_target, "{target}");
    }
}

#[test]
fn reading_twice_changes_nothing() {
    for (method, _, host, _, target) in READ {
        let raw = Raw {
            method: method.as_bytes(),
            target: target.as_bytes(),
            host: Some(host.as_bytes()),
        };
        assert_eq!(decide(raw).unwrap().target(), *target);
    }
}

const REFUSED_TARGETS: &[(&str, &[u8], &[u8], Code)] = &[
    ("climbs out", b"/../etc/passwd", b"a", Code::NormalisePath),
    ("climbs out encoded", b"/a/%2e%2e/%2e%2e/x", b"a", Code::NormalisePath),
    ("climbs out past merged slashes", b"/a//../..", b"a", Code::NormalisePath),
    ("encoded NUL", b"/a%00", b"a", Code::NormalisePath),
    ("fragment", b"/a#b", b"a", Code::NormaliseTarget),
    ("fragment in query", b"/a?b#c", b"a", Code::NormaliseTarget),
    ("backslash", b"/a\\b", b"a", Code::NormaliseTarget),
    ("control byte", b"/a\x01", b"a", Code::NormaliseTarget),
    ("DEL", b"/a\x7f", b"a", Code::NormaliseTarget),
    ("raw high byte", b"/a\xff", b"a", Code::NormaliseTarget),
    ("high byte in query", b"/a?\xff", b"a", Code::NormaliseTarget),
    ("broken escape", b"/a%4", b"a", Code::NormaliseTarget),
    ("broken escape, letters", b"/a%zz", b"a", Code::NormaliseTarget),
    ("no slash", b"a", b"a", Code::NormaliseTarget),
    ("other scheme", b"ftp://a/x", b"a", Code::NormaliseTarget),
    ("absolute with other host", b"http://b/x", b"a", Code::NormaliseHost),
    ("absolute with userinfo", b"http://a@b/x", b"b", Code::NormaliseHost),
    ("absolute with query only", b"http://a?x", b"a", Code::NormaliseTarget),
    ("asterisk with GET", b"*", b"a", Code::NormaliseTarget),
    ("empty host", b"/", b"", Code::NormaliseHost),
    ("userinfo", b"/", b"user@a", Code::NormaliseHost),
    ("space in host", b"/", b"a b", Code::NormaliseHost),
    ("slash in host", b"/", b"a/b", Code::NormaliseHost),
    ("encoded NUL in host", b"/", b"a%00b", Code::NormaliseHost),
    ("empty label", b"/", b"a..b", Code::NormaliseHost),
    ("empty port", b"/", b"a:", Code::NormaliseHost),
    ("port 0", b"/", b"a:0", Code::NormaliseHost),
    ("port too large", b"/", b"a:65536", Code::NormaliseHost),
    ("port with sign", b"/", b"a:+80", Code::NormaliseHost),
    ("two ports", b"/", b"a:80:81", Code::NormaliseHost),
    ("open literal", b"/", b"[::1", Code::NormaliseHost),
    ("not an address", b"/", b"[zz]", Code::NormaliseHost),
    ("high byte in host", b"/", b"\xc3\xa4", Code::NormaliseHost),
];

#[test]
fn targets_and_hosts_that_can_be_read_two_ways_are_refused() {
    for (name, target, host, code) in REFUSED_TARGETS {
        let finding = decide(Raw { method: b"GET", target, host: Some(host) }).expect_err(name);
        assert_eq!(finding.code, *code, "{name}: {}", finding.evidence);
    }
}

#[test]
fn connect_is_no_method_of_ours() {
    let raw = Raw { method: b"CONNECT", target: b"a:443", host: Some(b"a:443") };
    let finding = decide(raw).unwrap_err();
    assert_eq!(finding.code, Code::RouteMethod);
    assert_eq!(finding.headers, [(http::header::ALLOW, http::HeaderValue::from_static(""))]);
    for target in [b"a".as_slice(), b"a:", b"/a", b"a:0"] {
        assert_eq!(decide(Raw { target, ..raw }).unwrap_err().code, Code::NormaliseTarget);
    }
}

/// Peer, fields, expected client.
type ClientCase = (&'static str, &'static [(&'static str, &'static str)], &'static str);

/// Trusted: 10.0.0.0/8.
const CLIENTS: &[ClientCase] = &[
    ("203.0.113.9", &[("x-forwarded-for", "198.51.100.1")], "203.0.113.9"),
    ("10.0.0.1", &[], "10.0.0.1"),
    ("10.0.0.1", &[("x-forwarded-for", "198.51.100.1")], "198.51.100.1"),
    ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.0.0.2")], "198.51.100.1"),
    (
        "10.0.0.1",
        &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.1")],
        "198.51.100.1",
    ),
    ("10.0.0.1", &[("x-forwarded-for", "10.0.0.9")], "10.0.0.9"),
    ("10.0.0.1", &[("x-forwarded-for", "198.51.100.1, junk")], "10.0.0.1"),
    ("10.0.0.1", &[("x-forwarded-for", "198.51.100.1:4711")], "198.51.100.1"),
    ("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1"),
    ("::ffff:10.0.0.1", &[("x-forwarded-for", "::ffff:198.51.100.1")], "198.51.100.1"),
    ("10.0.0.1", &[("forwarded", "for=198.51.100.7;proto=https")], "198.51.100.7"),
    ("10.0.0.1", &[("forwarded", "for=\"[2001:db8::7]:80\"")], "2001:db8::7"),
    ("10.0.0.1", &[("forwarded", "for=1.1.1.1, for=198.51.100.7")], "198.51.100.7"),
    ("10.0.0.1", &[("forwarded", "for=_hidden")], "10.0.0.1"),
    ("10.0.0.1", &[("forwarded", "for=198.51.100.7;for=1.1.1.1")], "10.0.0.1"),
    (
        "10.0.0.1",
        &[("forwarded", "for=198.51.100.7"), ("x-forwarded-for", "1.1.1.1")],
        "198.51.100.7",
    ),
];

#[test]
fn the_client_is_the_first_untrusted_hop_from_the_right() {
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    for (peer, fields, expected) in CLIENTS {
        let mut headers = HeaderMap::new();
        for (name, value) in *fields {
            headers.append(http::HeaderName::from_static(name), value.parse().unwrap());
        }
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        let found = client(peer, &headers, &trusted);
        assert_eq!(found.ip.to_string(), *expected, "{peer} {fields:?}");
    }
}

/// Chunked bodies: what was sent, and where it ends, or why it cannot be read.
const CHUNKED: &[(&[u8], Result<usize, &str>)] = &[
    (b"0\r\n\r\n", Ok(5)),
    (b"5\r\nhello\r\n0\r\n\r\nGET", Ok(15)),
    (b"0005;a=b;c=\"d\"\r\nhello\r\nA\r\n0123456789\r\n0;x\r\nX: y\r\nZ:\r\n\r\n", Ok(55)),
    (b"\r\n\r\n", Err("chunk size is not a hexadecimal number")),
    (b";x\r\n\r\n", Err("chunk size is not a hexadecimal number")),
    (b"zz\r\n", Err("chunk size is not a hexadecimal number")),
    (b"0x5\r\n", Err("chunk size is not a hexadecimal number")),
    (b"-1\r\n", Err("chunk size is not a hexadecimal number")),
    (b"+5\r\n", Err("chunk size is not a hexadecimal number")),
    (b" 5\r\n", Err("chunk size is not a hexadecimal number")),
    (b"5 \r\n", Err("chunk size is not a hexadecimal number")),
    (b"5\n", Err("chunk size is not a hexadecimal number")),
    (b"fffffffffffffffff\r\n", Err("chunk size has too many digits")),
    (b"0000000000000000\r\n", Err("chunk size has too many digits")),
    (b"5\rX", Err("bare CR in chunk framing")),
    (b"2;\nxx\r\n", Err("control byte in a chunk extension")),
    (b"2;a\0\r\n", Err("control byte in a chunk extension")),
    (b"5\r\nhelloX\r\n", Err("chunk longer than its size")),
    (b"5\r\nhello\rX", Err("chunk longer than its size")),
    (b"5\r\nhello\n", Err("chunk longer than its size")),
    (b"0\r\nX y\r\n", Err("malformed trailer field")),
    (b"0\r\n X: y\r\n", Err("malformed trailer field")),
    (b"0\r\nX: a\nb\r\n", Err("malformed trailer field")),
    (b"0\r\nGET / HTTP/1.1\r\n", Err("malformed trailer field")),
    (b"0\r\n\rX", Err("bare CR in chunk framing")),
];

#[test]
fn a_chunked_body_ends_in_one_place() {
    for (bytes, expected) in CHUNKED {
        let shown = bytes.escape_ascii().to_string();
        let whole = Chunks::default().read(bytes).map(|end| end.unwrap_or(usize::MAX));
        assert_eq!(whole.map_err(|broken| broken.0), *expected, "{shown}");
        // Byte by byte it is the same.
        let mut chunks = Chunks::default();
        let drip = bytes.iter().enumerate().find_map(|(at, byte)| match chunks.read(&[*byte]) {
            Ok(None) => None,
            Ok(Some(_)) => Some(Ok(at + 1)),
            Err(broken) => Some(Err(broken.0)),
        });
        assert_eq!(drip, Some(*expected), "{shown}");
    }
}

#[test]
fn chunk_framing_has_bounds() {
    let extension = [b"5;".to_vec(), vec![b'a'; 300]].concat();
    assert!(Chunks::default().read(&extension).is_err());
    let trailers =
        [b"0\r\n".to_vec(), b"X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(300)].concat();
    assert!(Chunks::default().read(&trailers).is_err());
    let mut broken = Chunks::default();
    assert!(broken.read(b"z").is_err());
    assert!(broken.read(b"0\r\n\r\n").is_err(), "what is broken stays broken");
}
