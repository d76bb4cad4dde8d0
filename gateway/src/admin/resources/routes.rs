//! `GET /routes`: every route with its counters.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::reply::{Problem, Reply, json};
use super::super::server::Admin;
use super::blocking;
use crate::telemetry::metrics::RouteSummary;

pub(super) const PATH: &str = "/routes";

pub(super) async fn get(admin: &Arc<Admin>) -> Result<Reply, Problem> {
    let body = blocking(admin, |admin| {
        let routes: Vec<Value> =
            admin.control.routes().into_iter().map(|route| with_counters(admin, route)).collect();
        json!({ "generation": admin.control.generation(), "routes": routes })
    });
    Ok(json(StatusCode::OK, &body.await?))
}

fn with_counters(admin: &Admin, mut route: Map<String, Value>) -> Value {
    let summary = route.get("id").and_then(Value::as_str);
    let summary = summary.and_then(|id| admin.telemetry.metrics().route(id)).unwrap_or_default();
    route.insert("counters".into(), counters(&summary));
    Value::Object(route)
}

/// Since the process started.
fn counters(summary: &RouteSummary) -> Value {
    let outcomes: Map<String, Value> = summary
        .outcomes
        .iter()
        .map(|(outcome, count)| (outcome.as_str().to_owned(), json!(count)))
        .collect();
    let findings: Map<String, Value> = summary
        .findings
        .iter()
        .map(|(code, enforced, monitored)| {
            (code.as_str().to_owned(), json!({ "enforced": enforced, "monitored": monitored }))
        })
        .collect();
    json!({
        "requests": summary.requests,
        "outcomes": outcomes,
        "findings": findings,
        "duration_mean_ms": summary.duration_mean.as_secs_f64() * 1e3,
    })
}
