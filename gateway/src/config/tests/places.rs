//! Every value is found where it is written, whatever stands around it.

use crate::base::compile::{Compile, Step, number};

use super::super::report::Report;
use super::super::tree::{Node, Value};
use super::load;

/// Characters of one to four bytes in comments, keys and values; every style of scalar; both line ends.
const TEXT: &str = r#"version: 1 # ünd 日本 𝄞
listeners: {}
# äöü
limits:
  größe: { rate: 1/1s, key: route }   # ß
  "日本": { rate: 2/1s, key: [client.ip, 'token.ß'] }
services:
    𝄞𝄞:
      endpoints:
      - "a:80" # é
      - b:80
routes:
  - id: über
    match: {path: /ä, host: ö.example}
    public: >
      ein
      Grund
    respond: { status: 200, body: "ü" }
  - { id: last, match: { path: /z }, public: ok, respond: { status: 201 } }
"#;

#[test]
fn plain_values_stand_where_their_places_say() {
    for text in [TEXT.to_owned(), TEXT.replace('\n', "\r\n"), format!("\u{feff}{TEXT}")] {
        let loaded = load(&[("yett.yaml", &text)]).unwrap_or_else(|report| panic!("{report}"));
        let mut found = 0;
        walk(loaded.source.root(), &mut |node| {
            if let Value::Text(value) = &node.value {
                let written = loaded.source.written(node.place);
                let plain = written.trim_matches(['"', '\'']);
                assert!(plain == &**value || written.contains("ein"), "`{written}` for `{value}`");
                found += 1;
            }
        });
        assert_eq!(found, 15);
    }
}

fn walk<'t>(node: &'t Node, seen: &mut impl FnMut(&'t Node)) {
    seen(node);
    node.items().iter().for_each(|item| walk(item, seen));
    node.entries().iter().for_each(|entry| walk(&entry.node, seen));
}

#[test]
fn paths_lead_to_file_line_and_column() {
    let source = load(&[("a.yaml", TEXT), ("b.yaml", "# more\nwaf:\n  x: { rules: [builtin] }\n")])
        .unwrap()
        .source;
    let key = |key: &str| Step::from(key.to_owned());
    let cases: &[(Vec<Step>, bool, &str)] = &[
        (vec![], false, "a.yaml:1:1"),
        (vec![key("limits"), key("größe")], true, "a.yaml:5:3"),
        (vec![key("limits"), key("日本"), key("key"), 1.into()], false, "a.yaml:6:40"),
        (vec![key("routes"), 1.into(), key("respond"), key("status")], false, "a.yaml:19:69"),
        (vec![key("waf"), key("x"), key("rules"), 0.into()], false, "b.yaml:3:16"),
        // Not written: the section that would hold it, by its key.
        (vec![key("routes"), 1.into(), key("respond"), key("body")], false, "a.yaml:19:50"),
        (vec![key("defaults"), key("auth")], false, "a.yaml:1:1"),
    ];
    for (path, at_key, expected) in cases {
        let at = source.locate(path, *at_key).unwrap();
        assert_eq!(format!("{}:{}:{}", at.file, at.line, at.column), *expected, "{path:?}");
    }
}

#[test]
fn a_later_problem_reads_as_the_design_shows() {
    let files = [
        (
            "yett.yaml",
            "version: 1\nlisteners: {}\nlimits:\n  per-user: { rate: 1/1s, key: route }\n",
        ),
        (
            "routes.d/orders.yaml",
            "routes:\n  - id: a\n    match: { path: / }\n    limits: [per-usr]\n",
        ),
    ];
    let source = load(&files).unwrap().source;
    let mut cx = Compile::new();
    cx.within("routes", |cx| {
        cx.within(0, |cx| {
            cx.within("limits", |cx| {
                cx.within(0, |cx| {
                    let known = ["per-user"];
                    cx.unknown(number::UNKNOWN_LIMIT, "limit", "per-usr", known.into_iter())
                        .related(vec!["limits".into(), "per-user".into()]);
                });
            });
        });
    });
    cx.within("limits", |cx| {
        cx.within("per-user", |cx| {
            cx.warning(number::UNUSED, "limit `per-user` is never used").at_key();
        });
    });
    let report = Report::new(cx, &source);
    let expected = "\
warning[Y040] limit `per-user` is never used  yett.yaml:4:3
 4 |   per-user: { rate: 1/1s, key: route }
   |   ^^^^^^^^

error[Y014] unknown limit `per-usr`        routes.d/orders.yaml:4:14
 4 |     limits: [per-usr]
   |              ^^^^^^^ did you mean `per-user`? (defined in yett.yaml:4)
";
    assert_eq!(report.to_string(), expected);
    assert_eq!(report.summary(), "1 error, 1 warning");
    assert!(report.coloured().to_string().contains("\u{1b}[31merror[Y014]\u{1b}[0m unknown limit"));

    let json = report.to_json();
    assert_eq!(json[1]["number"], "Y014");
    assert_eq!(json[1]["path"], "routes[0].limits[0]");
    assert_eq!(json[1]["column"], 14);
    assert_eq!(json[1]["related"]["file"], "yett.yaml");
    assert_eq!(json[0]["severity"], "warning");
}
