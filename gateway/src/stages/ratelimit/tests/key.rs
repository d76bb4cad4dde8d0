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

/// Pairs of clients that must be counted as one.
#[test]
fn who_is_the_same_is_counted_as_one() {
    let ip = || Client::at("192.0.2.1");
    let cases: Vec<(&str, &[&str], Client, Client)> = vec![
        (
            "addresses of one /64",
            &["client.ip"],
            Client::at("2001:db8:1:2::1"),
            Client::at("2001:db8:1:2:ffff:ffff:ffff:ffff"),
        ),
        ("v4 mapped into v6", &["client.ip"], Client::at("::ffff:192.0.2.1"), ip()),
        (
            "case of a field name",
            &["header.X-Api-Key"],
            ip().header("x-api-key", b"k"),
            ip().header("X-API-KEY", b"k"),
        ),
        (
            "other fields",
            &["header.x-api-key"],
            ip().header("x-api-key", b"k").header("x-other", b"1"),
            ip().header("x-api-key", b"k"),
        ),
        (
            "one key from two addresses",
            &["header.x-api-key"],
            ip().header("x-api-key", b"k"),
            Client::at("192.0.2.2").header("x-api-key", b"k"),
        ),
        // No way round a limit: all of these are the client's address.
        (
            "missing and repeated field",
            &["header.x-api-key"],
            ip(),
            ip().header("x-api-key", b"a").header("x-api-key", b"b"),
        ),
        ("missing and empty field", &["header.x-api-key"], ip(), ip().header("x-api-key", b"")),
        (
            "two ways to repeat",
            &["header.x-api-key"],
            ip().header("x-api-key", b"c").header("x-api-key", b"d"),
            ip().header("x-api-key", b"a").header("x-api-key", b"b"),
        ),
        (
            "no token and a token without the claim",
            &["token.sub"],
            ip(),
            ip().token("a", json!({})),
        ),
        ("claim that is null", &["token.sub"], ip(), ip().token("a", json!({ "sub": null }))),
        ("step into a text", &["token.sub.x"], ip(), ip().token("a", json!({ "sub": "x" }))),
        (
            "missing field, rotated address",
            &["header.x-api-key"],
            Client::at("2001:db8::1"),
            Client::at("2001:db8::2"),
        ),
    ];
    for (what, parts, one, other) in cases {
        assert_eq!(subject(parts, &one), subject(parts, &other), "{what}");
    }
}

/// Pairs of clients that must be counted apart.
#[test]
fn who_differs_is_counted_apart() {
    let ip = || Client::at("192.0.2.1");
    let long = |last: u8| {
        let mut value = vec![b'x'; 32 * 1024];
        value.push(last);
        value
    };
    let cases: Vec<(&str, &[&str], Client, Client)> = vec![
        ("addresses", &["client.ip"], ip(), Client::at("192.0.2.2")),
        (
            "networks of v6",
            &["client.ip"],
            Client::at("2001:db8:1:2::1"),
            Client::at("2001:db8:1:3::1"),
        ),
        (
            "case of a value",
            &["header.x-api-key"],
            ip().header("x-api-key", b"k"),
            ip().header("x-api-key", b"K"),
        ),
        (
            "end of a long value",
            &["header.x-api-key"],
            ip().header("x-api-key", &long(b'1')),
            ip().header("x-api-key", &long(b'2')),
        ),
        (
            "bytes beyond ASCII",
            &["header.x-api-key"],
            ip().header("x-api-key", "é".as_bytes()),
            ip().header("x-api-key", b"\xe9"),
        ),
        (
            "text and number",
            &["token.tenant"],
            ip().token("a", json!({ "tenant": "1" })),
            ip().token("a", json!({ "tenant": 1 })),
        ),
        (
            "text and list",
            &["token.tenant"],
            ip().token("a", json!({ "tenant": "[1]" })),
            ip().token("a", json!({ "tenant": [1] })),
        ),
        (
            "text and true",
            &["token.tenant"],
            ip().token("a", json!({ "tenant": "true" })),
            ip().token("a", json!({ "tenant": true })),
        ),
        (
            "issuers of one subject",
            &["token.sub"],
            ip().token("a", json!({ "sub": "x" })),
            ip().token("b", json!({ "sub": "x" })),
        ),
        (
            "nested claims",
            &["token.org.id"],
            ip().token("a", json!({ "org": { "id": "x" } })),
            ip().token("a", json!({ "org": { "id": "y" } })),
        ),
        (
            "composed and decomposed",
            &["token.sub"],
            ip().token("a", json!({ "sub": "\u{e9}" })),
            ip().token("a", json!({ "sub": "e\u{301}" })),
        ),
        (
            "value in another part",
            &["header.a", "header.b"],
            ip().header("a", b"1").header("b", b"2"),
            ip().header("a", b"2").header("b", b"1"),
        ),
        (
            "moved delimiter",
            &["header.a", "header.b"],
            ip().header("a", b"x,y").header("b", b"z"),
            ip().header("a", b"x").header("b", b"y,z"),
        ),
        (
            "moved byte",
            &["header.a", "header.b"],
            ip().header("a", b"xy").header("b", b"z"),
            ip().header("a", b"x").header("b", b"yz"),
        ),
        // The client's address as a value is not the client's address.
        ("address as text", &["header.a"], ip(), ip().header("a", b"192.0.2.1")),
        (
            "address as bytes",
            &["header.a"],
            Client::at("65.66.67.68"),
            Client::at("65.66.67.68").header("a", b"ABCD"),
        ),
        (
            "which part is missing",
            &["header.a", "header.b"],
            ip().header("a", b"x"),
            ip().header("b", b"x"),
        ),
        (
            "issuer and claim",
            &["token.sub"],
            ip().token("ab", json!({ "sub": "c" })),
            ip().token("a", json!({ "sub": "bc" })),
        ),
    ];
    for (what, parts, one, other) in cases {
        assert_ne!(subject(parts, &one), subject(parts, &other), "{what}");
    }
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
