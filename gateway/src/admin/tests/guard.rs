//! The attacker's view.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::guard::Guard;
use super::super::{parse_bind, serve};
use super::{Gateway, TOKEN, answer, read_until, start};
use crate::telemetry::tests::{PATIENCE, silent};

const CLOSED: [&str; 8] =
    ["/metrics", "/config", "/routes", "/events", "/bans", "/status", "/config/reload", "/nothing"];

#[tokio::test]
async fn nothing_but_health_answers_without_the_token() {
    let fixture = start().await;
    let wrong = [
        "",
        "Authorization: Bearer wrong\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic 0123456789abcdef-token\r\n",
        "Authorization: 0123456789abcdef-token\r\n",
        "X-Token: 0123456789abcdef-token\r\n",
        "Cookie: token=0123456789abcdef-token\r\n",
    ];
    for path in CLOSED {
        for credential in &wrong[..1] {
            let answer =
                fixture.with("GET", path, &format!("Host: localhost\r\n{credential}")).await;
            assert_eq!(answer.status, 401, "{path} {credential}");
            assert!(answer.head.contains("www-authenticate: bearer"), "{}", answer.head);
            assert!(!answer.body.contains("orders"));
        }
    }
    for credential in wrong {
        let answer =
            fixture.with("GET", "/config", &format!("Host: localhost\r\n{credential}")).await;
        assert_eq!(answer.status, 401, "{credential}");
    }
    let query = fixture
        .with("GET", &format!("/config?token={TOKEN}&access_token={TOKEN}"), "Host: localhost\r\n")
        .await;
    assert_eq!(query.status, 401);
    let twice =
        format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\nAuthorization: Bearer x\r\n");
    assert_eq!(fixture.with("GET", "/config", &twice).await.status, 401);
    assert_eq!(fixture.with("GET", "/health/live", "Host: localhost\r\n").await.status, 200);
}

#[tokio::test]
async fn only_loopback_names_are_hosts() {
    let fixture = start().await;
    let port = fixture.address.port();
    let cases = [
        ("localhost".to_owned(), 200),
        (format!("localhost:{port}"), 200),
        (format!("127.0.0.1:{port}"), 200),
        ("LOCALHOST:1".to_owned(), 200),
        ("127.9.9.9".to_owned(), 200),
        (format!("[::1]:{port}"), 200),
        ("attacker.example".to_owned(), 421),
        (format!("attacker.example:{port}"), 421),
        ("localhost.attacker.example".to_owned(), 421),
        ("127.0.0.1.nip.io".to_owned(), 421),
        ("localhost@attacker.example".to_owned(), 421),
        ("attacker.example#localhost".to_owned(), 421),
        ("10.0.0.1".to_owned(), 421),
        ("localhost:80:80".to_owned(), 421),
        ("[::1".to_owned(), 421),
        ("".to_owned(), 421),
    ];
    for (host, expected) in cases {
        for path in ["/health/live", "/status"] {
            let lines = format!("Host: {host}\r\nAuthorization: Bearer {TOKEN}\r\n");
            assert_eq!(fixture.with("GET", path, &lines).await.status, expected, "{host} {path}");
        }
    }
    assert_eq!(fixture.with("GET", "/health/live", "").await.status, 400, "no host");
    let two = "Host: localhost\r\nHost: attacker.example\r\n";
    assert_eq!(fixture.with("GET", "/health/live", two).await.status, 400, "two hosts");
    let absolute =
        fixture.with("GET", "http://attacker.example/health/live", "Host: localhost\r\n").await;
    assert_eq!(absolute.status, 421);
}

#[tokio::test]
async fn other_sites_change_nothing() {
    let fixture = start().await;
    let base = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    let cases = [
        ("Sec-Fetch-Site: cross-site\r\n", 403),
        ("Sec-Fetch-Site: same-site\r\n", 403),
        ("Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n", 403),
        ("Origin: https://attacker.example\r\n", 403),
        ("Origin: null\r\n", 403),
        ("Origin: http://localhost.attacker.example\r\n", 403),
        ("Content-Length: 2\r\nContent-Type: text/plain\r\n", 415),
        ("Content-Length: 2\r\nContent-Type: application/x-www-form-urlencoded\r\n", 415),
        (
            "Content-Length: 2\r\nContent-Type: multipart/form-data; boundary=application/json\r\n",
            415,
        ),
        ("Content-Length: 2\r\n", 415),
        ("Content-Type: text/plain\r\n", 415),
    ];
    for (lines, expected) in cases {
        let request =
            format!("POST /config/reload HTTP/1.1\r\n{base}{lines}Connection: close\r\n\r\n{{}}");
        assert_eq!(fixture.raw(&request).await.status, expected, "{lines}");
    }
    assert_eq!(*fixture.gateway.reloads.lock(), 0);
    for good in [
        "",
        "Sec-Fetch-Site: same-origin\r\nOrigin: http://localhost\r\n",
        "Sec-Fetch-Site: none\r\n",
    ] {
        assert_eq!(
            fixture.with("POST", "/config/reload", &format!("{base}{good}")).await.status,
            200,
            "{good}"
        );
    }
}

