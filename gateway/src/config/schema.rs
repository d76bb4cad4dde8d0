//! The JSON schema of the configuration, generated from the Rust types: editors complete and check with it,
//! and the reader's own shape check runs on it, so that neither can drift from what the gateway takes.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::document::Document;

/// The schema as `yett schema` prints it and `config/schema.json` holds it.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&generate()).unwrap_or_default();
    text.push('\n');
    text
}

/// JSON Schema 2020-12 of [`Document`].
pub(super) fn generate() -> Schema {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("title".into(), "Yett configuration".into());
    schema
}
