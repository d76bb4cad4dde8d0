//! The audit log: one record of each request that rules objected to, with its fields and every match, in JSON or in
//! ModSecurity's native serial form (parts A, B, F, H and Z), for the tools that read them.
//!
//! Made by the writer's thread from the event. Bodies are never written; values pass [`redact`](super::redact), are
//! bounded, and are escaped, so that no client can write a part, a line or a terminal's command of its own.

use std::borrow::Cow;
use std::fmt::Write as _;

use http::{HeaderMap, HeaderValue, Version};
use waf_rules::Match;

use super::access::timestamp;
use super::feed::Recorded;
use super::json::{Json, acts, cut};
use super::output::Target;
use super::redact;
use crate::base::event::{AuditFacts, Event, Outcome};

/// Fields that a record shows of a head.
const FIELDS: usize = 100;
/// Matches that a record shows.
const MATCHES: usize = 128;
const VALUE_BYTES: usize = 1024;
const TARGET_BYTES: usize = 4096;
const TEXT_BYTES: usize = 1024;

/// Where records go, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLog {
    pub target: Target,
    pub format: AuditFormat,
}

/// Form of a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditFormat {
    /// One object a line, with the names of ModSecurity's own JSON log.
    #[default]
    Json,
    /// ModSecurity's serial log.
    Native,
}

/// Appends the record without its last line break.
pub(super) fn encode(recorded: &Recorded, format: AuditFormat, out: &mut Vec<u8>) {
    let event = &*recorded.event;
    let Some(audit) = &event.audit else { return };
    match format {
        AuditFormat::Json => json(event, audit, out),
        AuditFormat::Native => out.extend_from_slice(native(event, audit).as_bytes()),
    }
}

fn json(event: &Event, audit: &AuditFacts, out: &mut Vec<u8>) {
    let request = &event.request;
    Json::object(out, |json| {
        json.nest("transaction", |json| {
            json.plain("timestamp", timestamp(event.unix_us));
            json.plain("id", event.trace.request_id().as_str());
            json.plain("client_ip", request.client.ip);
            json.number("client_port", port(event));
            if let Some(server) = audit.server {
                json.plain("host_ip", server.ip().to_canonical());
                json.number("host_port", server.port());
            }
            json.flag("is_interrupted", is_interrupted(event));
            json.nest("request", |json| {
                json.text("method", method(event), TEXT_BYTES);
                json.text("uri", &target(event), TARGET_BYTES);
                json.plain("http_version", version(request.version));
                if let Some(shown) = &audit.request_fields {
                    json.list("headers", fields(shown), field);
                }
            });
            json.nest("response", |json| {
                json.number("http_code", event.status);
                if let Some(shown) = &audit.answer_fields {
                    json.list("headers", fields(shown), field);
                }
            });
            json.nest("producer", |json| {
                json.plain("connector", concat!("yett/", env!("CARGO_PKG_VERSION")));
                json.plain("rule_engine", engine(event));
                json.text("ruleset", &audit.ruleset, TEXT_BYTES);
                json.texts("components", &audit.components, TEXT_BYTES);
                if !audit.sensor_id.is_empty() {
                    json.text("sensor_id", &audit.sensor_id, TEXT_BYTES);
                }
            });
            if let Some(matches) = &audit.matches {
                json.number("messages_total", matches.len() as u64);
            }
        });
        if let Some(matches) = &audit.matches {
            json.list("messages", matches.iter().take(MATCHES), message);
        }
    });
}

fn field(json: &mut Json<'_>, (name, value): (&str, String)) {
    json.text("name", name, TEXT_BYTES);
    json.text("value", &value, VALUE_BYTES);
}

fn message(json: &mut Json<'_>, found: &Match) {
    let found = masked(found);
    json.text("message", &found.message, TEXT_BYTES);
    json.nest("details", |json| {
        json.plain("ruleId", found.rule_id);
        json.plain("phase", found.phase);
        json.text("match", &found.target, TEXT_BYTES);
        json.text("data", &found.data, TEXT_BYTES);
        json.plain("severity", found.severity.map_or("", |severity| severity.as_str()));
        json.plain("score", found.score);
        json.text("rev", &found.revision, TEXT_BYTES);
        json.text("ver", &found.version, TEXT_BYTES);
        let tags = found.tags.iter().map(String::as_str);
        json.list("tags", tags, |json, tag| json.text("tag", tag, TEXT_BYTES));
    });
}

