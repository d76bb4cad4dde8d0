//! One key, one request, two outcomes: without the key and with it. `keys.txt` names this test as the proof of the keys
//! here.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::{accepted, outcome, snapshot};

/// Place of the key (JSON pointer), its value before (`null`: not written) and after, the request, and the outcome
/// before and after.
type Case = (&'static str, Value, Value, Value, &'static str, &'static str);

fn base() -> Value {
    let issuer = |name: &str| {
        json!({
            "issuer": format!("https://{name}.example.com"), "audiences": ["api"],
            "jwks": format!("https://{name}.example.com/keys"),
            "mfa": { "any_acr": ["mfa"] }, "roles_from": ["roles"],
        })
    };
    json!({
        "version": 1,
        "listeners": { "public": { "bind": "127.0.0.1:0", "trusted_proxies": ["10.0.0.0/8"] } },
        "issuers": { "corp": issuer("corp"), "other": issuer("other") },
        "limits": {
            "often": { "rate": "5/1s", "key": "client.ip" },
            "seldom": { "rate": "1/1m", "key": "token.sub" },
        },
        "services": { "web": { "endpoints": ["127.0.0.1:1"] } },
        "defaults": { "auth": { "issuers": ["corp"] } },
        "routes": [
            { "id": "a", "match": { "path": "/a" }, "to": "web" },
            { "id": "open", "match": { "path": "/open" }, "public": "for tests", "to": "web" },
            { "id": "rest", "match": { "path": "/*" }, "public": "for tests", "respond": { "status": 404 } },
        ],
    })
}

/// The document with a value at a place; sections on the way are made.
fn with(mut document: Value, place: &str, value: &Value) -> Value {
    let mut at = &mut document;
    for step in place.split('/').skip(1) {
        at = match at {
            Value::Array(items) => &mut items[step.parse::<usize>().unwrap()],
            other => &mut other[step],
        };
    }
    *at = value.clone();
    document
}

/// Rules take a while to compile: only those who ask for them get them.
fn base_with_rules() -> Value {
    with(base(), "/waf", &json!({ "std": { "rules": ["builtin"] } }))
}

fn check(base: fn() -> Value, cases: Vec<Case>) {
    for (place, before, after, request, first, second) in cases {
        for (value, expected) in [(before, first), (after, second)] {
            let document = match &value {
                Value::Null => base(),
                value => with(base(), place, value),
            };
            let said = outcome(&snapshot(&document), &request);
            assert_eq!(said, expected, "{place} = {value}");
        }
    }
}

fn ada(claims: Value) -> Value {
    let mut token = json!({ "sub": "ada" });
    token.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    json!({ "path": "/a", "token": token })
}

#[test]
fn what_auth_asks_decides_in_defaults_and_in_routes() {
    // Key of `auth`, its value, a token that meets it, one that does not, and how that is refused.
    let cases = [
        ("scopes", json!(["read"]), json!({ "scope": "read" }), json!({}), "403 a policy.scope"),
        (
            "roles",
            json!({ "all": ["x"] }),
            json!({ "roles": ["x"] }),
            json!({}),
            "403 a policy.role",
        ),
        (
            "roles",
            json!({ "any": ["x"] }),
            json!({ "roles": ["x"] }),
            json!({}),
            "403 a policy.role",
        ),
        (
            "claims",
            json!({ "t": ["1"] }),
            json!({ "t": "1" }),
            json!({ "t": "2" }),
            "403 a policy.claim",
        ),
        (
            "mfa",
            json!(true),
            json!({ "acr": "mfa" }),
            json!({ "acr": "x" }),
            "401 a policy.step_up",
        ),
        (
            "max_age",
            json!("5m"),
            json!({ "auth_age": "1m" }),
            json!({ "auth_age": "1h" }),
            "401 a policy.step_up",
        ),
    ];
    for (key, value, meets, fails, refused) in cases {
        for section in ["/defaults/auth", "/routes/0/auth"] {
            let asked = snapshot(&with(base(), &format!("{section}/{key}"), &value));
            assert_eq!(outcome(&snapshot(&base()), &ada(fails.clone())), "200 a", "{key}");
            assert_eq!(outcome(&asked, &ada(meets.clone())), "200 a", "{section}/{key}");
            assert_eq!(outcome(&asked, &ada(fails.clone())), refused, "{section}/{key}");
            let watched = with(
                with(base(), &format!("{section}/{key}"), &value),
                &format!("{section}/mode"),
                &json!("monitor"),
            );
            let noted = format!("200 a ~{}", refused.split(' ').next_back().unwrap());
            assert_eq!(outcome(&snapshot(&watched), &ada(fails.clone())), noted, "{section}/{key}");
        }
    }
}

#[test]
fn who_may_come_without_a_token_and_with_whose() {
    let nobody = json!({ "path": "/a" });
    let other = ada(json!({ "issuer": "other" }));
    let mut cases = Vec::new();
    for section in ["/defaults/auth", "/routes/0/auth"] {
        let both = json!(["corp", "other"]);
        let (optional, issuers): (&str, &str) = match section {
            "/defaults/auth" => ("/defaults/auth/optional", "/defaults/auth/issuers"),
            _ => ("/routes/0/auth/optional", "/routes/0/auth/issuers"),
        };
        cases.push((
            optional,
            Value::Null,
            json!(true),
            nobody.clone(),
            "401 a identity.missing",
            "200 a",
        ));
        cases.push((issuers, Value::Null, both, other.clone(), "401 a identity.claims", "200 a"));
    }
    cases.push((
        "/routes/1",
        Value::Null,
        json!({ "id": "open", "match": { "path": "/open" }, "to": "web" }),
        json!({ "path": "/open" }),
        "200 open",
        "401 open identity.missing",
    ));
    check(base, cases);
}

#[test]
fn addresses_are_screened_for_all_and_for_a_route() {
    let open = json!({ "path": "/open" });
    let named = json!({ "path": "/open", "client": "10.0.0.1", "headers": { "x-forwarded-for": "192.0.2.9" } });
    let deny = json!({ "deny": ["192.0.2.0/24"] });
    let watch = json!({ "deny": ["192.0.2.0/24"], "mode": "monitor" });
    let allow = json!(["10.0.0.0/8"]);
    let refused = "403 open screen.listed";
    check(
        base,
        vec![
            ("/screen", Value::Null, deny.clone(), open.clone(), "200 open", "403 screen.listed"),
            (
                "/screen",
                deny.clone(),
                watch.clone(),
                open.clone(),
                "403 screen.listed",
                "200 open ~screen.listed",
            ),
            (
                "/screen/allow",
                Value::Null,
                allow.clone(),
                open.clone(),
                "200 open",
                "403 screen.listed",
            ),
            (
                "/screen/deny",
                Value::Null,
                json!(["192.0.2.9/32"]),
                named.clone(),
                "200 open",
                "403 screen.listed",
            ),
            ("/routes/1/screen", Value::Null, deny.clone(), open.clone(), "200 open", refused),
            ("/routes/1/screen", deny, watch, open.clone(), refused, "200 open ~screen.listed"),
            ("/routes/1/screen/allow", Value::Null, allow, open, "200 open", refused),
        ],
    );
}

#[test]
fn routes_match_what_they_say_and_answer_what_they_say() {
    let open = json!({ "path": "/open" });
    let rest = "404 rest";
    check(
        base,
        vec![
            (
                "/routes/1/match/host",
                Value::Null,
                json!("b.example"),
                open.clone(),
                "200 open",
                rest,
            ),
            ("/routes/1/match/path", Value::Null, json!("/other"), open.clone(), "200 open", rest),
            (
                "/routes/1/match/methods",
                Value::Null,
                json!(["POST"]),
                open.clone(),
                "200 open",
                rest,
            ),
            (
                "/routes/1/match/headers",
                Value::Null,
                json!({ "x-a": "1" }),
                open.clone(),
                "200 open",
                rest,
            ),
            ("/routes/1/id", Value::Null, json!("renamed"), open, "200 open", "200 renamed"),
            (
                "/routes/2/respond/status",
                Value::Null,
                json!(204),
                json!({ "path": "/z" }),
                rest,
                "204 rest",
            ),
            (
                "/routes/2/normalise/encoded_separators",
                Value::Null,
                json!("allow"),
                json!({ "path": "/open%2Fx" }),
                "400 rest normalise.path",
                rest,
            ),
        ],
    );
}

#[test]
fn limits_hold_where_they_are_named() {
    let open = json!({ "path": "/open" });
    let inline = json!([{ "rate": "1/1s", "key": "route", "mode": "enforce" }]);
    check(
        base,
        vec![
            (
                "/defaults/limits",
                Value::Null,
                json!(["often"]),
                open.clone(),
                "200 open",
                "200 open limit:often",
            ),
            (
                "/routes/1/limits",
                Value::Null,
                json!(["often"]),
                open.clone(),
                "200 open",
                "200 open limit:often",
            ),
            (
                "/routes/1/limits",
                Value::Null,
                json!(["seldom", "often"]),
                open.clone(),
                "200 open",
                "200 open limit:often limit:seldom",
            ),
        ],
    );
    let said = outcome(&snapshot(&with(base(), "/routes/1/limits", &inline)), &open);
    assert!(said.contains("limit:open"), "{said}");
    let off = json!([{ "rate": "1/1s", "key": "route", "mode": "off" }]);
    assert_eq!(outcome(&snapshot(&with(base(), "/routes/1/limits", &off)), &open), "200 open");
    let everywhere = with(base(), "/defaults/limits", &json!(["often"]));
    let without = with(everywhere, "/routes/1/without_limits", &json!(["often"]));
    assert_eq!(outcome(&snapshot(&without), &open), "200 open");
}

const ATTACK: &str = "/open?id=1%27%20OR%20%271%27=%271%27%20--%20";
/// Found from level 2 on.
const DOUBTFUL: &str = "/open?v=x%27%20and%20y";

#[test]
fn rules_hold_where_and_as_they_are_named() {
    let attack =
        json!({ "path": ATTACK, "headers": { "accept": "*/*", "user-agent": "Mozilla/5.0" } });
    let doubtful =
        json!({ "path": DOUBTFUL, "headers": { "accept": "*/*", "user-agent": "Mozilla/5.0" } });
    let rules = json!(["builtin"]);
    let (refused, passed) = ("403 open waf.blocked matches:1", "200 open matches:0");
    let level = |paranoia: u8, detection: u8| json!({ "rules": rules, "paranoia": paranoia, "detection_paranoia": detection, "threshold": 1 });
    let used = json!("std");
    let mut cases = vec![
        ("/defaults/waf", Value::Null, used.clone(), attack.clone(), "200 open", refused),
        ("/routes/1/waf", Value::Null, used, attack.clone(), "200 open", refused),
        ("/routes/1/waf/profile", Value::Null, json!("std"), attack.clone(), "200 open", refused),
    ];
    // Of profiles: the route uses it in each.
    let using = |section: Value| (section, "/waf/std");
    let mut profiles = Vec::new();
    for (before, after, request, first, second) in [
        (
            json!({ "rules": rules }),
            json!({ "rules": rules, "mode": "monitor" }),
            &attack,
            refused,
            "200 open ~waf.blocked matches:1",
        ),
        (
            json!({ "rules": rules }),
            json!({ "rules": rules, "threshold": 1000 }),
            &attack,
            refused,
            "200 open matches:1",
        ),
        (level(1, 1), level(1, 2), &doubtful, passed, "200 open matches:1"),
        (level(1, 2), level(2, 2), &doubtful, "200 open matches:1", refused),
    ] {
        profiles.push((using(before), using(after), request, first, second));
    }
    for ((before, place), (after, _), request, first, second) in profiles {
        for (section, expected) in [(before, first), (after, second)] {
            let document =
                with(with(base_with_rules(), place, &section), "/routes/1/waf", &json!("std"));
            assert_eq!(outcome(&snapshot(&document), request), expected, "{section}");
        }
    }
    // What a route changes of a profile.
    let change = |change: Value| {
        let mut all = json!({ "profile": "std" });
        all.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        all
    };
    let plain = || change(json!({}));
    let except = |exception: Value| change(json!({ "threshold": 1, "except": [exception] }));
    let sqli = |field: &str| json!({ "tags": ["attack-sqli"], "field": field, "why": "for tests" });
    cases.extend([
        ("/routes/1/waf", plain(), change(json!({ "mode": "monitor" })), attack.clone(), refused, "200 open ~waf.blocked matches:1"),
        ("/routes/1/waf", plain(), change(json!({ "threshold": 1000 })), attack.clone(), refused, "200 open matches:1"),
        ("/routes/1/waf", change(json!({ "threshold": 1 })), change(json!({ "threshold": 1, "paranoia": 2 })), doubtful.clone(), passed, refused),
        ("/routes/1/waf", change(json!({ "threshold": 1 })), change(json!({ "threshold": 1, "detection_paranoia": 2 })), doubtful.clone(), passed, "200 open matches:1"),
        ("/routes/1/waf", except(sqli("arg.x")), except(sqli("arg.id")), attack.clone(), refused, passed),
        (
            "/routes/1/waf",
            change(json!({ "threshold": 1, "paranoia": 2 })),
            change(json!({ "threshold": 1, "paranoia": 2, "except": [{ "rules": [170_300], "why": "for tests" }] })),
            doubtful,
            refused,
            passed,
        ),
    ]);
    check(base_with_rules, cases);
}

#[test]
fn bodies_are_read_as_far_as_the_profile_says() {
    let hidden = format!("a={}&id=1' OR '1'='1' -- ", "x".repeat(100));
    let request = json!({
        "method": "POST", "path": "/open", "body": hidden,
        "headers": { "content-type": "application/x-www-form-urlencoded", "accept": "*/*", "user-agent": "Mozilla/5.0" },
    });
    for (body, expected) in [
        (json!({ "inspect": "1KiB" }), "403 open waf.blocked matches:1"),
        (json!({ "inspect": "0B" }), "200 open matches:0"),
        (json!({ "inspect": "64B" }), "413 open waf.body_too_large matches:0"),
        (json!({ "inspect": "64B", "over": "partial" }), "200 open matches:0"),
    ] {
        for mode in ["enforce", "monitor"] {
            let document = with(
                base(),
                "/waf/std",
                &json!({ "rules": ["builtin"], "mode": mode, "body": body }),
            );
            let document = with(document, "/routes/1/waf", &json!("std"));
            let expected = match (mode, expected.split_once(' ')) {
                ("monitor", Some((status, rest))) if status != "200" => {
                    format!("200 {}", rest.replace("waf.", "~waf."))
                }
                _ => expected.to_owned(),
            };
            assert_eq!(outcome(&snapshot(&document), &request), expected, "{mode} {body}");
        }
    }
}

#[test]
fn services_get_what_forward_says() {
    let token = ada(json!({ "tenant": "acme" }));
    let claims = json!({ "x-tenant": "tenant" });
    let sent = "200 a x-tenant=acme";
    check(
        base,
        vec![
            ("/defaults/forward/claims", Value::Null, claims.clone(), token.clone(), "200 a", sent),
            ("/routes/0/forward/claims", Value::Null, claims, token.clone(), "200 a", sent),
            (
                "/defaults/forward/authorization",
                json!("keep"),
                json!("remove"),
                token.clone(),
                "200 a",
                "200 a no-token",
            ),
            (
                "/routes/0/forward/authorization",
                json!("keep"),
                json!("remove"),
                token,
                "200 a",
                "200 a no-token",
            ),
        ],
    );
}

#[test]
fn the_same_key_makes_the_same_hashes_of_subjects() {
    let folder = tempfile::tempdir().unwrap();
    let hash = |key: Option<&str>| {
        let mut document = base();
        if let Some(key) = key {
            let file = folder.path().join(key);
            fs::write(&file, key).unwrap();
            document["telemetry"] = json!({ "subject_key": format!("file:{}", file.display()) });
        }
        snapshot(&document).subjects.hash("https://id.example.com", "ada")
    };
    assert_eq!(hash(Some("first-key-of-some-length")), hash(Some("first-key-of-some-length")));
    assert_ne!(hash(Some("first-key-of-some-length")), hash(Some("other-key-of-some-length")));
    assert_ne!(hash(None), hash(None), "without a key one is drawn");
}

#[test]
fn the_parts_that_outlive_a_generation_get_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::write(&secret, "0123456789abcdef").unwrap();
    let secret = format!("file:{}", secret.display());
    let mut document = base();
    document["admin"] = json!({ "bind": "127.0.0.1:1", "token": secret });
    document["store"] = json!({ "redis": "redis://127.0.0.1:1/2", "password": secret, "deadline": "7ms", "expected_gateways": 3 });
    document["services"]["web"] = json!({
        "endpoints": ["127.0.0.1:1"],
        "health": { "path": "/h", "interval": "3s", "timeout": "2s", "unhealthy_after": 4, "healthy_after": 5 },
    });
    let snapshot = snapshot(&document);
    let admin = snapshot.admin.as_ref().unwrap();
    assert_eq!(
        (admin.bind.to_string().as_str(), &*admin.token),
        ("127.0.0.1:1", "0123456789abcdef")
    );
    let store = snapshot.store.as_ref().unwrap();
    assert_eq!((store.deadline, store.expected_gateways), (Duration::from_millis(7), 3));
    assert_eq!(store.password.as_deref(), Some("0123456789abcdef"));
    let check = snapshot.services["web"].service.check().unwrap();
    assert_eq!(
        (check.target.as_str(), check.interval, check.timeout),
        ("/h", Duration::from_secs(3), Duration::from_secs(2))
    );
    assert_eq!((check.needed.unhealthy_after, check.needed.healthy_after), (4, 5));
}

