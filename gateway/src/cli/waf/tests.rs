use std::io::Write as _;

use serde_json::{Value, json};

use super::diff::unified;
use super::event::{LoggedEvent, LoggedMatch, choose};
use super::paint::{Ink, Paint, Table, bytes, cut, safe, safe_lines};
use super::propose::propose;

fn event(targets: &[(u32, &str)]) -> LoggedEvent {
    let found = |(rule, target): &(u32, &str)| LoggedMatch {
        rule: *rule,
        target: (*target).to_owned(),
        score: 5,
    };
    LoggedEvent {
        id: String::new(),
        method: String::new(),
        path: String::new(),
        route: "r".into(),
        profile: "p".into(),
        score: 5,
        threshold: 5,
        matches: targets.iter().map(found).collect(),
        matches_total: targets.len(),
    }
}

/// `rules at field` of each exception, or why there is none.
fn proposed(targets: &[(u32, &str)]) -> String {
    match propose(&event(targets), |rule| rule < 900, "w", "2099-01-01") {
        Err(why) => format!("refused: {why}"),
        Ok(proposal) => {
            let one = |except: &crate::stages::waf::section::ExceptSection| {
                format!("{:?} at {}", except.rules, except.field.as_deref().unwrap_or("everything"))
            };
            proposal.exceptions.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

#[test]
fn exceptions_are_as_narrow_as_the_match() {
    let cases: [(&[(u32, &str)], &str); 11] = [
        (&[(2, "ARGS:q"), (1, "ARGS:q"), (2, "ARGS:q")], "[1, 2] at arg.q"),
        (&[(1, "ARGS_GET:q"), (1, "ARGS_POST:r")], "[1] at arg.q; [1] at arg.r"),
        (&[(1, "ARGS:json.note")], "[1] at json.note"),
        (&[(1, "ARGS:json.items.12.a-b.note")], r"[1] at ARGS:/^json\.items\.\d+\.a\-b\.note$/"),
        (&[(1, "ARGS:json.0"), (2, "ARGS:json.1")], r"[1, 2] at ARGS:/^json\.\d+$/"),
        (&[(1, "REQUEST_HEADERS:User-Agent")], "[1] at header.user-agent"),
        (&[(1, "REQUEST_COOKIES:sid")], "[1] at cookie.sid"),
        (&[(1, "ARGS_NAMES:a[b]")], "[1] at ARGS_NAMES:a[b]"),
        (&[(1, "REQUEST_FILENAME")], "[1] at REQUEST_FILENAME"),
        // A rule above the blocking level never refused anything.
        (&[(1, "ARGS:q"), (901, "ARGS:q")], "[1] at arg.q"),
        // What cannot be named is left out, and counts on.
        (&[(1, "ARGS:q"), (2, "REQUEST_BODY")], "[1] at arg.q"),
    ];
    for (targets, expected) in cases {
        assert_eq!(proposed(targets), expected, "{targets:?}");
    }
    let mixed = event(&[(1, "ARGS:q"), (2, "REQUEST_BODY")]);
    let proposal = propose(&mixed, |_| true, "", "").unwrap_or_default();
    assert_eq!((proposal.left, proposal.notes.len()), (5, 1));
}

/// Whoever sends the request chooses the names in its event.
#[test]
fn what_would_match_more_than_meant_is_refused() {
    let long = format!("ARGS:{}", "a".repeat(129));
    let targets = [
        "ARGS:/.*/",
        "ARGS:'/.*/'",
        "ARGS:a|ARGS",
        "ARGS:a,ARGS:b",
        "ARGS:",
        "ARGS:a\" }\nwaf: off",
        "ARGS:\u{1b}]0;owned\u{7}",
        "ARGS:\u{202e}q",
        "ARGS:a b",
        "ARGS:naïve",
        "ARGS:cut…",
        "ARGS:[redacted]",
        &long,
        "ARGS",
        "XML",
        "&ARGS",
        "REQUEST_BODY",
        "REQUEST_URI",
        "QUERY_STRING",
        "REQUEST_HEADERS",
        "TX:inbound_anomaly_score_pl1",
        "REQUEST_LINE\n",
        "",
    ];
    for target in targets {
        let got = proposed(&[(1, target)]);
        assert!(got.starts_with("refused: "), "{target:?}: {got}");
        assert!(!safe(&got).contains('\u{1b}'));
    }
    let fields: Vec<String> = (0..9).map(|at| format!("ARGS:f{at}")).collect();
    let many: Vec<(u32, &str)> = fields.iter().map(|field| (1, field.as_str())).collect();
    assert!(proposed(&many).contains("9 fields matched, bound 8"));
    let rules: Vec<(u32, &str)> = (1..=13).map(|rule| (rule, "ARGS:q")).collect();
    assert!(proposed(&rules).contains("13 rules matched arg.q, bound 12"));
}

fn logged(id: &str, matches: Value) -> Value {
    json!({
        "trace": { "id": id },
        "yett": { "route": "r", "waf": { "profile": "p", "score": 5, "threshold": 5, "matches": matches } },
    })
}

#[test]
fn events_are_read_however_they_come() {
    let found = || json!([{ "rule": "942100", "target": "ARGS:q", "score": 5 }]);
    let (one, quiet, two) = (logged("1", found()), logged("2", json!([])), logged("3", found()));
    let id = |text: &str, id: Option<&str>| choose(text, id).map(|event| event.id);
    assert_eq!(id(&one.to_string(), None), Ok("1".into()));
    assert_eq!(id(&format!("{one:#}"), None), Ok("1".into()));
    assert_eq!(id(&format!("{quiet}\n\n{one}\n"), None), Ok("1".into()));
    assert_eq!(id(&json!([one, two]).to_string(), Some("3")), Ok("3".into()));
    let refused = [
        (format!("{one}\n{two}"), None, "2 events in which rules matched; --id chooses one"),
        (quiet.to_string(), None, "no event in which a rule matched"),
        (one.to_string(), Some("9"), "no event with the id `9`"),
        ("{".into(), None, "line 1: not an event"),
        (json!({ "yett": { "waf": { "matches": [1] } } }).to_string(), None, "no rule id"),
        (logged("1", json!([{ "rule": "-1" }])).to_string(), None, "no rule id"),
        ("[".repeat(100_000), None, "line 1: not an event"),
    ];
    for (text, wanted, expected) in refused {
        let error = choose(&text, wanted).expect_err(expected);
        assert!(error.contains(expected), "{error}");
    }
}

/// `patch` is the judge of what a diff is.
#[test]
fn diffs_apply() {
    let cases = [
        ("a\nb\nc\nd\ne\nf\ng\n", "a\nb\nc\nd\nX\nY\ne\nf\ng\n"),
        ("a\nb\nc\n", "a\nB\nc\n"),
        ("a\na\na\n", "a\na\na\na\n"),
        ("a", "a\nb"),
        ("a\nb", "a\nb2"),
        ("", "a\n"),
        ("x\n", "y\n"),
    ];
    for (before, after) in cases {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("f"), before).unwrap();
        let mut patch = std::process::Command::new("patch");
        patch
            .args(["-p1", "--quiet"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped());
        let Ok(mut patch) = patch.spawn() else { return eprintln!("SKIPPED: no patch program") };
        let diff = unified("f", before, after);
        patch.stdin.take().unwrap().write_all(diff.as_bytes()).unwrap();
        assert!(patch.wait().unwrap().success(), "{diff}");
        assert_eq!(std::fs::read_to_string(folder.path().join("f")).unwrap(), after, "{diff}");
    }
    assert_eq!(unified("f", "a", "a"), "");
}

#[test]
fn texts_only_show() {
    let cases = [
        ("plain ü 😀", "plain ü 😀"),
        ("\u{1b}[2J", "\\u{1b}[2J"),
        ("a\r\nb\0\u{9b}", "a\\u{d}\\u{a}b\\u{0}\\u{9b}"),
        ("\u{202e}x\u{200b}", "\\u{202e}x\\u{200b}"),
    ];
    for (text, expected) in cases {
        assert_eq!(safe(text), expected);
    }
    assert_eq!(safe_lines("a\u{1b}\n\tb"), "a\\u{1b}\n    b");
    assert_eq!(bytes(b"\xff\x1babc", 3), "\u{fffd}\\u{1b}a…");
    assert_eq!(cut("üüü", 2), "üü…");
}

#[test]
fn tables_align_and_colour_only_where_someone_looks() {
    let mut table = Table::new(&["n", "what"], &[0]);
    table.row([(Ink::Red, "7".into()), (Ink::Plain, "ü".into())]);
    table.row([(Ink::Plain, "123".into()), (Ink::Plain, "b".into())]);
    assert_eq!(table.text(Paint(false), "> "), ">   n  what\n>   7  ü\n> 123  b\n");
    assert!(table.text(Paint(true), "").contains("  \u{1b}[31m7\u{1b}[0m  ü"));
}
