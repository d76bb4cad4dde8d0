//! Fields that only the gateway can have set.

use serde_json::{Value, json};

use super::rig::{Rig, map};
use crate::base::compile::{Compile, number};
use crate::stages::identity::forward::{Forward, names};
use crate::stages::identity::section::ForwardSection;

fn section(value: Value) -> ForwardSection {
    serde_json::from_value(value).unwrap()
}

fn forward(route: Option<Value>, defaults: Value) -> Forward {
    let (route, defaults) = (route.map(section), section(defaults));
    let mut cx = Compile::new();
    let forward = Forward::compile(route.as_ref(), &defaults, &[], &mut cx);
    assert_eq!(cx.into_problems(), []);
    forward
}

/// CVE-2025-64484, CVE-2025-48865: a client's own identity fields, in every spelling.
#[test]
fn identity_fields_of_the_client_are_removed() {
    let defaults = json!({ "claims": { "X-Tenant": "tenant" } });
    let elsewhere = names([&section(json!({ "claims": { "x_plan_name": "plan" } }))]);
    let forward = Forward::compile(None, &section(defaults), &elsewhere, &mut Compile::new());
    let cases = [
        ("x-yett-subject", true),
        ("X-Yett-Subject", true),
        ("x_yett_subject", true),
        ("X_YETT-anything", true),
        ("x-yett-", true),
        ("x-tenant", true),
        ("X_Tenant", true),
        ("x-plan-name", true),
        ("X_PLAN_NAME", true),
        ("x-yet", false),
        ("x-tenants", false),
        ("xx-yett-subject", false),
        ("authorization", false),
        ("accept", false),
    ];
    for (name, strips) in cases {
        assert_eq!(forward.strips(name), strips, "{name}");
    }
}

#[test]
fn authorization_goes_upstream_unless_told() {
    let cases = [
        (None, json!({}), false),
        (None, json!({ "authorization": "remove" }), true),
        (Some(json!({})), json!({ "authorization": "remove" }), true),
        (Some(json!({ "authorization": "keep" })), json!({ "authorization": "remove" }), false),
        (Some(json!({ "authorization": "remove" })), json!({}), true),
    ];
    for (route, defaults, strips) in cases {
        assert_eq!(forward(route.clone(), defaults).strips("Authorization"), strips, "{route:?}");
    }
}

#[tokio::test]
async fn fields_say_what_the_claims_say() {
    let rig = Rig::new();
    let forward = forward(
        Some(json!({ "claims": { "x-tenant": "tenant", "x-roles": "realm_access.roles" } })),
        json!({ "claims": { "x-tenant": "other", "x-level": "level", "x-beta": "beta" } }),
    );
    let claims = json!({
        "sub": "alice", "scope": "b a", "tenant": "acme inc", "other": "wrong", "level": 7, "beta": true,
        "realm_access": { "roles": ["clerk", "a b", "100%"] },
    });
    let identity = rig.plan.assume(&map(claims), rig.now).unwrap();
    let fields: Vec<(String, String)> = forward
        .fields(&identity)
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    let expected = [
        ("x-yett-subject", "alice"),
        ("x-yett-issuer", super::rig::ISSUER),
        ("x-yett-scopes", "a b"),
        ("x-beta", "true"),
        ("x-level", "7"),
        ("x-roles", "clerk a%20b 100%25"),
        ("x-tenant", "acme%20inc"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn values_cannot_break_out_of_their_field() {
    let rig = Rig::new();
    let forward = forward(None, json!({ "claims": { "x-name": "name" } }));
    let cases = [
        (json!("a\r\nx-yett-subject: root"), Some("a%0D%0Ax-yett-subject:%20root")),
        (json!("a\0b"), Some("a%00b")),
        (json!("Zo\u{eb}"), Some("Zo%C3%AB")),
        (json!("100%25"), Some("100%2525")),
        (json!(" a "), Some("%20a%20")),
        (json!(""), Some("")),
        (json!(["a\nb", 1]), Some("a%0Ab 1")),
        (json!(null), None),
        (json!({ "a": 1 }), None),
        (json!([["a"]]), None),
        (json!("x".repeat(4097)), None),
    ];
    for (value, expected) in cases {
        let identity = rig.plan.assume(&map(json!({ "name": value })), rig.now).unwrap();
        let fields = forward.fields(&identity);
        let found = fields.iter().find(|(name, _)| name == "x-name");
        assert_eq!(found.map(|(_, value)| value.to_str().unwrap()), expected, "{value}");
    }
    let identity = rig.plan.assume(&map(json!({})), rig.now).unwrap();
    assert!(forward.fields(&identity).iter().all(|(name, _)| name != "x-name"));
}

#[test]
fn fields_that_must_not_hold_claims() {
    let cases = [
        ("x-yett-subject", "tenant", number::FORWARD_FIELD),
        ("X_Yett_Role", "tenant", number::FORWARD_FIELD),
        ("Authorization", "tenant", number::FORWARD_FIELD),
        ("transfer_encoding", "tenant", number::FORWARD_FIELD),
        ("X-Forwarded-For", "tenant", number::FORWARD_FIELD),
        ("host", "tenant", number::FORWARD_FIELD),
        ("x tenant", "tenant", number::FORWARD_FIELD),
        ("x-tenant", "tenant..id", number::FORWARD_PATH),
        ("x-tenant", "\"tenant", number::FORWARD_PATH),
        ("x-tenant", "", number::FORWARD_PATH),
    ];
    for (name, path, number) in cases {
        let mut cx = Compile::new();
        let section = section(json!({ "claims": { name: path } }));
        Forward::compile(Some(&section), &ForwardSection::default(), &[], &mut cx);
        let problems = cx.into_problems();
        assert_eq!(problems[0].number, number, "{name}: {path}");
        assert_eq!(problems[0].place, vec!["claims".into(), name.to_owned().into()]);
    }
    let mut cx = Compile::new();
    let section = section(json!({ "claims": { "x-tenant": "a", "x_tenant": "b" } }));
    Forward::compile(None, &section, &[], &mut cx);
    assert_eq!(cx.into_problems()[0].number, number::FORWARD_TWICE);
}
