//! Services: where requests go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::units::{Percent, Span};

/// One internal service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSection {
    /// `HOST:PORT`; host names are resolved again every 10 s.
    pub endpoints: Vec<String>,
    /// Which endpoint the next request goes to.
    #[serde(default)]
    pub balance: Balance,
    /// HTTP version spoken to the service.
    #[serde(default)]
    pub protocol: Protocol,
    /// TLS to the service. Absent: plain text.
    #[serde(default)]
    pub tls: Option<UpstreamTlsSection>,
    /// Active checks. Absent: none.
    #[serde(default)]
    pub health: Option<HealthSection>,
    /// Every wait has an end.
    #[serde(default)]
    pub timeouts: TimeoutsSection,
    /// Whether requests are tried again on another endpoint.
    #[serde(default)]
    pub retries: RetriesSection,
}

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// Each endpoint in turn.
    #[default]
    RoundRobin,
    /// The endpoint with the fewest requests in flight, of two drawn at random.
    LeastRequest,
}

/// HTTP version spoken to the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Protocol {
    #[default]
    #[serde(rename = "http/1.1")]
    Http1,
    /// With TLS by ALPN, without TLS by prior knowledge.
    #[serde(rename = "h2")]
    Http2,
}

/// TLS to a service. The chain and the name are always verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpstreamTlsSection {
    /// Name that the service's certificate must carry; never empty, verification cannot be turned off.
    pub server_name: String,
    /// PEM file of the authorities that may sign it. Absent: the system's.
    #[serde(default)]
    pub ca: Option<String>,
}

/// Active checks. An endpoint starts as healthy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthSection {
    /// Asked with GET; a status of 200 to 299 is healthy.
    pub path: String,
    /// Time between two checks of an endpoint.
    #[serde(default = "default_interval")]
    pub interval: Span,
    /// Time for one check.
    #[serde(default = "default_health_timeout")]
    pub timeout: Span,
    /// Failures in a row before an endpoint is taken out.
    #[serde(default = "default_failures")]
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy_after: u32,
    /// Successes in a row before it is taken back.
    #[serde(default = "default_successes")]
    #[schemars(range(min = 1, max = 100))]
    pub healthy_after: u32,
}

/// Every wait has an end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TimeoutsSection {
    /// For the TCP connection, and again for the TLS handshake.
    pub connect: Span,
    /// Between two reads of the response.
    pub response: Span,
    /// An unused kept-alive connection is closed after this.
    pub idle: Span,
}

/// Requests that may be repeated (RFC 9110 §9.2.2) are tried again on another endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetriesSection {
    /// Tries in all, 1 to 5; 1: no retry.
    #[schemars(range(min = 1, max = 5))]
    pub attempts: u32,
    /// Retries as a share of the service's requests, so that an outage is not multiplied.
    pub budget: Percent,
}

impl Default for TimeoutsSection {
    fn default() -> TimeoutsSection {
        let seconds = |count| Span(std::time::Duration::from_secs(count));
        TimeoutsSection { connect: seconds(1), response: seconds(30), idle: seconds(60) }
    }
}

impl Default for RetriesSection {
    fn default() -> RetriesSection {
        RetriesSection { attempts: 2, budget: Percent(10) }
    }
}

fn default_interval() -> Span {
    Span(std::time::Duration::from_secs(5))
}

fn default_health_timeout() -> Span {
    Span(std::time::Duration::from_secs(1))
}

fn default_failures() -> u32 {
    2
}

fn default_successes() -> u32 {
    1
}
