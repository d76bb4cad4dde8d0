//! Every finding the gateway can make is made by some test here, over a socket.

use std::fs;

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
    let folder = package().join("../tests");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let tests = files.filter(|path| {
        path.extension().is_some_and(|end| end == "rs") && !path.ends_with("codes.rs")
    });
    tests.map(|path| fs::read_to_string(path).unwrap()).collect()
}
