use std::sync::Arc;

use crate::base::compile::Compile;
use crate::base::units::Span;
use crate::state::counters::Counters;

use super::super::plan::{LimitName, RouteLimits, compile_store};
use super::super::section::StoreSection;
use super::{compile, plan, section};

/// Section -> part of the report.
#[test]
fn problems_name_the_bound_and_the_way_out() {
    for (text, parts) in [
        (r#"{"key":"client.ip"}"#, &["Y060", "needs `rate` or `quota`"][..]),
        (r#"{"rate":"1/1s","quota":"1/day","key":"client.ip"}"#, &["Y060", "not both"]),
        (r#"{"quota":"9/day","burst":3,"key":"client.ip"}"#, &["Y061", "\"burst\""]),
        (r#"{"rate":"9/1s","burst":0,"key":"client.ip"}"#, &["Y062", "burst 0"]),
        (r#"{"rate":"999983/1d","key":"client.ip"}"#, &["Y062", "at most 52124", "`burst: 52124`"]),
        (r#"{"rate":"1/400d","key":"client.ip"}"#, &["Y062", "366d", "`quota`"]),
        (
            r#"{"quota":"5000000000000000/day","key":"client.ip"}"#,
            &["Y062", "bound 4503599627370496"],
        ),
        (r#"{"rate":"9/1s","key":[]}"#, &["Y063", "0 parts", "1 to 8"]),
        (r#"{"rate":"9/1s","key":["a","b","c","d","e","f","g","h","i"]}"#, &["Y063", "9 parts"]),
        (r#"{"rate":"9/1s","key":["route","client.ip","route"]}"#, &["Y063", "`route` twice"]),
        (r#"{"rate":"9/1s","key":["header.A","header.a"]}"#, &["Y063", "`header.a` twice"]),
        (r#"{"rate":"9/1s","key":"client.ipp"}"#, &["Y063", "did you mean `client.ip`?"]),
        (
            r#"{"rate":"9/1s","key":["route","claim.sub"]}"#,
            &["Index(1)", "did you mean `token.sub`?"],
        ),
        (r#"{"rate":"9/1s","key":"headr.x-a"}"#, &["did you mean `header.x-a`?"]),
        (r#"{"rate":"9/1s","key":"header.x a"}"#, &["Y063", "unknown key `header.x a`"]),
        (r#"{"rate":"9/1s","key":"token."}"#, &["Y063", "unknown key"]),
        (r#"{"rate":"9/1s","key":"token.a..b"}"#, &["Y063", "unknown key"]),
        (r#"{"rate":"9/1s","key":"path."}"#, &["Y063", "unknown key"]),
        (r#"{"rate":"9/1s","key":"route","scope":"shared"}"#, &["Y066", "needs a `store`"]),
    ] {
        let problems = compile("test", text, false).unwrap_err();
        for part in parts {
            assert!(problems.contains(part), "{text}: `{problems}` does not say `{part}`");
        }
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let text = r#"{"rate":"9/1s","burst":0,"key":["x","y"],"scope":"shared"}"#;
    let problems = compile("bad name", text, false).unwrap_err();
    for part in ["Y062", "`x`", "`y`", "Y066", "Y067"] {
        assert!(problems.contains(part), "`{problems}` does not say `{part}`");
    }
}

#[test]
fn names_that_cannot_stand_in_an_answer_are_refused() {
    let text = r#"{"rate":"9/1s","key":"route"}"#;
    let long = "x".repeat(65);
    for name in ["", "a b", "a\"b", "a\\b", "näme", "a\nb", &long] {
        assert!(compile(name, text, false).unwrap_err().contains("Y067"), "{name}");
    }
    assert!(compile(&"x".repeat(64), text, false).is_ok());
}

#[test]
fn a_largest_burst_is_taken_and_one_more_is_not() {
    let burst = |burst: u64| {
        compile("t", &format!(r#"{{"rate":"999983/1d","burst":{burst},"key":"route"}}"#), false)
    };
    assert!(burst(52_124).is_ok());
    assert!(burst(52_125).is_err());
}

#[test]
fn policies_are_written_as_the_draft_says() {
    for (text, policy) in [
        (r#"{"rate":"100/1s","burst":200,"key":"route"}"#, r#""t";q=200;w=2"#),
        (r#"{"rate":"5/1m","key":"route"}"#, r#""t";q=5;w=60"#),
        (r#"{"rate":"3/1s","burst":1,"key":"route"}"#, r#""t";q=1;w=1"#),
        (r#"{"quota":"9/hour","key":"route"}"#, r#""t";q=9;w=3600"#),
        (r#"{"quota":"9/day","key":"route"}"#, r#""t";q=9;w=86400"#),
        (r#"{"quota":"9/month","key":"route"}"#, r#""t";q=9"#),
    ] {
        assert_eq!(plan("t", text).policy, policy);
    }
}

#[test]
fn limits_are_split_by_what_their_keys_need_and_counted_once() {
    let counters = Arc::new(Counters::new());
    let all = [
        plan("ip", r#"{"rate":"1/1s","key":"client.ip"}"#),
        plan("user", r#"{"rate":"1/1s","key":["client.ip","token.sub"]}"#),
        plan("ip", r#"{"rate":"1/1s","key":"client.ip"}"#),
        plan("gone", r#"{"rate":"1/1s","key":"client.ip","mode":"off"}"#),
    ];
    let limits = super::limits(&all, &counters);
    let names =
        |set: &super::LimitSet| set.limits().map(|plan| plan.name.to_string()).collect::<Vec<_>>();
    assert_eq!(
        (names(&limits.early), names(&limits.late)),
        (vec!["ip".into()], vec!["user".into()])
    );
}

#[test]
fn a_route_without_the_parameter_or_with_too_many_limits_is_reported() {
    let counters = Arc::new(Counters::new());
    let by_path = plan("tenant", r#"{"rate":"1/1s","key":"path.tenent"}"#);
    let mut cx = Compile::new();
    RouteLimits::compile(&[by_path], &["tenant"], &counters, &mut cx);
    let problem = cx.into_problems().remove(0);
    assert!(problem.message.contains("`path.tenent`"), "{}", problem.message);
    assert_eq!(problem.hint.as_deref(), Some("did you mean `tenant`?"));

    let many: Vec<_> =
        (0..17).map(|n| plan(&format!("l{n}"), r#"{"rate":"1/1s","key":"route"}"#)).collect();
    let mut cx = Compile::new();
    RouteLimits::compile(&many, &[], &counters, &mut cx);
    assert_eq!(cx.into_problems().remove(0).message, "17 limits apply at once, bound 16");
}

/// A limit written in place keeps its counters when another is put before it, and when its numbers change.
#[test]
fn limits_in_place_are_known_by_their_keys() {
    let ip = section(r#"{"rate":"1/1s","key":"client.ip"}"#);
    let faster = section(r#"{"rate":"9/1s","burst":99,"key":"client.ip"}"#);
    let user = section(r#"{"rate":"1/1s","key":"token.sub"}"#);
    let before = LimitName::inline("orders", [&ip, &user]);
    let after = LimitName::inline("orders", [&user, &faster, &ip]);
    assert_eq!(before[0].id, after[1].id);
    assert_eq!(before[1].id, after[0].id);
    assert_ne!(after[1].id, after[2].id);
    assert_eq!(&*after[2].name, "orders#3");
    assert_ne!(before[0].id, LimitName::inline("refunds", [&ip])[0].id);
}

fn store(redis: &str, deadline: &str, gateways: u32) -> StoreSection {
    StoreSection {
        redis: redis.into(),
        password: None,
        deadline: deadline.parse::<Span>().unwrap(),
        expected_gateways: gateways,
    }
}

#[test]
fn stores_are_bound() {
    for (section, part) in [
        (store("http://10.0.0.1", "5ms", 1), "redis://HOST:PORT"),
        (store("redis://10.0.0.1", "499us", 1), "500us to 1s"),
        (store("redis://10.0.0.1", "2s", 1), "500us to 1s"),
        (store("redis://10.0.0.1", "5ms", 0), "1 to 1024"),
        (store("redis://10.0.0.1", "5ms", 1025), "1 to 1024"),
        (
            StoreSection {
                password: Some("env:YETT_TEST_NO_SUCH_VARIABLE".parse().unwrap()),
                ..store("redis://10.0.0.1", "5ms", 1)
            },
            "YETT_TEST_NO_SUCH_VARIABLE",
        ),
    ] {
        let mut cx = Compile::new();
        assert!(compile_store(&section, &mut cx).is_none());
        let message = cx.into_problems().remove(0).message;
        assert!(message.contains(part), "`{message}` does not say `{part}`");
    }
    let mut cx = Compile::new();
    let target = compile_store(&store("redis://10.0.0.1", "5ms", 3), &mut cx).unwrap();
    assert_eq!((target.expected_gateways, target.deadline.as_millis()), (3, 5));
}
