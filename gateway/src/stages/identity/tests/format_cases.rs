//! Forms of a token and its JSON that can be read two ways.

use std::time::{Duration, Instant};

use serde_json::json;

use super::rig::{Case, GONE, Rig, changed, claims, encode, header, refuse_all};
use crate::base::code::Code::*;

#[tokio::test]
async fn only_compact_signed_tokens() {
    let rig = Rig::new();
    let good = rig.good();
    let parts: Vec<&str> = good.split('.').collect();
    let flattened = json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] });
    let jwe_header =
        encode(json!({ "alg": "RSA-OAEP", "enc": "A128GCM", "kid": "rsa" }).to_string());
    let cases: Vec<Case> = vec![
        ("JSON serialisation", IdentityMalformed, flattened.to_string()),
        ("a dot at the end", IdentityMalformed, format!("{good}.")),
        ("a dot at the start", IdentityMalformed, format!(".{good}")),
        ("four parts", IdentityMalformed, format!("{good}.{}", parts[2])),
        ("a thousand dots", IdentityMalformed, ".".repeat(1000)),
        ("three empty parts", IdentityMalformed, "..".into()),
        ("encrypted token", IdentityMalformed, format!("{jwe_header}.AA.AA.{}.AA", parts[1])),
        (
            "encrypted header on three parts",
            IdentityMalformed,
            rig.es256(&changed(header(), json!({ "enc": "A128GCM" })).to_string(), &text()),
        ),
        ("padding", IdentityMalformed, format!("{}=.{}.{}", parts[0], parts[1], parts[2])),
        ("larger than 16 KiB", IdentityMalformed, rig.claiming(json!({ "x": "y".repeat(12_400) }))),
        (
            "header larger than 4 KiB",
            IdentityMalformed,
            rig.es256(&changed(header(), json!({ "x": "y".repeat(4096) })).to_string(), &text()),
        ),
        ("two tokens", IdentityMalformed, format!("{good} {good}")),
        ("a list of tokens", IdentityMalformed, format!("{good},{good}")),
        ("a space in front", IdentityMalformed, format!(" {good}")),
        ("a tab behind", IdentityMalformed, format!("{good}\t")),
        ("a quoted token", IdentityMalformed, format!("\"{good}\"")),
    ];
    refuse_all(&rig, cases).await;
}

#[tokio::test]
async fn header_members_that_change_the_reading() {
    let rig = Rig::new();
    let changes = [
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "crit": "b64" }),
        json!({ "crit": null }),
        json!({ "b64": false, "crit": ["b64"] }),
        json!({ "b64": false }),
        json!({ "zip": "DEF" }),
        json!({ "cty": "JWT" }),
        json!({ "epk": {} }),
        json!({ "typ": 1 }),
    ];
    let cases = changes.into_iter().map(|change| {
        ("header", IdentityMalformed, rig.es256(&changed(header(), change).to_string(), &text()))
    });
    refuse_all(&rig, cases.collect()).await;
}

#[tokio::test]
async fn json_that_two_readers_read_differently() {
    let rig = Rig::new();
    let claims = text();
    let doubled = |member: &str| format!("{},{member}}}", claims.strip_suffix('}').unwrap());
    let head = header().to_string();
    let twin = |member: &str| format!("{},{member}}}", head.strip_suffix('}').unwrap());
    let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
    let mut bodies: Vec<Vec<u8>> = [
        doubled(r#""iss":"https://evil.example""#),
        doubled(r#""\u0069ss":"https://id.example.com/realms/main""#),
        doubled(r#""sub":"bob""#),
        doubled(r#""exp":9999999999"#),
        doubled(r#""aud":["orders-api"]"#),
        doubled(r#""scope":"admin""#),
        doubled(r#""x":{"a":1,"a":2}"#),
        doubled(r#""x":[{"a":1,"\u0061":2}]"#),
        doubled(&format!(r#""x":{deep}"#)),
        doubled(&format!(r#""x":{}"#, "[".repeat(5000))),
        doubled(r#""x":"\ud800""#),
        doubled(r#""x":NaN"#),
        doubled(r#""x":1e999"#),
        doubled(r#""x":01"#),
        doubled("\"x\":1,"),
        format!("{claims}{{}}"),
        format!("{claims} "),
        format!("{claims}\n"),
        format!(" {claims}"),
        format!("\u{feff}{claims}"),
        format!("[{claims}]"),
        "{}{}".into(),
        "null".into(),
        "\"{}\"".into(),
    ]
    .into_iter()
    .map(String::into_bytes)
    .collect();
    bodies.push(claims.encode_utf16().flat_map(u16::to_be_bytes).collect());
    bodies.push(claims.replace("alice", "al\u{1}ce").replace('\u{1}', "\u{0}").into_bytes());
    bodies.push([claims.strip_suffix('}').unwrap().as_bytes(), b",\"x\":\"\xc0\xaf\"}"].concat());
    let mut cases: Vec<Case> = bodies
        .into_iter()
        .map(|body| {
            let token = rig.keys.es256.sign_parts(head.as_bytes(), &body).unwrap();
            ("claims", IdentityMalformed, token)
        })
        .collect();
    for member in
        [r#""alg":"none""#, r#""kid":"rsa""#, r#""\u0061lg":"ES256""#, r#""x":{"a":1,"a":1}"#]
    {
        cases.push(("header twice", IdentityMalformed, rig.es256(&twin(member), &claims)));
    }
    refuse_all(&rig, cases).await;
}

/// `Iss` is not `iss`: a claim of another case is another claim.
#[tokio::test]
async fn names_are_compared_with_their_case() {
    let rig = Rig::new();
    let cases = ["iss", "aud", "exp", "sub", "client_id", "jti", "iat"]
        .into_iter()
        .map(|name| {
            let value = claims()[name].clone();
            let token = rig.claiming(json!({ name: GONE, name.to_uppercase(): value }));
            ("upper case", IdentityClaims, token)
        })
        .collect();
    refuse_all(&rig, cases).await;
    // A twin beside the real claim changes nothing.
    let token = rig.claiming(json!({ "Sub": "root", "EXP": 1 }));
    assert_eq!(&*rig.present(&token).await.unwrap().0.unwrap().subject, "alice");
}

/// No character of a token is without meaning: any other one in its place, one more or one less refuses it.
#[tokio::test]
async fn every_character_counts() {
    let rig = Rig::new();
    let good = rig.good();
    assert!(rig.present(&good).await.is_ok());
    for at in 0..good.len() {
        let (head, tail) = good.split_at(at);
        let other = if tail.starts_with('A') { 'B' } else { 'A' };
        for changed in [
            format!("{head}{other}{}", &tail[1..]),
            format!("{head}{}", &tail[1..]),
            format!("{head}A{tail}"),
        ] {
            assert!(changed == good || rig.present(&changed).await.is_err(), "at {at}: {changed}");
        }
    }
}

/// What an attacker may send at will is refused long before a signature check would be paid for.
#[tokio::test]
async fn large_and_costly_texts_are_cheap_to_refuse() {
    let rig = Rig::new();
    let texts = [
        "a".repeat(1 << 20),
        ".".repeat(1 << 20),
        rig.es256(&header().to_string(), &format!("{{\"x\":{}}}", "9".repeat(11_000))),
        rig.es256(&header().to_string(), &"[".repeat(12_000)),
    ];
    let started = Instant::now();
    for text in &texts {
        assert!(rig.present(text).await.is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

fn text() -> String {
    claims().to_string()
}
