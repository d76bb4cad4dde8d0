//! One attack in every dress that a body can wear: the built-in rules refuse each at level 1.

use std::io::Write;

use base64::Engine;
use waf_rules::{DecodeBounds, Decoder, EngineMode, Profile, Transaction, Verdict};

use crate::builtin;

const ATTACK: &str = "1' UNION SELECT password FROM users-- -";

fn verdict(profile: &Profile, headers: &[(&str, &str)], body: &[u8]) -> Verdict {
    let mut tx = Transaction::new(profile.clone());
    tx.request_line(b"POST", b"/api", b"HTTP/1.1");
    tx.header(b"Host", b"shop.example.com");
    tx.header(b"User-Agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Firefox/128.0");
    tx.header(b"Accept", b"*/*");
    headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    tx.header(b"Content-Length", body.len().to_string().as_bytes());
    match tx.head() {
        Verdict::Pass => {
            tx.body_chunk(body).unwrap_or_else(|error| panic!("{error}"));
            tx.body()
        }
        denied => denied,
    }
}

/// A length-prefixed field of a protocol buffer.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap_or_else(|_| panic!("too long"));
    [&[number << 3 | 2, length], content].concat()
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(0).to_be_bytes();
    [&[0], length.as_slice(), message].concat()
}

fn part(head: &str, content: &str) -> Vec<u8> {
    format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n--b--\r\n").into()
}

/// Media type and body for a text.
fn dresses(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let quoted = serde_json::to_string(text).unwrap_or_default();
    let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    let percent: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let entities: String = text.chars().map(|c| format!("&#{};", u32::from(c))).collect();
    let xml = text.replace('&', "&amp;").replace('<', "&lt;");
    let json = format!("{{\"a\":{quoted}}}");
    // With its mark: a charset parameter would be refused by itself (110200).
    let marked = format!("\u{feff}{json}");
    let wide: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let message = field(2, &field(1, text.as_bytes()));
    let base64 = base64::engine::general_purpose::STANDARD.encode(frame(&message));
    let form = "multipart/form-data; boundary=b";
    vec![
        ("application/x-www-form-urlencoded", format!("id={percent}").into()),
        ("application/x-www-form-urlencoded", format!("x=1&id=1&id={percent}").into()),
        (form, part("name=id", text)),
        ("application/json", json.clone().into()),
        ("application/json", format!("{{\"a\":[[{{\"b\":\"{escaped}\"}}]]}}").into()),
        // The first of two members, and the last.
        ("application/json", format!("{{\"a\":{quoted},\"a\":1}}").into()),
        ("application/json", format!("{{\"a\":1,\"a\":{quoted}}}").into()),
        ("application/merge-patch+json", json.into()),
        ("application/json", wide),
        ("application/xml", format!("<a><b>{xml}</b></a>").into()),
        ("text/xml", format!("<a><b>{entities}</b></a>").into()),
        ("text/xml", format!("<a><![CDATA[{text}]]></a>").into()),
        ("application/soap+xml", format!("<a b=\"{}\"/>", xml.replace('"', "&quot;")).into()),
        ("application/graphql", format!("query {{ user(id: {quoted}) {{ name }} }}").into()),
        ("application/graphql", format!("{{ user(id: \"\"\"{text}\"\"\") {{ name }} }}").into()),
        ("application/x-protobuf", message.clone()),
        ("application/grpc", frame(&message)),
        ("application/grpc-web-text+proto", base64.into()),
        ("application/connect+json", frame(format!("{{\"a\":{quoted}}}").as_bytes())),
        ("text/plain", text.into()),
    ]
}

#[test]
fn an_attack_is_found_in_every_body() {
    let profile = builtin::profile(1, EngineMode::On);
    for (content_type, body) in dresses(ATTACK) {
        let found = verdict(&profile, &[("Content-Type", content_type)], &body);
        assert!(
            matches!(&found, Verdict::Deny(why) if why.status == 403),
            "{content_type}: {}: {found:?}",
            String::from_utf8_lossy(&body)
        );
    }
}

#[test]
fn ordinary_text_passes_in_every_body() {
    let profile = builtin::profile(1, EngineMode::On);
    for (content_type, body) in dresses("Tea for two, please - and O'Neill's biscuits") {
        let found = verdict(&profile, &[("Content-Type", content_type)], &body);
        assert_eq!(found, Verdict::Pass, "{content_type}: {}", String::from_utf8_lossy(&body));
    }
}

/// What a gateway does with a compressed body: decode it within bounds, then feed it.
#[test]
fn a_compressed_attack_is_found_once_decoded() {
    let profile = builtin::profile(1, EngineMode::On);
    for (content_type, body) in dresses(ATTACK) {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&body).unwrap_or_else(|error| panic!("{error}"));
        let packed = encoder.finish().unwrap_or_else(|error| panic!("{error}"));
        let headers = [("Content-Type", content_type), ("Content-Encoding", "gzip")];
        let decoder = Decoder::new(headers[1].1.as_bytes(), DecodeBounds::default());
        let Ok(Some(mut decoder)) = decoder else { panic!("gzip is not decoded") };
        let mut plain = Vec::new();
        for chunk in packed.chunks(10) {
            decoder.push(chunk, &mut plain).unwrap_or_else(|error| panic!("{error}"));
        }
        decoder.finish(&mut plain).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plain, body);
        assert!(matches!(verdict(&profile, &headers, &plain), Verdict::Deny(_)), "{content_type}");
    }
}
