//! Bad patterns, conflicts and unreachable routes, each with its place.

use super::super::plan::RIVALS;
use super::{MatchSection, compile, section};
use crate::base::compile::number::{
    HEADER_CONDITION, HOST_PATTERN, METHOD, PATH_PATTERN, ROUTE_CONFLICT, ROUTES_CROWDED,
    UNREACHABLE,
};
use crate::base::compile::{Problem, Severity, Step};

fn problems(lines: &[&str]) -> Vec<Problem> {
    let sections: Vec<_> = lines.iter().map(|line| section(line)).collect();
    compile(&sections).1
}

fn place(problem: &Problem) -> String {
    let step = |step: &Step| match step {
        Step::Key(key) => key.to_string(),
        Step::Index(index) => index.to_string(),
    };
    problem.place.iter().map(step).collect::<Vec<_>>().join(".")
}

#[test]
fn every_bad_pattern_is_named() {
    let long_host = format!("{}.example.com /a", "x".repeat(64));
    let deep = format!("- {}", "/x".repeat(65));
    let long = format!("- /{}", "x".repeat(8192));
    let cases: &[(&str, u16, &str, &str)] = &[
        ("exa_mple-.com /a", HOST_PATTERN, "routes.0.match.host", "`exa_mple-`"),
        ("a..b /a", HOST_PATTERN, "routes.0.match.host", "label"),
        ("api.example.com:8443 /a", HOST_PATTERN, "routes.0.match.host", "without a port"),
        ("a.*.com /a", HOST_PATTERN, "routes.0.match.host", "only at the start"),
        ("*.com /a", HOST_PATTERN, "routes.0.match.host", "two labels"),
        ("*.2.3.4 /a", HOST_PATTERN, "routes.0.match.host", "not for an address"),
        ("[::g] /a", HOST_PATTERN, "routes.0.match.host", "IPv6"),
        ("bücher.example /a", HOST_PATTERN, "routes.0.match.host", "xn--"),
        (&long_host, HOST_PATTERN, "routes.0.match.host", "label"),
        ("- a", PATH_PATTERN, "routes.0.match.path", "start with `/`"),
        ("- /{id}/{id}", PATH_PATTERN, "routes.0.match.path", "twice"),
        ("- /v{id}", PATH_PATTERN, "routes.0.match.path", "whole segment"),
        ("- /{id", PATH_PATTERN, "routes.0.match.path", "whole segment"),
        ("- /{a}{b}", PATH_PATTERN, "routes.0.match.path", "whole segment"),
        ("- /{}", PATH_PATTERN, "routes.0.match.path", "parameter name ``"),
        ("- /{a.b}", PATH_PATTERN, "routes.0.match.path", "parameter name `a.b`"),
        ("- /*/a", PATH_PATTERN, "routes.0.match.path", "last segment"),
        ("- /a*", PATH_PATTERN, "routes.0.match.path", "%2A"),
        ("- /a//b", PATH_PATTERN, "routes.0.match.path", "empty segment"),
        ("- /a/../b", PATH_PATTERN, "routes.0.match.path", "dot segment"),
        ("- /a/%2e%2E", PATH_PATTERN, "routes.0.match.path", "dot segment"),
        ("- /a?b", PATH_PATTERN, "routes.0.match.path", "no query"),
        ("- /a#b", PATH_PATTERN, "routes.0.match.path", "no fragment"),
        ("- /a%2", PATH_PATTERN, "routes.0.match.path", "hexadecimal"),
        ("- /a%00", PATH_PATTERN, "routes.0.match.path", "NUL"),
        ("- /a\"b", PATH_PATTERN, "routes.0.match.path", "%22"),
        (&deep, PATH_PATTERN, "routes.0.match.path", "65 segments, bound 64"),
        (&long, PATH_PATTERN, "routes.0.match.path", "8193 bytes, bound 8192"),
        ("- /a GET,P@ST", METHOD, "routes.0.match.methods.1", "not a method"),
        ("- /a get", METHOD, "routes.0.match.methods.0", "write `GET`"),
        ("- /a CONNECT", METHOD, "routes.0.match.methods.0", "no tunnels"),
        ("- /a - b@d=1", HEADER_CONDITION, "routes.0.match.headers.b@d", "field name"),
        ("- /a - host=a", HEADER_CONDITION, "routes.0.match.headers.host", "match.host"),
        ("- /a - x-a= 1", HEADER_CONDITION, "routes.0.match.headers.x-a", "white space"),
        ("- /a - X-A=1;x-a=2", HEADER_CONDITION, "routes.0.match.headers", "twice"),
    ];
    for (line, number, at, part) in cases {
        let found = problems(&[line]);
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert_eq!((found[0].number, place(&found[0]).as_str()), (*number, *at), "{line}");
        assert!(found[0].message.contains(part), "{line}: {} lacks {part}", found[0].message);
        assert_eq!(found[0].severity, Severity::Error);
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = problems(&["a:1 b get b@d=1", "- /ok", "- /{x}/{x}"]);
    let places: Vec<_> = found.iter().map(place).collect();
    assert_eq!(
        places,
        [
            "routes.0.match.host",
            "routes.0.match.path",
            "routes.0.match.methods.0",
            "routes.0.match.headers.b@d",
            "routes.2.match.path"
        ]
    );
}

#[test]
fn bounds_on_methods_and_conditions() {
    let methods: Vec<_> = (0..24).map(|n| format!("M{n}")).collect();
    let found = problems(&[&format!("- /a {}", methods.join(","))]);
    assert_eq!(found.len(), 1);
    assert!(found[0].message.contains("more than 31 different methods"), "{found:?}");

    let none = MatchSection { methods: Some(Vec::new()), ..section("- /a") };
    assert_eq!(compile(&[none]).1[0].number, METHOD);

    let headers: String = (0..17).map(|n| format!("x-{n}=1;")).collect();
    assert_eq!(problems(&[&format!("- /a - {headers}")])[0].number, HEADER_CONDITION);
}

#[test]
fn too_many_routes_with_one_host_and_path() {
    let sections: Vec<_> = (0..=RIVALS).map(|n| section(&format!("- /a - x-t={n}"))).collect();
    let found = compile(&sections).1;
    assert_eq!(found.iter().map(|problem| problem.number).collect::<Vec<_>>(), [ROUTES_CROWDED]);
}

#[test]
fn two_routes_for_one_request_at_one_rank_are_a_conflict() {
    let cases: &[(&str, &str, bool)] = &[
        ("- /a", "- /a", true),
        ("- /a/{x}", "- /a/{y}", true),
        ("- /a/*", "- /a/*", true),
        ("H.example /a", "h.example. /a", true),
        ("- /%61", "- /a", true),
        ("- /a GET,POST", "- /a POST,PUT", true),
        ("- /a GET", "- /a HEAD", true),
        ("- /a - x-a=1", "- /a - x-b=1", true),
        ("- /a - x-a=1", "- /a - x-a=2", false),
        ("- /a GET", "- /a POST", false),
        ("- /a GET", "- /a", false),
        ("- /a", "- /a - x-a=1", false),
        ("- /a", "- /a/", false),
        ("- /a", "- /a/*", false),
        ("*.b.example /a", "a.b.example /a", false),
        ("- /{x}/b", "- /a/{y}", false),
    ];
    for (first, second, conflict) in cases {
        let found = problems(&[first, second]);
        assert_eq!(found.len(), usize::from(*conflict), "{first} and {second}: {found:?}");
        if let [problem] = found.as_slice() {
            assert_eq!(
                (problem.number, place(problem).as_str()),
                (ROUTE_CONFLICT, "routes.1.match")
            );
            assert_eq!(problem.related, Some(vec!["routes".into(), 0.into(), "match".into()]));
        }
    }
}

#[test]
fn a_route_that_others_leave_nothing_to_is_a_warning() {
    let found = problems(&["- /a", "- /a GET,POST,PUT,DELETE", "- /a PATCH,OPTIONS,TRACE"]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].number, found[0].severity), (UNREACHABLE, Severity::Warning));
    assert_eq!(place(&found[0]), "routes.0.match");

    assert_eq!(problems(&["- /a", "- /a GET,POST,PUT,DELETE"]), []);
    let narrower = ["- /a", "- /a GET,POST,PUT,DELETE,PATCH,OPTIONS,TRACE x-a=1"];
    assert_eq!(problems(&narrower), []);
}

#[test]
fn a_condition_on_a_field_that_is_stripped_is_a_warning() {
    let found = problems(&["- /a - X-Yett-Subject=me"]);
    assert_eq!((found[0].number, found[0].severity), (UNREACHABLE, Severity::Warning));
}
