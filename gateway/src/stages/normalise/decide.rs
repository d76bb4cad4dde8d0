//! Method, target and host -> the canonical reading.

use http::HeaderValue;
use http::header::ALLOW;

use super::{host, target};
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};
use crate::base::request::Canonical;

/// What a parser found, before anyone gave it a meaning.
#[derive(Clone, Copy, Debug)]
pub struct Raw<'a> {
    pub method: &'a [u8],
    /// Request target of HTTP/1, `:path` of HTTP/2.
    pub target: &'a [u8],
    /// Host of HTTP/1, `:authority` of HTTP/2 (or Host when it sends none).
    pub host: Option<&'a [u8]>,
}

/// The one reading of target and host.
pub fn decide(raw: Raw<'_>) -> Decision<Canonical> {
    if raw.method == b"CONNECT" {
        return Err(tunnel(raw.target));
    }
    if raw.target == b"*" {
        return asterisk(raw);
    }
    let (authority, origin) = split_absolute(raw.target)?;
    let (name, port) = match raw.host {
        Some(host) => host::read(host)?,
        None => (String::new(), None),
    };
    if let Some(authority) = authority {
        agree(authority, &name, port)?;
    }
    let read = target::read(origin)?;
    Ok(Canonical {
        host: name,
        port,
        path: read.path,
        query: read.query,
        encoded_separator: read.encoded_separator,
        rewritten: read.rewritten || authority.is_some(),
    })
}

/// A gateway for services is no tunnel for clients. What asks for one without host and port is not even a request for
/// one (RFC 9110 §9.3.6).
fn tunnel(target: &[u8]) -> Box<Finding> {
    match host::read(target) {
        // Of a target that is no resource no method is allowed, and a 405 says which are (RFC 9110 §15.5.6).
        Ok((_, Some(_))) => Finding::new(Code::RouteMethod, "CONNECT")
            .detail("CONNECT is not supported")
            .header(ALLOW, HeaderValue::from_static("")),
        _ => Finding::new(Code::NormaliseTarget, "CONNECT without host and port")
            .detail("the target must be a host with a port"),
    }
}

/// `OPTIONS *` (RFC 9112 §3.2.4).
fn asterisk(raw: Raw<'_>) -> Decision<Canonical> {
    if raw.method != b"OPTIONS" {
        return Err(Finding::new(
            Code::NormaliseTarget,
            "target `*` with a method other than OPTIONS",
        )
        .detail("the target `*` is for OPTIONS only"));
    }
    let (host, port) = match raw.host {
        Some(host) => host::read(host)?,
        None => (String::new(), None),
    };
    Ok(Canonical { host, port, path: "*".into(), ..Canonical::default() })
}

/// Authority (of an absolute-form target, RFC 9112 §3.2.2) and the rest.
fn split_absolute(target: &[u8]) -> Decision<(Option<&[u8]>, &[u8])> {
    if target.starts_with(b"/") {
        return Ok((None, target));
    }
    let Some(rest) = strip_scheme(target) else {
        return Err(Finding::new(
            Code::NormaliseTarget,
            "target is neither a path nor an http URI",
        )
        .detail("the target must be a path"));
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, origin) = rest.split_at(end);
    if !origin.is_empty() && !origin.starts_with(b"/") {
        return Err(Finding::new(Code::NormaliseTarget, "absolute target without a path")
            .detail("the target must have a path"));
    }
    Ok((Some(authority), if origin.is_empty() { b"/" } else { origin }))
}

fn strip_scheme(target: &[u8]) -> Option<&[u8]> {
    [b"http://".as_slice(), b"https://".as_slice()].into_iter().find_map(|scheme| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// An absolute target and Host must name the same host: whoever reads only one of them must not be fooled.
fn agree(authority: &[u8], host: &str, port: Option<u16>) -> Decision<()> {
    if host::read(authority)? != (host.to_owned(), port) {
        return Err(Finding::new(Code::NormaliseHost, "absolute target and Host differ")
            .detail("the target and Host name different hosts"));
    }
    Ok(())
}
