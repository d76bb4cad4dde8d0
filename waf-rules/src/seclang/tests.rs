//! What is read, and how what cannot be read is reported.

use super::ast::{Directive, Selector};
use super::parser::{parse, parse_targets_text};
use super::source::Sources;
use crate::{LoadErrors, Ruleset};

fn load_errors(text: &str) -> LoadErrors {
    Ruleset::builder().text("t.conf", text).build().map(|_| ()).expect_err("must not load")
}

#[test]
fn joins_lines_and_unquotes() {
    let text = "# comment \\\nSecRule ARGS|\\\n  \"@rx a\\\"b\\\\d # c\" \\\r\n    \"id:1,\\\n   msg:'it\\'s, ok'\"\n";
    let (nodes, errors) = parse(0, text);
    assert!(errors.is_empty(), "{errors:?}");
    let Directive::Rule { operator, actions, .. } = &nodes[0].directive else {
        panic!("{nodes:?}")
    };
    // Only the quote is an escape: the backslashes belong to the pattern.
    assert_eq!(operator.argument, "a\"b\\\\d # c");
    assert_eq!(actions.len(), 2);
}

/// No byte between two words keeps the reader from going on: a form feed did.
#[test]
fn goes_on_after_every_byte() {
    for byte in 0..=u8::MAX {
        let text = format!("SecRuleEngine{}On\n^{0}\n", char::from(byte));
        let (nodes, errors) = parse(0, &text);
        assert!(nodes.len() + errors.len() <= 4, "{byte:#x}: {nodes:?} {errors:?}");
        let between = matches!(byte, b' ' | b'\t' | b'\r' | 0x0c);
        assert_eq!(nodes.len() == 1, between, "{byte:#x}: {nodes:?} {errors:?}");
    }
}

#[test]
fn reads_targets() {
    let targets = parse_targets_text(
        "ARGS|!ARGS:a|&TX:x|REQUEST_COOKIES:/^a|b\\/c/|XML://@*|XML:/*|ARGS:'/x,y/'",
    )
    .unwrap();
    let shape: Vec<_> =
        targets.iter().map(|t| (t.variable.name, t.selector.clone(), t.count, t.exclude)).collect();
    let name = |text: &str| Some(Selector::Name(text.into()));
    let pattern = |text: &str| Some(Selector::Pattern(text.into()));
    assert_eq!(
        shape,
        [
            ("ARGS", None, false, false),
            ("ARGS", name("a"), false, true),
            ("TX", name("x"), true, false),
            ("REQUEST_COOKIES", pattern("^a|b/c"), false, false),
            ("XML", None, false, false),
            ("XML", None, false, false),
            ("ARGS", pattern("x,y"), false, false),
        ]
    );
    for (text, message) in [
        ("AGRS", "unknown variable `AGRS`, did you mean `ARGS`?"),
        ("REQUEST_URI:x", "REQUEST_URI is a single value and takes no selector"),
        ("ARGS:", "empty selector after `:`"),
        ("ARGS:/a", "selector `/a` is a pattern without closing slash"),
        ("XML:/a/b", "XPath `/a/b` is not supported, expected /* or //@*"),
    ] {
        assert_eq!(parse_targets_text(text).map(|_| ()).unwrap_err(), message);
    }
}

/// Every problem of a load comes in one go, in order, each under its line.
#[test]
fn reports_every_problem_with_a_caret() {
    let errors = load_errors(
        "SecRul ARGS \"@rx a\" \"id:1\"\nSecRule AGRS|ARGS \"@rx (a\" \"id:2,\\\n    dny\"\nSecRule ARGS \"@rx (a\" \"id:3\"\n",
    );
    let shown = errors.to_string();
    let expected = "\
t.conf:1:1: unknown directive `SecRul`, did you mean `SecRule`?
 1 | SecRul ARGS \"@rx a\" \"id:1\"
   | ^^^^^^
t.conf:2:9: unknown variable `AGRS`, did you mean `ARGS`?
 2 | SecRule AGRS|ARGS \"@rx (a\" \"id:2,\\
   |         ^^^^
t.conf:3:5: unknown action `dny`, did you mean `deny`?
 3 |     dny\"
   |     ^^^
t.conf:4:19: regular expression: unclosed group
 4 | SecRule ARGS \"@rx (a\" \"id:3\"
   |                   ^^";
    let plain: String =
        shown.lines().map(|line| format!("{}\n", line.trim_start_matches(' '))).collect();
    let wanted: String =
        expected.lines().map(|line| format!("{}\n", line.trim_start_matches(' '))).collect();
    assert_eq!(plain, wanted);
}

