//! Requests as go-ftw builds them, and as a server would read them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::file::{Header, Input};

/// Largest body that a template may grow to, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The media type of a form, and of a body that names none.
const FORM: &str = "application/x-www-form-urlencoded";

/// A request as the engine is told of it.
#[derive(Debug, Default, Clone)]
pub struct Request {
    pub method: Vec<u8>,
    pub target: Vec<u8>,
    pub protocol: Vec<u8>,
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
    /// Without its framing.
    pub body: Vec<u8>,
}

impl Input {
    /// The request as it is sent, byte for byte.
    ///
    /// # Errors
    /// Base64 that is none, a template that grows beyond 16 MiB.
    pub fn wire(&self) -> Result<Vec<u8>, String> {
        match &self.encoded_request {
            Some(encoded) => decode("encoded_request", encoded),
            None => self.build(),
        }
    }

    /// The request as a server reads it.
    ///
    /// # Errors
    /// Those of [`wire`](Self::wire).
    pub fn request(&self) -> Result<Request, String> {
        self.wire().map(|raw| Request::read(&raw))
    }

    fn build(&self) -> Result<Vec<u8>, String> {
        let mut headers = self.ordered_headers.clone();
        let sorted = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        headers.extend(sorted.map(|(name, value)| Header { name, value }));
        let mut body = match (&self.encoded_data, &self.data) {
            (Some(encoded), _) => decode("encoded_data", encoded)?,
            (None, Some(data)) => expand(data)?.into_bytes(),
            (None, None) => Vec::new(),
        };
        let method = self.method.as_deref().unwrap_or("GET");
        let bare = self.stop_magic == Some(true);
        if self.autocomplete_headers.unwrap_or(!bare) {
            complete(method, &mut headers, &mut body, self.encoded_data.is_none());
        }
        let target = self.uri.as_deref().unwrap_or("/");
        let protocol = self.version.as_deref().unwrap_or("HTTP/1.1");
        let mut raw = format!("{method} {target} {protocol}\r\n").into_bytes();
        for Header { name, value } in &headers {
            raw.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        raw.extend_from_slice(b"\r\n");
        raw.extend_from_slice(&body);
        Ok(raw)
    }
}

impl Request {
    /// Reads a raw request leniently: what is odd in it is what the rules are asked about.
    pub fn read(raw: &[u8]) -> Self {
        let mut rest = raw;
        let mut next = || {
            let end = rest.iter().position(|byte| *byte == b'\n')?;
            let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
            rest = &rest[end + 1..];
            Some(line)
        };
        let mut request = Self::line(next().unwrap_or(raw));
        while let Some(line) = next().filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default().trim_ascii().to_vec();
            request.headers.push((line[..colon].to_vec(), value));
        }
        request.body = request.framed(rest);
        request
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let found =
            self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.as_bytes()));
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// A target may hold blanks: what stands after the last one is the protocol, if it looks like one.
    fn line(line: &[u8]) -> Self {
        let (method, rest) = split(line, line.iter().position(|byte| *byte == b' '));
        let last = rest.iter().rposition(|byte| *byte == b' ');
        let (target, protocol) =
            split(rest, last.filter(|at| rest[at + 1..].starts_with(b"HTTP/")));
        Self {
            method: method.to_vec(),
            target: target.to_vec(),
            protocol: protocol.to_vec(),
            ..Self::default()
        }
    }

    /// The part of what follows the head that is the body: none without length or chunks.
    fn framed(&self, rest: &[u8]) -> Vec<u8> {
        let coding = self.header("Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
        if coding.contains("chunked") {
            return unchunk(rest);
        }
        let length =
            self.header("Content-Length").and_then(|value| value.trim().parse::<usize>().ok());
        rest[..length.unwrap_or(0).min(rest.len())].to_vec()
    }
}

fn split(bytes: &[u8], at: Option<usize>) -> (&[u8], &[u8]) {
    at.map_or((bytes, &[]), |at| (&bytes[..at], &bytes[at + 1..]))
}

/// Headers and body as go-ftw completes them.
fn complete(method: &str, headers: &mut Vec<Header>, body: &mut Vec<u8>, is_text: bool) {
    let find = |headers: &[Header], name: &str| {
        let found = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
        found.map(|header| header.value.clone())
    };
    let add = |headers: &mut Vec<Header>, name: &str, value: String| {
        if find(headers, name).is_none() {
            headers.push(Header { name: name.to_owned(), value });
        }
    };
    if !body.is_empty() {
        add(headers, "Content-Type", FORM.to_owned());
        let content_type = find(headers, "Content-Type").unwrap_or_default();
        if is_text && content_type.eq_ignore_ascii_case(FORM) {
            *body = encode_form(&String::from_utf8_lossy(body)).into_bytes();
        } else if is_text && content_type.contains("multipart/form-data;") {
            let text = String::from_utf8_lossy(body).replace("\r\n", "\n").replace('\n', "\r\n");
            *body = text.into_bytes();
        }
    }
    add(headers, "Connection", "close".to_owned());
    if !body.is_empty() || ["POST", "PUT", "PATCH", "DELETE"].contains(&method) {
        add(headers, "Content-Length", body.len().to_string());
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

/// `data` is a template; the one function in use is `{{ "x" | repeat N }}`. Everything else stands for itself.
fn expand(data: &str) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), data);
    while let Some((before, text, count, after)) = repeat(rest) {
        let bytes = text.len().saturating_mul(count).saturating_add(out.len() + before.len());
        if bytes > BODY_BYTES_MAX {
            return Err(format!("data grows to {bytes} bytes, bound {BODY_BYTES_MAX}"));
        }
        out.push_str(before);
        out.push_str(&text.repeat(count));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The first `repeat` of a text: what stands before it, what to repeat, how often, what stands after it.
fn repeat(data: &str) -> Option<(&str, &str, usize, &str)> {
    let (before, rest) = data.split_once("{{ \"")?;
    let (text, rest) = rest.split_once("\" | repeat ")?;
    let (count, after) = rest.split_once(" }}")?;
    Some((before, text, count.trim().parse().ok()?, after))
}

fn decode(key: &str, encoded: &str) -> Result<Vec<u8>, String> {
    let compact: String = encoded.split_whitespace().collect();
    STANDARD.decode(compact).map_err(|error| format!("{key}: {error}"))
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
