//! The configuration as it may be shown: to the admin listener's readers, in a bug report. Secrets are references
//! in the document already; what is left to hide is what people put into places that are not for secrets.

use serde_json::{Map, Value as Json};

use super::document::Document;
use super::source::{sounds_secret, without_credentials};

/// What stands for a hidden value.
const HIDDEN: &str = "****";

/// A document as text: what a generation keeps of it for as long as it serves. As a value it is five times as large.
#[derive(Debug)]
pub struct Written(Box<str>);

impl Written {
    pub(super) fn new(document: &Document) -> Written {
        Written(serde_json::to_string(document).unwrap_or_default().into())
    }

    /// The effective configuration, without credentials in URLs and in header fields. What routes do not say is left out.
    pub fn redacted(&self) -> Json {
        let mut json = serde_json::from_str(&self.0).unwrap_or_default();
        redact(&mut json);
        json
    }
}

fn redact(json: &mut Json) {
    match json {
        Json::String(text) if text.contains("://") => *text = without_credentials(text),
        Json::Array(items) => items.iter_mut().for_each(redact),
        Json::Object(members) => {
            if let Some(Json::Object(fields)) = members.get_mut("headers") {
                hide_fields(fields);
            }
            members.values_mut().for_each(redact);
        }
        _ => {}
    }
}

/// Values that a route matches on, or that a test sends, may be shared secrets.
fn hide_fields(fields: &mut Map<String, Json>) {
    for (name, value) in fields {
        if sounds_secret(name) || name.to_lowercase().contains("authorization") {
            *value = HIDDEN.into();
        }
    }
}
