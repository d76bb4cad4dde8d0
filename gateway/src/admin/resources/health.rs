//! `GET /health/live`: the process answers. `GET /health/ready`: a generation serves.

use http::StatusCode;
use serde_json::json;

use super::super::reply::{Problem, Reply, json, problem};
use super::super::server::Admin;

pub(super) const LIVE: &str = "/health/live";
pub(super) const READY: &str = "/health/ready";

pub(super) fn live() -> Reply {
    json(StatusCode::OK, &json!({ "status": "live" }))
}

/// Not ready as soon as shutdown is asked for: the balancer in front should look elsewhere.
pub(super) fn ready(admin: &Admin) -> Result<Reply, Problem> {
    if *admin.shutdown.borrow() {
        return Err(problem(StatusCode::SERVICE_UNAVAILABLE, "shutting down"));
    }
    match admin.control.ready() {
        Ok(()) => Ok(json(StatusCode::OK, &json!({ "status": "ready" }))),
        Err(reason) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, reason)),
    }
}
