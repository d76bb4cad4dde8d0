//! `POST /config/reload`: reads the configuration again. 200 with the new generation, or 422 with every problem
//! while the old one serves on.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::super::reply::{Problem, Reply, json, problem};
use super::super::server::Admin;
use super::blocking;

pub(super) const PATH: &str = "/config/reload";

pub(super) async fn post(admin: &Arc<Admin>, body: Bytes) -> Result<Reply, Problem> {
    if !matches!(body.trim_ascii(), b"" | b"{}") {
        return Err(problem(StatusCode::BAD_REQUEST, "reload takes no body"));
    }
    let _one_at_a_time = admin.reload.lock().await;
    match blocking(admin, |admin| admin.control.reload()).await? {
        Ok(generation) => Ok(json(StatusCode::OK, &json!({ "generation": generation }))),
        Err(problems) => Err(problem(StatusCode::UNPROCESSABLE_ENTITY, problems)),
    }
}
