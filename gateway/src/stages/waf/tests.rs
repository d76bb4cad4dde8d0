use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, Version};

use serde_json::json;

use super::decide::{Call, Inspection, Sent};
use super::plan::{Day, Plan, Profiles};
use super::section::{WafSection, WafUse};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::compile::{Compile, Problem, number};
use crate::base::event::{Inspected, TraceContext};
use crate::base::net::Client;
use crate::base::request::{Canonical, Request};
use crate::state::dnsbl::asker::Listings;

const TODAY: Day = Day(20_000);

fn profiles(yaml: serde_json::Value, cx: &mut Compile) -> Profiles<'static> {
    let sections: BTreeMap<String, WafSection> = serde_json::from_value(yaml).unwrap();
    Profiles::compile(&sections, TODAY, Arc::default(), None, cx)
}

fn route(
    profiles: &Profiles<'_>,
    wanted: serde_json::Value,
    cx: &mut Compile,
) -> Option<Arc<Plan>> {
    let wanted: WafUse = serde_json::from_value(wanted).unwrap();
    profiles.for_route(Some(&wanted), None, cx)
}

fn plan(change: serde_json::Value) -> Arc<Plan> {
    let mut cx = Compile::new();
    let profiles = profiles(serde_json::json!({ "std": { "rules": ["builtin"] } }), &mut cx);
    let plan = route(&profiles, change, &mut cx);
    let problems = cx.into_problems();
    plan.unwrap_or_else(|| panic!("{problems:?}"))
}

fn problems(section: serde_json::Value, change: serde_json::Value) -> Vec<Problem> {
    let mut cx = Compile::new();
    let profiles = profiles(serde_json::json!({ "std": section }), &mut cx);
    route(&profiles, change, &mut cx);
    cx.into_problems()
}

fn call() -> Call {
    Call {
        client: Client::direct("192.0.2.1:1".parse().unwrap()),
        server: "192.0.2.2:443".parse().unwrap(),
        request_id: TraceContext { trace_id: 1, span_id: 1, parent_id: None, sampled: false }
            .request_id(),
        now: Now::read(),
    }
}

/// Shows a request to the rules; the code that objected, and what the event says.
fn inspect(
    plan: &Arc<Plan>,
    query: &str,
    fields: &[(&str, &str)],
    body: &str,
) -> (Option<Code>, Inspected, u32) {
    let canonical = Canonical {
        host: "example.com".into(),
        path: "/x".into(),
        query: Some(query.into()),
        ..Canonical::default()
    };
    let mut headers = HeaderMap::new();
    headers.insert("user-agent", "Mozilla/5.0".parse().unwrap());
    headers.insert("accept", "*/*".parse().unwrap());
    for (name, value) in fields {
        headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
    }
    if !body.is_empty() {
        headers.insert("content-length", body.len().into());
    }
    let request = Request {
        method: &if body.is_empty() { Method::GET } else { Method::POST },
        canonical: &canonical,
        headers: &headers,
        version: Version::HTTP_11,
        secure: true,
        client: Client::direct("192.0.2.1:1".parse().unwrap()),
        raw_target: b"",
    };
    let (mut inspection, head) =
        Inspection::head(plan, &request, &Sent::default(), None, &Listings::new(), &call());
    let decision = head.and_then(|()| {
        inspection.feed(body.as_bytes(), true);
        inspection.body(Now::read())
    });
    let facts = inspection.into_facts(Now::read(), 200);
    (decision.err().map(|finding| finding.code), facts.inspected, facts.score)
}

const ATTACK: &str = "id=1%27%20OR%20%271%27=%271%27%20--%20";

