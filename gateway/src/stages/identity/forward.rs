//! What the service gets to know of the identity: fields that only the gateway can have set.
//!
//! The client's own fields of these names are removed in every spelling, on every route, authenticated or not. `_`
//! counts as `-`: CGI-like servers fold both into one variable (CVE-2025-64484).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;

use http::{HeaderName, HeaderValue};
use serde_json::Value;

use super::section::{ForwardAuthorization, ForwardSection};
use crate::base::bounds;
use crate::base::claims::ClaimPath;
use crate::base::compile::{Compile, number};
use crate::base::identity::Identity;

/// Fields to remove from the client's request and to set from the identity.
#[derive(Clone, Debug)]
pub struct Forward {
    claims: Box<[(HeaderName, ClaimPath)]>,
    /// Configured names, of this route and of all others, with `-` for `_`, sorted.
    stripped: Box<[Box<str>]>,
    authorization: ForwardAuthorization,
}

const PREFIX: &str = "x-yett-";
const SUBJECT: HeaderName = HeaderName::from_static("x-yett-subject");
const ISSUER: HeaderName = HeaderName::from_static("x-yett-issuer");
const SCOPES: HeaderName = HeaderName::from_static("x-yett-scopes");

/// Every field name that any of the sections sets, for [`Forward::compile`]: what one service trusts must not
/// reach another from a client either.
pub fn names<'s>(sections: impl IntoIterator<Item = &'s ForwardSection>) -> Vec<String> {
    let names = sections.into_iter().flat_map(|section| section.claims.keys());
    let mut names: Vec<String> = names.map(|name| folded(name).into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Forward {
    /// Reads a route's section over the defaults: the claims of both are sent, the route's path wins for the same
    /// field. The current place is the route's `forward`; problems of `defaults` are reported by compiling them
    /// with no route. `everywhere` is from [`names`].
    pub fn compile(
        route: Option<&ForwardSection>,
        defaults: &ForwardSection,
        everywhere: &[String],
        cx: &mut Compile,
    ) -> Forward {
        let mut claims = BTreeMap::new();
        let (shown, silent) = match route {
            Some(route) => (route, Some(defaults)),
            None => (defaults, None),
        };
        if let Some(defaults) = silent {
            fields(defaults, &mut Compile::new(), &mut claims);
        }
        cx.within("claims", |cx| fields(shown, cx, &mut claims));
        let mut stripped: Vec<Box<str>> = claims.keys().map(|name| name.as_str().into()).collect();
        stripped.extend(everywhere.iter().map(|name| name.as_str().into()));
        stripped.sort_unstable();
        stripped.dedup();
        let authorization = route.and_then(|route| route.authorization);
        Forward {
            claims: claims.into_values().collect(),
            stripped: stripped.into(),
            authorization: authorization.or(defaults.authorization).unwrap_or_default(),
        }
    }

    /// Whether a client's field must not go upstream.
    pub fn strips(&self, name: &str) -> bool {
        let name = folded(name);
        name.starts_with(PREFIX)
            || self.stripped.binary_search_by(|one| (**one).cmp(&*name)).is_ok()
            || (self.authorization == ForwardAuthorization::Remove && name == "authorization")
    }

    /// The fields of an identity. An absent claim has no field; neither has one that is no text, number, truth value or
    /// list of those, or longer than [`bounds::FORWARD_VALUE_BYTES`].
    pub fn fields(&self, identity: &Identity) -> Vec<(HeaderName, HeaderValue)> {
        let mut fields = Vec::with_capacity(3 + self.claims.len());
        let mut set = |name: &HeaderName, text: String| {
            if text.len() <= bounds::FORWARD_VALUE_BYTES {
                fields.extend(HeaderValue::try_from(text).ok().map(|value| (name.clone(), value)));
            }
        };
        set(&SUBJECT, encoded([&*identity.subject]));
        set(&ISSUER, encoded([&*identity.issuer]));
        if !identity.scopes.is_empty() {
            set(&SCOPES, encoded(identity.scopes.iter().map(|scope| &**scope)));
        }
        for (name, path) in &self.claims {
            if let Some(text) = path.find(&identity.claims).and_then(rendered) {
                set(name, text);
            }
        }
        fields
    }
}

/// Compiled fields by folded name.
type Fields = BTreeMap<String, (HeaderName, ClaimPath)>;

fn fields(section: &ForwardSection, cx: &mut Compile, into: &mut Fields) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for (name, path) in &section.claims {
        cx.within(name.clone(), |cx| {
            if let Some(first) = seen.insert(folded(name).into_owned(), name) {
                cx.error(number::FORWARD_TWICE, format!("field `{name}` is the same as `{first}`"))
                    .at_key();
            }
            match (settable(name), path.parse()) {
                (Ok(field), Ok(path)) => {
                    into.insert(folded(name).into_owned(), (field, path));
                }
                (field, path) => {
                    if let Err(error) = field {
                        cx.error(number::FORWARD_FIELD, error).at_key();
                    }
                    if let Err(error) = path {
                        cx.error(number::FORWARD_PATH, error);
                    }
                }
            }
        });
    }
}

/// Fields with a meaning of their own are not for claims: a token must not steer framing, routing or trust.
fn settable(name: &str) -> Result<HeaderName, String> {
    const RESERVED: [&str; 20] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-real-ip",
        "traceparent",
        "tracestate",
    ];
    let folded = folded(name);
    if folded.starts_with(PREFIX) {
        return Err(format!("field `{name}`: `{PREFIX}*` is set by the gateway itself"));
    }
    if RESERVED.contains(&&*folded) || folded.starts_with("x-forwarded-") {
        return Err(format!("field `{name}` has a meaning of its own and cannot hold a claim"));
    }
    HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a field name"))
}

/// Lower case, with `-` for `_`.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte == b'_' || byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase().replace('_', "-"))
    } else {
        Cow::Borrowed(name)
    }
}

fn rendered(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => {
            let texts = items.iter().map(scalar).collect::<Option<Vec<_>>>()?;
            Some(encoded(texts.iter().map(|text| &**text)))
        }
        _ => scalar(value).map(|text| encoded([&*text])),
    }
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Joins with spaces; every byte but visible ASCII, and `%` itself, becomes `%XX`: line breaks cannot end the
/// field, and the service can tell two values apart.
fn encoded<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut joined = String::new();
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            joined.push(' ');
        }
        for byte in text.bytes() {
            if byte.is_ascii_graphic() && byte != b'%' {
                joined.push(byte as char);
            } else {
                let _ = write!(joined, "%{byte:02X}");
            }
        }
    }
    joined
}
