//! The configuration as it may be shown: to the admin listener's readers, in a bug report. Secrets are references
//! in the document already; what is left to hide is what people put into places that are not for secrets.

use serde_json::{Map, Value as Json};

use super::document::Document;
use super::source::{sounds_secret, without_credentials};

/// What stands for a hidden value.
const HIDDEN: &str = "****";

/// The effective configuration, defaults included, without credentials in URLs and in header fields.
pub fn redacted(document: &Document) -> Json {
    let mut json = serde_json::to_value(document).unwrap_or_default();
    redact(&mut json);
    json
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
