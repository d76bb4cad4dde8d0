use super::{PATIENCE, full, lines, rule_match, to_file};
use crate::base::event::Event;
use crate::telemetry::process_log::{Filter, ProcessLog};
use crate::telemetry::redact::{REDACTED, at, is_secret_name, path, prose, query, text};

/// The secret part of each; none of them may be found in any output. Made up, none was ever valid.
const SECRETS: [&str; 14] = [
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlLWhlcmU",
    "eyJhbGciOiJFUzI1NiJ9%2EeyJzdWIiOiJhbGljZSJ9%252EbGVhaw",
    "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..aXYtaXYtaXY.Y2lwaGVy.dGFn",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijklmnopqrstuvwxyz",
    "github_pat_0123456789abcdefghij_klmn",
    "glpat-0123456789abcdefghij",
    "xoxb-123456789012-abcdefghij",
    "sk_live_0123456789abcdef",
    "AIzaSyA0123456789abcdefghijklmnopqrstuv",
    "npm_0123456789abcdefghijklmnopqrstuvwxyz",
    "sk-proj-0123456789abcdefghijkl",
    "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----",
];

/// Names whose values are secret, as clients write them.
const SECRET_NAMES: [&str; 30] = [
    "access_token",
    "id_token",
    "refresh_token",
    "token",
    "Token",
    "ACCESS-TOKEN",
    "access%5Ftoken",
    "access%255Ftoken",
    "password",
    "passwd",
    "user[password]",
    "newPassword",
    "client_secret",
    "secret",
    "sig",
    "Signature",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "AWSAccessKeyId",
    "X-Goog-Signature",
    "api_key",
    "apiKey",
    "key",
    "code",
    "sessionid",
    "JSESSIONID",
    "jwt",
    "otp",
    "SAMLResponse",
];

const HARMLESS_NAMES: [&str; 14] = [
    "q",
    "page",
    "sort",
    "keyboard",
    "monkey",
    "design",
    "zipcode",
    "author",
    "pinned",
    "statement",
    "passage",
    "id",
    "encoded",
    "compass",
];

#[test]
fn names_tell_secrets() {
    for name in SECRET_NAMES {
        assert!(is_secret_name(name), "{name}");
    }
    for name in HARMLESS_NAMES {
        assert!(!is_secret_name(name), "{name}");
    }
}

#[test]
fn values_of_secret_names_are_taken_out_of_queries() {
    for name in SECRET_NAMES {
        let shown = query(&format!("a=1&{name}=hunter2-hunter2&b=2")).into_owned();
        assert_eq!(shown, format!("a=1&{name}={REDACTED}&b=2"));
    }
    for (hostile, secret) in [
        ("next=https%3A%2F%2Fa%2Fcb%3Faccess_token%3Dhunter2&b=2", "hunter2"),
        ("next=https%253A%252F%252Fa%253Faccess_token%253Dhunter2", "hunter2"),
        ("j=%7B%22user%22%3A%22x%22%2C%22pin%22%3A%22271828%22%7D&b=2", "271828"),
        ("a=1&PHPSESSID=hunter2", "hunter2"),
        ("c=4111%201111%201111%201111", "1111%201111"),
        ("c=4111%2d1111%2D1111%2D1111", "1111%2D1111"),
    ] {
        assert!(!query(hostile).contains(secret), "{}", query(hostile));
    }
    let untouched = "page=2&sort=-created&q=a%20b&&=&x";
    assert_eq!(query(untouched), untouched);
    assert_eq!(query("a=1;token=x;b=2"), format!("a=1;token={REDACTED};b=2"));
}

#[test]
fn shapes_are_taken_out_of_every_text() {
    for secret in SECRETS {
        for around in ["{}", "x {} y", "q={}&b=2", "/reset/{}/now", "\"{}\""] {
            let hostile = around.replace("{}", secret);
            assert!(text(&hostile).contains(REDACTED), "{hostile}");
            assert!(!text(&hostile).contains(secret), "{hostile}");
        }
    }
    for harmless in [
        "/v1/orders/7",
        "Mozilla/5.0 (X11; Linux x86_64)",
        "basic auth",
        "eyJ",
        "ghp_short",
        "task-force-one",
    ] {
        assert_eq!(text(harmless), harmless);
    }
}

