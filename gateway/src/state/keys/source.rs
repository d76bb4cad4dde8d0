//! Where a key set comes from.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

/// A key set's source and how it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySource {
    pub place: Place,
    /// How often it is loaded again. Files are read every few seconds, whatever this says.
    pub refresh: Duration,
    /// Private addresses and plain `http` are allowed.
    pub private: bool,
}

/// Where the document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The `jwks_uri` of the OpenID Connect discovery document at this address.
    Discovery(Url),
    Url(Url),
    File(PathBuf),
}

impl Place {
    /// Reads `discover`, `https://...` or `file:PATH`.
    pub fn parse(text: &str, issuer: &str, private: bool) -> Result<Place, String> {
        if text == "discover" {
            let base = issuer.strip_suffix('/').unwrap_or(issuer);
            let address = format!("{base}/.well-known/openid-configuration");
            return fetchable(&address, private).map(Place::Discovery);
        }
        match text.strip_prefix("file:") {
            Some("") => Err("`file:` names no file".into()),
            Some(path) => Ok(Place::File(path.into())),
            None => fetchable(text, private).map(Place::Url),
        }
    }
}

/// A URL that we may fetch from. The host's addresses are checked again when it is resolved.
pub fn fetchable(text: &str, private: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| {
        format!("`{text}` is not a URL ({error}); allowed: discover, https://..., file:PATH")
    })?;
    match url.scheme() {
        "https" => {}
        "http" if private => {}
        "http" => {
            return Err(format!(
                "`{text}` has no TLS: whoever is on the path could replace the keys; \
                 `dangerous_private_jwks: true` allows it"
            ));
        }
        other => {
            return Err(format!(
                "scheme `{other}` is not one of: discover, https://..., file:PATH"
            ));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a key set URL must not hold a user name or password".into());
    }
    if url.fragment().is_some() {
        return Err(format!("`{text}` holds a fragment"));
    }
    match literal_address(&url) {
        Some(ip) if !private && !is_public(ip) => Err(format!(
            "`{text}` is on a private address; `dangerous_private_jwks: true` allows it"
        )),
        _ => Ok(url),
    }
}

/// The host as an address, when it is written as one.
fn literal_address(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Whether an address is one of the public Internet: not loopback, private, link-local (cloud metadata), shared,
/// multicast, documentation or reserved (RFC 6890).
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            // Only 2000::/3 is assigned; 6to4, Teredo and documentation inside it can stand for private targets.
            first & 0xe000 == 0x2000
                && first != 0x2002
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && !(first == 0x3fff && second < 0x1000)
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Discovery(url) | Place::Url(url) => write!(f, "{url}"),
            Place::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}
