//! Whom the gateway believes to be the service.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::digest;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use super::section::{Protocol, UpstreamTlsSection};
use crate::base::compile::{Compile, number};
use crate::state::endpoints::health::CheckTls;

/// TLS to a service. The chain and the name are always verified.
#[derive(Debug)]
pub struct UpstreamTls {
    /// Never empty: the name that the certificate must carry, and SNI.
    pub server_name: String,
    /// DER certificates of the authorities; `None`: the system's.
    pub ca: Option<Arc<[Vec<u8>]>>,
    /// Changes when the name or the authorities change.
    pub generation: u64,
    /// The same trust, for the gateway's own connections.
    pub(super) check: CheckTls,
}

impl UpstreamTls {
    /// Compiles at `services.NAME.tls`; reads the CA file.
    pub(super) fn compile(
        section: &UpstreamTlsSection,
        protocol: Protocol,
        cx: &mut Compile,
    ) -> Option<UpstreamTls> {
        let name = cx.within("server_name", |cx| {
            let name = section.server_name.as_str();
            let read = ServerName::try_from(name.to_owned());
            let wrong = |_| format!("server name `{name}` is neither a host name nor an address");
            read.map_err(wrong).map_err(|why| _ = cx.error(number::SERVICE_TLS, why)).ok()
        });
        let authorities = cx.within("ca", |cx| {
            authorities(section.ca.as_deref())
                .map_err(|why| _ = cx.error(number::SERVICE_TLS, why))
                .ok()
        });
        let (server_name, (ca, roots)) = name.zip(authorities)?;
        let generation = generation(&section.server_name, ca.as_deref());
        let client =
            client(roots, protocol).map_err(|why| _ = cx.error(number::SERVICE_TLS, why)).ok()?;
        let check = CheckTls { server_name, client, generation: mixed(generation, protocol) };
        Some(UpstreamTls { server_name: section.server_name.clone(), ca, generation, check })
    }
}

type Authorities = (Option<Arc<[Vec<u8>]>>, Arc<RootCertStore>);

fn authorities(path: Option<&str>) -> Result<Authorities, String> {
    let Some(path) = path else { return system_roots().map(|roots| (None, roots)) };
    let wrong = |what: String| format!("ca file `{path}`: {what}");
    let read = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let mut ca = Vec::new();
    for certificate in read {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        let number = ca.len() + 1;
        x509_parser::parse_x509_certificate(&certificate)
            .map_err(|error| wrong(format!("certificate {number}: {error}")))?;
        ca.push(certificate.to_vec());
        roots.add(certificate).map_err(|error| wrong(format!("certificate {number}: {error}")))?;
    }
    if ca.is_empty() {
        return Err(wrong("holds no certificate".into()));
    }
    Ok((Some(ca.into()), Arc::new(roots)))
}

/// Read once: they are the same for every service and every reload.
fn system_roots() -> Result<Arc<RootCertStore>, String> {
    static ROOTS: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    let roots = ROOTS.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Arc::new(roots)
    });
    if roots.is_empty() {
        return Err("the system has no certificate authorities: name a `ca` file".into());
    }
    Ok(Arc::clone(roots))
}

fn client(roots: Arc<RootCertStore>, protocol: Protocol) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut client = builder.with_root_certificates(roots).with_no_client_auth();
    client.alpn_protocols = match protocol {
        Protocol::Http1 => vec![b"http/1.1".to_vec()],
        Protocol::Http2 => vec![b"h2".to_vec()],
    };
    Ok(Arc::new(client))
}

fn generation(server_name: &str, ca: Option<&[Vec<u8>]>) -> u64 {
    let mut parts = vec![server_name.as_bytes()];
    parts.extend(ca.unwrap_or_default().iter().map(Vec::as_slice));
    fingerprint(&parts)
}

fn mixed(generation: u64, protocol: Protocol) -> u64 {
    fingerprint(&[&generation.to_le_bytes(), &[protocol as u8]])
}

/// 64 bits of SHA-256 over parts that cannot run into each other.
#[allow(clippy::missing_panics_doc)] // a digest of 32 bytes has 8
pub(super) fn fingerprint(parts: &[&[u8]]) -> u64 {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_le_bytes());
        context.update(part);
    }
    let digest = context.finish();
    digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}
