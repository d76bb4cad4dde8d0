use std::sync::Arc;

use serde_json::{Value, json};

use super::section::AuthSection;
use super::{IssuerFacts, Plan, decide};
use crate::base::clock::Now;
use crate::base::code::Code::{self, *};
use crate::base::compile::{Compile, Problem, Step, number};
use crate::base::identity::Identity;

const NOW_S: u64 = 1_800_000_000;

fn section(value: Value) -> AuthSection {
    serde_json::from_value(value).unwrap()
}

fn compile(value: Value, acr_values: &[&str]) -> (Plan, Vec<Problem>) {
    let name: Arc<str> = "corp".into();
    let acr_values: Vec<Box<str>> = acr_values.iter().map(|acr| Box::from(*acr)).collect();
    let maps_mfa = !acr_values.is_empty();
    let facts = IssuerFacts { name: &name, acr_values: &acr_values, maps_mfa, skew_s: 30 };
    let mut cx = Compile::new();
    let plan = Plan::compile(&section(value), &[facts], &mut cx);
    (plan, cx.into_problems())
}

fn alice(claims: Value) -> Identity {
    let list = |name: &str| -> Box<[Box<str>]> {
        let mut names: Vec<Box<str>> = claims[name]
            .as_array()
            .map(|items| items.iter().map(|item| item.as_str().unwrap().into()).collect())
            .unwrap_or_default();
        names.sort();
        names.into()
    };
    Identity {
        issuer_name: "corp".into(),
        issuer: "https://id.example.com".into(),
        subject: "alice".into(),
        client_id: None,
        scopes: list("scopes"),
        roles: list("roles"),
        acr: None,
        amr: Box::default(),
        auth_time_s: claims["auth_time"].as_u64(),
        mfa: claims["mfa"] == true,
        expires_s: NOW_S + 60,
        claims: claims.as_object().unwrap().clone(),
    }
}

fn now() -> Now {
    Now { unix_us: NOW_S * 1_000_000, ..Now::read() }
}

/// Policy, identity, and what comes of them.
#[test]
fn verdicts() {
    let tenant = json!({ "claims": { "tenant": ["acme", "7", "true"] } });
    let cases: Vec<(Value, Value, Option<Code>)> = vec![
        (json!({}), json!({}), None),
        (json!({ "scopes": ["a"] }), json!({ "scopes": ["b", "a"] }), None),
        (json!({ "scopes": ["a", "b"] }), json!({ "scopes": ["a"] }), Some(PolicyScope)),
        (
            json!({ "scopes": ["admin"] }),
            json!({ "scopes": ["notadmin", "admin2", "Admin"] }),
            Some(PolicyScope),
        ),
        (json!({ "scopes": ["a"] }), json!({ "roles": ["a"], "scope": "a" }), Some(PolicyScope)),
        (json!({ "scopes": [] }), json!({}), None),
        (json!({ "roles": { "all": ["a", "b"] } }), json!({ "roles": ["b", "a"] }), None),
        (json!({ "roles": { "all": ["a", "b"] } }), json!({ "roles": ["a"] }), Some(PolicyRole)),
        (json!({ "roles": { "any": ["a", "b"] } }), json!({ "roles": ["b"] }), None),
        (json!({ "roles": { "any": ["a", "b"] } }), json!({ "roles": ["c"] }), Some(PolicyRole)),
        (
            json!({ "roles": { "all": ["c"], "any": ["a"] } }),
            json!({ "roles": ["a"] }),
            Some(PolicyRole),
        ),
        (tenant.clone(), json!({ "tenant": "acme" }), None),
        (tenant.clone(), json!({ "tenant": 7 }), None),
        (tenant.clone(), json!({ "tenant": true }), None),
        (tenant.clone(), json!({ "tenant": ["x", "acme"] }), None),
        (tenant.clone(), json!({ "tenant": "Acme" }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": "acme2" }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": 7.5 }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": null }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": { "acme": true } }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": [["acme"]] }), Some(PolicyClaim)),
        (tenant.clone(), json!({ "tenant": [] }), Some(PolicyClaim)),
        (tenant, json!({ "Tenant": "acme" }), Some(PolicyClaim)),
        (json!({ "claims": { "a.b": ["1"] } }), json!({ "a": { "b": "1" } }), None),
        (json!({ "claims": { "a.b": ["1"] } }), json!({ "a.b": "1" }), Some(PolicyClaim)),
        (json!({ "claims": { "\"a.b\"": ["1"] } }), json!({ "a.b": "1" }), None),
        (json!({ "mfa": true }), json!({ "mfa": true }), None),
        (json!({ "mfa": true }), json!({ "mfa": false }), Some(PolicyStepUp)),
        (json!({ "mfa": false }), json!({ "mfa": false }), None),
        (json!({ "max_age": "5m" }), json!({ "auth_time": NOW_S }), None),
        (json!({ "max_age": "5m" }), json!({ "auth_time": NOW_S - 330 }), None),
        (json!({ "max_age": "5m" }), json!({ "auth_time": NOW_S - 331 }), Some(PolicyStepUp)),
        (json!({ "max_age": "5m" }), json!({ "auth_time": NOW_S + 30 }), None),
        (json!({ "max_age": "5m" }), json!({ "auth_time": NOW_S + 31 }), Some(PolicyStepUp)),
        (json!({ "max_age": "5m" }), json!({ "iat": NOW_S }), Some(PolicyStepUp)),
        // What a new login cannot mend comes first.
        (json!({ "scopes": ["a"], "mfa": true }), json!({ "mfa": false }), Some(PolicyScope)),
    ];
    for (policy, claims, code) in cases {
        let (plan, problems) = compile(policy.clone(), &["urn:x:mfa"]);
        assert_eq!(problems, [], "{policy}");
        let found = decide(&plan, Some(&alice(claims.clone())), now()).err();
        assert_eq!(found.map(|finding| finding.code), code, "{policy} {claims}");
    }
}