/// Name, query, fields, body.
type AttackCase<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn attacks_are_found_wherever_they_hide() {
    let plan = plan("std".into());
    let json = ("content-type", "application/json");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let cases: &[AttackCase<'_>] = &[
        ("query", ATTACK, &[], ""),
        ("form", "", &[form], ATTACK),
        ("json", "", &[json], r#"{"a":[{"b":"1' OR '1'='1' -- "}]}"#),
        ("cookie", "", &[("cookie", "a=1' OR '1'='1' -- ")], ""),
        ("header", "", &[("user-agent", "sqlmap/1.7")], ""),
    ];
    for (name, query, fields, body) in cases {
        assert_eq!(inspect(&plan, query, fields, body).0, Some(Code::WafBlocked), "{name}");
    }
    assert_eq!(inspect(&plan, "q=shoes&page=2", &[], "").0, None);
}

#[test]
fn a_monitored_profile_reports_what_it_would_have_refused() {
    let plan = plan(serde_json::json!({ "profile": "std", "mode": "monitor" }));
    let (code, _, score) = inspect(&plan, ATTACK, &[], "");
    assert_eq!(code, Some(Code::WafBlocked));
    assert!(score >= 5);
}

#[test]
fn an_exception_holds_for_its_field_and_until_its_day() {
    let except = |field: &str, expires: &str| {
        serde_json::json!({ "profile": "std", "except": [{
            "tags": ["attack-sqli"], "field": field, "why": "test", "expires": expires }] })
    };
    let excepted = |field, expires| inspect(&plan(except(field, expires)), ATTACK, &[], "").0;
    assert_eq!(excepted("arg.id", "2999-01-01"), None);
    assert_eq!(excepted("arg.other", "2999-01-01"), Some(Code::WafBlocked));
    assert_eq!(excepted("arg.id", "1999-01-01"), Some(Code::WafBlocked));
}

#[test]
fn a_coded_body_is_refused_where_bodies_are_inspected() {
    let coded: &[(&str, &str)] = &[("content-encoding", "gzip")];
    assert_eq!(inspect(&plan("std".into()), "", coded, "x").0, Some(Code::WafBodyUnreadable));
}

#[test]
fn a_threshold_decides() {
    let low = plan(serde_json::json!({ "profile": "std", "threshold": 1000 }));
    assert_eq!(inspect(&low, ATTACK, &[], "").0, None);
}

/// The head has a scanner's name, which is enough; the body is still to come.
#[test]
fn the_head_is_judged_alone_where_asked() {
    let judged = |section: serde_json::Value, change: serde_json::Value| {
        let mut cx = Compile::new();
        let profiles = profiles(serde_json::json!({ "std": section }), &mut cx);
        let plan = route(&profiles, change, &mut cx).unwrap();
        let headers = HeaderMap::from_iter([
            (http::header::USER_AGENT, "sqlmap/1.7".parse().unwrap()),
            (http::header::CONTENT_LENGTH, 1.into()),
        ]);
        let canonical = Canonical { host: "x".into(), path: "/x".into(), ..Canonical::default() };
        let request = Request {
            method: &Method::POST,
            canonical: &canonical,
            headers: &headers,
            version: Version::HTTP_11,
            secure: true,
            client: Client::direct("192.0.2.1:1".parse().unwrap()),
            raw_target: b"",
        };
        let (mut inspection, head) =
            Inspection::head(&plan, &request, &Sent::default(), None, &Listings::new(), &call());
        let wants_body = inspection.appetite().is_some();
        inspection.feed(b"x", true);
        (head.err().map(|finding| finding.code), wants_body, inspection.body(Now::read()).is_err())
    };
    let std = |early| serde_json::json!({ "rules": ["builtin"], "early_blocking": early });
    let change = |early| serde_json::json!({ "profile": "std", "early_blocking": early });
    let (early, late) = ((Some(Code::WafBlocked), false, false), (None, true, true));
    assert_eq!(judged(std(Some(true)), "std".into()), early);
    assert_eq!(judged(std(None), "std".into()), late);
    assert_eq!(judged(std(None), change(true)), early);
    assert_eq!(judged(std(Some(true)), change(false)), late);
}

#[test]
fn a_sample_is_even_and_repeatable() {
    let sampled = |section: &str, change: Option<&str>| {
        let mut cx = Compile::new();
        let std = serde_json::json!({ "std": { "rules": ["builtin"], "mode": "monitor", "sample": section } });
        let profiles = profiles(std, &mut cx);
        let change = serde_json::json!({ "profile": "std", "sample": change });
        route(&profiles, change, &mut cx).unwrap()
    };
    // Ids that differ in one place only, and ids as a clock would make them: neither gets around it.
    for step in [1, 1 << 64, 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834] {
        for (plan, expected) in [
            (sampled("100%", None), 10_000..=10_000),
            (sampled("10%", None), 900..=1_100),
            (sampled("100%", Some("50%")), 4_800..=5_200),
            (sampled("10%", Some("1%")), 60..=140),
        ] {
            let ids = (0..10_000_u128).map(|at| at.wrapping_mul(step));
            let chosen = ids.clone().filter(|id| plan.samples(*id)).count();
            assert!(expected.contains(&chosen), "{}%: {chosen}", plan.sample);
            assert_eq!(chosen, ids.filter(|id| plan.samples(*id)).count());
        }
    }
    assert_eq!(sampled("10%", None).sampled_out().inspected, Inspected::SampledOut);
}

/// What takes the rules away as a whole is called by its name.
#[test]
fn an_exception_takes_single_rules() {
    let std = || serde_json::json!({ "rules": ["builtin"] });
    let except = |mut except: serde_json::Value| {
        except["why"] = "x".into();
        serde_json::json!({ "profile": "std", "except": [except] })
    };
    let cases = [
        (serde_json::json!({ "rules": [190_030] }), true),
        (serde_json::json!({ "tags": ["anomaly-evaluation"] }), true),
        (serde_json::json!({ "tags": ["paranoia-level/1"] }), true),
        (serde_json::json!({ "tags": ["paranoia-level/1"], "field": "ARGS" }), true),
        (serde_json::json!({ "tags": ["paranoia-level/1"], "field": "json.note" }), false),
        (serde_json::json!({ "tags": ["attack-sqli"] }), false),
        (serde_json::json!({ "rules": [170_100] }), false),
    ];
    for (section, refused) in cases {
        let found = problems(std(), except(section.clone()));
        let numbers: Vec<u16> = found.iter().map(|problem| problem.number).collect();
        assert_eq!(numbers.contains(&number::EXCEPTION_TOO_BROAD), refused, "{section}: {found:?}");
        assert_eq!(numbers.len(), usize::from(refused), "{section}: {found:?}");
    }
}

/// Who includes a configuration that only detects learns that it refuses.
#[test]
fn rules_that_say_less_than_the_profile_are_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    for (rules, mode, warned) in [
        ("SecRuleEngine DetectionOnly", "enforce", true),
        ("SecRuleEngine DetectionOnly", "monitor", false),
        ("SecRuleEngine Off", "monitor", true),
        ("SecRuleEngine Off", "off", false),
        ("SecRuleEngine On", "monitor", false),
        ("SecRuleEngine Off\nSecRuleEngine On", "enforce", false),
        ("", "enforce", false),
    ] {
        let file = folder.path().join("r.conf");
        std::fs::write(&file, rules).unwrap();
        let found = problems(json!({ "rules": [file], "mode": mode }), "std".into());
        let numbers: Vec<u16> = found.iter().map(|problem| problem.number).collect();
        assert_eq!(numbers.contains(&number::NO_EFFECT), warned, "{rules} {mode}: {found:?}");
    }
}

