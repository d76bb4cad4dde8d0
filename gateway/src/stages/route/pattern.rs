//! Host and path patterns, read into the form in which canonical requests arrive.

use std::net::Ipv6Addr;

use crate::base::bounds;

/// Stands for one `{param}` in [`PathPattern::text`]; no canonical path holds a NUL.
pub(super) const PARAM: u8 = 0;

/// Longest name of a parameter, bytes.
const PARAM_NAME_BYTES: usize = 64;
/// Longest host name, bytes (RFC 1035 §2.3.4).
const HOST_BYTES: usize = 253;

/// Which hosts a route answers to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostPattern {
    Exact(String),
    /// What follows the one further label, without its leading dot.
    Wildcard(String),
    Any,
}

impl HostPattern {
    pub(super) fn parse(written: Option<&str>) -> Result<HostPattern, String> {
        let Some(written) = written else { return Ok(HostPattern::Any) };
        let host = written.to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        if let Some(base) = host.strip_prefix("*.") {
            return wildcard(base).map_err(|why| format!("host `{written}`: {why}"));
        }
        let checked = match host.strip_prefix('[') {
            Some(rest) => ipv6(rest),
            None => dns_name(host).map(|()| host.to_owned()),
        };
        checked.map(HostPattern::Exact).map_err(|why| format!("host `{written}`: {why}"))
    }

    /// The text that a request's host (or what follows its first label) must equal.
    pub(super) fn text(&self) -> &str {
        match self {
            HostPattern::Exact(text) | HostPattern::Wildcard(text) => text,
            HostPattern::Any => "",
        }
    }
}

/// Which paths a route answers to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PathPattern {
    /// Canonical text with one [`PARAM`] byte per parameter; the `/*` of a prefix is cut off.
    pub(super) text: String,
    /// Names of the parameters, in their order.
    pub(super) params: Vec<String>,
    /// Everything below `text` belongs to it too, and `text` itself.
    pub(super) prefix: bool,
}

impl PathPattern {
    pub(super) fn parse(written: &str) -> Result<PathPattern, String> {
        parse_path(written).map_err(|why| format!("path `{written}`: {why}"))
    }
}

fn parse_path(written: &str) -> Result<PathPattern, String> {
    let Some(relative) = written.strip_prefix('/') else {
        return Err("does not start with `/`".into());
    };
    if written.len() > bounds::TARGET_BYTES {
        return Err(format!("{} bytes, bound {}", written.len(), bounds::TARGET_BYTES));
    }
    let segments: Vec<&str> = relative.split('/').collect();
    if segments.len() > bounds::PATH_SEGMENTS {
        return Err(format!("{} segments, bound {}", segments.len(), bounds::PATH_SEGMENTS));
    }
    let mut pattern = PathPattern { text: String::new(), params: Vec::new(), prefix: false };
    for (index, segment) in segments.iter().enumerate() {
        add_segment(&mut pattern, segment, index + 1 == segments.len())?;
    }
    Ok(pattern)
}

fn add_segment(pattern: &mut PathPattern, segment: &str, last: bool) -> Result<(), String> {
    if segment == "*" && last {
        pattern.prefix = true;
        return Ok(());
    }
    if segment.contains('*') {
        return Err("`*` stands only for the whole last segment; a literal one is `%2A`".into());
    }
    pattern.text.push('/');
    if segment.contains(['{', '}']) {
        let name = param_name(segment)?;
        if pattern.params.contains(&name) {
            return Err(format!("parameter `{name}` appears twice"));
        }
        pattern.params.push(name);
        pattern.text.push(char::from(PARAM));
        return Ok(());
    }
    if segment.is_empty() && !last {
        return Err("holds an empty segment (`//`)".into());
    }
    pattern.text.push_str(&literal(segment)?);
    Ok(())
}

fn param_name(segment: &str) -> Result<String, String> {
    let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = name.filter(|name| !name.contains(['{', '}'])).ok_or_else(|| {
        format!("`{segment}`: a parameter is a whole segment, for example `/{{id}}/`")
    })?;
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > PARAM_NAME_BYTES || !name.bytes().all(word) {
        return Err(format!(
            "parameter name `{name}` is not 1 to {PARAM_NAME_BYTES} letters, digits, `_` or `-`"
        ));
    }
    Ok(name.to_owned())
}

/// One literal segment under the rules that canonical requests obey (RFC 3986 §6.2.2): escapes in upper case,
/// unreserved characters plain. Characters beyond ASCII are escaped, as every client does.
fn literal(segment: &str) -> Result<String, String> {
    let mut out = String::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => push_escaped(&mut out, decode(bytes.next(), bytes.next())?),
            128.. => push_escaped(&mut out, byte),
            b'?' => return Err("a path has no query".into()),
            b'#' => return Err("a path has no fragment".into()),
            _ if is_path_char(byte) => out.push(char::from(byte)),
            _ => return Err(format!("{:?} must be written as %{byte:02X}", char::from(byte))),
        }
    }
    match out.as_str() {
        "." | ".." => Err("holds a dot segment, which no canonical path does".into()),
        text if text.contains("%00") => Err("holds an encoded NUL, which is always refused".into()),
        _ => Ok(out),
    }
}

fn push_escaped(out: &mut String, byte: u8) {
    if is_unreserved(byte) {
        out.push(char::from(byte));
    } else {
        out.push_str(&format!("%{byte:02X}"));
    }
}

fn decode(high: Option<u8>, low: Option<u8>) -> Result<u8, String> {
    let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => Ok(u8::try_from(high * 16 + low).unwrap_or(u8::MAX)),
        _ => Err("`%` is not followed by two hexadecimal digits".into()),
    }
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// RFC 3986 §3.3 `pchar`, without escapes.
fn is_path_char(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=:@".contains(&byte)
}

fn wildcard(base: &str) -> Result<HostPattern, String> {
    dns_name(base)?;
    if !base.contains('.') {
        return Err("a wildcard needs at least two labels below it".into());
    }
    if base.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err("a wildcard stands for a name, not for an address".into());
    }
    Ok(HostPattern::Wildcard(base.to_owned()))
}

fn ipv6(rest: &str) -> Result<String, String> {
    let address = rest.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
    address
        .map(|address| format!("[{address}]"))
        .ok_or_else(|| "not an IPv6 address in brackets".into())
}

fn dns_name(host: &str) -> Result<(), String> {
    if !host.is_ascii() {
        return Err("written with letters beyond ASCII; use its `xn--` form".into());
    }
    if host.contains(':') {
        return Err("a host is written without a port".into());
    }
    if host.contains('*') {
        return Err("`*.` stands only at the start".into());
    }
    if host.is_empty() || host.len() > HOST_BYTES {
        return Err(format!("{} bytes, allowed 1 to {HOST_BYTES}", host.len()));
    }
    match host.split('.').find(|label| !is_label(label)) {
        Some(label) => Err(format!("`{label}` is not a label of a host name")),
        None => Ok(()),
    }
}

/// RFC 1123 §2.1, and `_`, which internal names use.
fn is_label(label: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=63).contains(&label.len())
        && label.bytes().all(word)
        && !label.starts_with('-')
        && !label.ends_with('-')
}
