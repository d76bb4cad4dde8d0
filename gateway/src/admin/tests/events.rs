use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{Fixture, TOKEN, read_until, start};
use crate::base::code::Code;
use crate::telemetry::tests::{PATIENCE, allowed, refused};

async fn stream(fixture: &Fixture, lines: &str) -> TcpStream {
    let mut stream = TcpStream::connect(fixture.address).await.unwrap();
    let request = format!(
        "GET /events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\
         Accept: text/event-stream\r\n{lines}\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

fn record(fixture: &Fixture, number: usize) {
    for _ in 0..number {
        fixture.telemetry.record(allowed());
    }
    assert!(fixture.telemetry.flush(PATIENCE));
}

fn ids(text: &str) -> Vec<u64> {
    text.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect()
}

#[tokio::test]
async fn the_last_events_are_json() {
    let fixture = start().await;
    record(&fixture, 150);
    let events = |answer: super::Answer| answer.json()["events"].as_array().unwrap().len();
    assert_eq!(events(fixture.call("GET", "/events", "").await), 100);
    assert_eq!(events(fixture.call("GET", "/events?last=2", "").await), 2);
    assert_eq!(events(fixture.call("GET", "/events?last=1000", "").await), 150);
    for bad in ["last=0", "last=1001", "last=-1", "last=x", "first=1", ""] {
        assert_eq!(fixture.call("GET", &format!("/events?{bad}"), "").await.status, 400, "{bad}");
    }
}

#[tokio::test]
async fn hostile_events_arrive_escaped() {
    let fixture = start().await;
    let mut event =
        refused(Code::WafBlocked, "<img src=x onerror=alert(1)>\r\n\r\nid: 99\ndata: forged\n\n");
    event.request.path = "/\u{1b}[2J\u{202e}</script>".into();
    fixture.telemetry.record(event);
    assert!(fixture.telemetry.flush(PATIENCE));
    let answer = fixture.call("GET", "/events", "").await;
    assert!(!answer.body.contains(['<', '>', '\u{1b}', '\u{202e}', '\n', '\r']), "{}", answer.body);
    assert_eq!(answer.json()["events"][0]["url"]["path"], "/\u{1b}[2J\u{202e}</script>");
    let mut stream = stream(&fixture, "Last-Event-ID: 0\r\n").await;
    let mut text = String::new();
    read_until(&mut stream, &mut text, "\"waf.blocked\"").await;
    read_until(&mut stream, &mut text, "}\n\n").await;
    assert_eq!(ids(&text), [1]);
    let data: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    serde_json::from_str::<Value>(data[0]).unwrap();
}

#[tokio::test]
async fn a_stream_brings_what_comes_in_order() {
    let fixture = start().await;
    record(&fixture, 5);
    let mut live = stream(&fixture, "").await;
    let mut text = String::new();
    read_until(&mut live, &mut text, ":\n\n").await;
    record(&fixture, 20);
    read_until(&mut live, &mut text, "id: 25\n").await;
    assert_eq!(ids(&text), (6..=25).collect::<Vec<_>>());
    assert!(text.to_lowercase().contains("content-type: text/event-stream"));
}

#[tokio::test]
async fn a_client_resumes_where_it_was() {
    let fixture = start().await;
    record(&fixture, 10);
    let mut resumed = stream(&fixture, "Last-Event-ID: 7\r\n").await;
    let mut text = String::new();
    read_until(&mut resumed, &mut text, "id: 10\n").await;
    record(&fixture, 2);
    read_until(&mut resumed, &mut text, "id: 12\n").await;
    assert_eq!(ids(&text), (8..=12).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_slow_client_is_told_what_it_lost() {
    let fixture = start().await;
    let mut slow = stream(&fixture, "").await;
    let mut text = String::new();
    read_until(&mut slow, &mut text, ":\n\n").await;
    // Far more than sockets and queues between the two can hold.
    for _ in 0..60 {
        record(&fixture, 1000);
    }
    read_until(&mut slow, &mut text, "event: lost\n").await;
    record(&fixture, 1);
    read_until(&mut slow, &mut text, "id: 60001\n").await;
    assert!(ids(&text).is_sorted());
}

#[tokio::test]
async fn streams_are_bounded_and_leave_room_for_others() {
    let fixture = start().await;
    let mut streams = Vec::new();
    for _ in 0..16 {
        let mut one = stream(&fixture, "").await;
        read_until(&mut one, &mut String::new(), ":\n\n").await;
        streams.push(one);
    }
    let mut refused = stream(&fixture, "").await;
    let mut text = String::new();
    read_until(&mut refused, &mut text, "event streams bound 16").await;
    assert!(text.starts_with("HTTP/1.1 503"), "{text}");
    assert_eq!(fixture.call("GET", "/status", "").await.json()["events"]["streams"], 16);
    assert_eq!(fixture.call("GET", "/metrics", "").await.status, 200);
}
