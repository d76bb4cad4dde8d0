use serde_json::json;

use super::start;
use crate::base::code::Code;
use crate::telemetry::tests::{allowed, refused};

#[tokio::test]
async fn health_tells_alive_from_ready() {
    let fixture = start().await;
    let host = "Host: localhost\r\n";
    assert_eq!(fixture.with("GET", "/health/live", host).await.status, 200);
    let answer = fixture.with("GET", "/health/ready", host).await;
    assert_eq!(
        (answer.status, answer.json()["detail"].clone()),
        (503, json!("no generation serves yet"))
    );
    *fixture.gateway.ready.lock() = true;
    assert_eq!(fixture.with("GET", "/health/ready", host).await.status, 200);
    assert_eq!(fixture.with("HEAD", "/health/ready", host).await.status, 200);
}

#[tokio::test]
async fn every_answer_stays_out_of_caches_and_pages() {
    let fixture = start().await;
    for path in ["/health/live", "/metrics", "/config", "/nothing", "/events"] {
        let answer = fixture.call("GET", path, "").await;
        for line in
            ["cache-control: no-store", "x-content-type-options: nosniff", "frame-ancestors 'none'"]
        {
            assert!(answer.head.contains(line), "{path}: {}", answer.head);
        }
        assert!(!answer.head.contains("access-control-allow"), "{path}");
    }
}

#[tokio::test]
async fn wrong_methods_are_told_the_right_ones() {
    let fixture = start().await;
    let cases = [
        ("POST", "/metrics", "get"),
        ("GET", "/config/reload", "post"),
        ("PUT", "/bans", "get, post"),
        ("GET", "/bans/192.0.2.1", "delete"),
        ("DELETE", "/events", "get"),
        ("OPTIONS", "/status", "get"),
        ("POST", "/health/live", "get"),
    ];
    for (method, path, allowed) in cases {
        let answer = fixture.call(method, path, "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.head.contains(&format!("allow: {allowed}\r\n")), "{}", answer.head);
    }
    let unknown = fixture.call("GET", "/nothing", "").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.head.contains("application/problem+json"));
    assert_eq!(unknown.json()["detail"], "no such resource");
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let fixture = start().await;
    fixture.telemetry.metrics().begin_generation(3, &["orders".into()]);
    fixture.telemetry.record(allowed());
    let answer = fixture.call("GET", "/metrics", "").await;
    assert!(answer.head.contains("content-type: text/plain; version=0.0.4"), "{}", answer.head);
    assert!(answer.body.contains("yett_config_generation 3\n"));
    assert!(
        answer.body.contains(
            r#"yett_requests_total{route="orders",outcome="allowed",code_class="2xx"} 1"#
        )
    );
}

#[tokio::test]
async fn reload_answers_with_the_generation_or_every_problem() {
    let fixture = start().await;
    let answer = fixture.call("POST", "/config/reload", "").await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "generation": 1 })));
    assert_eq!(fixture.call("POST", "/config/reload", "{}").await.status, 200);
    assert_eq!(fixture.call("POST", "/config/reload", "{\"force\":true}").await.status, 400);
    *fixture.gateway.refused.lock() = Some("error[Y014] unknown limit `per-usr`".into());
    let answer = fixture.call("POST", "/config/reload", "").await;
    assert_eq!(
        (answer.status, answer.json()["detail"].clone()),
        (422, json!("error[Y014] unknown limit `per-usr`"))
    );
    assert_eq!(fixture.call("GET", "/config", "").await.json()["generation"], 2);
}

#[tokio::test]
async fn routes_carry_their_counters() {
    let fixture = start().await;
    fixture.telemetry.metrics().begin_generation(1, &["orders".into()]);
    fixture.telemetry.record(allowed());
    fixture.telemetry.record(refused(Code::PolicyScope, ""));
    let route = &fixture.call("GET", "/routes", "").await.json()["routes"][0];
    assert_eq!(route["id"], "orders");
    assert_eq!(route["counters"]["requests"], 2);
    assert_eq!(route["counters"]["outcomes"], json!({ "allowed": 1, "forbidden": 1 }));
    assert_eq!(
        route["counters"]["findings"],
        json!({ "policy.scope": { "enforced": 1, "monitored": 0 } })
    );
    assert_eq!(route["counters"]["duration_mean_ms"], 1.5);
}

#[tokio::test]
async fn bans_are_made_listed_and_ended() {
    let fixture = start().await;
    let made = fixture
        .call("POST", "/bans", r#"{"address":"::ffff:192.0.2.7","for":"10m","reason":"stuffing"}"#)
        .await;
    let ban = json!({ "address": "192.0.2.7", "left_s": 600, "reason": "stuffing" });
    assert_eq!((made.status, made.json()), (201, ban.clone()));
    let block = fixture
        .call("POST", "/bans", r#"{"address":"2001:db8::1/32","for":"1s","reason":"x"}"#)
        .await;
    assert_eq!(block.json()["address"], "2001:db8::/32");
    assert_eq!(fixture.call("GET", "/bans", "").await.json()["bans"][0], ban);
    assert_eq!(fixture.call("DELETE", "/bans/192.0.2.7", "").await.status, 204);
    assert_eq!(fixture.call("DELETE", "/bans/192.0.2.7", "").await.status, 404);
    assert_eq!(fixture.call("DELETE", "/bans/2001:db8::/32", "").await.status, 204);
    assert_eq!(fixture.call("GET", "/bans", "").await.json(), json!({ "bans": [] }));
}

#[tokio::test]
async fn bad_bans_are_refused_with_the_bound() {
    let fixture = start().await;
    let long = format!(r#"{{"address":"192.0.2.7","for":"1m","reason":"{}"}}"#, "x".repeat(257));
    let cases = [
        ("", 400, "EOF"),
        ("[]", 400, "ban"),
        (r#"{"address":"192.0.2.7","for":"10m"}"#, 400, "reason"),
        (r#"{"address":"192.0.2.7","for":"10","reason":"x"}"#, 400, "unit"),
        (r#"{"address":"192.0.2.7","for":"10m","reason":"x","forever":true}"#, 400, "forever"),
        (r#"{"address":"example.com","for":"10m","reason":"x"}"#, 422, "not an IP address"),
        (r#"{"address":"192.0.2.7","for":"0s","reason":"x"}"#, 422, "bound"),
        (r#"{"address":"192.0.2.7","for":"31d","reason":"x"}"#, 422, "30d"),
        (r#"{"address":"192.0.2.7","for":"1m","reason":""}"#, 422, "reason 0 bytes"),
        (long.as_str(), 422, "reason 257 bytes, bound 1 to 256"),
        (
            r#"{"address":"127.0.0.0/8","for":"1m","reason":"x"}"#,
            422,
            "loopback must not be banned",
        ),
    ];
    for (body, status, part) in cases {
        let answer = fixture.call("POST", "/bans", body).await;
        assert_eq!(answer.status, status, "{body}");
        assert!(answer.json()["detail"].as_str().unwrap().contains(part), "{}", answer.body);
    }
    assert!(fixture.gateway.bans.lock().is_empty());
    assert_eq!(fixture.call("DELETE", "/bans/example.com", "").await.status, 400);
}

#[tokio::test]
async fn status_is_one_page_about_the_process() {
    let fixture = start().await;
    let status = fixture.call("GET", "/status", "").await.json();
    assert_eq!(status["store"], "up");
    assert_eq!(status["ready"], false);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["events"], json!({ "dropped": 0, "streams": 0 }));
}
