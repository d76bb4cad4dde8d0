use serde_json::json;

use crate::base::compile::Compile;

use super::super::key::{KeyPlan, SubjectKey};
use super::super::section::LimitKey;
use super::Client;

fn key(parts: &[&str]) -> KeyPlan {
    let parts = parts.iter().map(|part| (*part).to_owned()).collect();
    let mut cx = Compile::new();
    KeyPlan::compile(&LimitKey::Many(parts), &mut cx).unwrap()
}

fn subject(parts: &[&str], client: &Client) -> u128 {
    client.with(|inputs| key(parts).subject(&SubjectKey::new("named:test"), inputs))
}

/// What the pair shows, the key, two clients.
type Pair = (&'static str, &'static [&'static str], Client, Client);

fn ip() -> Client {
    Client::at("192.0.2.1")
}

fn sent(name: &str, value: &[u8]) -> Client {
    ip().header(name, value)
}

fn claims(issuer: &str, claims: serde_json::Value) -> Client {
    ip().token(issuer, claims)
}

fn are_one(pairs: Vec<Pair>) {
    for (what, parts, one, other) in pairs {
        assert_eq!(subject(parts, &one), subject(parts, &other), "{what}");
    }
}

fn are_two(pairs: Vec<Pair>) {
    for (what, parts, one, other) in pairs {
        assert_ne!(subject(parts, &one), subject(parts, &other), "{what}");
    }
}

#[test]
fn the_same_client_written_in_two_ways_is_one() {
    let (low, high) = ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff");
    let key: &[&str] = &["header.X-Api-Key"];
    are_one(vec![
        ("addresses of one /64", &["client.ip"], Client::at(low), Client::at(high)),
        ("v4 mapped into v6", &["client.ip"], Client::at("::ffff:192.0.2.1"), ip()),
        ("case of a field name", key, sent("x-api-key", b"k"), sent("X-API-KEY", b"k")),
        ("other fields", key, sent("x-api-key", b"k").header("b", b"1"), sent("x-api-key", b"k")),
        (
            "key from two addresses",
            key,
            sent("x-api-key", b"k"),
            Client::at("192.0.2.2").header("x-api-key", b"k"),
        ),
    ]);
}

/// No way round a limit: all of these count by the client's address.
#[test]
fn a_part_that_is_missing_counts_by_address() {
    let (key, sub): (&[&str], &[&str]) = (&["header.k"], &["token.sub"]);
    let twice = |one: &[u8], other: &[u8]| sent("k", one).header("k", other);
    are_one(vec![
        ("missing and repeated field", key, ip(), twice(b"a", b"b")),
        ("missing and empty field", key, ip(), sent("k", b"")),
        ("two ways to repeat", key, twice(b"c", b"d"), twice(b"a", b"a")),
        (
            "field left out, address rotated",
            key,
            Client::at("2001:db8::1"),
            Client::at("2001:db8::2"),
        ),
        ("no token, and one without the claim", sub, ip(), claims("a", json!({}))),
        ("claim that is null", sub, ip(), claims("a", json!({ "sub": null }))),
        ("a step into text", &["token.sub.x"], ip(), claims("a", json!({ "sub": "x" }))),
    ]);
    are_two(vec![
        ("the address as text", key, ip(), sent("k", b"192.0.2.1")),
        (
            "the address as bytes",
            key,
            Client::at("65.66.67.68"),
            Client::at("65.66.67.68").header("k", b"ABCD"),
        ),
        ("which part is missing", &["header.a", "header.b"], sent("a", b"x"), sent("b", b"x")),
    ]);
}

#[test]
fn values_that_differ_are_two() {
    let long = |last: &[u8]| sent("k", &[&[b'x'; 32 * 1024], last].concat());
    let key: &[&str] = &["header.k"];
    are_two(vec![
        ("addresses", &["client.ip"], ip(), Client::at("192.0.2.2")),
        ("networks", &["client.ip"], Client::at("2001:db8:1:2::1"), Client::at("2001:db8:1:3::1")),
        ("case of a value", key, sent("k", b"k"), sent("k", b"K")),
        ("end of a long value", key, long(b"1"), long(b"2")),
        ("bytes beyond ASCII", key, sent("k", "é".as_bytes()), sent("k", b"\xe9")),
    ]);
}

#[test]
fn claims_that_differ_are_two() {
    let tenant = |value: serde_json::Value| claims("a", json!({ "tenant": value }));
    let org = |id: &str| claims("a", json!({ "org": { "id": id } }));
    let dotted = |id: &str| claims("a", json!({ "org.id": id, "org": { "id": "same" } }));
    let sub = |issuer: &str, sub: &str| claims(issuer, json!({ "sub": sub }));
    let key: &[&str] = &["token.tenant"];
    are_two(vec![
        ("text and number", key, tenant(json!("1")), tenant(json!(1))),
        ("text and list", key, tenant(json!("[1]")), tenant(json!([1]))),
        ("text and true", key, tenant(json!("true")), tenant(json!(true))),
        ("nested claims", &["token.org.id"], org("x"), org("y")),
        ("a claim whose name is quoted", &["token.\"org.id\""], dotted("x"), dotted("y")),
        ("issuers of one subject", &["token.sub"], sub("a", "x"), sub("b", "x")),
        ("issuer and subject, moved", &["token.sub"], sub("ab", "c"), sub("a", "bc")),
        ("composed and decomposed", &["token.sub"], sub("a", "\u{e9}"), sub("a", "e\u{301}")),
    ]);
}

#[test]
fn parts_do_not_flow_into_each_other() {
    let key: &[&str] = &["header.a", "header.b"];
    let both = |a: &[u8], b: &[u8]| sent("a", a).header("b", b);
    are_two(vec![
        ("values swapped", key, both(b"1", b"2"), both(b"2", b"1")),
        ("delimiter moved", key, both(b"x,y", b"z"), both(b"x", b"y,z")),
        ("byte moved", key, both(b"xy", b"z"), both(b"x", b"yz")),
    ]);
}

#[test]
fn a_value_that_imitates_the_encoding_is_still_a_value() {
    // Type byte and length of the next part, inside a header value (all bytes that a field may hold).
    let ip = Client::at("192.0.2.1");
    let values: [&[u8]; 3] = [b"x", b"x\x09\x09", b"\x84\x84\x84\x84"];
    let mut seen = Vec::new();
    for a in values {
        for b in values {
            let client = ip.clone().header("a", a).header("b", b);
            seen.push(subject(&["header.a", "header.b"], &client));
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 9);
}

#[test]
fn routes_and_path_parameters_count() {
    let (one, other) = (Client::at("192.0.2.1").id("1"), Client::at("192.0.2.1").id("2"));
    assert_ne!(subject(&["path.id"], &one), subject(&["path.id"], &other));
    assert_eq!(subject(&["route"], &one), subject(&["route"], &other));
    let mut elsewhere = one.clone();
    elsewhere.route = "refunds";
    assert_ne!(subject(&["route"], &one), subject(&["route"], &elsewhere));
}

#[test]
fn limits_do_not_share_subjects() {
    let client = Client::at("192.0.2.1");
    let of =
        |id: &str| client.with(|inputs| key(&["client.ip"]).subject(&SubjectKey::new(id), inputs));
    assert_ne!(of("named:a"), of("named:b"));
    assert_eq!(of("named:a"), of("named:a"));
}

/// Gateways of different versions share a store: this value changes only together with the prefix of the store's keys.
#[test]
fn subjects_are_the_same_on_every_gateway() {
    let client = Client::at("192.0.2.1").token("https://id.example.com", json!({ "sub": "anna" }));
    let subject = subject(&["token.sub", "route", "client.ip"], &client);
    assert_eq!(format!("{subject:032x}"), "74fd7842d65758f772c96ad53d37e95d");
}

#[test]
fn only_keys_with_a_token_part_wait_for_the_identity() {
    for (parts, late) in [
        (&["client.ip", "header.a", "path.id", "route"][..], false),
        (&["client.ip", "token.sub"][..], true),
    ] {
        assert_eq!(key(parts).needs_identity(), late);
    }
}
