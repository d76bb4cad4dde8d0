//! The gateway as its admin listener and its metrics see it.

use std::sync::Arc;

use ipnet::IpNet;
use serde_json::{Map, Value, json};

use crate::admin::{Ban, Control};
use crate::base::clock::Now;
use crate::config::live::Live;
use crate::config::reload::Reloader;
use crate::config::snapshot::RoutePlan;
use crate::edge::server::Server;
use crate::state::dnsbl::list::Ended;
use crate::state::endpoints::endpoint::Availability;
use crate::telemetry::metrics::{GaugeValues, Gauges, Metric};

/// Joins what the admin listener asks for.
pub(super) struct GatewayControl {
    live: Arc<Live>,
    server: Arc<Server>,
    reloader: Arc<Reloader>,
}

impl GatewayControl {
    pub(super) fn new(
        live: Arc<Live>,
        server: Arc<Server>,
        reloader: Arc<Reloader>,
    ) -> GatewayControl {
        GatewayControl { live, server, reloader }
    }
}

impl Control for GatewayControl {
    fn ready(&self) -> Result<(), String> {
        if self.server.is_ending() {
            return Err("the process is ending".into());
        }
        Ok(())
    }

    fn generation(&self) -> u64 {
        self.live.load().generation
    }

    fn config(&self) -> Value {
        self.live.load().written.redacted()
    }

    fn reload(&self) -> Result<u64, String> {
        self.reloader.reload()
    }

    fn routes(&self) -> Vec<Map<String, Value>> {
        let snapshot = self.live.load();
        let mut written = snapshot.written.redacted();
        let sections = written["routes"].as_array_mut().map(std::mem::take).unwrap_or_default();
        sections.into_iter().zip(&snapshot.routes).map(|(one, plan)| route(one, plan)).collect()
    }

    fn bans(&self) -> Vec<Ban> {
        let bans = self.live.load().state.standing.list(Now::read());
        bans.into_iter()
            .map(|ban| Ban { block: ban.block, left: ban.left, reason: ban.why })
            .collect()
    }

    fn ban(&self, ban: Ban) -> Result<(), String> {
        self.live.load().state.standing.ban(ban.block, ban.left, &ban.reason, Now::read())
    }

    fn unban(&self, block: IpNet) -> bool {
        self.live.load().state.standing.lift(block)
    }

    fn status(&self) -> Map<String, Value> {
        let snapshot = self.live.load();
        let now = Now::read();
        let state = &snapshot.state;
        let mut status = Map::new();
        let store = state.counters.status().map(|store| {
            json!({
                "address": store.address, "live": store.live, "connects": store.connects, "trips": store.trips,
                "calls": store.calls, "failures": store.failures, "requests": store.requests,
                "shares": store.shares,
            })
        });
        status.insert("store".into(), store.unwrap_or(Value::Null));
        let issuers = state.keys.status(now).into_iter().map(|set| {
            json!({
                "issuer": &*set.issuer, "source": set.source, "keys": set.keys, "skipped": set.skipped,
                "age_s": set.age.map(|age| age.as_secs()), "failures": set.failures, "error": set.error,
            })
        });
        status.insert("issuers".into(), issuers.collect());
        let endpoints = state.endpoints.status(now).into_iter().map(|endpoint| {
            json!({
                "service": &*endpoint.service, "address": endpoint.address.to_string(),
                "availability": format!("{:?}", endpoint.availability).to_lowercase(),
                "in_flight": endpoint.in_flight, "last_failure": endpoint.last_failure,
            })
        });
        status.insert("endpoints".into(), endpoints.collect());
        let listeners = self.server.connections().into_iter().map(|(name, slots)| {
            json!({
                "name": &*name, "connections": slots.open(), "refused": slots.refused(),
                "handshakes_failed": slots.handshakes_failed(),
            })
        });
        status.insert("listeners".into(), listeners.collect());
        status.insert("token_cache_bytes".into(), json!(state.tokens.bytes()));
        status
    }
}

fn route(mut written: Value, plan: &RoutePlan) -> Map<String, Value> {
    let limits = plan.limits.early.limits().chain(plan.limits.late.limits());
    let value = json!({
        "id": &*plan.id,
        "match": written["match"].take(),
        "service": plan.service.as_ref().map(|service| &*service.name),
        "public": written["public"].take(),
        "issuers": plan.identity.as_ref().map(|identity| {
            identity.issuers.iter().map(|issuer| &*issuer.name).collect::<Vec<_>>()
        }),
        "limits": limits.map(|limit| &*limit.name).collect::<Vec<_>>(),
        "waf": plan.waf.as_ref().map(|waf| json!({ "profile": &*waf.name, "mode": waf.mode })),
    });
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

impl std::fmt::Debug for GatewayControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GatewayControl")
    }
}

#[allow(clippy::cast_precision_loss)] // gauges are floating point; counts this large do not occur
impl Gauges for GatewayControl {
    fn read(&self, into: &mut GaugeValues) {
        let snapshot = self.live.load();
        let now = Now::read();
        let state = &snapshot.state;
        for (name, slots) in self.server.connections() {
            into.set(Metric::Connections, &[&name], slots.open() as f64);
            into.set(Metric::ConnectionsRefused, &[&name], slots.refused() as f64);
            into.set(Metric::HandshakesFailed, &[&name], slots.handshakes_failed() as f64);
        }
        for plan in snapshot.listeners.values() {
            if let Some(tls) = &plan.tls {
                into.set(
                    Metric::CertificateExpiry,
                    &[&plan.name],
                    tls.certificates.expires_s() as f64,
                );
            }
        }
        if let Some(store) = state.counters.status() {
            into.set(Metric::StoreUp, &[], f64::from(u8::from(store.live)));
        }
        for set in state.keys.status(now) {
            let refreshed = set.age.map_or(0, |age| now.unix_s().saturating_sub(age.as_secs()));
            into.set(Metric::IssuerKeys, &[&set.issuer], set.keys as f64);
            into.set(Metric::IssuerKeysRefreshed, &[&set.issuer], refreshed as f64);
        }
        for (zone, counts) in state.dnsbl.counts() {
            for (ended, count) in Ended::ALL.iter().zip(counts.questions) {
                into.set(Metric::DnsblQuestions, &[&zone, ended.as_str()], count as f64);
            }
            into.set(Metric::DnsblUnanswered, &[&zone], counts.unanswered as f64);
        }
        into.set(Metric::Bans, &[], state.standing.list(now).len() as f64);
        for service in snapshot.services.keys() {
            let of_service: Vec<_> = state
                .endpoints
                .status(now)
                .into_iter()
                .filter(|one| *one.service == **service)
                .collect();
            let healthy =
                of_service.iter().filter(|one| one.availability == Availability::Ready).count();
            into.set(Metric::Endpoints, &[service, "healthy"], healthy as f64);
            into.set(
                Metric::Endpoints,
                &[service, "unhealthy"],
                (of_service.len() - healthy) as f64,
            );
        }
    }
}
