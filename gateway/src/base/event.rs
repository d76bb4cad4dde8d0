//! The one record of one request. Logs, metrics, traces, audit and detection are made from it and from nothing else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Method, Version};
use smallvec::SmallVec;
use waf_rules::Match;

use super::code::{Code, Stage};
use super::decision::{Finding, Mode};
use super::net::Client;

/// Exactly one exists per request, refused ones included.
#[derive(Debug)]
pub struct Event {
    /// Arrival, microseconds since the Unix epoch.
    pub unix_us: u64,
    pub trace: TraceContext,
    /// Name of the listener.
    pub listener: Arc<str>,
    /// Configuration generation that decided.
    pub generation: u64,
    pub route: Option<RouteRef>,
    pub request: RequestFacts,
    pub identity: Option<IdentityFacts>,
    /// In the order of the pipeline; those with `enforced` decided the answer.
    pub findings: SmallVec<[Box<Finding>; 1]>,
    pub waf: Option<WafFacts>,
    /// Where the audit log holds this request.
    pub audit: Option<Box<AuditFacts>>,
    pub limits: SmallVec<[LimitFacts; 2]>,
    /// Whether the token was found in the cache; `None` when no token was verified.
    pub token_cached: Option<bool>,
    pub upstream: Option<UpstreamFacts>,
    pub timings: Timings,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Status sent to the client; 0 when the client went away before there was one.
    pub status: u16,
    pub outcome: Outcome,
    /// From the first byte of the head to the last byte of the answer.
    pub duration: Duration,
}

/// A route, by its name and by its slot in the generation's metric table.
#[derive(Clone, Debug)]
pub struct RouteRef {
    pub id: Arc<str>,
    pub service: Option<Arc<str>>,
    /// Dense index in the generation: names resolve once per reload, never per request.
    pub slot: u32,
}

/// What was asked. Texts are the client's: every encoder escapes and bounds them. They are those of the canonical reading;
/// of a request that has none, they are what was sent.
#[derive(Debug)]
pub struct RequestFacts {
    pub client: Client,
    /// `None`: what stood in its place is no method.
    pub method: Option<Method>,
    pub secure: bool,
    pub host: String,
    pub path: String,
    pub query: Option<String>,
    pub version: Version,
    pub user_agent: Option<Box<str>>,
}

/// Who asked. The subject leaves the process only as a keyed hash.
#[derive(Debug)]
pub struct IdentityFacts {
    pub issuer: Arc<str>,
    pub subject_hash: u64,
    pub mfa: bool,
}

/// What the rules saw.
#[derive(Debug)]
pub struct WafFacts {
    pub profile: Arc<str>,
    pub mode: Mode,
    pub score: u32,
    pub threshold: u32,
    pub inspected: Inspected,
    /// How much of the answer they saw; `None`: the profile does not look at answers, or there was none.
    pub response: Option<Inspected>,
    pub matches: Vec<RuleMatch>,
}

/// What only the audit log writes. `None`: the rules want no such part (`SecAuditLogParts`).
#[derive(Debug, Default)]
pub struct AuditFacts {
    /// Part B. Values of secret names are taken out already.
    pub request_fields: Option<HeaderMap>,
    /// Part F.
    pub answer_fields: Option<HeaderMap>,
    /// Part H.
    pub matches: Option<Vec<Match>>,
    /// Version of the rules.
    pub ruleset: String,
    /// Names of rule sets in them (`SecComponentSignature`).
    pub components: Vec<String>,
    /// `SecSensorId`; empty: none.
    pub sensor_id: String,
    /// The address that the client connected to.
    pub server: Option<SocketAddr>,
}

/// How much of a message the rules saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspected {
    /// Head and body, or the head of a message without body.
    Whole,
    /// The head only: the profile does not inspect such bodies, or they are streams (upgrade, gRPC).
    Head,
    /// The body is not coded as its head says, or in a way that is not decoded; the policy let it pass.
    Unreadable,
    /// A bound or the processor budget ended it; the policy let the request pass.
    Partial,
    /// Nothing: the profile's sample left it out.
    SampledOut,
}

/// One rule that matched.
#[derive(Clone, Debug)]
pub struct RuleMatch {
    pub rule_id: u32,
    pub message: String,
    pub severity: &'static str,
    /// Class of the rule, bounded by the rule set, e.g. `attack-sqli`.
    pub class: Arc<str>,
    /// Where it matched, e.g. `ARGS:q`.
    pub target: String,
    /// Matched bytes, escaped, bounded and redacted.
    pub matched: String,
    pub score: u32,
}

