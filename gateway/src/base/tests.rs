use std::time::Duration;

use super::bounds::CONFIG_PROBLEMS;
use super::claims::ClaimPath;
use super::code::Code;
use super::compile::{Compile, nearest, number};
use super::json::{read_document, read_object};
use super::raw::RawHead;
use super::units::{Percent, Quota, Rate, SecretRef, Size, Span};

#[test]
fn units_read_back_what_they_print() {
    for text in ["5ms", "3s", "5m", "12h", "7d", "250us"] {
        assert_eq!(text.parse::<Span>().unwrap().to_string(), text);
    }
    for text in ["512B", "64KiB", "1MiB", "2GiB"] {
        assert_eq!(text.parse::<Size>().unwrap().to_string(), text);
    }
    assert_eq!("5/1m".parse::<Rate>().unwrap().period, Duration::from_secs(60));
    assert_eq!("1000000/month".parse::<Quota>().unwrap().to_string(), "1000000/month");
    assert_eq!("10%".parse::<Percent>().unwrap(), Percent(10));
}

#[test]
fn units_refuse_what_has_to_be_guessed() {
    let cases: &[(Result<(), String>, &str)] = &[
        ("3".parse::<Span>().map(drop), "no unit"),
        ("3 s".parse::<Span>().map(drop), "unknown unit"),
        ("-3s".parse::<Span>().map(drop), "does not start with a number"),
        ("99999999999999999999s".parse::<Span>().map(drop), "too large"),
        ("99999999999999d".parse::<Span>().map(drop), "too long"),
        ("64KB".parse::<Size>().map(drop), "unknown unit"),
        ("0/1s".parse::<Rate>().map(drop), "zero"),
        ("5".parse::<Rate>().map(drop), "100/1s"),
        ("5/fortnight".parse::<Quota>().map(drop), "hour, day or month"),
        ("101%".parse::<Percent>().map(drop), "0% to 100%"),
    ];
    for (result, part) in cases {
        let error = result.as_ref().unwrap_err();
        assert!(error.contains(part), "`{error}` does not say `{part}`");
    }
}

#[test]
fn a_secret_written_in_place_is_refused_and_not_repeated() {
    let error = "hunter2".parse::<SecretRef>().unwrap_err();
    assert!(!error.contains("hunter2"));
}

#[test]
fn codes_are_unique_and_named_after_their_stage() {
    let mut names: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert!(code.as_str().starts_with(code.stage().as_str()), "{}", code.as_str());
        assert!(code.status().as_u16() >= 400);
    }
}

#[test]
fn an_unknown_name_is_reported_with_its_place_and_the_nearest_one() {
    let mut cx = Compile::new();
    cx.within("routes", |cx| {
        cx.within(3, |cx| {
            cx.unknown(
                number::UNKNOWN_LIMIT,
                "limit",
                "per-usr",
                ["per-user", "per-client"].into_iter(),
            );
        });
    });
    let problem = cx.into_problems().remove(0);
    assert_eq!(problem.place, vec!["routes".into(), 3.into()]);
    assert_eq!(problem.hint.as_deref(), Some("did you mean `per-user`?"));
}

#[test]
fn a_word_that_is_far_from_all_has_no_nearest() {
    assert_eq!(nearest("banana", ["per-user", "monthly"].into_iter()), None);
}

#[test]
fn claim_paths_read_back_what_they_print_and_find_one_place() {
    let claims = serde_json::json!({
        "a": { "b": 1, "c.d": { "e": 2 } }, "a.b": 3, "https://x.example/r": 4, "list": [{ "a": 5 }],
    });
    let cases = [
        ("a.b", Some(1)),
        ("a.\"c.d\".e", Some(2)),
        ("\"a.b\"", Some(3)),
        ("\"https://x.example/r\"", Some(4)),
        ("a.c.d.e", None),
        ("list.a", None),
        ("a.b.c", None),
        ("A.b", None),
    ];
    for (text, expected) in cases {
        let path: ClaimPath = text.parse().unwrap();
        assert_eq!(path.to_string(), text);
        let found = path.find(claims.as_object().unwrap()).and_then(serde_json::Value::as_i64);
        assert_eq!(found, expected, "{text}");
    }
    for text in ["", ".", "a.", ".a", "a..b", "\"a", "\"\"", "a\"b", "\"a\"b", "\"a\"."] {
        assert!(text.parse::<ClaimPath>().is_err(), "{text}");
    }
}