/// The boundary is a part of our own span: nobody else knows it before the record is written.
fn native(event: &Event, audit: &AuditFacts) -> String {
    let boundary = format!("{:08x}", event.trace.span_id >> 32);
    let request = &event.request;
    let mut out = String::with_capacity(2048);
    let mut part = |letter: char, text: &str| {
        // Writing to a string does not fail.
        let _ = write!(out, "--{boundary}-{letter}--\n{text}\n");
    };
    let id = event.trace.request_id();
    let (client, port) = (request.client.ip, port(event));
    let server = audit.server.unwrap_or(request.client.peer);
    let (server, server_port) = (server.ip().to_canonical(), server.port());
    let time = apache_time(event.unix_us);
    part('A', &format!("[{time}] {} {client} {port} {server} {server_port}", id.as_str()));
    if let Some(fields) = &audit.request_fields {
        let (method, target) = (line(method(event)), line(&target(event)));
        let version = version(request.version);
        part('B', &format!("{method} {target} HTTP/{version}\n{}", field_lines(fields)));
    }
    if let Some(fields) = &audit.answer_fields {
        part('F', &format!("HTTP/1.1 {}\n{}", event.status, field_lines(fields)));
    }
    if let Some(matches) = &audit.matches {
        part('H', &trailer(event, audit, matches));
    }
    // The end has an empty line behind it, which is where the next record begins.
    part('Z', "");
    out.truncate(out.trim_end_matches('\n').len());
    out.push('\n');
    out
}

/// `22/Nov/2026:18:30:00.123456 +0000`.
fn apache_time(unix_us: u64) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = timestamp(unix_us).to_string();
    let mut date = text[..10].split('-');
    let (year, month, day) = (date.next(), date.next(), date.next());
    let month = month.and_then(|month| MONTHS.get(month.parse::<usize>().ok()?.checked_sub(1)?));
    let (year, month, day) = (year.unwrap_or("-"), month.unwrap_or(&"-"), day.unwrap_or("-"));
    format!("{day}/{month}/{year}:{} +0000", text[11..].trim_end_matches('Z'))
}

fn field_lines(fields: &HeaderMap) -> String {
    let line = |(name, value): (&str, String)| format!("{name}: {}\n", line(&value));
    self::fields(fields).map(line).collect()
}

fn trailer(event: &Event, audit: &AuditFacts, matches: &[Match]) -> String {
    let mut out = String::new();
    for found in matches.iter().take(MATCHES) {
        let _ = writeln!(out, "Message: {}", line(&masked(found).log_line()));
    }
    if is_interrupted(event) {
        let _ = writeln!(out, "Action: Intercepted (code {})", event.status);
    }
    let micros = event.duration.as_micros();
    let _ = writeln!(out, "Stopwatch: {} {micros} (- - -)", event.unix_us);
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(out, "Producer: yett/{version}; rules {}", line(&audit.ruleset));
    for component in &audit.components {
        let _ = write!(out, "; {}", line(component));
    }
    out.push('\n');
    if !audit.sensor_id.is_empty() {
        let _ = writeln!(out, "Sensor-Id: \"{}\"", line(&audit.sensor_id));
    }
    let _ = writeln!(out, "Engine-Mode: \"{}\"", engine(event));
    out
}

/// Fields of a head with their values, secret ones taken out.
fn fields(fields: &HeaderMap) -> impl Iterator<Item = (&str, String)> {
    let shown = |(name, value): (&'_ http::HeaderName, &HeaderValue)| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let secret = redact::is_secret_name(name.as_str());
        if secret {
            redact::REDACTED.to_owned()
        } else {
            redact::prose(cut(&text, 2 * VALUE_BYTES)).into_owned()
        }
    };
    fields.iter().take(FIELDS).map(move |(name, value)| (name.as_str(), shown((name, value))))
}

/// A match as it may be shown.
pub(super) fn masked(found: &Match) -> Match {
    let mut shown = found.clone();
    shown.data = redact::at(&found.target, &found.data).into_owned();
    shown.message = redact::at(&found.target, &found.message).into_owned();
    shown.target = redact::text(&found.target).into_owned();
    // Macros may have made a tag of what a client wrote.
    if found.tags.iter().any(|tag| matches!(redact::prose(tag), Cow::Owned(_))) {
        shown.tags = found.tags.iter().map(|tag| redact::prose(tag).into_owned()).collect();
    }
    shown
}

fn target(event: &Event) -> String {
    let path = redact::path(cut(&event.request.path, TARGET_BYTES));
    match &event.request.query {
        Some(query) => format!("{path}?{}", redact::query(cut(query, TARGET_BYTES))),
        None => path.into_owned(),
    }
}

fn method(event: &Event) -> &str {
    event.request.method.as_ref().map_or("-", http::Method::as_str)
}

/// The client's port is not known where a proxy speaks for it.
fn port(event: &Event) -> u16 {
    let client = event.request.client;
    if client.peer.ip() == client.ip { client.peer.port() } else { 0 }
}

fn is_interrupted(event: &Event) -> bool {
    event.outcome == Outcome::Blocked
}

fn engine(event: &Event) -> &'static str {
    match event.waf.as_ref().map(|waf| waf.mode) {
        Some(crate::base::decision::Mode::Enforce) => "ENABLED",
        Some(crate::base::decision::Mode::Monitor) => "DETECTION_ONLY",
        Some(crate::base::decision::Mode::Off) | None => "DISABLED",
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2.0",
        Version::HTTP_3 => "3.0",
        _ => "1.1",
    }
}

/// A text on one line, whatever it holds.
fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        if acts(char) && !matches!(char, '<' | '>') {
            shown.extend(char.escape_unicode());
        } else {
            shown.push(char);
        }
    }
    shown
}