#[test]
fn nobody_meets_nothing() {
    for policy in [
        json!({ "scopes": ["a"] }),
        json!({ "roles": { "any": ["a"] } }),
        json!({ "claims": { "a": ["b"] } }),
        json!({ "mfa": true }),
        json!({ "max_age": "5m" }),
    ] {
        let (plan, _) = compile(policy.clone(), &["urn:x:mfa"]);
        let finding = decide(&plan, None, now()).unwrap_err();
        assert_eq!(finding.code, IdentityMissing, "{policy}");
        assert_eq!(finding.headers[0].1, "Bearer realm=\"yett\"");
    }
    assert!(decide(&compile(json!({}), &[]).0, None, now()).is_ok());
}

/// The challenges, byte for byte (RFC 6750 §3, RFC 9470 §3).
#[test]
fn challenges() {
    let step_up =
        "Bearer realm=\"yett\", error=\"insufficient_user_authentication\", error_description=";
    let level = format!("{step_up}\"A different authentication level is required\"");
    let age = format!("{step_up}\"More recent authentication is required\"");
    let recent = json!({ "auth_time": NOW_S, "mfa": false });
    let cases = [
        (json!({ "mfa": true, "max_age": "5m" }), recent.clone(), format!("{level}, acr_values=\"urn:x:mfa 2\", max_age=\"300\"")),
        (json!({ "mfa": true }), recent.clone(), format!("{level}, acr_values=\"urn:x:mfa 2\"")),
        (json!({ "max_age": "5m" }), json!({}), format!("{age}, max_age=\"300\"")),
        (json!({ "mfa": true, "max_age": "5m" }), json!({ "mfa": true }), format!("{age}, acr_values=\"urn:x:mfa 2\", max_age=\"300\"")),
        (json!({ "scopes": ["b", "a"] }), recent, "Bearer realm=\"yett\", error=\"insufficient_scope\", error_description=\"The access token lacks a scope\", scope=\"b a\"".to_owned()),
    ];
    for (policy, claims, expected) in cases {
        let (plan, _) = compile(policy, &["urn:x:mfa", "2"]);
        let finding = decide(&plan, Some(&alice(claims)), now()).unwrap_err();
        assert_eq!(finding.headers[0].0, "www-authenticate");
        assert_eq!(finding.headers[0].1, *expected);
    }
}

#[test]
fn evidence_names_claims_but_not_their_values() {
    let (plan, _) = compile(json!({ "claims": { "email": ["a@example.com"] } }), &[]);
    let identity = alice(json!({ "email": "private@example.com" }));
    let finding = decide(&plan, Some(&identity), now()).unwrap_err();
    assert!(finding.evidence.contains("email") && !finding.evidence.contains("private"));
}

#[test]
fn problems_have_their_place() {
    let at =
        |steps: &[&str]| -> Vec<Step> { steps.iter().map(|s| (*s).to_owned().into()).collect() };
    let cases: Vec<(Value, u16, Vec<Step>)> = vec![
        (json!({ "scopes": ["a b"] }), number::SCOPE, vec!["scopes".into(), 0.into()]),
        (json!({ "scopes": ["a", ""] }), number::SCOPE, vec!["scopes".into(), 1.into()]),
        (json!({ "scopes": ["a\""] }), number::SCOPE, vec!["scopes".into(), 0.into()]),
        (
            json!({ "optional": true, "scopes": ["a"] }),
            number::OPTIONAL_WITH_DEMANDS,
            at(&["optional"]),
        ),
        (
            json!({ "optional": true, "max_age": "5m" }),
            number::OPTIONAL_WITH_DEMANDS,
            at(&["optional"]),
        ),
        (json!({ "mfa": true }), number::MFA_UNMAPPED, at(&["mfa"])),
        (json!({ "claims": { "a..b": ["x"] } }), number::CLAIM_PATH, at(&["claims", "a..b"])),
        (json!({ "claims": { "a": [] } }), number::CLAIM_VALUES, at(&["claims", "a"])),
        (json!({ "max_age": "500ms" }), number::MAX_AGE, at(&["max_age"])),
        (json!({ "max_age": "0s" }), number::MAX_AGE, at(&["max_age"])),
        (
            json!({ "roles": { "any": ["a", ""] } }),
            number::ROLE,
            vec!["roles".into(), "any".into(), 1.into()],
        ),
    ];
    for (policy, number, place) in cases {
        let (_, problems) = compile(policy.clone(), &[]);
        assert_eq!(problems.len(), 1, "{policy}: {problems:?}");
        assert_eq!((problems[0].number, &problems[0].place), (number, &place), "{policy}");
    }
}

#[test]
fn a_route_is_read_over_the_defaults() {
    let defaults = json!({ "issuers": ["corp"], "scopes": ["a"], "mfa": true, "max_age": "5m" });
    let cases = [
        (json!({}), defaults.clone()),
        (
            json!({ "scopes": [] }),
            json!({ "issuers": ["corp"], "scopes": [], "mfa": true, "max_age": "5m" }),
        ),
        (
            json!({ "mfa": false }),
            json!({ "issuers": ["corp"], "scopes": ["a"], "mfa": false, "max_age": "5m" }),
        ),
        (
            json!({ "optional": true, "mode": "monitor" }),
            json!({ "issuers": ["corp"], "scopes": ["a"], "mfa": true, "max_age": "5m", "optional": true, "mode": "monitor" }),
        ),
    ];
    for (route, expected) in cases {
        assert_eq!(
            section(route.clone()).over(&section(defaults.clone())),
            section(expected),
            "{route}"
        );
    }
}