#[test]
fn mistakes_are_reported_with_their_number() {
    let std = serde_json::json!({ "rules": ["builtin"] });
    let with = |extra: serde_json::Value| {
        let mut section = std.clone();
        section.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        section
    };
    let except =
        |except: serde_json::Value| serde_json::json!({ "profile": "std", "except": [except] });
    let cases = [
        (std.clone(), "stx".into(), number::UNKNOWN_PROFILE),
        (with(serde_json::json!({ "paranoia": 5 })), "std".into(), number::RANGE),
        (with(serde_json::json!({ "detection_paranoia": 0 })), "std".into(), number::RANGE),
        (with(serde_json::json!({ "threshold": 0 })), "std".into(), number::VALUE),
        (with(serde_json::json!({ "body": { "inspect": "1GiB" } })), "std".into(), number::VALUE),
        (
            with(serde_json::json!({ "response": { "inspect": "1GiB" } })),
            "std".into(),
            number::VALUE,
        ),
        (with(serde_json::json!({ "response": { "threshold": 0 } })), "std".into(), number::VALUE),
        (
            with(serde_json::json!({ "response": { "types": ["html"] } })),
            "std".into(),
            number::VALUE,
        ),
        (
            with(serde_json::json!({ "response": { "types": ["Text/Event-Stream"] } })),
            "std".into(),
            number::VALUE,
        ),
        (with(serde_json::json!({ "sample": "0%" })), "std".into(), number::VALUE),
        (with(serde_json::json!({ "sample": "10%" })), "std".into(), number::SAMPLED),
        (serde_json::json!({ "rules": [] }), "std".into(), number::RULES),
        (serde_json::json!({ "rules": ["nowhere/x.conf"] }), "std".into(), number::RULES),
        (std.clone(), except(serde_json::json!({ "rules": [1], "why": "x" })), number::RULES),
        (std.clone(), except(serde_json::json!({ "why": "x" })), number::VALUE),
        (
            std.clone(),
            except(serde_json::json!({ "tags": ["attack-sqli"], "why": " " })),
            number::VALUE,
        ),
        (
            std.clone(),
            except(
                serde_json::json!({ "tags": ["attack-sqli"], "why": "x", "expires": "2026-02-30" }),
            ),
            number::FORMAT,
        ),
    ];
    for (section, change, expected) in cases {
        let found = problems(section.clone(), change.clone());
        assert!(
            found.iter().any(|problem| problem.number == expected),
            "{section} {change}: {found:?}"
        );
    }
}

