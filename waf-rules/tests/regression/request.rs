//! Requests as go-ftw builds them, and as a server would read them.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// `input` of a test stage; other keys concern the connection.
#[derive(Debug, Deserialize)]
pub(crate) struct Input {
    method: Option<String>,
    uri: Option<String>,
    version: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    data: Option<String>,
    autocomplete_headers: Option<bool>,
    encoded_request: Option<String>,
}

/// A request as the engine is told of it.
#[derive(Debug, Default, Clone)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) protocol: Vec<u8>,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Input {
    pub(crate) fn request(&self) -> Request {
        match &self.encoded_request {
            Some(encoded) => read(&decode(encoded)),
            None => self.build(),
        }
    }

    fn build(&self) -> Request {
        let mut headers = self.headers.clone();
        let mut body = self.data.as_deref().map(expand).unwrap_or_default();
        if self.autocomplete_headers.unwrap_or(true) {
            complete(self.method.as_deref().unwrap_or("GET"), &mut headers, &mut body);
        }
        let mut request = Request {
            method: self.method.clone().unwrap_or_else(|| "GET".into()).into(),
            target: self.uri.clone().unwrap_or_else(|| "/".into()).into(),
            protocol: self.version.clone().unwrap_or_else(|| "HTTP/1.1".into()).into(),
            headers: headers
                .into_iter()
                .map(|(name, value)| (name.into(), value.trim().as_bytes().into()))
                .collect(),
            body: body.into(),
        };
        request.body = request.framed(&request.body);
        request
    }
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let found =
            self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// The part of what follows the head that is the body: none without length or chunks.
    fn framed(&self, rest: &[u8]) -> Vec<u8> {
        if self
            .header("Transfer-Encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
        {
            return unchunk(rest);
        }
        let length =
            self.header("Content-Length").and_then(|value| value.trim().parse::<usize>().ok());
        rest[..length.unwrap_or(0).min(rest.len())].to_vec()
    }
}

/// Headers and body as go-ftw completes them.
fn complete(method: &str, headers: &mut BTreeMap<String, String>, body: &mut String) {
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
fn expand(data: &str) -> String {
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

fn decode(encoded: &str) -> Vec<u8> {
    let compact: String = encoded.split_whitespace().collect();
    STANDARD.decode(compact).unwrap_or_default()
}

/// A raw request, read leniently: what is odd in it is what the rules are asked about.
fn read(raw: &[u8]) -> Request {
    let text = |line: &[u8]| line.strip_suffix(b"\r").unwrap_or(line).to_vec();
    let mut rest = raw;
    let mut next = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = text(&rest[..end]);
        rest = &rest[end + 1..];
        Some(line)
    };
    let line = next().unwrap_or_default();
    let mut words = line.splitn(3, |byte| *byte == b' ').map(<[u8]>::to_vec);
    let mut request = Request {
        method: words.next().unwrap_or_default(),
        target: words.next().unwrap_or_default(),
        protocol: words.next().unwrap_or_default(),
        ..Request::default()
    };
    while let Some(line) = next().filter(|line| !line.is_empty()) {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii().to_vec();
        request.headers.push((line[..colon].to_vec(), value));
    }
    request.body = request.framed(rest);
    request
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let size = String::from_utf8_lossy(rest[..end].trim_ascii()).into_owned();
        let Ok(size) = usize::from_str_radix(size.split(';').next().unwrap_or_default(), 16) else {
            break;
        };
        let chunk = &rest[end + 1..];
        if size == 0 || size > chunk.len() {
            body.extend_from_slice(&chunk[..size.min(chunk.len())]);
            break;
        }
        body.extend_from_slice(&chunk[..size]);
        rest = chunk.get(size + 2..).unwrap_or_default();
    }
    body
}