/// What is defined and not understood is refused; what is defined twice for one address too.
#[test]
fn listeners_need_an_address_of_their_own_and_bounds_that_make_sense() {
    let refusal = |place: &str, value: Value| {
        accepted(with(base(), place, &value).to_string()).expect_err(place).to_string()
    };
    for (place, value, part) in [
        ("/listeners/public/bind", json!("localhost:80"), "error[Y035]"),
        ("/listeners/public/bounds/head", json!("10B"), "head 10B, allowed 1KiB to 1MiB"),
        (
            "/listeners/public/bounds/head_timeout",
            json!("0s"),
            "head_timeout 0us, allowed 100ms to 1h",
        ),
        (
            "/listeners/public/bounds/idle_timeout",
            json!("2h"),
            "idle_timeout 2h, allowed 100ms to 1h",
        ),
        ("/listeners/public/bounds/connections", json!(0), "allowed: whole numbers from 1"),
        (
            "/listeners/public/bounds/connections_per_client",
            json!(2_000_000),
            "allowed 1 to 1000000",
        ),
        (
            "/listeners/public/bounds/requests_per_connection",
            json!(0),
            "allowed: whole numbers from 1",
        ),
        ("/listeners/public/bounds/http2_streams", json!(5000), "allowed 1 to 1000"),
        ("/version", json!(2), "error[Y010]"),
        ("/routes/0/to", json!("wbe"), "did you mean `web`?"),
        ("/routes/0/auth", json!({ "issuers": ["crop"] }), "did you mean `corp`?"),
    ] {
        let report = refusal(place, value);
        assert!(report.contains(part), "{place}: {report}");
    }
}