#[test]
fn json_is_read_in_one_way_or_not_at_all() {
    let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read_object(deep(15).as_bytes()).is_ok());
    assert_eq!(read_object(deep(16).as_bytes()), Err("JSON nested deeper than 16"));
    assert_eq!(read_object(b"{\"a\":1,\"\\u0061\":1}"), Err("a JSON member occurs twice"));
    assert_eq!(read_object(b"{}{}"), Err("bytes after the JSON object"));
    assert_eq!(read_object(b"{} "), Err("not exactly one JSON object"));
    assert!(read_document(b" {}\n").is_ok());
}

#[test]
fn a_document_that_is_wrong_everywhere_costs_no_more_than_a_report() {
    let mut cx = Compile::new();
    for _ in 0..2 * CONFIG_PROBLEMS {
        cx.warning(number::UNUSED, "never used");
    }
    assert!(!cx.has_errors(), "a warning is no error, kept or not");
    // Each of these would be compared with every known name, were it kept.
    let known: Vec<String> = (0..10_000).map(|name| format!("limit-{name}")).collect();
    for name in 0..10 * CONFIG_PROBLEMS {
        let known = known.iter().map(String::as_str);
        cx.unknown(number::UNKNOWN_LIMIT, "limit", &format!("limjt-{name}"), known)
            .related(Vec::new());
    }
    assert!(cx.has_errors());
    assert_eq!(cx.left_out(), 12 * CONFIG_PROBLEMS - CONFIG_PROBLEMS);
    let problems = cx.into_problems();
    let errors = problems.iter().filter(|problem| problem.number == number::UNKNOWN_LIMIT).count();
    assert_eq!((problems.len(), errors), (CONFIG_PROBLEMS, CONFIG_PROBLEMS / 2));
}

/// A raw head, the parts of its line, its fields.
type RawCase<'a> = (&'a str, [&'a str; 3], &'a [(&'a str, &'a str)]);

#[test]
fn raw_heads_are_read_as_they_are() {
    let cases: &[RawCase<'_>] = &[
        (
            "GET /a HTTP/1.1\r\nHost: a\r\nX-b:  c \r\n\r\nbody: no",
            ["GET", "/a", "HTTP/1.1"],
            &[("Host", "a"), ("X-b", "c")],
        ),
        ("get /a b  HTTP/4.0\n\n", ["get", "/a b ", "HTTP/4.0"], &[]),
        ("GET /a\r\nA : 1\r\nno colon\r\n", ["GET", "/a", ""], &[("A ", "1"), ("no colon", "")]),
        ("GET  /a HTTP/1.1", ["GET", " /a", "HTTP/1.1"], &[]),
        ("nonsense", ["nonsense", "", ""], &[]),
        (
            "GET / HTTP/1.1\r\nA: 1\rB: 2\n\rC: 3",
            ["GET", "/", "HTTP/1.1"],
            &[("A", "1"), ("B", "2")],
        ),
        ("GET /a 1.1\r\nA: \0\r\na: 2", ["GET", "/a 1.1", ""], &[("A", "\0"), ("a", "2")]),
        ("", ["", "", ""], &[]),
    ];
    for (bytes, [method, target, protocol], fields) in cases {
        let head = RawHead::new(bytes.as_bytes());
        let line = head.line();
        let read = [line.method, line.target, line.protocol];
        assert_eq!(read, [method, target, protocol].map(|part| part.as_bytes()), "{bytes:?}");
        let read: Vec<_> = head.fields().collect();
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        assert_eq!(read, fields, "{bytes:?}");
    }
    for (line, simple) in [("GET /", true), ("GET / ", true), ("GET", false), ("POST /", false)] {
        assert_eq!(RawHead::new(line.as_bytes()).is_simple(), simple, "{line:?}");
    }
    let many = format!("GET / HTTP/1.1\r\n{}", "a: 1\r\n".repeat(1_000));
    assert_eq!(RawHead::new(many.as_bytes()).fields().count(), super::bounds::HEADER_FIELDS);
    assert_eq!(
        RawHead::new(b"GET / HTTP/1.1\r\nHOST: x\r\nhost: y").field("Host"),
        Some(&b"x"[..])
    );
}
