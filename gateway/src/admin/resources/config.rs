//! `GET /config`: the configuration that serves, without secrets.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::super::reply::{Problem, Reply, json};
use super::super::server::Admin;
use super::blocking;

pub(super) const PATH: &str = "/config";

pub(super) async fn get(admin: &Arc<Admin>) -> Result<Reply, Problem> {
    let body = blocking(
        admin,
        |admin| json!({ "generation": admin.control.generation(), "config": admin.control.config() }),
    );
    Ok(json(StatusCode::OK, &body.await?))
}
