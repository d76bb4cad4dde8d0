//! Listener section -> what the edge runs.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};

use super::listener::{
    ClientCertificateMode, ClientCertificatesSection, ListenerBounds, ListenerSection, TlsSection,
    TlsVersion,
};
use crate::base::compile::{Compile, number};
use crate::base::units::{Size, Span};
use crate::state::certificates::{CertificateFiles, Certificates};

/// One listener, compiled.
#[derive(Debug)]
pub struct ListenerPlan {
    pub name: Arc<str>,
    pub bind: SocketAddr,
    pub tls: Option<TlsPlan>,
    pub trusted_proxies: Vec<IpNet>,
    pub proxy_protocol: bool,
    pub trace_trust: Vec<IpNet>,
    pub bounds: ListenerBounds,
}

/// TLS of one listener.
#[derive(Debug)]
pub struct TlsPlan {
    pub config: Arc<rustls::ServerConfig>,
    pub certificates: Arc<Certificates>,
}

impl ListenerPlan {
    /// Reports every problem of the section; `None` when there is one.
    pub fn compile(
        name: &str,
        section: &ListenerSection,
        cx: &mut Compile,
    ) -> Option<ListenerPlan> {
        let bind = cx.within("bind", |cx| address(&section.bind, cx));
        let tls = section.tls.as_ref().map(|tls| cx.within("tls", |cx| compile_tls(tls, cx)));
        if section.proxy_protocol && section.trusted_proxies.is_empty() {
            cx.within("proxy_protocol", |cx| {
                cx.error(number::CONTRADICTION, "proxy_protocol without trusted_proxies")
                    .hint("nobody would be allowed to send the header");
            });
        }
        cx.within("bounds", |cx| check_bounds(&section.bounds, cx));
        Some(ListenerPlan {
            name: name.into(),
            bind: bind?,
            tls: match tls {
                Some(tls) => Some(tls?),
                None => None,
            },
            trusted_proxies: section.trusted_proxies.clone(),
            proxy_protocol: section.proxy_protocol,
            trace_trust: section.trace.trust.clone(),
            bounds: section.bounds.clone(),
        })
    }
}

/// Bounds of the bounds: below them nobody would be served, above them they protect nothing.
fn check_bounds(bounds: &ListenerBounds, cx: &mut Compile) {
    let head = Size(1024)..=Size(1024 * 1024);
    inside("head", bounds.head, head, cx);
    let time = Span(Duration::from_millis(100))..=Span(Duration::from_secs(3600));
    inside("head_timeout", bounds.head_timeout, time.clone(), cx);
    inside("idle_timeout", bounds.idle_timeout, time, cx);
    inside("connections", bounds.connections, 1..=1_000_000, cx);
    inside("connections_per_client", bounds.connections_per_client, 1..=1_000_000, cx);
    inside("requests_per_connection", bounds.requests_per_connection, 1..=u32::MAX, cx);
    inside("http2_streams", bounds.http2_streams, 1..=1_000, cx);
}

fn inside<T: PartialOrd + Display>(
    key: &'static str,
    value: T,
    allowed: RangeInclusive<T>,
    cx: &mut Compile,
) {
    if !allowed.contains(&value) {
        let (least, most) = (allowed.start(), allowed.end());
        cx.within(key, |cx| {
            cx.error(number::VALUE, format!("{key} {value}, allowed {least} to {most}"));
        });
    }
}

/// `ADDRESS:PORT`; names are not resolved: what is bound must be readable in the file.
pub(super) fn address(text: &str, cx: &mut Compile) -> Option<SocketAddr> {
    let address = text.parse().ok();
    if address.is_none() {
        cx.error(number::ADDRESS, format!("`{text}` is not an address with a port"))
            .hint("for example 0.0.0.0:8443 or [::]:8443");
    }
    address
}

fn compile_tls(section: &TlsSection, cx: &mut Compile) -> Option<TlsPlan> {
    let certificates = cx.within("certificates", |cx| load_certificates(section, cx))?;
    let versions: &[&rustls::SupportedProtocolVersion] = match section.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12],
        TlsVersion::V13 => &[&TLS13],
    };
    let builder = rustls::ServerConfig::builder_with_protocol_versions(versions);
    let builder = match &section.client_certificates {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let verifier = cx.within("client_certificates", |cx| client_verifier(clients, cx))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_cert_resolver(certificates.clone());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    match rustls::crypto::aws_lc_rs::Ticketer::new() {
        Ok(ticketer) => config.ticketer = ticketer,
        Err(error) => log::warn!("session tickets are off: {error}"),
    }
    Some(TlsPlan { config: Arc::new(config), certificates })
}

fn load_certificates(section: &TlsSection, cx: &mut Compile) -> Option<Arc<Certificates>> {
    if section.certificates.is_empty() {
        cx.error(number::VALUE, "no certificates; a TLS listener needs at least one");
        return None;
    }
    let files: Vec<CertificateFiles> = section
        .certificates
        .iter()
        .map(|pair| CertificateFiles {
            cert: pair.cert.clone().into(),
            key: pair.key.clone().into(),
        })
        .collect();
    // Each pair alone first: every broken pair is reported, at its own place.
    for (index, pair) in files.iter().enumerate() {
        if let Err(error) = Certificates::load(vec![pair.clone()]) {
            cx.within(index, |cx| {
                cx.error(number::FILE, error.to_string());
            });
        }
    }
    Certificates::load(files).ok().map(Arc::new)
}

fn client_verifier(
    section: &ClientCertificatesSection,
    cx: &mut Compile,
) -> Option<Arc<dyn rustls::server::danger::ClientCertVerifier>> {
    let roots = cx.within("ca", |cx| match read_roots(Path::new(&section.ca)) {
        Ok(roots) => Some(roots),
        Err(error) => {
            cx.error(number::FILE, format!("authority file `{}`: {error}", section.ca));
            None
        }
    })?;
    let builder = WebPkiClientVerifier::builder(Arc::new(roots));
    let built = match section.mode {
        ClientCertificateMode::Optional => builder.allow_unauthenticated().build(),
        ClientCertificateMode::Required => builder.build(),
    };
    built
        .map_err(|error| {
            cx.error(number::FILE, format!("authority file `{}`: {error}", section.ca));
        })
        .ok()
}

fn read_roots(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())? {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() {
        return Err("no certificate in the file".into());
    }
    Ok(roots)
}
