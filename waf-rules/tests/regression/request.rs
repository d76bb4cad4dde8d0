//! Requests as go-ftw builds them, and as a server would read them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::completion::{complete, decode, expand};

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