#[test]
fn credentials_in_prose_and_paths_are_taken_out() {
    let cases: &[(&str, &str)] = &[
        ("Authorization: Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("value `password=hunter2`, rule 1", "hunter2"),
        ("{\"password\": \"hunter2 two\"}", "hunter2 two"),
        ("bearer%20abcdefgh", "abcdefgh"),
        ("cookie: sid=s3cr3t-value", "s3cr3t-value"),
        ("https://host/?q=1&token=s3cr3t-value", "s3cr3t-value"),
        ("https://host:443/?token=s3cr3t-value", "s3cr3t-value"),
        ("https://bob:s3cr3t-value@host/x", "s3cr3t-value"),
        (r#"{\"user\":\"x\",\"password\":\"hunter2\"}"#, "hunter2"),
        (r#"{\\\"pin\\\": \\\"271828\\\"}"#, "271828"),
    ];
    for (evidence, secret) in cases {
        assert!(!prose(evidence).contains(secret), "{}", prose(evidence));
    }
    assert_eq!(path("/a;jsessionid=ABCDEF/b"), format!("/a;jsessionid={REDACTED}"));
    assert_eq!(prose("score 10, threshold 5"), "score 10, threshold 5");
    assert_eq!(prose("exp: 12, now: 14"), "exp: 12, now: 14");
    assert_eq!(prose("session.referer_check=t found"), "session.referer_check=t found");
}

#[test]
fn card_numbers_are_taken_out_of_every_text() {
    // The networks' own test numbers.
    let cards = [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "378282246310005",
        "3782+822463+10005",
        "6011000990139424",
        "2223003122003222",
        "4222 222 222 222",
    ];
    for card in cards {
        assert_eq!(text(&format!("a {card}, b")), format!("a {REDACTED}, b"));
        assert_eq!(text(&format!("12 {card}")), format!("12 {REDACTED}"), "behind another number");
        assert_eq!(prose(card), REDACTED);
        assert_eq!(at("ARGS:note", card), REDACTED);
    }
    assert_eq!(text("a%3D5555-5555-5555-4444%26"), format!("a%3D{REDACTED}%26"));
    let harmless = [
        "4111111111111112",
        "14111111111111111",
        "41111111111111110000",
        "1767225600000000",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "192.168.100.200:8080",
        "2026-11-22 18:30:00",
        "+49 30 1234567",
        // UUIDs, which go-ftw marks its place in a log with: their digits would pass for a card's.
        "48620579-8682-4828-8abc-0e02b2c3d479",
        "f47a6616-0534-4468-8826-0e02b2c3d479",
        "f47ac10b-5277-4493-8257-3834cdef0a1b",
        "03275e93-d2f7-4823-b867-ede481041410-920120-31-s",
    ];
    for harmless in harmless {
        assert_eq!(text(harmless), harmless);
    }
    let long = "4 ".repeat(100_000);
    assert!(text(&long).len() <= long.len());
}

/// Texts made to be slow: each must take time in proportion to its length.
#[test]
fn hostile_texts_are_read_in_linear_time() {
    let time = |unit: &str, bytes: usize| {
        let hostile = unit.repeat(bytes / unit.len());
        let once = || {
            let start = std::time::Instant::now();
            let shown = query(&hostile).len() + prose(&hostile).len() + path(&hostile).len();
            assert!(shown > 0);
            start.elapsed()
        };
        // The least of some: other work on the machine only adds.
        (0..5).map(|_| once()).min().unwrap_or_default()
    };
    for unit in [
        ":",
        "=",
        "a:",
        "pin:",
        "pin=&",
        "eyJ",
        "bearer ",
        "%25",
        "-----BEGIN PRIVATE KEY",
        "\"'",
        "k\u{7f}=",
    ] {
        let small = time(unit, 4096).max(std::time::Duration::from_millis(1));
        // Sixteen times the text; quadratic work would be 256 times the time.
        assert!(time(unit, 16 * 4096) < 100 * small, "{unit}");
    }
}

#[test]
fn what_a_rule_found_at_a_secret_place_is_taken_out() {
    assert_eq!(at("ARGS:password", "' or 1=1"), REDACTED);
    assert_eq!(at("REQUEST_COOKIES:session", "' or 1=1"), REDACTED);
    assert_eq!(at("REQUEST_HEADERS:authorization", "' or 1=1"), REDACTED);
    assert_eq!(at("REMOTE_USER", "corp:ada"), REDACTED);
    assert_eq!(at("ARGS:q", "' or 1=1"), "' or 1=1");
}

/// Puts a secret wherever a client can.
fn laden(secret: &str) -> Box<Event> {
    let mut event = full();
    event.request.host = format!("{secret}.example.com");
    event.request.path = format!("/reset/{secret}");
    event.request.query = Some(format!("x={secret}&token={secret}"));
    event.request.user_agent = Some(format!("agent {secret}").into());
    event.findings[0].evidence = format!("value `{secret}`");
    let mut found = rule_match(1, &format!("ARGS:{secret}"), secret);
    found.message = format!("found {secret}");
    event.waf.as_mut().unwrap().matches = vec![found, rule_match(2, "ARGS:q", secret)];
    event
}

#[test]
fn no_sink_ever_shows_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let telemetry = to_file(&path, 100);
    let (_, mut watcher) = telemetry.feed().watch(None);
    for secret in SECRETS {
        telemetry.record(laden(secret));
    }
    assert!(telemetry.flush(PATIENCE));
    let mut outputs = std::fs::read_to_string(&path).unwrap();
    assert_eq!(lines(&path).len(), SECRETS.len());
    outputs.extend(telemetry.feed().recent(1000).iter().map(|recorded| recorded.line()));
    while let Ok(recorded) = watcher.try_recv() {
        outputs.push_str(&recorded.line());
    }
    outputs.push_str(&telemetry.scrape().unwrap());
    outputs.push_str(&process_log_of(&SECRETS));
    for secret in SECRETS {
        let tail = &secret[secret.len() - 8..];
        assert!(!outputs.contains(secret) && !outputs.contains(tail), "{secret}");
    }
    assert!(outputs.contains(REDACTED));
}

fn process_log_of(messages: &[&str]) -> String {
    use std::sync::{Arc, Mutex};
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = written.clone();
    let filter = Filter { default: log::LevelFilter::Info, targets: Vec::new() };
    let logger = ProcessLog::new(
        filter,
        Box::new(move |line| {
            into.lock().unwrap().extend_from_slice(line);
            true
        }),
    );
    for message in messages {
        let arguments = format_args!("failed: {message}");
        let record = log::Record::builder().args(arguments).target("test").build();
        log::Log::log(&logger, &record);
    }
    let bytes = written.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}
