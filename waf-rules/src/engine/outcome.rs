//! What the caller learns: verdicts, matches, and how complete the inspection was.

use std::sync::Arc;

use super::budget::Exceeded;
use crate::Severity;

/// What to do with the request after a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Deny(Interruption),
}

/// Why and how a request is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interruption {
    /// The rule that decided; 0 when a bound did.
    pub rule_id: u32,
    /// HTTP status to answer with.
    pub status: u16,
    pub action: Action,
}

/// How a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Answer with the status.
    Deny,
    /// Close the connection without an answer.
    Drop,
    /// Answer with a redirect to this location.
    Redirect(String),
    /// A bound was passed and [`Bounds::over`](crate::Bounds::over) says reject.
    Bound(Exceeded),
}

/// How much of the transaction was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it.
    Inspected,
    /// A part: the rest lies beyond this bound.
    Partial(Exceeded),
    /// It was refused because of this bound.
    Refused(Exceeded),
}

/// A body larger than its bound, where the bound says reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyBound {
    /// Bytes seen so far, the refused chunk included.
    pub bytes: usize,
    pub bound: usize,
}

/// One value that one rule matched, of a rule that logs or goes into the audit record.
#[derive(Debug, Clone)]
pub struct Match {
    pub rule_id: u32,
    /// 1 to 5.
    pub phase: u8,
    pub severity: Option<Severity>,
    /// The rule's message, expanded.
    pub message: String,
    /// The rule's log data, expanded; at most 1,024 bytes, bytes that are no UTF-8 replaced.
    pub data: String,
    /// The rule's tags, expanded; each at most 1,024 bytes where it has macros.
    pub tags: Arc<[String]>,
    /// The rule's `rev` and `ver`; empty when it has none.
    pub revision: String,
    pub version: String,
    /// What matched: `ARGS:q`, `REQUEST_HEADERS:User-Agent`, `&ARGS`, `TX:score`.
    pub target: String,
    /// The value as the operator saw it; at most 256 bytes.
    pub matched: Vec<u8>,
    /// What this match added to the anomaly scores.
    pub score: i64,
    /// False for rules that keep out of the error log (`nolog,auditlog`).
    pub log: bool,
    /// False for rules that keep out of the audit record (`noauditlog`).
    pub audit: bool,
    /// The tags with their macros.
    pub(super) written_tags: Arc<[String]>,
    pub(super) operator: String,
    pub(super) file: Arc<str>,
    pub(super) line: u32,
}

impl std::fmt::Display for BodyBound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "body {} bytes, bound {}", self.bytes, self.bound)
    }
}

impl std::error::Error for BodyBound {}

impl Match {
    /// The rule's tags as they are written, whatever macros make of them.
    pub fn written_tags(&self) -> &[String] {
        &self.written_tags
    }

    /// The match as one line in ModSecurity's error-log form, `[id "942100"] [msg "..."] ...`, without
    /// control characters.
    pub fn log_line(&self) -> String {
        let mut line = format!("WAF: Warning. {} at ", self.operator);
        // The name of an argument is the client's text: unescaped it could forge a field.
        quote(&mut line, &self.target);
        line.push('.');
        field(&mut line, "file", &self.file);
        field(&mut line, "line", &self.line.to_string());
        field(&mut line, "id", &self.rule_id.to_string());
        for (name, value) in [
            ("rev", self.revision.as_str()),
            ("msg", self.message.as_str()),
            ("data", self.data.as_str()),
            ("severity", self.severity.map_or("", Severity::as_str)),
            ("ver", self.version.as_str()),
        ] {
            if !value.is_empty() {
                field(&mut line, name, value);
            }
        }
        self.tags.iter().for_each(|tag| field(&mut line, "tag", tag));
        line
    }
}

fn field(line: &mut String, name: &str, value: &str) {
    line.push_str(" [");
    line.push_str(name);
    line.push_str(" \"");
    quote(line, value);
    line.push_str("\"]");
}

/// One line stays one line, and a field ends where it should.
fn quote(line: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '"' | '\\' => line.extend(['\\', character]),
            _ if character.is_control() => line.push_str(&character.escape_default().to_string()),
            _ => line.push(character),
        }
    }
}