#[test]
fn requests_of_tests_are_sent_as_they_are_written() {
    let rules = json!({ "strict": { "rules": ["builtin"], "body": { "inspect": "1KiB" } } });
    let mut document = with(base(), "/waf", &rules);
    document["screen"] = json!({ "deny": ["192.0.2.77/32"] });
    let routes = document["routes"].as_array_mut().unwrap();
    for (id, matches) in [
        ("posted", json!({ "path": "/x", "methods": ["POST"] })),
        ("hosted", json!({ "path": "/x", "host": "b.example" })),
        ("marked", json!({ "path": "/x", "headers": { "x-a": "1" } })),
    ] {
        routes.push(json!({ "id": id, "match": matches, "public": "for tests", "to": "web", "waf": "strict" }));
    }
    let snapshot = snapshot(&document);
    let attack = "<script>alert(document.cookie)</script>";
    let form = json!({ "content-type": "application/x-www-form-urlencoded", "x-a": "1" });
    for (request, expected) in [
        (json!({ "path": "/x" }), "404 rest"),
        (json!({ "path": "/x", "method": "POST" }), "200 posted"),
        (json!({ "path": "/x", "host": "b.example" }), "200 hosted"),
        (json!({ "path": "/x", "headers": { "x-a": "1" } }), "200 marked"),
        (json!({ "path": "/open", "client": "192.0.2.77" }), "403 screen.listed"),
        (json!({ "path": "/a", "token": { "sub": "ada" } }), "200 a"),
        (json!({ "path": "/a" }), "401 a identity.missing"),
        (json!({ "path": "/x", "method": "PUT", "headers": form, "body": "a=1" }), "200 marked"),
        (
            json!({ "path": "/x", "method": "PUT", "headers": form, "body": format!("a={attack}") }),
            "403 marked waf.blocked",
        ),
    ] {
        let said = outcome(&snapshot, &request);
        assert!(said.starts_with(expected), "{request}: {said}");
    }
}
