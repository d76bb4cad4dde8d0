//! A service as written -> its plan. Bad endpoints, times and files are all reported.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::section::{Balance, HealthSection, Protocol, ServiceSection};
use super::tls::{UpstreamTls, fingerprint};
use crate::base::compile::{Compile, number};
use crate::base::units::{Percent, Span};
use crate::state::endpoints::Endpoints;
use crate::state::endpoints::endpoint::Needed;
use crate::state::endpoints::health::Check;
use crate::state::endpoints::service::{Service, ServiceSpec, Target};

/// Most endpoints of one service.
const ENDPOINTS: usize = 1024;
/// Tries of one request.
const TRIES: RangeInclusive<u32> = 1..=5;
/// Longest wait that a configuration may ask for.
const WAIT_MAX: Duration = Duration::from_secs(3600);
/// Shortest pause between two checks of an endpoint: checks must not become load.
const INTERVAL_MIN: Duration = Duration::from_millis(100);
/// Results in a row that may be asked for.
const RESULTS: RangeInclusive<u32> = 1..=100;

/// One service, ready to be asked for peers.
#[derive(Debug)]
pub struct ServicePlan {
    pub name: Arc<str>,
    pub service: Arc<Service>,
    pub(super) balance: Balance,
    pub(super) attempts: u32,
    pub(super) budget: Percent,
    pub(super) http2: bool,
    pub(super) tls: Option<Arc<UpstreamTls>>,
    pub(super) timeouts: Timeouts,
    pub(super) group_key: u64,
    /// Seconds a client is asked to wait when no endpoint is left.
    pub(super) retry_after_s: u64,
}

/// Every wait has an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For the TCP connection, and again for the TLS handshake.
    pub connect: Duration,
    /// Between two reads of the response.
    pub response: Duration,
    /// An unused kept-alive connection is closed after this.
    pub idle: Duration,
}

impl ServicePlan {
    /// It speaks HTTP/2 and nothing else.
    pub fn is_http2(&self) -> bool {
        self.http2
    }

    /// Compiles one service at the current place (`services.NAME`). `None`: the problems say why.
    pub fn compile(
        name: &str,
        section: &ServiceSection,
        cx: &mut Compile,
        endpoints: &Endpoints,
    ) -> Option<Arc<ServicePlan>> {
        let targets = cx.within("endpoints", |cx| targets(&section.endpoints, cx));
        let tls = cx.within("tls", |cx| tls(section, cx));
        let check = cx.within("health", |cx| check(section, tls.as_ref()?.as_deref(), cx));
        let timeouts = cx.within("timeouts", |cx| timeouts(section, cx));
        let attempts = cx.within("retries", |cx| attempts(section, cx));
        let (targets, tls, check) = (targets?, tls?, check?);
        let retry_after_s = check.as_ref().map_or(1, |check| check.interval.as_secs().max(1));
        let name: Arc<str> = name.into();
        let service = endpoints.open(ServiceSpec { name: Arc::clone(&name), targets, check });
        Some(Arc::new(ServicePlan {
            group_key: group_key(&name, section.protocol, tls.as_deref()),
            name,
            service,
            balance: section.balance,
            attempts: attempts?,
            budget: section.retries.budget,
            http2: section.protocol == Protocol::Http2,
            tls,
            timeouts: timeouts?,
            retry_after_s,
        }))
    }
}

fn targets(written: &[String], cx: &mut Compile) -> Option<Vec<Target>> {
    if written.is_empty() || written.len() > ENDPOINTS {
        cx.error(
            number::ENDPOINT,
            format!("{} endpoints, allowed 1 to {ENDPOINTS}", written.len()),
        );
        return None;
    }
    let mut seen = HashSet::new();
    let read = |(index, text): (usize, &String)| {
        cx.within(index, |cx| {
            let target: Target =
                text.parse().map_err(|why: String| _ = cx.error(number::ENDPOINT, why)).ok()?;
            if !seen.insert(target.clone()) {
                cx.error(number::ENDPOINT, format!("endpoint `{text}` is listed twice"));
                return None;
            }
            Some(target)
        })
    };
    let targets: Vec<Option<Target>> = written.iter().enumerate().map(read).collect();
    targets.into_iter().collect()
}

