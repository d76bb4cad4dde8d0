//! `GET /status`: one page about the process.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::super::reply::{Problem, Reply, json};
use super::super::server::{Admin, STREAMS};
use super::blocking;

pub(super) const PATH: &str = "/status";

pub(super) async fn get(admin: &Arc<Admin>) -> Result<Reply, Problem> {
    Ok(json(StatusCode::OK, &blocking(admin, status).await?))
}

fn status(admin: &Admin) -> Value {
    let mut status = admin.control.status();
    let ready = admin.control.ready();
    let own = [
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("generation", json!(admin.control.generation())),
        ("uptime_s", json!(admin.started.elapsed().as_secs())),
        ("ready", json!(ready.is_ok())),
        (
            "events",
            json!({
                "dropped": admin.telemetry.metrics().dropped_total(),
                "streams": STREAMS - admin.streams.available_permits(),
            }),
        ),
    ];
    status.extend(own.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(status)
}