#[tokio::test]
async fn paths_have_one_spelling() {
    let fixture = start().await;
    for path in [
        "/health/live/../../config",
        "/health/live/",
        "//health/live",
        "/health/%6cive",
        "/HEALTH/live",
        "/health/live%00",
        "/health/live;/config",
        "/health",
    ] {
        assert_eq!(fixture.with("GET", path, "Host: localhost\r\n").await.status, 401, "{path}");
        assert_eq!(fixture.call("GET", path, "").await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn heads_and_bodies_are_bounded() {
    let fixture = start().await;
    let base = format!("Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n");
    let long = format!("{base}X-Long: {}\r\n", "a".repeat(100_000));
    assert!(matches!(fixture.with("GET", "/status", &long).await.status, 431 | 0));
    let many: String = (0..200).map(|n| format!("X-{n}: 1\r\n")).collect();
    assert!(matches!(
        fixture.with("GET", "/status", &format!("{base}{many}")).await.status,
        431 | 0
    ));
    let big = "x".repeat(64 * 1024 + 1);
    assert_eq!(fixture.call("POST", "/bans", &big).await.status, 413);
    let chunk = format!("{:x}\r\n{}\r\n", 32 * 1024, "x".repeat(32 * 1024));
    let chunked = format!(
        "POST /bans HTTP/1.1\r\n{base}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n{}",
        chunk.repeat(3)
    );
    assert_eq!(fixture.raw(&chunked).await.status, 413);
    assert_eq!(
        fixture.with("GET", "/health/live", "Host: localhost\r\n").await.status,
        200,
        "it still serves"
    );
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_slow_bodies_are_cut_off() {
    let fixture = start().await;
    let head = "GET /status HTTP/1.1\r\nHost: loc";
    let body = format!(
        "POST /bans HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    for (slow, expected) in [(head, 0), (body.as_str(), 408), ("", 0)] {
        let mut stream = TcpStream::connect(fixture.address).await.unwrap();
        stream.write_all(slow.as_bytes()).await.unwrap();
        let mut text = String::new();
        // The clock is the test's: it jumps to the time-out as soon as everybody waits.
        let ended = tokio::time::timeout(PATIENCE * 10, stream.read_to_string(&mut text)).await;
        ended.expect("closed in the end").unwrap();
        assert!([expected, 0, 408].contains(&answer(&text).status), "{text}");
    }
}

#[tokio::test]
async fn repeated_wrong_tokens_lock_the_door() {
    let fixture = start().await;
    let mut kept = TcpStream::connect(fixture.address).await.unwrap();
    let request =
        format!("GET /status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n");
    kept.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut kept, &mut String::new(), "uptime_s").await;
    let wrong = "Host: localhost\r\nAuthorization: Bearer wrong-wrong-wrong\r\n";
    for _ in 0..10 {
        assert_eq!(fixture.with("GET", "/status", wrong).await.status, 401);
    }
    let locked = fixture.with("GET", "/status", wrong).await;
    assert_eq!(locked.status, 429);
    assert!(locked.head.contains("retry-after: "), "{}", locked.head);
    assert_eq!(
        fixture.call("GET", "/status", "").await.status,
        429,
        "the right one learns nothing either"
    );
    kept.write_all(request.as_bytes()).await.unwrap();
    read_until(&mut kept, &mut String::new(), "uptime_s").await;
    assert_eq!(fixture.with("GET", "/health/live", "Host: localhost\r\n").await.status, 200);
}

#[test]
fn the_lock_opens_again() {
    let guard = Guard::new("127.0.0.1".parse().unwrap(), TOKEN).unwrap();
    let headers = |token: &str| {
        let value = HeaderValue::from_str(&format!("bearer {token}")).unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    };
    let start = Instant::now();
    for _ in 0..10 {
        assert!(guard.check_token(&headers("wrong"), false, start).is_err());
    }
    let right = headers(TOKEN);
    assert!(guard.check_token(&right, false, start + Duration::from_secs(9)).is_err());
    assert!(guard.check_token(&right, false, start + Duration::from_secs(10)).is_ok());
    // Few wrong ones now and then lock nothing.
    for minute in 1..50 {
        let later = start + Duration::from_secs(60 * minute);
        assert!(guard.check_token(&headers("wrong"), false, later).is_err());
        assert!(guard.check_token(&right, false, later).is_ok());
    }
}

#[test]
fn only_loopback_addresses_are_bound() {
    for good in ["127.0.0.1:9901", "127.1.2.3:1", "[::1]:9901", "[::ffff:127.0.0.1]:9901"] {
        assert!(parse_bind(good).is_ok(), "{good}");
    }
    for bad in ["0.0.0.0:9901", "[::]:9901", "10.0.0.1:9901", "192.0.2.1:1", "[::ffff:10.0.0.1]:1"]
    {
        let error = parse_bind(bad).unwrap_err();
        assert!(error.contains("loopback"), "{error}");
    }
    for malformed in ["localhost:9901", "127.0.0.1", ":9901", ""] {
        assert!(parse_bind(malformed).unwrap_err().contains("ADDRESS:PORT"));
    }
}

#[tokio::test]
async fn short_tokens_and_open_addresses_do_not_start() {
    let (_stop, stopped) = watch::channel(false);
    let telemetry = Arc::new(silent());
    let short = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Arc::new(Gateway::default());
    let error = serve(short, "short".into(), gateway.clone(), telemetry.clone(), stopped.clone())
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "admin token 5 bytes, bound 16 or more");
    let open = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(open, TOKEN.into(), gateway, telemetry, stopped).await.unwrap_err();
    assert!(error.to_string().contains("is not a loopback address"), "{error}");
}
