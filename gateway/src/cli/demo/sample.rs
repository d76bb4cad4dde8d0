//! The demo's service: answers with what it was asked, and serves the development issuer's keys. On loopback, on a
//! thread of its own.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// Starts it on a free port.
pub(super) fn start(jwks: String) -> io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("yett-sample".into()).spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, jwks.into())) {
            log::error!(target: "yett::demo", "sample service ended: {error}");
        }
    })?;
    Ok(address)
}

async fn serve(listener: std::net::TcpListener, jwks: Arc<str>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let _ = stream.set_nodelay(true);
        let jwks = jwks.clone();
        tokio::spawn(async move {
            let answer = service_fn(move |request| answer(request, jwks.clone()));
            // The gateway closes idle connections as it likes.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    jwks: Arc<str>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() == "/jwks.json" {
        return Ok(json_answer(jwks.to_string()));
    }
    let seen = json!({
        "method": request.method().as_str(),
        "target": request.uri().to_string(),
        "from_gateway": from_gateway(&request),
    });
    let bytes = request.into_body().collect().await.map(|body| body.to_bytes().len()).unwrap_or(0);
    let mut seen = seen;
    seen["body_bytes"] = json!(bytes);
    Ok(json_answer(format!("{seen}\n")))
}

/// Fields that only the gateway sets.
fn from_gateway(request: &Request<Incoming>) -> Value {
    let ours = |name: &str| name.starts_with("x-") || name == "traceparent";
    let fields: Map<String, Value> = request
        .headers()
        .iter()
        .filter(|(name, _)| ours(name.as_str()))
        .map(|(name, value)| (name.to_string(), json!(String::from_utf8_lossy(value.as_bytes()))))
        .collect();
    Value::Object(fields)
}

fn json_answer(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
