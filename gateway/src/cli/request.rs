//! A request on the command line.

use std::collections::BTreeMap;
use std::net::IpAddr;

use clap::Args;

use crate::config::document::TestRequest;

/// The request to explain.
#[derive(Debug, Args)]
pub(super) struct RequestArgs {
    #[arg(long, default_value = "GET")]
    method: String,
    #[arg(long, default_value = "localhost")]
    host: String,
    /// Path and query.
    #[arg(long)]
    path: Option<String>,
    /// `Name: value`; may be given again.
    #[arg(long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    #[arg(long)]
    body: Option<String>,
    /// Claims of a token that counts as verified, as JSON, e.g. '{"scope":"orders:read"}'.
    #[arg(long, value_name = "JSON")]
    token: Option<String>,
    /// Client address; absent: 192.0.2.1.
    #[arg(long)]
    pub(super) client: Option<IpAddr>,
}

impl RequestArgs {
    pub(super) fn request(&self) -> Result<TestRequest, String> {
        let mut headers = BTreeMap::new();
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| format!("header `{header}` is not NAME: VALUE"))?;
            headers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
        let token = self.token.as_deref().map(serde_json::from_str).transpose();
        Ok(TestRequest {
            method: self.method.clone(),
            host: Some(self.host.clone()),
            path: self.path.clone().ok_or("no request: --path is missing")?,
            headers,
            body: self.body.clone(),
            client: self.client,
            token: token.map_err(|error| format!("--token is not a JSON object: {error}"))?,
        })
    }
}
