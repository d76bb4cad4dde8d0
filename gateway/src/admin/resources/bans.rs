//! `GET /bans`, `POST /bans`, `DELETE /bans/ADDRESS`: addresses that may not speak to us for a time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::control::Ban;
use super::super::reply::{Problem, Reply, empty, json, problem};
use super::super::server::Admin;
use super::blocking;
use crate::base::net::canonical_ip;
use crate::base::units::Span;

pub(super) const PATH: &str = "/bans";
pub(super) const ONE: &str = "/bans/";

/// Longest ban: what should last longer belongs in the configuration.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);
const REASON_BYTES: usize = 256;

/// `{ "address": "192.0.2.7", "for": "10m", "reason": "credential stuffing" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BanRequest {
    /// An address or a block.
    address: String,
    #[serde(rename = "for")]
    time: Span,
    reason: String,
}

pub(super) async fn get(admin: &Arc<Admin>) -> Result<Reply, Problem> {
    let bans = blocking(admin, |admin| admin.control.bans()).await?;
    let bans: Vec<Value> = bans.iter().map(shown).collect();
    Ok(json(StatusCode::OK, &json!({ "bans": bans })))
}

pub(super) async fn post(admin: &Arc<Admin>, body: Bytes) -> Result<Reply, Problem> {
    let request: BanRequest = serde_json::from_slice(&body)
        .map_err(|error| problem(StatusCode::BAD_REQUEST, format!("ban: {error}")))?;
    let ban = ban(request).map_err(|error| problem(StatusCode::UNPROCESSABLE_ENTITY, error))?;
    let reply = json(StatusCode::CREATED, &shown(&ban));
    match blocking(admin, |admin| admin.control.ban(ban)).await? {
        Ok(()) => Ok(reply),
        Err(reason) => Err(problem(StatusCode::UNPROCESSABLE_ENTITY, reason)),
    }
}

pub(super) async fn delete(admin: &Arc<Admin>, block: &str) -> Result<Reply, Problem> {
    let block = parse_block(block).map_err(|error| problem(StatusCode::BAD_REQUEST, error))?;
    match blocking(admin, move |admin| admin.control.unban(block)).await? {
        true => Ok(empty(StatusCode::NO_CONTENT)),
        false => Err(problem(StatusCode::NOT_FOUND, format!("`{block}` is not banned"))),
    }
}

fn ban(request: BanRequest) -> Result<Ban, String> {
    let block = parse_block(&request.address)?;
    let left = request.time.0;
    if left.is_zero() || left > LONGEST {
        return Err(format!("ban of {} s, bound 1us to 30d", left.as_secs()));
    }
    if request.reason.is_empty() || request.reason.len() > REASON_BYTES {
        let bytes = request.reason.len();
        return Err(format!("reason {bytes} bytes, bound 1 to {REASON_BYTES}"));
    }
    Ok(Ban { block, left, reason: request.reason })
}

/// An address is the block that holds nothing else.
fn parse_block(text: &str) -> Result<IpNet, String> {
    let address = text.parse::<IpAddr>().map(|ip| IpNet::from(canonical_ip(ip)));
    let block = address.or_else(|_| text.parse::<IpNet>().map(|block| block.trunc()));
    block.map_err(|_| "address is not an IP address or block".to_owned())
}

fn shown(ban: &Ban) -> Value {
    let block = &ban.block;
    let alone = block.prefix_len() == block.max_prefix_len();
    json!({
        "address": if alone { block.addr().to_string() } else { block.to_string() },
        "left_s": ban.left.as_secs(),
        "reason": ban.reason,
    })
}
