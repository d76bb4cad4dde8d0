//! What rules mean: each case is rules, a request, and what comes of it.

use crate::{
    Action, Bounds, EngineMode, Exceeded, Exclusion, Interruption, Outcome, Over, Profile,
    ProfileError, ProfileOptions, RuleSelector, Ruleset, Transaction, Verdict,
};

mod bodies;
mod chains;
mod collections;
mod control;
mod cves;
mod defaults;
mod geo;
mod limits;
mod lists;
mod prefilter;
mod profiles;
mod records;
mod settings;
mod variables;

fn ruleset(rules: &str) -> Ruleset {
    Ruleset::builder().text("t.conf", rules).build().unwrap_or_else(|errors| panic!("{errors}"))
}

fn profile(rules: &str) -> Profile {
    Profile::new(&ruleset(rules), ProfileOptions::default()).unwrap()
}

fn with(rules: &str, options: ProfileOptions) -> Profile {
    Profile::new(&ruleset(rules), options).unwrap()
}

/// A GET of a target with a host and nothing else, through all phases.
fn get(profile: &Profile, target: &str) -> Transaction {
    send(profile, "GET", target, &[], b"")
}

fn post(profile: &Profile, content_type: &str, body: &str) -> Transaction {
    send(profile, "POST", "/", &[("Content-Type", content_type)], body.as_bytes())
}

fn send(
    profile: &Profile,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Transaction {
    let mut tx = Transaction::new(profile.clone());
    tx.connection([192, 0, 2, 7].into(), 40_000, [192, 0, 2, 1].into(), 443);
    tx.request_line(method.as_bytes(), target.as_bytes(), b"HTTP/1.1");
    tx.header(b"Host", b"example.com:8443");
    headers.iter().for_each(|(name, value)| tx.header(name.as_bytes(), value.as_bytes()));
    tx.head();
    if tx.wants_body() {
        tx.body_chunk(body).unwrap();
    }
    tx.body();
    tx.response_line(200, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"text/html");
    tx.response_head();
    tx.response_body();
    tx.finish();
    tx
}

/// The messages of all matches: what most cases look at.
fn messages(tx: &Transaction) -> Vec<&str> {
    tx.matches().iter().map(|found| found.message.as_str()).collect()
}

/// A last rule that shows transaction variables.
fn show(text: &str) -> String {
    format!("\nSecAction \"id:999,phase:5,pass,msg:'{text}'\"")
}

fn shown(rules: &str, text: &str, target: &str) -> String {
    let tx = get(&profile(&format!("{rules}{}", show(text))), target);
    tx.matches().last().map(|found| found.message.clone()).unwrap_or_default()
}
