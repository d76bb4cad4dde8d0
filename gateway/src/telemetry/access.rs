//! One event as one line of JSON, with the names of the Elastic Common Schema 9
//! (<https://www.elastic.co/docs/reference/ecs>); what has no name there is under `yett`.
//!
//! Texts of clients pass [`redact`](super::redact), are bounded, and are escaped by [`Json`].

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use http::Version;

use super::feed::Recorded;
use super::json::{Json, cut};
use super::redact;
use crate::base::bounds::EVIDENCE_BYTES;
use crate::base::code::{Code, Stage};
use crate::base::decision::{Finding, Mode};
use crate::base::event::{
    Event, IdentityFacts, Inspected, LimitFacts, Outcome, RuleMatch, UpstreamFacts, WafFacts,
};

/// Version of the schema whose names are used.
const ECS_VERSION: &str = "9.0.0";
const HOST_BYTES: usize = 255;
const PATH_BYTES: usize = 2048;
const QUERY_BYTES: usize = 2048;
const USER_AGENT_BYTES: usize = 512;
const METHOD_BYTES: usize = 32;
/// Names from the configuration and from rule sets.
const NAME_BYTES: usize = 256;
/// Findings, matches and limits that a line shows; of matches the number is given beside.
const LISTED: usize = 32;

/// Appends the line, without its line break.
pub(super) fn encode(recorded: &Recorded, line: &mut Vec<u8>) {
    let event = &*recorded.event;
    Json::object(line, |json| {
        json.plain("@timestamp", timestamp(event.unix_us.saturating_add(micros(event.duration))));
        json.nest("ecs", |json| json.plain("version", ECS_VERSION));
        json.nest("event", |json| classification(json, event, recorded.sequence));
        json.nest("service", |json| service(json, event));
        request(json, event);
        json.nest("trace", |json| json.plain("id", format_args!("{:032x}", event.trace.trace_id)));
        json.nest("span", |json| json.plain("id", format_args!("{:016x}", event.trace.span_id)));
        if let Some(identity) = &event.identity {
            json.nest("user", |json| user(json, identity));
        }
        if let Some(rule) = decisive_rule(event) {
            json.nest("rule", |json| rule_head(json, rule));
        }
        json.nest("yett", |json| details(json, event));
    });
}

fn classification(json: &mut Json<'_>, event: &Event, sequence: u64) {
    let decisive = event.decisive();
    let stage = decisive.map(|finding| finding.code.stage());
    json.plain("kind", if stage == Some(Stage::Waf) { "alert" } else { "event" });
    json.words("category", categories(stage));
    json.words("type", types(event));
    json.plain("action", decisive.map_or(event.outcome.as_str(), |finding| finding.code.as_str()));
    json.plain("outcome", outcome(event.outcome));
    if let Some(finding) = decisive {
        json.plain("reason", finding.code.title());
    }
    json.plain("dataset", "yett.access");
    json.plain("start", timestamp(event.unix_us));
    json.number("duration", u64::try_from(event.duration.as_nanos()).unwrap_or(u64::MAX));
    json.number("sequence", sequence);
}

fn categories(stage: Option<Stage>) -> &'static [&'static str] {
    match stage {
        Some(Stage::Waf) => &["web", "intrusion_detection"],
        Some(Stage::Identity) => &["web", "authentication"],
        Some(Stage::Policy) => &["web", "iam"],
        Some(Stage::Screen | Stage::Ratelimit) => &["web", "network"],
        _ => &["web"],
    }
}

fn types(event: &Event) -> &'static [&'static str] {
    match event.outcome {
        Outcome::Allowed => &["access", "allowed"],
        Outcome::ClientGone => &["access"],
        Outcome::UpstreamError | Outcome::Error => &["access", "error"],
        _ => &["access", "denied"],
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "success",
        Outcome::ClientGone => "unknown",
        _ => "failure",
    }
}

fn service(json: &mut Json<'_>, event: &Event) {
    json.plain("name", "yett");
    if let Some(service) = event.route.as_ref().and_then(|route| route.service.as_ref()) {
        json.nest("target", |json| json.text("name", service, NAME_BYTES));
    }
}

fn request(json: &mut Json<'_>, event: &Event) {
    let request = &event.request;
    json.nest("http", |json| {
        json.plain("version", version(request.version));
        json.nest("request", |json| {
            if let Some(method) = &request.method {
                json.text("method", method.as_str(), METHOD_BYTES);
            }
            json.number("bytes", event.bytes_in);
        });
        json.nest("response", |json| {
            if event.status > 0 {
                json.number("status_code", event.status);
            }
            json.number("bytes", event.bytes_out);
        });
    });
    json.nest("url", |json| {
        json.plain("scheme", if request.secure { "https" } else { "http" });
        shown(json, "domain", &request.host, HOST_BYTES, redact::text);
        shown(json, "path", &request.path, PATH_BYTES, redact::path);
        if let Some(query) = &request.query {
            shown(json, "query", query, QUERY_BYTES, redact::query);
        }
    });
    json.nest("client", |json| json.plain("ip", request.client.ip));
    json.nest("source", |json| {
        json.plain("ip", request.client.peer.ip());
        json.number("port", request.client.peer.port());
    });
    if let Some(agent) = &request.user_agent {
        json.nest("user_agent", |json| {
            shown(json, "original", agent, USER_AGENT_BYTES, redact::prose);
        });
    }
}

fn user(json: &mut Json<'_>, identity: &IdentityFacts) {
    json.plain("id", format_args!("{:016x}", identity.subject_hash));
    json.text("domain", &identity.issuer, NAME_BYTES);
}

