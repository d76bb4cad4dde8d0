//! One file for each resource: its path, its methods, its answer.

mod bans;
mod config;
mod events;
mod health;
mod metrics;
mod reload;
mod routes;
mod status;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;

use super::reply::{Problem, Reply, problem};
use super::server::Admin;

/// Bytes of a request body.
const BODY_BYTES: usize = 64 * 1024;
/// Time for a whole request body.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Resources that need no token: probes have none.
pub(super) fn is_open(path: &str) -> bool {
    matches!(path, health::LIVE | health::READY)
}

/// Paths are compared as sent: nothing is decoded, no dots are resolved, so no two ways lead to one resource.
pub(super) async fn answer(
    admin: &Arc<Admin>,
    request: Request<Incoming>,
) -> Result<Reply, Problem> {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        health::LIVE => only(&[Method::GET], &request).map(|()| health::live()),
        health::READY => only(&[Method::GET], &request).and_then(|()| health::ready(admin)),
        metrics::PATH => {
            only(&[Method::GET], &request)?;
            metrics::get(admin).await
        }
        config::PATH => {
            only(&[Method::GET], &request)?;
            config::get(admin).await
        }
        reload::PATH => {
            only(&[Method::POST], &request)?;
            reload::post(admin, read(request).await?).await
        }
        routes::PATH => {
            only(&[Method::GET], &request)?;
            routes::get(admin).await
        }
        events::PATH => {
            only(&[Method::GET], &request)?;
            events::get(admin, &request)
        }
        bans::PATH => {
            only(&[Method::GET, Method::POST], &request)?;
            if *request.method() == Method::POST {
                return bans::post(admin, read(request).await?).await;
            }
            bans::get(admin).await
        }
        status::PATH => {
            only(&[Method::GET], &request)?;
            status::get(admin).await
        }
        _ => match path.strip_prefix(bans::ONE) {
            Some(block) => {
                only(&[Method::DELETE], &request)?;
                bans::delete(admin, block).await
            }
            None => Err(problem(StatusCode::NOT_FOUND, "no such resource")),
        },
    }
}

/// HEAD goes wherever GET goes (RFC 9110 §9.3.2).
fn only(allowed: &[Method], request: &Request<Incoming>) -> Result<(), Problem> {
    let asked = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    if allowed.contains(asked) { Ok(()) } else { Err(Problem::method(allowed)) }
}

async fn read(request: Request<Incoming>) -> Result<Bytes, Problem> {
    let body = Limited::new(request.into_body(), BODY_BYTES).collect();
    match tokio::time::timeout(BODY_TIMEOUT, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("request body bound {BODY_BYTES} bytes");
            Err(problem(StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(Err(_)) => Err(problem(StatusCode::BAD_REQUEST, "request body unreadable")),
        Err(_) => {
            let detail = format!("request body bound {} s", BODY_TIMEOUT.as_secs());
            Err(problem(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// Runs what may block on a thread that may: the threads of this listener also answer probes.
async fn blocking<T: Send + 'static>(
    admin: &Arc<Admin>,
    work: impl FnOnce(&Admin) -> T + Send + 'static,
) -> Result<T, Problem> {
    let admin = admin.clone();
    let done = tokio::task::spawn_blocking(move || work(&admin)).await;
    done.map_err(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "internal error"))
}
