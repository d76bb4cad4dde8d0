//! `GET /metrics`: the Prometheus text format.

use std::sync::Arc;

use http::StatusCode;

use super::super::reply::{Problem, Reply, problem, whole};
use super::super::server::Admin;
use super::blocking;

pub(super) const PATH: &str = "/metrics";

pub(super) async fn get(admin: &Arc<Admin>) -> Result<Reply, Problem> {
    let _one_at_a_time = admin.scrape.lock().await;
    match blocking(admin, |admin| admin.telemetry.scrape()).await? {
        Ok(text) => Ok(whole(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text)),
        Err(error) => {
            log::error!("metrics cannot be encoded: {error}");
            Err(problem(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be encoded"))
        }
    }
}
