//! Every key is enforced: `keys.txt` names, for each key of the schema, tests that fail when the key does nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::tidy;

const KEYS: &str = include_str!("keys.txt");

/// Keys with their tests, as the list has them.
fn listed() -> Vec<(&'static str, Vec<&'static str>)> {
    let lines = KEYS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (key, tests) =
                line.split_once(": ").unwrap_or_else(|| panic!("`{line}` names no test"));
            (key, tests.split(' ').collect())
        })
        .collect()
}

#[test]
fn every_key_of_the_schema_has_its_proof() {
    let schema: Value = serde_json::from_str(&crate::config::schema::schema()).unwrap();
    let mut keys = Vec::new();
    collect(&schema, &schema, "", &mut Vec::new(), &mut keys);
    let listed: Vec<&str> = listed().iter().map(|(key, _)| *key).collect();
    let unproven: Vec<_> = keys.iter().filter(|key| !listed.contains(&key.as_str())).collect();
    assert!(unproven.is_empty(), "keys without a test that proves them: {unproven:#?}");
    let gone: Vec<_> =
        listed.iter().filter(|key| !keys.iter().any(|known| known == *key)).collect();
    assert!(gone.is_empty(), "keys that the schema does not have: {gone:#?}");
    assert!(
        keys.len() > 150 && listed.len() == keys.len(),
        "{} keys, {} lines",
        keys.len(),
        listed.len()
    );
}

/// Paths of all keys: `[]` for the items of a list, `*` for names that the operator chooses.
fn collect<'s>(
    root: &'s Value,
    schema: &'s Value,
    path: &str,
    inside: &mut Vec<&'s str>,
    keys: &mut Vec<String>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        if inside.contains(&name) {
            return;
        }
        inside.push(name);
        collect(root, &root["$defs"][name.trim_start_matches("#/$defs/")], path, inside, keys);
        inside.pop();
    }
    for branch in ["anyOf", "oneOf"].iter().filter_map(|branch| schema[branch].as_array()).flatten()
    {
        collect(root, branch, path, inside, keys);
    }
    for (key, below) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if !keys.contains(&path) {
            keys.push(path.clone());
        }
        collect(root, below, &path, inside, keys);
    }
    if schema["additionalProperties"].is_object() {
        collect(root, &schema["additionalProperties"], &format!("{path}.*"), inside, keys);
    }
    if schema["items"].is_object() {
        collect(root, &schema["items"], &format!("{path}[]"), inside, keys);
    }
}

#[test]
fn every_proof_is_a_test() {
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut missing = Vec::new();
    for (key, tests) in listed() {
        for test in tests {
            let (module, name) = test.rsplit_once("::").unwrap();
            let found = files(module).into_iter().find(|file| file.is_file());
            let is_there = found.is_some_and(|file| {
                let text =
                    texts.entry(file.clone()).or_insert_with(|| fs::read_to_string(&file).unwrap());
                is_test(text, name)
            });
            if !is_there {
                missing.push(format!("{key}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

/// Where a module may be written.
fn files(module: &str) -> [PathBuf; 2] {
    let (root, module) = match module.strip_prefix("e2e::") {
        Some(module) => (tidy::root().join("tests"), module),
        None => (tidy::root().join("gateway/src"), module),
    };
    let path = module.replace("::", "/");
    [root.join(format!("{path}.rs")), root.join(path).join("mod.rs")]
}

/// A function with a test attribute right above it.
fn is_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim_start).collect();
    let start = format!("fn {name}(");
    lines.iter().enumerate().any(|(at, line)| {
        let named = line.trim_start_matches("async ").starts_with(&start);
        let above = lines[..at]
            .iter()
            .rev()
            .take_while(|line| line.starts_with('#') || line.starts_with("//"));
        named
            && above
                .into_iter()
                .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    })
}
