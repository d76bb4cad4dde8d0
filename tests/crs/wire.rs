//! A test's request as bytes, as go-ftw writes them: what is odd in it must arrive as it is.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::completion::{complete, decode, expand};

/// `input` of a stage; its other keys say where to connect to.
#[derive(Clone, Debug, Deserialize)]
pub struct Input {
    method: Option<String>,
    uri: Option<String>,
    version: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    data: Option<String>,
    autocomplete_headers: Option<bool>,
    encoded_request: Option<String>,
}

impl Input {
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(encoded) = &self.encoded_request {
            return decode(encoded);
        }
        let method = self.method.as_deref().unwrap_or("GET");
        let mut headers = self.headers.clone();
        let mut body = self.data.as_deref().map(expand).unwrap_or_default();
        if self.autocomplete_headers.unwrap_or(true) {
            complete(method, &mut headers, &mut body);
        }
        let uri = self.uri.as_deref().unwrap_or("/");
        let version = self.version.as_deref().unwrap_or("HTTP/1.1");
        let fields: String =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{method} {uri} {version}\r\n{fields}\r\n{body}").into_bytes()
    }

    /// Whether an answer to it has no body.
    pub fn is_head(&self) -> bool {
        self.method.as_deref() == Some("HEAD")
    }
}
