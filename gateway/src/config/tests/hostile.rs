//! Text that was made to break its reader: an answer in bounded time and memory, never a panic.

use super::super::load::{load_str, parse};
use super::super::{files, report::Report};
use super::{START, refusal};
use crate::base::bounds::{CONFIG_DEPTH, CONFIG_PROBLEMS};

#[test]
fn hostile_texts_are_refused_at_their_place() {
    let deep = |open: &str, count: usize| format!("{START}routes: {}", open.repeat(count));
    let cases: &[(&str, String, &str)] = &[
        ("lists in lists", deep("[", 100_000), "nested more than 64 deep       yett.yaml:3:264"),
        ("maps in maps", deep("{a: ", 100_000), "nested more than 64 deep"),
        ("block lists", deep("\n", 1) + &"- ".repeat(100_000), "nested more than 64 deep"),
        (
            "block maps",
            (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            "nested more than 64 deep",
        ),
        (
            "a billion laughs",
            "a: &a [lol, lol]\nb: &b [*a, *a]\nc: &c [*b, *b]\n".into(),
            "error[Y005] aliases are not read",
        ),
        (
            "a merge key",
            format!("{START}limits: {{ a: {{ <<: {{ b: 1 }} }} }}"),
            "unknown key `<<`",
        ),
        ("an alias as key", format!("{START}*a : 1\n"), "unknown anchor"),
        ("NUL hides the rest", format!("{START}\0routes: []\n"), "character U+0000 is not allowed"),
        ("an escape code", format!("{START}# \u{1b}[2J\n"), "character U+001B is not allowed"),
        // CVE-2021-42574: what is seen is not what is read.
        ("a direction mark", format!("{START}# \u{202e}x\n"), "character U+202E is not allowed"),
        ("a second byte order mark", format!("\u{feff}\u{feff}{START}"), "U+FEFF is not allowed"),
        (
            "a number that is none",
            format!("{START}store: {{ redis: a, expected_gateways: .nan }}"),
            "not the text `.nan`",
        ),
        (
            "a number beyond all",
            format!("version: {}\n", "9".repeat(400)),
            "takes a whole number, not the text",
        ),
        (
            "a key of 256 KiB",
            format!("{START}? {}\n: 1\n", "k".repeat(1 << 18)),
            "unknown key `kkkk",
        ),
        (
            "a value of 256 KiB",
            format!("{START}screen: {{ mode: {} }}", "m".repeat(1 << 18)),
            "cannot be `mmmm",
        ),
        (
            "a line of 256 KiB",
            format!("{START}defaults: {{ limits: [{}], x: 1 }}", "a,".repeat(1 << 17)),
            "unknown key `x`",
        ),
        ("only a directive", "%YAML 1.2\n".into(), "not YAML"),
    ];
    for (name, text, expected) in cases {
        let report = refusal(text);
        assert!(report.contains(expected), "{name}: {}", &report[..report.len().min(500)]);
        assert!(report.len() < 2_000, "{name}: a report of {} bytes", report.len());
    }
}

#[test]
fn the_depth_that_is_allowed_is_read() {
    let lists = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    // The document, its list of routes, and what is left.
    let fits = refusal(&format!("{START}routes: {}", lists(CONFIG_DEPTH - 1)));
    assert!(fits.contains("`routes[0]` takes a section of keys, not a list"), "{fits}");
    let over = refusal(&format!("{START}routes: {}", lists(CONFIG_DEPTH)));
    assert!(over.contains("nested more than"), "{over}");
}

#[test]
fn bytes_that_are_not_text_are_refused_where_they_stand() {
    let given = files::Files {
        contents: vec![("yett.yaml".into(), b"version: 1\nlisteners: { \xff\xfe: {} }\n".to_vec())],
        ..files::given(&[])
    };
    let report = parse(given).expect_err("refused").to_string();
    assert!(
        report.contains("error[Y002] the file is not UTF-8 text     yett.yaml:2:14"),
        "{report}"
    );
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_change_nothing() {
    let plain = load_str("a", START).unwrap().document;
    let windows = format!("\u{feff}{}", START.replace('\n', "\r\n"));
    assert_eq!(load_str("a", &windows).unwrap().document, plain);
}

#[test]
fn a_flood_of_problems_is_counted_not_kept() {
    let cases = [
        format!("{START}routes: [{}]", "1, ".repeat(CONFIG_PROBLEMS * 2)),
        format!("{START}routes: [{}]", "&a 1, ".repeat(CONFIG_PROBLEMS * 2)),
        format!("{START}{}", "limits: {}\n".repeat(CONFIG_PROBLEMS * 2)),
        format!("{START}screen: {{ allow: [{}] }}", "x, ".repeat(CONFIG_PROBLEMS * 2)),
    ];
    for text in &cases {
        let report: Report = load_str("yett.yaml", text).expect_err("refused");
        assert_eq!(report.problems().count(), CONFIG_PROBLEMS);
    }
}

/// Mutations of the reference: cut, doubled, swapped and overwritten pieces, some of them YAML's own signs.
#[test]
fn no_text_makes_the_reader_panic() {
    const ROUNDS: u32 = 3_000;
    const SIGNS: [&[u8]; 16] = [
        b"[", b"]", b"{", b"}", b": ", b"- ", b"\n", b"\t", b"\"", b"'", b"&a ", b"*a", b"|",
        b"? ", b"---\n", b"\xc3",
    ];
    let reference = include_bytes!("../../../../config/reference.yaml");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let start = random.below(reference.len());
        let length = 1 + random.below(1500);
        let mut text = reference[start..(start + length).min(reference.len())].to_vec();
        for _ in 0..1 + random.below(6) {
            let at = random.below(text.len());
            match random.below(4) {
                0 => text.truncate(at.max(1)),
                1 => text[at] = u8::try_from(random.below(256)).unwrap(),
                2 => drop(text.splice(at..at, SIGNS[random.below(SIGNS.len())].iter().copied())),
                _ => text.extend_from_within(at..),
            }
        }
        let given = files::Files { contents: vec![("x".into(), text)], ..files::given(&[]) };
        if let Err(report) = parse(given) {
            assert!(!report.to_string().is_empty());
            assert!(report.has_errors());
        }
    }
}

/// xorshift64: the same texts in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}
