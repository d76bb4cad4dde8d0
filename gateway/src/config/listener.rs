//! Listeners: a bound address with its TLS.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::bounds;
use crate::base::net::Block;
use crate::base::units::{Size, Span};

/// One address that clients connect to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenerSection {
    /// `ADDRESS:PORT`, e.g. `0.0.0.0:8443` or `[::]:8443`.
    pub bind: String,
    /// Absent: plain text.
    #[serde(default)]
    pub tls: Option<TlsSection>,
    /// Blocks whose `X-Forwarded-For` and `Forwarded` count. Absent: the client is the socket's peer.
    #[serde(default)]
    #[schemars(with = "Vec<Block>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Every connection starts with a PROXY protocol v2 header; only trusted proxies may send one.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// Whose traces are continued.
    #[serde(default)]
    pub trace: TraceSection,
    /// Sizes and times that protect the listener.
    #[serde(default)]
    pub bounds: ListenerBounds,
}

/// Certificates are chosen by server name and read again when their files change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// The first answers clients that send no known server name.
    pub certificates: Vec<CertificateSection>,
    /// Oldest version of TLS that is spoken.
    #[serde(default)]
    pub min_version: TlsVersion,
    /// Absent: clients are not asked for certificates.
    #[serde(default)]
    pub client_certificates: Option<ClientCertificatesSection>,
}

/// One certificate with its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateSection {
    /// PEM file: the certificate, then its chain.
    pub cert: String,
    /// PEM file of the private key.
    pub key: String,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V12,
    #[serde(rename = "1.3")]
    V13,
}

/// Certificates of clients, verified in the handshake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCertificatesSection {
    /// Whether a client must have one.
    pub mode: ClientCertificateMode,
    /// PEM file of the authorities that may sign client certificates.
    pub ca: String,
}

/// Whether a client must have a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificateMode {
    /// A certificate is verified when it is sent.
    Optional,
    /// No certificate, no connection.
    Required,
}

/// Whose `traceparent` is continued. Anyone else's is replaced: an outsider must not switch tracing on or off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TraceSection {
    /// Blocks of socket peers whose `traceparent` is taken over.
    #[schemars(with = "Vec<Block>")]
    pub trust: Vec<IpNet>,
}

/// Sizes and times that protect the listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ListenerBounds {
    /// Open connections; above it new ones are closed at once.
    #[schemars(range(min = 1))]
    pub connections: usize,
    /// Open connections of one client address.
    #[schemars(range(min = 1))]
    pub connections_per_client: usize,
    /// Bytes of a request head; above it 431.
    pub head: Size,
    /// Time for a whole request head; then 408.
    pub head_timeout: Span,
    /// Time that a kept-alive connection may be idle.
    pub idle_timeout: Span,
    /// Requests on one HTTP/1.1 connection.
    #[schemars(range(min = 1))]
    pub requests_per_connection: u32,
    /// Streams open at once on one HTTP/2 connection.
    #[schemars(range(min = 1))]
    pub http2_streams: u32,
}

impl Default for ListenerBounds {
    fn default() -> ListenerBounds {
        ListenerBounds {
            connections: bounds::CONNECTIONS,
            connections_per_client: bounds::CONNECTIONS,
            head: Size(bounds::HEAD_BYTES),
            head_timeout: Span(bounds::HEAD_TIMEOUT),
            idle_timeout: Span(bounds::IDLE_TIMEOUT),
            requests_per_connection: bounds::REQUESTS_PER_CONNECTION,
            http2_streams: bounds::HTTP2_STREAMS,
        }
    }
}
