//! Changes that are proposed: in the style of the place, and nothing but what was meant.

use super::load;
use crate::config::amend::add_exceptions;
use crate::stages::waf::section::ExceptSection;

fn except(field: &str, why: &str) -> ExceptSection {
    ExceptSection {
        rules: vec![1, 2],
        tags: Vec::new(),
        field: Some(field.into()),
        why: why.into(),
        expires: Some("2099-01-01".into()),
    }
}

const HEAD: &str = "version: 1\nlisteners: {}\nroutes:\n";
const ITEM: &str = r#"{ rules: [1, 2], field: "arg.q", why: "w", expires: "2099-01-01" }"#;

/// The lines behind `HEAD` after the change of the first route.
fn amended(routes: &str, section: ExceptSection) -> Result<String, String> {
    let text = format!("{HEAD}{routes}");
    let loaded = load(&[("yett.yaml", &text)]).map_err(|report| report.to_string())?;
    let amendment = add_exceptions(&loaded.source, &loaded.document, 0, &[section])?;
    assert_eq!(amendment.before, text);
    Ok(amendment.after.strip_prefix(HEAD).unwrap_or_default().to_owned())
}

#[test]
fn exceptions_come_where_they_belong() {
    let cases = [
        // No `waf`, block and flow.
        (
            "- id: a # one\n  match: { path: /x }\n  public: x   # why\n\n- { id: b, match: { path: /x } }\n",
            "- id: a # one\n  match: { path: /x }\n  public: x   # why\n  waf:\n    except:\n      - ITEM\n\n- { id: b, match: { path: /x } }\n",
        ),
        (
            "- { id: a, match: { path: /x } }\n",
            "- { id: a, match: { path: /x }, waf: { except: [ITEM] } }\n",
        ),
        (
            "- { id: a, match: { path: /x }, }\n",
            "- { id: a, match: { path: /x }, waf: { except: [ITEM] } }\n",
        ),
        // A profile's name, quoted or not, the last line or not.
        (
            "  - id: a\n    match: { path: /x }\n    waf: crs  # strict\n    public: x\n",
            "  - id: a\n    match: { path: /x }\n    waf: { profile: crs, except: [ITEM] }  # strict\n    public: x\n",
        ),
        (
            "  - id: a\n    match: { path: /x }\n    waf: \"crs\"",
            "  - id: a\n    match: { path: /x }\n    waf: { profile: \"crs\", except: [ITEM] }",
        ),
        // Changes without exceptions.
        (
            "- id: a\n  waf:\n      mode: monitor\n      # last\n  match: { path: /x }\n",
            "- id: a\n  waf:\n      mode: monitor\n      except:\n        - ITEM\n      # last\n  match: { path: /x }\n",
        ),
        (
            "- id: a\n  match: { path: /x }\n  waf: { mode: monitor } # c\n",
            "- id: a\n  match: { path: /x }\n  waf: { mode: monitor, except: [ITEM] } # c\n",
        ),
        (
            "- { id: a, match: { path: /x }, waf: {} }\n",
            "- { id: a, match: { path: /x }, waf: { except: [ITEM] } }\n",
        ),
        // Exceptions that are there.
        (
            "- id: a\n  match: { path: /x }\n  waf:\n    except:\n    - rules: [7]\n      why: z # c\n\n- { id: b, match: { path: /x } }\n",
            "- id: a\n  match: { path: /x }\n  waf:\n    except:\n    - rules: [7]\n      why: z # c\n    - ITEM\n\n- { id: b, match: { path: /x } }\n",
        ),
        (
            "- { id: a, match: { path: /x }, waf: { except: [ { rules: [7], why: z } ], mode: monitor } }\n",
            "- { id: a, match: { path: /x }, waf: { except: [ { rules: [7], why: z }, ITEM ], mode: monitor } }\n",
        ),
        (
            "- { id: a, match: { path: /x }, waf: { except: [] } }\n",
            "- { id: a, match: { path: /x }, waf: { except: [ITEM] } }\n",
        ),
        // Lines of another system stay that way.
        (
            "- id: a\r\n  match: { path: /x }\r\n  public: x\r\n",
            "- id: a\r\n  match: { path: /x }\r\n  public: x\r\n  waf:\r\n    except:\r\n      - ITEM\r\n",
        ),
    ];
    for (before, after) in cases {
        let got =
            amended(before, except("arg.q", "w")).unwrap_or_else(|why| panic!("{before}{why}"));
        assert_eq!(got, after.replace("ITEM", ITEM), "from\n{before}");
    }
}

/// Texts that would end a quotation, a line or a document; the result is compared with what was meant.
#[test]
fn hostile_texts_stay_texts() {
    let texts = [
        "\" }\nroutes: []\n#",
        "a\r\n---\n...",
        "]}'\\\"{{&*!|>%@`",
        "\u{1b}[2J\u{7}\0\u{85}\u{2028}\u{202e}\u{feff}\u{ffff}",
        "😀 größer: [1, 2] # no comment",
        "YYYY\\U0000000A",
    ];
    for hostile in texts {
        for route in [
            "- id: a\n  match: { path: /x }\n",
            "- { id: a, match: { path: /x }, waf: { except: [] } }\n",
        ] {
            let after = amended(route, except(hostile, hostile))
                .unwrap_or_else(|why| panic!("{hostile:?}: {why}"));
            let added = after.lines().count() - route.lines().count();
            assert!(added <= 3, "{hostile:?}: {after}");
            assert!(!after.contains(['\u{1b}', '\0', '\u{202e}', '\r']), "{hostile:?}: {after:?}");
        }
    }
}

/// A comment swallows what would be written behind it: then nothing is proposed, and the text is given instead.
#[test]
fn a_place_that_would_not_hold_is_refused() {
    let why = amended("- { id: a, match: { path: /x } # note\n  }\n", except("arg.q", "w"))
        .expect_err("a comment");
    assert!(why.contains("no safe place") && why.contains(ITEM), "{why}");
    let loaded = load(&[("y.yaml", &format!("{HEAD}- {{ id: a, match: {{ path: /x }} }}\n"))])
        .unwrap_or_else(|why| panic!("{why}"));
    assert!(add_exceptions(&loaded.source, &loaded.document, 1, &[]).is_err());
}

/// The file that has the route is changed, and only it.
#[test]
fn a_directory_is_changed_in_the_right_file() {
    let files = [
        ("base.yaml", "version: 1\nlisteners: {}\n"),
        ("routes/a.yaml", "routes:\n- id: a\n  match: { path: /x }\n"),
        ("routes/b.yaml", "routes:\n- id: b\n  match: { path: /x }\n"),
    ];
    let loaded = load(&files).unwrap_or_else(|why| panic!("{why}"));
    let amendment = add_exceptions(&loaded.source, &loaded.document, 1, &[except("arg.q", "w")]);
    let amendment = amendment.unwrap_or_else(|why| panic!("{why}"));
    assert_eq!((amendment.file.as_str(), amendment.before.as_str()), files[2]);
    assert!(amendment.after.starts_with(files[2].1));
}
