use std::path::Path;

use super::{Input, Judgement, Request, Rules, Test, judge, parse, read};
use crate::{Profile, ProfileOptions, Ruleset};

/// A file with one test of one stage.
fn file(stage: &str) -> String {
    format!("rule_id: 7\ntests:\n  - stages:\n      - {}\n", stage.replace('\n', "\n        "))
}

fn tests(stage: &str) -> Vec<Test> {
    parse(Path::new("t.yaml"), &file(stage)).unwrap_or_else(|error| panic!("{error}"))
}

fn wire(input: &str) -> String {
    let stage = format!("input: {{ {input} }}");
    let raw = tests(&stage)[0].stages[0].input.wire();
    String::from_utf8_lossy(&raw.unwrap_or_else(|error| panic!("{error}"))).into_owned()
}

#[test]
fn requests_are_built_as_go_ftw_builds_them() {
    let form = "Connection: close\r\nContent-Length";
    let cases = [
        ("uri: /a b", "GET /a b HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned()),
        ("method: POST", format!("POST / HTTP/1.1\r\n{form}: 0\r\n\r\n")),
        (
            "headers: {b: 2, A: 1}, autocomplete_headers: false",
            "GET / HTTP/1.1\r\nA: 1\r\nb: 2\r\n\r\n".to_owned(),
        ),
        ("stop_magic: true", "GET / HTTP/1.1\r\n\r\n".to_owned()),
        (
            "ordered_headers: [{name: b, value: 2}, {name: a, value: 1}], stop_magic: true",
            "GET / HTTP/1.1\r\nb: 2\r\na: 1\r\n\r\n".to_owned(),
        ),
        // A form without an escape is escaped, one with an escape is not.
        (
            "method: POST, data: a=b c",
            format!(
                "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n{form}: 5\r\n\r\na=b+c"
            ),
        ),
        // What is added comes last.
        (
            "ordered_headers: [{name: X, value: 1}, {name: Host, value: a}], data: a",
            format!(
                "GET / HTTP/1.1\r\nX: 1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n{form}: 1\r\n\r\na"
            ),
        ),
        (
            "headers: {Content-Type: Application/X-WWW-Form-Urlencoded}, data: a=b c",
            format!(
                "GET / HTTP/1.1\r\nContent-Type: Application/X-WWW-Form-Urlencoded\r\n{form}: 5\r\n\r\na=b+c"
            ),
        ),
        (
            "method: POST, data: a=%20 c",
            format!(
                "POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n{form}: 7\r\n\r\na=%20 c"
            ),
        ),
        (
            r#"method: POST, headers: {Content-Type: text/plain}, data: '{{ "ab" | repeat 3 }}-{{x}}'"#,
            format!(
                "POST / HTTP/1.1\r\nContent-Type: text/plain\r\n{form}: 12\r\n\r\nababab-{{{{x}}}}"
            ),
        ),
        (
            "headers: {Content-Type: multipart/form-data; boundary=x}, data: \"a\\nb\\r\\n\"",
            format!(
                "GET / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n{form}: 6\r\n\r\na\r\nb\r\n"
            ),
        ),
        ("encoded_data: YQA=, stop_magic: true", "GET / HTTP/1.1\r\n\r\na\0".to_owned()),
        ("encoded_request: R0VUIC8=", "GET /".to_owned()),
    ];
    for (input, expected) in cases {
        assert_eq!(wire(input), expected, "{input}");
    }
}

#[test]
fn raw_requests_are_read_leniently() {
    let read = |raw: &[u8]| {
        let Request { method, target, protocol, headers, body } = Request::read(raw);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (text(method), text(target), text(protocol), headers.len(), text(body))
    };
    let cases: [(&[u8], _); 5] = [
        (b"GET /a b?c d HTTP/1.1\r\nA: b\r\n\r\nrest", ("GET", "/a b?c d", "HTTP/1.1", 1, "")),
        (b"GET /\n\n", ("GET", "/", "", 0, "")),
        (b"P / HTTP/1.0\r\nContent-Length: 99\r\n\r\nabc", ("P", "/", "HTTP/1.0", 1, "abc")),
        (
            b"P / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            ("P", "/", "HTTP/1.1", 1, "abc"),
        ),
        (b"", ("", "", "", 0, "")),
    ];
    for (raw, (method, target, protocol, headers, body)) in cases {
        let expected =
            (method.to_owned(), target.to_owned(), protocol.to_owned(), headers, body.to_owned());
        assert_eq!(read(raw), expected, "{}", raw.escape_ascii());
    }
}

/// A misspelt key would make a test that cannot fail.
#[test]
fn what_cannot_be_read_is_refused() {
    let cases = [
        ("input: {}\noutput: { log: { expect_id: [1] } }", "unknown field `expect_id`"),
        ("input: { url: / }", "unknown field `url`"),
        ("output: {}", "missing field `input`"),
        ("input: { port: 99999 }", "99999"),
        ("input: [", "line"),
    ];
    for (stage, expected) in cases {
        let error = parse(Path::new("t.yaml"), &file(stage)).expect_err(stage).to_string();
        assert!(error.starts_with("t.yaml: ") && error.contains(expected), "{stage}: {error}");
    }
    assert!(parse(Path::new("t.yaml"), "---\n# nothing\n").is_ok_and(|tests| tests.is_empty()));
    assert_eq!(read(Path::new("/nowhere")).map_err(|errors| errors.len()).err(), Some(1));
}

#[test]
fn a_request_that_cannot_be_built_says_why() {
    let cases = [
        (Input { encoded_request: Some("%".into()), ..Input::default() }, "encoded_request: "),
        (Input { encoded_data: Some("%".into()), ..Input::default() }, "encoded_data: "),
        (
            Input { data: Some(r#"{{ "x" | repeat 99999999 }}"#.into()), ..Input::default() },
            "data grows to 99999999 bytes, bound 16777216",
        ),
    ];
    for (input, expected) in cases {
        let error = input.wire().expect_err(expected);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn one_name_stands_for_one_test() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    for name in ["a.yaml", "b.yml", "c.txt"] {
        let written = std::fs::write(folder.path().join(name), file("input: {}"));
        written.unwrap_or_else(|error| panic!("{error}"));
    }
    let errors = read(folder.path()).expect_err("two tests are 7-1");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message.contains("7-1"), "{errors:?}");
}

#[test]
fn tests_are_judged() {
    let rules = r#"SecRuleEngine DetectionOnly
        SecResponseBodyAccess On
        SecResponseBodyMimeType text/plain
        SecRule ARGS "@contains x" "id:1,phase:2,deny,status:403,msg:'an x'"
        SecRule ARGS "@contains y" "id:2,phase:2,pass"
        SecRule RESPONSE_BODY "@contains leak" "id:3,phase:4,deny,status:502"
        SecRule ARGS "@contains v" "id:4,phase:2,pass,nolog,auditlog""#;
    let ruleset =
        Ruleset::builder().text("t", rules).build().unwrap_or_else(|errors| panic!("{errors}"));
    let profile = Profile::new(&ruleset, ProfileOptions::default())
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    let passed = || "passed".to_owned();
    let cases = [
        ("uri: /?a=x", "log: { expect_ids: [1], no_expect_ids: [2] }", passed()),
        (
            "uri: /?a=x",
            r"log: { match_regex: '\[id .1.\].*an x', no_match_regex: '\d{9}' }",
            passed(),
        ),
        ("uri: /?a=z", "log: { expect_ids: [1] }", "expected 1 in the log, got none".into()),
        ("uri: /?a=x", "log: { no_expect_ids: [1] }", "1 must not be in the log".into()),
        (
            "uri: /?a=xy",
            "{ isolated: true, log: { expect_ids: [1] } }",
            "isolated, but 2 are in the log too".into(),
        ),
        ("uri: /?a=v", "log: { no_expect_ids: [4], no_match_regex: 'id' }", passed()),
        ("uri: /?a=x", "log: { match_regex: '(' }", "match_regex: ".into()),
        ("uri: /?a=x", "status: 403", passed()),
        ("uri: /?a=y", "status: 403", "expected status 403, the rules say 200".into()),
        (
            "uri: /, response: { body: a leak }",
            "{ status: 502, log: { expect_ids: [3] } }",
            passed(),
        ),
        ("uri: /, encoded_data: '%'", "log: { expect_ids: [1] }", "encoded_data: ".into()),
        ("uri: /?a=x", "expect_error: true", "asks the server".into()),
    ];
    for (input, output, expected) in cases {
        let stage = format!("input: {{ {input} }}\noutput:\n  {output}");
        let got = match judge(Rules { profile: &profile, decide: true }, &tests(&stage)[0]) {
            Judgement::Passed => passed(),
            Judgement::Failed(why) => why,
            Judgement::AsksServer => "asks the server".to_owned(),
        };
        assert!(got.starts_with(&expected), "{input} {output}: {got}");
    }
}
