//! The schema says nothing that the shape check does not understand.

use serde_json::Value as Json;

use super::super::schema::generate;
use super::super::shape::{SHAPES, Text};

/// Keywords that the compiler of shapes reads, and those that only explain.
const KEYWORDS: [&str; 18] = [
    "$ref",
    "$defs",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "default",
    "description",
    "enum",
    "examples",
    "format",
    "items",
    "maximum",
    "minimum",
    "oneOf",
    "properties",
    "required",
    "title",
];
const FORMATS: [&str; 6] = ["ip", "uint", "uint8", "uint16", "uint32", "uint64"];

#[test]
fn every_keyword_of_the_schema_is_checked() {
    keywords(generate().as_value(), "document");
}

fn keywords(schema: &Json, name: &str) {
    let Some(schema) = schema.as_object() else { return };
    for (keyword, value) in schema {
        match (keyword.as_str(), value) {
            ("properties" | "$defs", Json::Object(below)) => {
                below.iter().for_each(|(name, schema)| keywords(schema, name));
            }
            ("anyOf" | "oneOf", Json::Array(below)) => {
                below.iter().for_each(|schema| keywords(schema, name));
            }
            ("items" | "additionalProperties", below) => keywords(below, name),
            ("type", _) => {}
            // A pattern is what one of our types says of itself; the type reads the text.
            ("pattern", _) => {
                assert!(reads(name), "{name} has a pattern and no reader in shape.rs")
            }
            ("format", format) => {
                assert!(FORMATS.contains(&format.as_str().unwrap()), "{name}: format {format}");
            }
            (known, _) => assert!(KEYWORDS.contains(&known), "{name}: keyword {known}"),
        }
    }
}

fn reads(name: &str) -> bool {
    super::super::shape::reader(name).is_some()
}

#[test]
fn shapes_are_found_for_every_key() {
    let root = SHAPES.get(SHAPES.root).map.as_ref().unwrap();
    assert_eq!(root.required, ["version", "listeners"]);
    let admin = SHAPES.get(root.keys["admin"]);
    assert!(admin.null, "an optional section may be null");
    let token = SHAPES.get(admin.map.as_ref().unwrap().keys["token"]);
    assert!(matches!(token.text, Some(Text::Read { secret: true, .. })));
}

#[test]
fn every_key_and_every_section_says_what_it_is() {
    let schema = generate();
    let mut silent = Vec::new();
    described(schema.as_value(), "configuration", &mut silent);
    for (name, section) in schema.as_value()["$defs"].as_object().unwrap() {
        described(section, name, &mut silent);
    }
    assert!(silent.is_empty(), "without a description: {silent:?}");
}

fn described(section: &Json, name: &str, silent: &mut Vec<String>) {
    if section.get("description").is_none() {
        silent.push(name.to_owned());
    }
    for (key, property) in section["properties"].as_object().into_iter().flatten() {
        if property.get("description").is_none() {
            silent.push(format!("{name}.{key}"));
        }
    }
}