#[test]
fn mistakes_of_a_route_are_reported_with_their_number() {
    let (plain, answers) =
        (json!({ "rules": ["builtin"] }), json!({ "rules": ["builtin"], "response": {} }));
    let cases = [
        (&plain, json!({ "sample": "0%" }), number::VALUE),
        (&plain, json!({ "threshold": 0 }), number::VALUE),
        (&plain, json!({ "detection_paranoia": 5 }), number::RANGE),
        (&plain, json!({ "paranoia": 3, "detection_paranoia": 2 }), number::RANGE),
        (&plain, json!({ "response": { "threshold": 9 } }), number::CONTRADICTION),
        (&answers, json!({ "response": { "threshold": 0 } }), number::VALUE),
    ];
    for (section, mut change, expected) in cases {
        change["profile"] = "std".into();
        let found = problems(section.clone(), change.clone());
        let numbers: Vec<u16> = found.iter().map(|problem| problem.number).collect();
        assert_eq!(numbers, [expected], "{section} {change}: {found:?}");
    }
}

#[test]
fn routes_with_the_same_choices_share_a_plan() {
    let mut cx = Compile::new();
    let profiles = profiles(serde_json::json!({ "std": { "rules": ["builtin"] } }), &mut cx);
    let one = route(&profiles, "std".into(), &mut cx).unwrap();
    let two = route(&profiles, "std".into(), &mut cx).unwrap();
    assert!(Arc::ptr_eq(&one, &two));
}

#[test]
fn days_are_counted() {
    assert_eq!(Day::parse("1970-01-01"), Some(Day(0)));
    assert_eq!(Day::parse("2000-03-01"), Some(Day(11_017)));
    assert_eq!(Day::parse("2024-02-29"), Some(Day(19_782)));
    for text in
        ["2023-02-29", "2024-13-01", "2024-00-10", "24-01-01", "2024-1-01", "2024/01/01", ""]
    {
        assert_eq!(Day::parse(text), None, "{text}");
    }
}
