//! What go-ftw makes of a test's data before it sends them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Headers and body as go-ftw completes them.
pub(crate) fn complete(method: &str, headers: &mut BTreeMap<String, String>, body: &mut String) {
    let find = |headers: &BTreeMap<String, String>, name: &str| {
        headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    if !body.is_empty() {
        if find(headers, "Content-Type").is_none() {
            headers.insert("Content-Type".into(), "application/x-www-form-urlencoded".into());
        }
        let content_type = find(headers, "Content-Type").unwrap_or_default();
        if content_type == "application/x-www-form-urlencoded" {
            *body = encode_form(body);
        } else if content_type.contains("multipart/form-data;") {
            *body = body.replace("\r\n", "\n").replace('\n', "\r\n");
        }
    }
    if find(headers, "Connection").is_none() {
        headers.insert("Connection".into(), "close".into());
    }
    let has_body = !body.is_empty() || ["POST", "PUT", "PATCH", "DELETE"].contains(&method);
    if has_body && find(headers, "Content-Length").is_none() {
        headers.insert("Content-Length".into(), body.len().to_string());
    }
}

/// Form data that nothing in it shows to be encoded is encoded.
fn encode_form(body: &str) -> String {
    if unescape(body).is_none_or(|plain| plain != body.as_bytes()) {
        return body.to_owned();
    }
    let pairs = body.split('&').map(|pair| match pair.split_once('=') {
        Some((name, value)) => format!("{}={}", escape(name), escape(value)),
        None => escape(pair),
    });
    pairs.collect::<Vec<_>>().join("&")
}

/// Go's `QueryUnescape`; nothing for a bad escape.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let digits =
                    bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
                out.push(u8::from_str_radix(digits?, 16).ok()?);
                at += 2;
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    Some(out)
}

fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            b' ' => "+".into(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// `data` is a template; the one function in use is `{{ "x" | repeat N }}`.
pub(crate) fn expand(data: &str) -> String {
    let Some(open) = data.find("{{ \"") else { return data.to_owned() };
    let rest = &data[open + 4..];
    let parsed = rest.split_once("\" | repeat ").and_then(|(text, rest)| {
        let (count, rest) = rest.split_once(" }}")?;
        Some(format!(
            "{}{}{}",
            &data[..open],
            text.repeat(count.trim().parse().ok()?),
            expand(rest)
        ))
    });
    parsed.unwrap_or_else(|| data.to_owned())
}

pub(crate) fn decode(encoded: &str) -> Vec<u8> {
    let compact: String = encoded.split_whitespace().collect();
    STANDARD.decode(compact).unwrap_or_default()
}
