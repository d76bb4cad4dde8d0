//! Every metric, declared once. A test scrapes each of them and finds each in `docs/telemetry.md`.

/// How a metric behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($variant:ident = $name:literal, $kind:ident, $source:ident, [$($label:literal),*], $help:literal;)+) => {
        /// A metric. Its labels take values from the configuration and from our own words, never from clients.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric { $(#[doc = $help] $variant,)+ }

        impl Metric {
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];

            pub const fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }

            pub const fn kind(self) -> Kind {
                match self { $(Metric::$variant => Kind::$kind,)+ }
            }

            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Metric::$variant => &[$($label),*],)+ }
            }

            pub const fn help(self) -> &'static str {
                match self { $(Metric::$variant => $help,)+ }
            }

            /// Its value lives elsewhere and is asked for at each scrape: see [`super::Gauges`].
            pub const fn is_asked(self) -> bool {
                match self { $(Metric::$variant => matches!(Source::$source, Source::Asked),)+ }
            }
        }
    };
}

enum Source {
    /// Kept by this folder.
    Kept,
    /// Asked for at each scrape.
    Asked,
}

metrics! {
    Requests = "yett_requests_total", Counter, Kept, ["route", "outcome", "code_class"],
        "Requests that ended, by route, outcome and class of the status.";
    Findings = "yett_findings_total", Counter, Kept, ["route", "code", "enforced"],
        "Findings, by route and code; enforced ones refused the request.";
    RequestDuration = "yett_request_duration_seconds", Histogram, Kept, ["route"],
        "Time from the first byte of the request to the last byte of the answer.";
    StageDuration = "yett_stage_duration_seconds", Histogram, Kept, ["stage"],
        "Time spent in a stage, where it was a microsecond or more.";
    WafMatches = "yett_waf_matches_total", Counter, Kept, ["class"],
        "Rules that matched, by class of the rule.";
    LimitDecisions = "yett_limit_decisions_total", Counter, Kept, ["limit", "decision"],
        "Decisions of rate limits.";
    TokenVerifications = "yett_token_verifications_total", Counter, Kept, ["issuer", "result"],
        "Tokens judged: verified, found in the cache, or refused with a finding code.";
    UpstreamRequests = "yett_upstream_requests_total", Counter, Kept, ["service", "result"],
        "Requests passed to a service, by class of its status or by the way it failed.";
    UpstreamRetries = "yett_upstream_retries_total", Counter, Kept, ["service"],
        "Further attempts after the first, by service.";
    ConfigLastReloadSuccess = "yett_config_last_reload_success", Gauge, Kept, [],
        "1 when the last configuration that was read was taken, 0 when it was refused.";
    ConfigGeneration = "yett_config_generation", Gauge, Kept, [],
        "Generation of the configuration that serves.";
    ConfigReloads = "yett_config_reloads_total", Counter, Kept, ["result"],
        "Configurations read, by taken or refused.";
    AccessLogDropped = "yett_access_log_dropped_total", Counter, Kept, ["kind", "where"],
        "Events that were not written: the queue was full, or the target would not take them.";
    AccessLogErrors = "yett_access_log_errors_total", Counter, Kept, [],
        "Writes to a log's target that failed.";
    WafLogDropped = "yett_waf_log_dropped_total", Counter, Kept, [],
        "Lines of the WAF log that its target would not take.";
    AuditLogDropped = "yett_audit_log_dropped_total", Counter, Kept, [],
        "Records of the audit log that its target would not take.";
    Panics = "yett_panics_total", Counter, Kept, [],
        "Panics caught: each is a bug of the gateway, and its request was denied.";
    ProcessLogSuppressed = "yett_process_log_suppressed_total", Counter, Kept, [],
        "Records of the process log that its rate bound or a stalled stderr held back.";
    Connections = "yett_connections", Gauge, Asked, ["listener"],
        "Open client connections.";
    ConnectionsRefused = "yett_connections_refused_total", Counter, Asked, ["listener"],
        "Connections closed at once: the listener's or the client's bound was reached.";
    HandshakesFailed = "yett_tls_handshakes_failed_total", Counter, Asked, ["listener"],
        "TLS handshakes that failed or took too long.";
    CertificateExpiry = "yett_certificate_expiry_timestamp_seconds", Gauge, Asked, ["listener"],
        "End of validity of the listener's certificate that ends first, Unix seconds.";
    StoreUp = "yett_store_up", Gauge, Asked, [],
        "1 when the shared store answers, 0 when limits fall back. Absent without a store.";
    IssuerKeys = "yett_issuer_keys", Gauge, Asked, ["issuer"],
        "Usable keys in the issuer's key set.";
    IssuerKeysRefreshed = "yett_issuer_keys_refreshed_timestamp_seconds", Gauge, Asked, ["issuer"],
        "When the issuer's key set was last read, Unix seconds; 0 when it never was.";
    Endpoints = "yett_upstream_endpoints", Gauge, Asked, ["service", "state"],
        "Endpoints of a service, by healthy or unhealthy.";
    DnsblQuestions = "yett_dnsbl_questions_total", Counter, Asked, ["list", "result"],
        "Questions to lists of addresses in the DNS, by listed, clear, refused or failed.";
    DnsblUnanswered = "yett_dnsbl_unanswered_requests_total", Counter, Asked, ["list"],
        "Requests whose rules ran without the answer of a list: it was late, failed, or was not asked.";
    Bans = "yett_bans", Gauge, Asked, [],
        "Addresses banned at this moment.";
}
