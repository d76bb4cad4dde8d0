//! Server certificates: chosen by server name, read again when their files change. A handshake sees either the old
//! set or the new one; a set that cannot be read or does not fit its key changes nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// The files of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What could not be read, and where.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("certificate file `{0}`: {1}")]
    Certificate(PathBuf, String),
    #[error("key file `{0}`: {1}")]
    Key(PathBuf, String),
    #[error("key `{0}` does not belong to certificate `{1}`")]
    Mismatch(PathBuf, PathBuf),
}

/// The certificates of one listener.
#[derive(Debug)]
pub struct Certificates {
    files: Vec<CertificateFiles>,
    current: ArcSwap<Set>,
}

#[derive(Debug)]
struct Set {
    exact: HashMap<String, Arc<CertifiedKey>>,
    /// By the part after `*.`.
    wildcard: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
    stamp: Vec<Option<(SystemTime, u64)>>,
    /// End of validity of the certificate that ends first, Unix seconds.
    expires_s: i64,
}

impl Certificates {
    /// Reads all files. `files` must not be empty.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Certificates, CertificateError> {
        let set = Set::load(&files)?;
        Ok(Certificates { files, current: ArcSwap::from_pointee(set) })
    }

    /// Reads the files again when one of them changed. `true`: new handshakes use the new set.
    pub fn refresh(&self) -> Result<bool, CertificateError> {
        if stamp(&self.files) == self.current.load().stamp {
            return Ok(false);
        }
        self.current.store(Arc::new(Set::load(&self.files)?));
        Ok(true)
    }

    /// End of validity of the certificate that ends first, Unix seconds.
    pub fn expires_s(&self) -> i64 {
        self.current.load().expires_s
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let set = self.current.load();
        let Some(name) = hello.server_name() else {
            return Some(set.first.clone());
        };
        let name = name.to_ascii_lowercase();
        let found = set.exact.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            set.wildcard.get(parent)
        });
        Some(found.unwrap_or(&set.first).clone())
    }
}

impl Set {
    fn load(files: &[CertificateFiles]) -> Result<Set, CertificateError> {
        // Taken before the files are read: a change in between is seen as a change at the next refresh.
        let stamp = stamp(files);
        let mut exact = HashMap::new();
        let mut wildcard = HashMap::new();
        let mut first = None;
        let mut expires_s = i64::MAX;
        for pair in files {
            let key = Arc::new(certified_key(pair)?);
            let (names, not_after) = facts(&pair.cert, &key.cert[0])?;
            expires_s = expires_s.min(not_after);
            for name in names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut wildcard, parent.to_owned()),
                    None => (&mut exact, name),
                };
                // The first certificate in the configuration wins.
                map.entry(name).or_insert_with(|| key.clone());
            }
            first.get_or_insert(key);
        }
        match first {
            Some(first) => Ok(Set { exact, wildcard, first, stamp, expires_s }),
            None => Err(CertificateError::Certificate(PathBuf::new(), "no certificate".into())),
        }
    }
}

fn certified_key(pair: &CertificateFiles) -> Result<CertifiedKey, CertificateError> {
    let wrong = |error: String| CertificateError::Certificate(pair.cert.clone(), error);
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&pair.cert)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong("no certificate in the file".into()));
    }
    let wrong = |error: String| CertificateError::Key(pair.key.clone(), error);
    let key = PrivateKeyDer::from_pem_file(&pair.key).map_err(|error| wrong(error.to_string()))?;
    let provider =
        CryptoProvider::get_default().ok_or_else(|| wrong("no crypto provider".into()))?;
    let key =
        provider.key_provider.load_private_key(key).map_err(|error| wrong(error.to_string()))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
            Ok(certified)
        }
        Err(_) => Err(CertificateError::Mismatch(pair.key.clone(), pair.cert.clone())),
    }
}

/// DNS names and end of validity.
fn facts(path: &Path, der: &[u8]) -> Result<(Vec<String>, i64), CertificateError> {
    let wrong = |error: String| CertificateError::Certificate(path.to_owned(), error);
    let (_, certificate) = X509Certificate::from_der(der)
        .map_err(|error| wrong(format!("not a certificate: {error}")))?;
    let names = certificate
        .subject_alternative_name()
        .ok()
        .flatten()
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default()
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    Ok((names, certificate.validity().not_after.timestamp()))
}

/// Times and sizes of the files. Mounts that swap links change both.
fn stamp(files: &[CertificateFiles]) -> Vec<Option<(SystemTime, u64)>> {
    files
        .iter()
        .flat_map(|pair| [&pair.cert, &pair.key])
        .map(|path| {
            let meta = std::fs::metadata(path).ok()?;
            Some((meta.modified().ok()?, meta.len()))
        })
        .collect()
}