#[test]
fn reports_what_only_the_whole_shows() {
    for (text, message) in [
        ("SecRule ARGS \"@rx a\" \"id:1\"\nSecAction \"id:1\"", "rule id 1 is taken by t.conf:1"),
        ("SecRule ARGS \"@rx a\" \"pass\"", "rule has no id"),
        ("SecRule ARGS \"@rx a\" \"id:1,chain\"", "chain has no further rule"),
        (
            "SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS b \"deny\"",
            "this action belongs to the first rule of the chain",
        ),
        (
            "SecAction \"id:1,skipAfter:X\"\n",
            "skipAfter:X: no marker and no rule of this name follows",
        ),
        // Jumps only go forward.
        (
            "SecMarker X\nSecAction \"id:1,skipAfter:X\"",
            "skipAfter:X: no marker and no rule of this name follows",
        ),
        (
            "SecRule ARGS \"@pmFromFile none.data\" \"id:1\"",
            "data file `none.data`: No such file or directory (os error 2)",
        ),
        ("SecAction \"id:1,msg:'%{nope.x}'\"", "unknown variable in macro `%{nope.x}`"),
        ("SecRule ARGS \"@rx a", "quote opened here is not closed before the end of the line"),
        ("SecRuleEngine Sometimes", "engine mode `Sometimes`, expected On, DetectionOnly or Off"),
        ("SecRule ARGS", "SecRule takes 2 to 3 arguments, got 1"),
        ("Include /nowhere/*.conf", "no file matches `/nowhere/*.conf`"),
        ("SecRuleUpdateActionById 7 \"deny\"", "no rule 7 so far"),
    ] {
        let errors = load_errors(text);
        assert_eq!(
            errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>(),
            [message],
            "{text}"
        );
    }
}

#[test]
fn places_are_lines_and_columns() {
    let mut sources = Sources::default();
    let source = sources.add("f", "a\n\u{e9}\u{e9}b\n");
    let place = sources.place(super::source::Span { source, start: 6, end: 7 });
    assert_eq!((place.line, place.column, place.text), (2, 3, "\u{e9}\u{e9}b"));
}

#[test]
fn includes_by_wildcard_in_order_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("main.conf", "Include sub*.conf\n");
    write("sub2.conf", "SecAction \"id:2\"\n");
    write("sub1.conf", "SecRule ARGS \"@pmFromFile w.data\" \"id:1\"\n");
    write("w.data", "# words\nunion select\n");
    let ruleset = Ruleset::builder().file(folder.path().join("main.conf")).build().unwrap();
    assert_eq!(ruleset.rules().map(|rule| rule.id()).collect::<Vec<_>>(), [1, 2]);
    let version = ruleset.version().to_owned();
    write("w.data", "other\n");
    let changed = Ruleset::builder().file(folder.path().join("main.conf")).build().unwrap();
    assert_ne!(changed.version(), version);
    write("main.conf", "Include main.conf\n");
    let errors =
        Ruleset::builder().file(folder.path().join("main.conf")).build().map(|_| ()).unwrap_err();
    assert_eq!(errors.iter().next().unwrap().message, "includes nest 17 deep, bound 16");
}

/// Rules with bytes dropped, doubled and swapped: each loads or is refused with a place, none panics.
#[test]
fn mutated_rules_load_or_are_refused() {
    let text = "SecDefaultAction \"phase:2,log,pass\"\n\
                SecRule ARGS|!ARGS:/^a\\/|b/|&TX:x \"!@rx ^[^\\]\\x{41}]{1,3}(?:a|b)*+$\" \\\n    \"id:1,phase:2,deny,t:none,\
                msg:'it\\'s %{tx.0}, %{MATCHED_VAR}',setvar:'tx.a_%{tx.b}=+%{tx.c}',skipAfter:END,ctl:ruleRemoveTargetById=1-9;ARGS:q,chain\"\n\
                SecRule MATCHED_VARS \"@within a b\" \"t:lowercase\"\nSecMarker END\n\
                SecRuleUpdateTargetById 1 \"!REQUEST_COOKIES:/x/\"\nSecRuleRemoveByTag ^a\n";
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % bound.max(1)
    };
    for _ in 0..4_000 {
        let mut mutated: Vec<char> = text.chars().collect();
        for _ in 0..=next(4) {
            let at = next(mutated.len());
            match next(3) {
                0 if mutated.len() > 1 => drop(mutated.remove(at)),
                1 => mutated.insert(
                    at,
                    ['"', '\'', '\\', '\n', '/', '|', '{', '%', ',', ':', '\u{e9}'][next(11)],
                ),
                _ => mutated.truncate(at.max(1)),
            }
        }
        let mutated: String = mutated.into_iter().collect();
        if let Err(errors) = Ruleset::builder().text("t.conf", mutated).build() {
            assert!(
                errors.iter().all(|error| error.line > 0
                    && error.column > 0
                    && !error.to_string().is_empty())
            );
        }
    }
}
