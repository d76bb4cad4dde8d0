//! The one place where a finding becomes an answer (RFC 9457).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::date::get_cached_date;
use pingora::proxy::Session;
use serde_json::{Map, Value, json};

use crate::base::decision::Finding;
use crate::config::document::RespondSection;

/// An answer of our own.
#[derive(Debug)]
pub(super) struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
}

impl Reply {
    /// The problem answer of a finding; `None` where it has none. `request_id` lets a user report a refusal; it is all that
    /// he learns of it beside title and detail.
    pub(super) fn problem(finding: &Finding, request_id: &str) -> Option<Reply> {
        let status = finding.status()?;
        let mut headers = finding.headers.clone();
        headers.push((CACHE_CONTROL, HeaderValue::from_static("no-store")));
        if has_no_content(status) {
            return Some(Reply { status, headers, body: Bytes::new() });
        }
        headers.push((CONTENT_TYPE, HeaderValue::from_static("application/problem+json")));
        let body = Value::Object(members(finding, status, request_id)).to_string();
        Some(Reply { status, headers, body: Bytes::from(body) })
    }

    /// The answer that a route's configuration gives.
    pub(super) fn configured(
        respond: &RespondSection,
        fields: &[(HeaderName, HeaderValue)],
    ) -> Reply {
        let status =
            StatusCode::from_u16(respond.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = fields.to_vec();
        if let Ok(value) = HeaderValue::try_from(&respond.content_type) {
            headers.push((CONTENT_TYPE, value));
        }
        Reply { status, headers, body: Bytes::copy_from_slice(respond.body.as_bytes()) }
    }

    /// Writes the answer. The caller decides whether the connection lives on.
    pub(super) async fn write(self, session: &mut Session, head_only: bool) -> pingora::Result<()> {
        let mut header = ResponseHeader::build(self.status, Some(self.headers.len() + 1))?;
        for (name, value) in self.headers {
            header.append_header(name, value)?;
        }
        if has_length(self.status) {
            header.insert_header(CONTENT_LENGTH, self.body.len())?;
        }
        let end = head_only || self.body.is_empty();
        session.write_response_header(Box::new(header), end).await?;
        if !end {
            session.write_response_body(Some(self.body), true).await?;
        }
        Ok(())
    }

    /// The answer as HTTP/1.1 bytes. Without `keep` the connection closes after it.
    pub(super) fn into_bytes(self, keep: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.body.len());
        let reason = self.status.canonical_reason().unwrap_or("");
        out.extend_from_slice(format!("HTTP/1.1 {} {reason}\r\n", self.status.as_u16()).as_bytes());
        let date = get_cached_date();
        let dated = std::iter::once((&DATE, &date));
        for (name, value) in dated.chain(self.headers.iter().map(|(name, value)| (name, value))) {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        if has_length(self.status) {
            out.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        if !keep {
            out.extend_from_slice(b"connection: close\r\n");
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }
}

/// Answers of this status have no content (RFC 9110 §15.3.5, §15.3.6, §15.4.5).
fn has_no_content(status: StatusCode) -> bool {
    !has_length(status) || status == StatusCode::RESET_CONTENT
}

/// A length would be wrong, or that of another answer (RFC 9110 §8.6).
fn has_length(status: StatusCode) -> bool {
    !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn members(finding: &Finding, status: StatusCode, request_id: &str) -> Map<String, Value> {
    let mut members = Map::new();
    let code = finding.code;
    members.insert("type".into(), json!(format!("urn:yett:{}", code.as_str())));
    members.insert("title".into(), json!(code.title()));
    members.insert("status".into(), json!(status.as_u16()));
    if !finding.detail.is_empty() {
        members.insert("detail".into(), json!(finding.detail));
    }
    members.insert("code".into(), json!(code.as_str()));
    members.insert("request_id".into(), json!(request_id));
    for (name, value) in &finding.members {
        // A stage may name a registered problem type of its own (rate limits have one).
        members.insert((*name).into(), value.clone());
    }
    members
}