/// Outer `None`: there were problems.
fn tls(section: &ServiceSection, cx: &mut Compile) -> Option<Option<Arc<UpstreamTls>>> {
    match &section.tls {
        None => Some(None),
        Some(tls) => UpstreamTls::compile(tls, section.protocol, cx).map(|tls| Some(Arc::new(tls))),
    }
}

/// Outer `None`: there were problems.
fn check(
    section: &ServiceSection,
    tls: Option<&UpstreamTls>,
    cx: &mut Compile,
) -> Option<Option<Check>> {
    let Some(health) = &section.health else { return Some(None) };
    let target = cx.within("path", |cx| health_target(&health.path, cx));
    let interval = time("interval", health.interval, INTERVAL_MIN, cx);
    let timeout = time("timeout", health.timeout, Duration::from_millis(1), cx);
    let needed = needed(health, cx);
    let first = section.endpoints.first().cloned().unwrap_or_default();
    Some(Some(Check {
        target: target?,
        authority: tls.map_or(first, |tls| authority(&tls.server_name)),
        interval: interval?,
        timeout: timeout?,
        needed: needed?,
        http2: section.protocol == Protocol::Http2,
        tls: tls.map(|tls| tls.check.clone()),
    }))
}

fn health_target(path: &str, cx: &mut Compile) -> Option<String> {
    let valid = path.starts_with('/')
        && !path.contains('#')
        && path.parse::<http::uri::PathAndQuery>().is_ok();
    if !valid {
        cx.error(
            number::HEALTH,
            format!("path `{path}` is not an absolute path, for example /healthz"),
        );
    }
    valid.then(|| path.to_owned())
}

fn needed(health: &HealthSection, cx: &mut Compile) -> Option<Needed> {
    let mut count = |key: &'static str, count: u32| {
        let valid = RESULTS.contains(&count);
        if !valid {
            let (least, most) = (RESULTS.start(), RESULTS.end());
            cx.within(key, |cx| {
                cx.error(
                    number::HEALTH,
                    format!("{count} results in a row, allowed {least} to {most}"),
                );
            });
        }
        valid.then_some(count)
    };
    let unhealthy_after = count("unhealthy_after", health.unhealthy_after);
    let healthy_after = count("healthy_after", health.healthy_after);
    Some(Needed { unhealthy_after: unhealthy_after?, healthy_after: healthy_after? })
}

fn timeouts(section: &ServiceSection, cx: &mut Compile) -> Option<Timeouts> {
    let least = Duration::from_millis(1);
    let connect = time("connect", section.timeouts.connect, least, cx);
    let response = time("response", section.timeouts.response, least, cx);
    let idle = time("idle", section.timeouts.idle, least, cx);
    Some(Timeouts { connect: connect?, response: response?, idle: idle? })
}

fn time(key: &'static str, span: Span, least: Duration, cx: &mut Compile) -> Option<Duration> {
    let valid = (least..=WAIT_MAX).contains(&span.0);
    if !valid {
        let (least, most) = (Span(least), Span(WAIT_MAX));
        cx.within(key, |cx| {
            cx.error(number::TIME, format!("{key} of {span}, allowed {least} to {most}"));
        });
    }
    valid.then_some(span.0)
}

fn attempts(section: &ServiceSection, cx: &mut Compile) -> Option<u32> {
    let attempts = section.retries.attempts;
    let valid = TRIES.contains(&attempts);
    if !valid {
        let (least, most) = (TRIES.start(), TRIES.end());
        cx.within("attempts", |cx| {
            cx.error(number::RANGE, format!("{attempts} attempts, allowed {least} to {most}"));
        });
    }
    valid.then_some(attempts)
}

/// IPv6 addresses stand in brackets (RFC 3986 §3.2.2).
fn authority(server_name: &str) -> String {
    match server_name.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => server_name.to_owned(),
    }
}

/// Connections are pooled by this key beside the address: a change of trust or of protocol never meets a
/// connection that was verified before it.
fn group_key(name: &str, protocol: Protocol, tls: Option<&UpstreamTls>) -> u64 {
    let trust = tls.map_or([0; 9], |tls| {
        let mut trust = [1; 9];
        trust[1..].copy_from_slice(&tls.generation.to_le_bytes());
        trust
    });
    fingerprint(&[name.as_bytes(), &[protocol as u8], &trust])
}
