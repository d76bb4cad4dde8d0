//! Every finding the gateway can make is made by some test here, over a socket.

use std::fs;
use std::path::Path;

use yett::base::code::Code;

use crate::material::package;

/// Those that cannot be provoked from outside, and why.
const UNPROVOKED: [(&str, &str); 2] = [
    ("edge.panic", "a stage would have to panic, and none does on purpose"),
    ("edge.overloaded", "a connection beyond its bound is closed before it becomes a request"),
];

#[test]
fn every_code_is_exercised() {
    let sources = sources();
    let named = |code: &str| sources.contains(&format!("\"{code}\""));
    let missing: Vec<_> = Code::ALL
        .iter()
        .map(|code| code.as_str())
        .filter(|code| !named(code) && !UNPROVOKED.iter().any(|(one, _)| one == code))
        .collect();
    assert!(missing.is_empty(), "no test provokes {missing:?}");
    for (code, why) in UNPROVOKED {
        assert!(!named(code), "`{code}` is provoked after all; it said: {why}");
    }
}

/// All tests but this one.
fn sources() -> String {
    read(&package().join("../tests"))
}

fn read(folder: &Path) -> String {
    let mut text = String::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            text.push_str(&read(&path));
        } else if path.extension().is_some_and(|end| end == "rs") && !path.ends_with("codes.rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}