/// One limit's answer.
#[derive(Clone, Debug)]
pub struct LimitFacts {
    pub name: Arc<str>,
    pub decision: LimitDecision,
    pub remaining: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitDecision {
    Allowed,
    Exceeded,
    /// The store was lost: decided by this process's share.
    Fallback,
    /// The store was lost: `on_store_loss: open`.
    Open,
    /// The store was lost: `on_store_loss: closed`.
    Closed,
}

impl LimitDecision {
    pub const ALL: [LimitDecision; 5] = [
        LimitDecision::Allowed,
        LimitDecision::Exceeded,
        LimitDecision::Fallback,
        LimitDecision::Open,
        LimitDecision::Closed,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            LimitDecision::Allowed => "allowed",
            LimitDecision::Exceeded => "exceeded",
            LimitDecision::Fallback => "fallback",
            LimitDecision::Open => "open",
            LimitDecision::Closed => "closed",
        }
    }
}

/// What happened behind us.
#[derive(Debug)]
pub struct UpstreamFacts {
    pub service: Arc<str>,
    pub endpoint: Option<SocketAddr>,
    /// Connections tried, 1 without retries.
    pub attempts: u32,
    pub reused: bool,
    /// Until the response head, from the permit.
    pub response: Option<Duration>,
    /// Status of the service; `None` when it never answered.
    pub status: Option<u16>,
}

/// W3C trace context of the request: made here, or continued from a trusted caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    pub trace_id: u128,
    /// Our span.
    pub span_id: u64,
    /// The caller's span, when it is trusted.
    pub parent_id: Option<u64>,
    pub sampled: bool,
}

impl TraceContext {
    /// The trace id, 32 hexadecimal digits: what a user reports and an operator searches.
    pub fn request_id(&self) -> RequestId {
        let mut text = [0; 32];
        write_hex(&mut text, &self.trace_id.to_be_bytes());
        RequestId(text)
    }
}

/// Writes bytes as lower-case hexadecimal digits; `text` has two for each.
pub fn write_hex(text: &mut [u8], bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

/// The trace id as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId([u8; 32]);

impl RequestId {
    pub fn as_str(&self) -> &str {
        // Hexadecimal digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Time spent in each stage, microseconds. Written in the order of the pipeline.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings([u32; Stage::ALL.len()]);

impl Timings {
    pub fn add(&mut self, stage: Stage, spent: Duration) {
        let micros = u32::try_from(spent.as_micros()).unwrap_or(u32::MAX);
        let slot = &mut self.0[stage as usize];
        *slot = slot.saturating_add(micros);
    }

    pub fn get(&self, stage: Stage) -> u32 {
        self.0[stage as usize]
    }
}

/// How it ended, in one word. Metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Served by the upstream or by the route's own answer.
    Allowed,
    /// Refused by normalise, screen, route or policy of ours.
    Refused,
    /// Refused for lack of (sufficient) identity.
    Unauthenticated,
    Forbidden,
    Limited,
    /// Refused by the rules.
    Blocked,
    /// The service failed.
    UpstreamError,
    /// The client went away.
    ClientGone,
    /// We failed.
    Error,
}

impl Outcome {
    pub const ALL: [Outcome; 9] = [
        Outcome::Allowed,
        Outcome::Refused,
        Outcome::Unauthenticated,
        Outcome::Forbidden,
        Outcome::Limited,
        Outcome::Blocked,
        Outcome::UpstreamError,
        Outcome::ClientGone,
        Outcome::Error,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Refused => "refused",
            Outcome::Unauthenticated => "unauthenticated",
            Outcome::Forbidden => "forbidden",
            Outcome::Limited => "limited",
            Outcome::Blocked => "blocked",
            Outcome::UpstreamError => "upstream_error",
            Outcome::ClientGone => "client_gone",
            Outcome::Error => "error",
        }
    }

    /// The outcome of a request that this finding ended.
    pub fn of(code: Code) -> Outcome {
        match code.stage() {
            Stage::Edge => Outcome::Error,
            Stage::Normalise | Stage::Route => Outcome::Refused,
            Stage::Screen => Outcome::Forbidden,
            Stage::Ratelimit => Outcome::Limited,
            Stage::Identity => Outcome::Unauthenticated,
            Stage::Policy if code == Code::PolicyStepUp => Outcome::Unauthenticated,
            Stage::Policy => Outcome::Forbidden,
            Stage::Waf => Outcome::Blocked,
            Stage::Upstream => Outcome::UpstreamError,
        }
    }
}

impl Event {
    /// The finding that decided the answer.
    pub fn decisive(&self) -> Option<&Finding> {
        self.findings.iter().map(|finding| &**finding).find(|finding| finding.enforced)
    }

    pub fn client_ip(&self) -> IpAddr {
        self.request.client.ip
    }
}
