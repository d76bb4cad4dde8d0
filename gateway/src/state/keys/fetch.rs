//! Documents of issuers over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

use super::source::is_public;
use crate::base::bounds;

/// Fetches one document. A parameter, so that tests decide what the network says.
#[async_trait]
pub trait Fetch: Send + Sync + 'static {
    /// The body of a 200 answer, at most [`bounds::KEY_SET_BYTES`]. `private`: the address may be a private one.
    /// The error is text for operators.
    async fn get(&self, url: &Url, private: bool) -> Result<Vec<u8>, String>;
}

/// The real network: TLS by the process's provider, no redirects (one could lead to a place that was not checked), no
/// proxy from the environment (it would resolve names for us), bounded in time and size.
pub struct HttpFetch {
    public: Client,
    private: Client,
}

impl HttpFetch {
    /// Needs the process-wide TLS provider.
    pub fn new() -> Result<HttpFetch, String> {
        let public = client().https_only(true).dns_resolver(Arc::new(PublicOnly));
        Ok(HttpFetch {
            public: public.build().map_err(|error| reason(&error))?,
            private: client().build().map_err(|error| reason(&error))?,
        })
    }
}

/// No network: offline commands read configurations, they do not fetch for them.
pub struct NoFetch;

#[async_trait]
impl Fetch for NoFetch {
    async fn get(&self, _: &Url, _: bool) -> Result<Vec<u8>, String> {
        Err("nothing is fetched offline".into())
    }
}

fn client() -> reqwest::ClientBuilder {
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(bounds::KEY_FETCH_CONNECT_TIMEOUT)
        .timeout(bounds::KEY_FETCH_TIMEOUT)
        .user_agent(concat!("yett/", env!("CARGO_PKG_VERSION")))
}

#[async_trait]
impl Fetch for HttpFetch {
    async fn get(&self, url: &Url, private: bool) -> Result<Vec<u8>, String> {
        let client = if private { &self.private } else { &self.public };
        let request = client.get(url.clone()).header("accept", "application/json");
        let mut answer = request.send().await.map_err(|error| reason(&error))?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(format!("status {} instead of 200", answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error))? {
            if body.len() + chunk.len() > bounds::KEY_SET_BYTES {
                return Err(format!("body larger than {} bytes", bounds::KEY_SET_BYTES));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// The whole chain: the cause (refused, TLS alert, name unknown) is at its end.
fn reason(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    text
}

/// Resolves, then refuses: a public name may point into our own network (DNS rebinding).
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            if found.iter().any(|address| !is_public(address.ip())) {
                let error = format!(
                    "`{host}` resolves to a private address, `dangerous_private_jwks: true` allows it"
                );
                return Err(error.into());
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
