//! Problems of issuer sections: all of them, each at its place.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::rig::{NOW_S, Rig, map};
use crate::base::compile::{Compile, Problem, Step, number};
use crate::stages::identity::section::IssuerSection;
use crate::stages::identity::{Issuers, Plan, plan};
use crate::state::keys::KeySets;
use crate::state::keys::fetch::Fetch;

struct NoNetwork;

#[async_trait]
impl Fetch for NoNetwork {
    async fn get(&self, url: &reqwest::Url, _: bool) -> Result<Vec<u8>, String> {
        panic!("fetched {url} while compiling");
    }
}

fn section(changes: Value) -> IssuerSection {
    let mut whole =
        json!({ "issuer": "https://id.example.com", "audiences": ["api"], "jwks": "discover" });
    whole.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn compile(sections: &[(&str, Value)]) -> (Issuers, Vec<Problem>) {
    let sections: BTreeMap<String, IssuerSection> = sections
        .iter()
        .map(|(name, changes)| ((*name).to_owned(), section(changes.clone())))
        .collect();
    let mut cx = Compile::new();
    let issuers = plan::compile(&sections, &mut cx, &KeySets::new(Arc::new(NoNetwork)));
    (issuers, cx.into_problems())
}

#[test]
fn sections_that_are_taken() {
    let sections = [
        json!({}),
        json!({ "jwks": "https://id.example.com/keys" }),
        json!({ "jwks": "http://127.0.0.1:8080/keys", "dangerous_private_jwks": true }),
        json!({ "skew": "60s", "refresh": "10s" }),
        json!({ "roles_from": ["realm_access.roles", "a.\"b.c\".d", "\"https://x.example/r\""] }),
    ];
    for changes in sections {
        let (issuers, problems) = compile(&[("corp", changes.clone())]);
        assert_eq!(problems, [], "{changes}");
        assert!(issuers["corp"].is_some(), "{changes}");
    }
}

#[test]
fn each_problem_has_its_place() {
    let cases: Vec<(Value, u16, Vec<Step>)> = vec![
        (
            json!({ "issuer": "", "jwks": "https://x.example/" }),
            number::ISSUER,
            vec!["issuer".into()],
        ),
        (
            json!({ "issuer": "https://id.example.com " , "jwks": "https://x.example/" }),
            number::ISSUER,
            vec!["issuer".into()],
        ),
        (json!({ "audiences": [] }), number::AUDIENCES, vec!["audiences".into()]),
        (json!({ "audiences": ["a", ""] }), number::AUDIENCES, vec!["audiences".into(), 1.into()]),
        (json!({ "jwks": "keys.json" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (json!({ "jwks": "file:" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (json!({ "jwks": "ftp://id.example.com/" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (json!({ "jwks": "http://id.example.com/" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (
            json!({ "jwks": "https://user:secret@id.example.com/" }),
            number::JWKS_ADDRESS,
            vec!["jwks".into()],
        ),
        (json!({ "jwks": "https://id.example.com/#a" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (
            json!({ "jwks": "https://169.254.169.254/latest" }),
            number::JWKS_ADDRESS,
            vec!["jwks".into()],
        ),
        (json!({ "jwks": "https://[::1]/" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (
            json!({ "jwks": "https://[::ffff:10.0.0.1]/" }),
            number::JWKS_ADDRESS,
            vec!["jwks".into()],
        ),
        (json!({ "jwks": "https://2130706433/" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (json!({ "issuer": "corp" }), number::JWKS_ADDRESS, vec!["jwks".into()]),
        (json!({ "jwks": "file:/nowhere/keys.json" }), number::JWKS_FILE, vec!["jwks".into()]),
        (json!({ "algorithms": [] }), number::ALGORITHMS, vec!["algorithms".into()]),
        (
            json!({ "algorithms": ["ES256", "ES256"] }),
            number::ALGORITHMS,
            vec!["algorithms".into(), 1.into()],
        ),
        (
            json!({ "mfa": { "any_acr": ["a b"] } }),
            number::MFA_VALUE,
            vec!["mfa".into(), "any_acr".into(), 0.into()],
        ),
        (
            json!({ "mfa": { "any_amr": ["a", "\""] } }),
            number::MFA_VALUE,
            vec!["mfa".into(), "any_amr".into(), 1.into()],
        ),
        (json!({ "skew": "61s" }), number::SKEW, vec!["skew".into()]),
        (json!({ "refresh": "9s" }), number::REFRESH, vec!["refresh".into()]),
        (json!({ "refresh": "13h" }), number::REFRESH, vec!["refresh".into()]),
        (
            json!({ "roles_from": ["a..b"] }),
            number::ROLES_PATH,
            vec!["roles_from".into(), 0.into()],
        ),
    ];
    for (changes, number, mut place) in cases {
        place.splice(0..0, ["issuers".into(), Step::from("corp".to_owned())]);
        let (_, problems) = compile(&[("corp", changes.clone())]);
        assert_eq!(problems.len(), 1, "{changes}: {problems:?}");
        assert_eq!((problems[0].number, &problems[0].place), (number, &place), "{changes}");
        assert!(!problems[0].message.contains("secret"), "{changes}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let bad = json!({
        "audiences": [], "jwks": "nowhere", "algorithms": [], "skew": "2m", "roles_from": [""]
    });
    let (issuers, problems) = compile(&[("corp", bad)]);
    let mut numbers: Vec<u16> = problems.iter().map(|problem| problem.number).collect();
    numbers.sort_unstable();
    assert_eq!(
        numbers,
        [
            number::AUDIENCES,
            number::JWKS_ADDRESS,
            number::ALGORITHMS,
            number::SKEW,
            number::ROLES_PATH
        ]
    );
    assert!(issuers["corp"].is_none());
}

#[test]
fn symmetric_algorithms_cannot_be_written() {
    for name in ["HS256", "none", "ES512"] {
        let text = json!({ "issuer": "i", "audiences": [], "jwks": "", "algorithms": [name] });
        assert!(serde_json::from_value::<IssuerSection>(text).is_err(), "{name}");
    }
}

#[test]
fn an_issuer_value_belongs_to_one_name() {
    let (_, problems) = compile(&[("a", json!({})), ("b", json!({}))]);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].number, number::DUPLICATE_ISSUER);
    assert_eq!(problems[0].place, ["issuers", "b", "issuer"].map(Step::from));
    assert_eq!(problems[0].related, Some(["issuers", "a", "issuer"].map(Step::from).to_vec()));
}

#[test]
fn a_route_names_issuers_that_exist() {
    let (issuers, _) = compile(&[("corp", json!({})), ("bad", json!({ "issuer": "x y" }))]);
    let mut cx = Compile::new();
    let names = ["corp", "corq", "bad"].map(str::to_owned);
    let plan = Plan::compile(&names, false, &issuers, &mut cx);
    let problems = cx.into_problems();
    assert_eq!(problems.len(), 1, "the broken issuer was reported where it is defined");
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean `corp`?"));
    assert_eq!(plan.issuers.len(), 1);
}

#[tokio::test]
async fn claims_that_count_as_verified() {
    let rig = Rig::new();
    let assume = |claims: Value| rig.plan.assume(&map(claims), rig.now);
    let identity =
        assume(json!({ "scope": "orders:refund", "acr": "urn:x:mfa", "auth_age": "30s" })).unwrap();
    assert!(identity.has_scope("orders:refund") && identity.mfa);
    assert_eq!(identity.auth_time_s, Some(NOW_S - 30));
    assert_eq!(&*identity.subject, "test");
    assert!(assume(json!({ "issuer": "corp", "sub": "alice" })).is_ok());
    for wrong in [json!({ "issuer": "other" }), json!({ "scope": 1 }), json!({ "auth_age": "x" })] {
        assert!(assume(wrong.clone()).is_err(), "{wrong}");
    }
}
