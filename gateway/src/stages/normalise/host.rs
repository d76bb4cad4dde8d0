//! Host and `:authority` (RFC 9110 §7.2, RFC 3986 §3.2.2).

use std::net::Ipv6Addr;

use crate::base::code::Code;
use crate::base::decision::{Decision, Finding};

/// Longest host, bytes (RFC 1035 §2.3.4).
const HOST_BYTES: usize = 255;

/// Lower-case host without a trailing dot, and the port when one is written.
pub(super) fn read(raw: &[u8]) -> Decision<(String, Option<u16>)> {
    let invalid = |why: &'static str| {
        Err(Finding::new(Code::NormaliseHost, why)
            .detail("Host is not a host name with an optional port"))
    };
    let Ok(text) = std::str::from_utf8(raw) else {
        return invalid("host is not ASCII");
    };
    let Some((host, port)) = split_port(text) else {
        return invalid("malformed IPv6 literal or port");
    };
    let port = match port {
        None => None,
        Some(digits) => match parse_port(digits) {
            Some(port) => Some(port),
            None => return invalid("port is not a number from 1 to 65535"),
        },
    };
    if let Some(literal) = host.strip_prefix('[') {
        let literal =
            literal.strip_suffix(']').and_then(|literal| literal.parse::<Ipv6Addr>().ok());
        return match literal {
            Some(address) => Ok((format!("[{address}]"), port)),
            None => invalid("malformed IPv6 literal"),
        };
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_empty()
        || host.len() > HOST_BYTES
        || !host.as_bytes().split(|byte| *byte == b'.').all(is_label)
    {
        return invalid("host is not a name");
    }
    Ok((host.to_ascii_lowercase(), port))
}

fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if text.starts_with('[') {
        let close = text.find(']')?;
        let (host, rest) = text.split_at(close + 1);
        return match rest.strip_prefix(':') {
            Some(port) => Some((host, Some(port))),
            None if rest.is_empty() => Some((host, None)),
            None => None,
        };
    }
    match memchr::memchr(b':', text.as_bytes()) {
        Some(colon) => Some((&text[..colon], Some(&text[colon + 1..]))),
        None => Some((text, None)),
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Letters, digits, hyphen; underscore because service names in clusters use it.
fn is_label(label: &[u8]) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