/// `rule` holds one rule: the one that scored most, when the rules decided. The rest is under `yett.waf`.
fn decisive_rule(event: &Event) -> Option<&RuleMatch> {
    let blocked = event.decisive().is_some_and(|finding| finding.code == Code::WafBlocked);
    let matches = &event.waf.as_ref().filter(|_| blocked)?.matches;
    matches.iter().rev().max_by_key(|found| found.score)
}

fn rule_head(json: &mut Json<'_>, rule: &RuleMatch) {
    json.plain("id", rule.rule_id);
    shown(json, "name", &rule.message, NAME_BYTES, redact::prose);
    json.text("category", &rule.class, NAME_BYTES);
}

fn details(json: &mut Json<'_>, event: &Event) {
    json.text("listener", &event.listener, NAME_BYTES);
    json.number("generation", event.generation);
    if let Some(route) = &event.route {
        json.text("route", &route.id, NAME_BYTES);
    }
    json.plain("outcome", event.outcome.as_str());
    if let Some(identity) = &event.identity {
        json.flag("mfa", identity.mfa);
    }
    if let Some(cached) = event.token_cached {
        json.flag("token_cached", cached);
    }
    if !event.findings.is_empty() {
        json.list("findings", event.findings.iter().take(LISTED), |json, found| {
            finding(json, found)
        });
    }
    if let Some(facts) = &event.waf {
        json.nest("waf", |json| waf(json, facts));
    }
    if !event.limits.is_empty() {
        json.list("limits", event.limits.iter().take(LISTED), limit);
    }
    if let Some(facts) = &event.upstream {
        json.nest("upstream", |json| upstream(json, facts));
    }
    if let Some(parent) = event.trace.parent_id {
        json.plain("parent_span", format_args!("{parent:016x}"));
    }
    json.nest("timings_us", |json| {
        for stage in Stage::ALL {
            let spent = event.timings.get(stage);
            if spent > 0 {
                json.number(stage.as_str(), spent);
            }
        }
    });
}

fn finding(json: &mut Json<'_>, finding: &Finding) {
    json.plain("stage", finding.code.stage().as_str());
    json.plain("code", finding.code.as_str());
    json.flag("enforced", finding.enforced);
    shown(json, "evidence", &finding.evidence, EVIDENCE_BYTES, redact::prose);
}

fn waf(json: &mut Json<'_>, facts: &WafFacts) {
    json.text("profile", &facts.profile, NAME_BYTES);
    json.plain("mode", mode(facts.mode));
    json.number("score", facts.score);
    json.number("threshold", facts.threshold);
    json.plain("inspected", inspected(facts.inspected));
    if let Some(response) = facts.response {
        json.plain("response", inspected(response));
    }
    json.number("matches_total", facts.matches.len() as u64);
    json.list("matches", facts.matches.iter().take(LISTED), rule_match);
}

fn rule_match(json: &mut Json<'_>, found: &RuleMatch) {
    json.plain("rule", found.rule_id);
    shown(json, "message", &found.message, NAME_BYTES, redact::prose);
    json.plain("severity", found.severity);
    json.text("class", &found.class, NAME_BYTES);
    shown(json, "target", &found.target, NAME_BYTES, redact::text);
    let matched = |matched| redact::at(&found.target, matched);
    shown(json, "matched", &found.matched, EVIDENCE_BYTES, matched);
    json.number("score", found.score);
}

fn limit(json: &mut Json<'_>, limit: &LimitFacts) {
    json.text("name", &limit.name, NAME_BYTES);
    json.plain("decision", limit.decision.as_str());
    json.number("remaining", limit.remaining);
}

fn upstream(json: &mut Json<'_>, facts: &UpstreamFacts) {
    json.text("service", &facts.service, NAME_BYTES);
    if let Some(endpoint) = facts.endpoint {
        json.plain("endpoint", endpoint);
    }
    json.number("attempts", facts.attempts);
    json.flag("reused", facts.reused);
    if let Some(status) = facts.status {
        json.number("status_code", status);
    }
    if let Some(response) = facts.response {
        json.number("response_us", micros(response));
    }
}

/// A client's text, redacted. It is read to twice what is shown, so that nobody makes the writer read long texts
/// and a secret at the edge is still seen whole.
fn shown<'t>(
    json: &mut Json<'_>,
    name: &str,
    text: &'t str,
    bound: usize,
    redact: impl FnOnce(&'t str) -> Cow<'t, str>,
) {
    json.text(name, &redact(cut(text, 2 * bound)), bound);
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_09 => "0.9",
        Version::HTTP_10 => "1.0",
        Version::HTTP_2 => "2",
        Version::HTTP_3 => "3",
        _ => "1.1",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "off",
        Mode::Monitor => "monitor",
        Mode::Enforce => "enforce",
    }
}

fn inspected(inspected: Inspected) -> &'static str {
    match inspected {
        Inspected::Whole => "whole",
        Inspected::Head => "head",
        Inspected::Partial => "partial",
        Inspected::Unreadable => "unreadable",
        Inspected::SampledOut => "sampled_out",
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// RFC 3339. Times beyond the year 9999, which no clock here shows, stand as that year's end.
pub(super) fn timestamp(unix_us: u64) -> humantime::Rfc3339Timestamp {
    const YEAR_9999_US: u64 = 253_402_300_799_999_999;
    humantime::format_rfc3339_micros(UNIX_EPOCH + Duration::from_micros(unix_us.min(YEAR_9999_US)))
}
