//! The shipped files: the annotated reference, the minimal configuration, the schema and the documentation.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value as Json;

use super::super::load::{self, Loaded};
use super::super::redact::Written;
use super::super::schema::{generate, schema};
use super::super::shape::{Id, SHAPES};
use super::super::source::SourceMap;
use super::super::tree::{Entry, Node};
use crate::base::compile::number;
use crate::tidy;

fn shipped(name: &str) -> PathBuf {
    tidy::root().join(name)
}

fn loaded(name: &str) -> Loaded {
    load::load(&shipped(name)).unwrap_or_else(|report| panic!("{report}"))
}

#[test]
fn the_minimal_configuration_is_one_listener_one_service_and_one_public_route() {
    let document = loaded("config/minimal.yaml").document;
    let sizes = (document.listeners.len(), document.services.len(), document.routes.len());
    assert_eq!(sizes, (1, 1, 1));
    assert!(document.routes[0].public.is_some());
}

/// A key of a section: the shape of the section and the key in it.
type Key = (Id, String);

#[test]
fn the_reference_shows_and_explains_every_key() {
    let Loaded { source, .. } = loaded("config/reference.yaml");
    let text = std::fs::read_to_string(shipped("config/reference.yaml")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (mut all, mut explained) = (BTreeSet::new(), BTreeSet::new());
    collect(SHAPES.root, &mut all, &mut BTreeSet::new());
    visit(SHAPES.root, source.root(), &mut |key, entry| {
        if has_comment(&source, &lines, entry) {
            explained.insert(key);
        }
    });
    assert!(all.len() > 100, "only {} keys were found in the schema", all.len());
    let missing: Vec<&String> = all.difference(&explained).map(|(_, key)| key).collect();
    assert!(missing.is_empty(), "config/reference.yaml does not show, with a comment: {missing:?}");
}

/// Every key that the schema knows. Sections that are used in several places are known by their keys' shapes.
fn collect(id: Id, keys: &mut BTreeSet<Key>, seen: &mut BTreeSet<Id>) {
    if !seen.insert(id) {
        return;
    }
    let shape = SHAPES.get(id);
    let map = shape.map.iter();
    for (key, below) in map.clone().flat_map(|map| &map.keys) {
        keys.insert((*below, key.clone()));
        collect(*below, keys, seen);
    }
    for below in map.filter_map(|map| map.named).chain(shape.list) {
        collect(below, keys, seen);
    }
}

fn visit(id: Id, node: &Node, seen: &mut impl FnMut(Key, &Entry)) {
    let shape = SHAPES.get(id);
    for entry in node.entries() {
        let Some(map) = &shape.map else { continue };
        match map.keys.get(&*entry.key) {
            Some(below) => {
                seen((*below, entry.key.to_string()), entry);
                visit(*below, &entry.node, seen);
            }
            None => map.named.iter().for_each(|below| visit(*below, &entry.node, seen)),
        }
    }
    for (item, below) in node.items().iter().zip(shape.list.iter().cycle()) {
        visit(*below, item, seen);
    }
}

/// A comment on the key's line, or right above it.
fn has_comment(source: &SourceMap, lines: &[&str], entry: &Entry) -> bool {
    let line = source.location(entry.key_place).unwrap().line;
    let above = line.checked_sub(2).map_or("", |above| lines[above]);
    lines[line - 1].contains(" # ") || above.trim_start().starts_with("# ")
}

#[test]
fn what_the_reference_calls_a_default_is_the_default() {
    let text = std::fs::read_to_string(shipped("config/reference.yaml")).unwrap();
    let mut defaults = BTreeSet::new();
    find_defaults(generate().as_value(), &mut defaults);
    let mut checked = 0;
    for line in text.lines() {
        let Some((written, default)) = line.rsplit_once("; default ") else { continue };
        let (key, _) = written.split_once(':').unwrap();
        let default = (key.trim().to_owned(), default.trim_matches('"').to_owned());
        assert!(defaults.contains(&default), "`{}` is not `{}` by default", default.0, default.1);
        checked += 1;
    }
    assert!(checked > 30, "only {checked} defaults were found");
}

/// Every key with its default, as the reference writes it.
fn find_defaults(schema: &Json, defaults: &mut BTreeSet<(String, String)>) {
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (key, property) in properties {
        let written = match &property["default"] {
            Json::String(text) => text.clone(),
            Json::Array(items) => {
                items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        defaults.insert((key.clone(), written));
    }
    let below = schema["$defs"].as_object().into_iter().flatten();
    below.for_each(|(_, section)| find_defaults(section, defaults));
}

#[test]
fn the_schema_is_current() {
    let shipped = std::fs::read_to_string(shipped("config/schema.json")).unwrap_or_default();
    assert!(shipped == schema(), "config/schema.json is stale: yett schema > config/schema.json");
}

#[test]
fn every_number_is_documented_once_and_no_other() {
    let page = std::fs::read_to_string(shipped("docs/config.md")).unwrap();
    let documented: Vec<u16> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| Y")?.split_once(' ')?.0.parse().ok())
        .collect();
    let numbers: Vec<u16> = number::ALL.iter().map(|(number, _)| *number).collect();
    assert_eq!(documented, numbers, "docs/config.md lists the numbers of base/compile/number.rs");
    assert!(numbers.is_sorted_by(|a, b| a < b), "a number is used twice or out of order");
}

#[test]
fn what_is_shown_can_be_loaded_again() {
    let document = loaded("config/reference.yaml").document;
    let again = load::load_str("shown", &Written::new(&document).redacted().to_string());
    assert_eq!(again.unwrap_or_else(|report| panic!("{report}")).document, document);
}

#[test]
fn what_the_admin_listener_shows_holds_no_secret() {
    let text = "version: 1\nlisteners: {}\n\
        admin: { bind: 127.0.0.1:1, token: env:ADMIN }\n\
        store: { redis: redis://user:hunter2@a:6379/1 }\n\
        routes:\n  - { id: a, match: { path: /, headers: { X-Api-Key: hunter2, x-kind: b } } }\n\
        tests:\n  - { request: { path: /, headers: { Authorization: hunter2 } }, expect: {} }\n";
    let shown = Written::new(&load::load_str("yett.yaml", text).unwrap().document).redacted();
    assert!(!shown.to_string().contains("hunter2"), "{shown}");
    assert_eq!(shown["admin"]["token"], "env:ADMIN");
    assert_eq!(shown["store"]["redis"], "redis://****@a:6379/1");
    assert_eq!(shown["routes"][0]["match"]["headers"]["x-kind"], "b");
}
