//! Cases: operator, argument, input, whether it matches.

use super::{Captures, Constants, NAMES, Operator, rx_syntax};
use crate::tx::TxNames;

const CASES: &[(&str, &str, &[u8], bool)] = &[
    ("rx", "^a.c$", b"a\nc", true),
    // `$` is the end of the value, not of a line.
    ("rx", "c$", b"abc\n", false),
    ("rx", "(?i)\\x{c3}\\x{a9}", b"\xc3\xa9", true),
    ("rx", "[\\x{80}-\\x{ff}]", b"\xe9", true),
    ("rx", "\\bor\\b", b"1 or 2", true),
    ("rx", "a{2}b}", b"aab}", true),
    ("rx", "{\\{}", b"{{}", true),
    ("rx", "[[a&&b]", b"&", true),
    ("rx", "x*+y", b"xxy", true),
    ("rx", "\\<b\\>", b"<b>", true),
    ("rx", "\\h\\v", b"\t\n", true),
    ("rx", "[]a]", b"]", true),
    // A lookahead for plain text at the end is said without one.
    ("rx", "<\\?(?!xml)", b"<?php", true),
    ("rx", "<\\?(?!xml)", b"a <?", true),
    ("rx", "<\\?(?!xml)", b"<?xm", true),
    ("rx", "<\\?(?!xml)", b"<?xml", false),
    ("rx", "(?i)<\\?(?!xml)", b"<?XML", false),
    ("rx", "^(?:5|4(?!04))", b"403", true),
    ("rx", "^(?:5|4(?!04))", b"404", false),
    ("rx", "^(?:4(?!04)|5(?!03))", b"503", false),
    ("rx", "^(?:4(?!04)|5(?!03))", b"500", true),
    ("rx", "x*(?!y)", b"xxy", true),
    ("rxGlobal", "a.", b"xabac", true),
    ("pm", "a|42 43|d |7c|", b"aBCd", true),
    ("pm", "a|42 43|d |7c|", b"a|b", true),
    ("pm", "a|42 43|d |7c|", b"a b c d", false),
    ("verifyCC", "\\b\\d{13,16}\\b", b"card 4111111111111111.", true),
    ("verifyCC", "\\b\\d{13,16}\\b", b"card 4111111111111112.", false),
    // The number begins inside what matches first.
    ("verifyCC", "\\d{13,16}", b"94111111111111111", true),
    ("verifyCC", "\\d[\\d -]+\\d", b"4111-1111 1111-1111", true),
    ("verifyCC", "\\d{16}", b"0000000000000000", false),
    ("verifyCPF", "\\d{3}\\.?\\d{3}\\.?\\d{3}-?\\d{2}", b"529.982.247-25", true),
    ("verifyCPF", "\\d{11}", b"52998224724", false),
    ("verifyCPF", "\\d{11}", b"11111111111", false),
    ("verifySSN", "\\d{3}-?\\d{2}-?\\d{4}", b"ssn 078-05-1120", true),
    (
        "verifySSN",
        "\\d{3}-?\\d{2}-?\\d{4}",
        b"666-05-1120 900-05-1120 078-00-1120 078-05-0000",
        false,
    ),
    ("verifySVNR", "\\d{10}", b"1237010180", true),
    ("verifySVNR", "\\d{10}", b"1238010180", false),
    ("pm", "union select", b"UNION", true),
    ("pm", "union select", b"join", false),
    ("streq", "a", b"a", true),
    ("streq", "a", b"A", false),
    ("contains", "b", b"abc", true),
    ("containsWord", "or", b"a or b", true),
    ("containsWord", "or", b"for", false),
    ("beginsWith", "ab", b"abc", true),
    ("endsWith", "bc", b"abc", true),
    ("within", "GET POST", b"POST", true),
    // An empty value is within anything.
    ("within", "GET POST", b"", true),
    ("within", "GET", b"GETS", false),
    ("eq", "0", b"junk", true),
    ("gt", "-1", b" 12abc", true),
    ("lt", "5", b"99999999999999999999", false),
    ("ipMatch", "10.0.0.0/8,::1", b"10.9.8.7", true),
    ("ipMatch", "10.0.0.0/8,::1", b"11.9.8.7", false),
    ("ipMatch", "10.0.0.0/8,::1", b"::1", true),
    ("ipMatch", "0.0.0.0/0", b"2001:db8::1", false),
    ("validateByteRange", "32-36,38-126", b"abc", false),
    ("validateByteRange", "32-36,38-126", b"a%", true),
    ("validateUrlEncoding", "", b"%41", false),
    ("validateUrlEncoding", "", b"%4", true),
    ("validateUtf8Encoding", "", b"\xc3\xa9", false),
    ("validateUtf8Encoding", "", b"\xc0\xaf", true),
    ("detectSQLi", "", b"1' OR '1'='1", true),
    ("detectSQLi", "", b"hello world", false),
    // Phrases of three words: what libinjection makes of them is in its table (`sk)&1`, `1);Tk`, `sk)&f`).
    ("detectSQLi", "", b"1' in boolean mode) and 1=1#", true),
    ("detectSQLi", "", b"1' IN/**/BOOLEAN\tMODE) and sleep(5)#", true),
    (
        "detectSQLi",
        "",
        b"1);create or  replace function f(int) returns int as 'x'; select f(5)--",
        true,
    ),
    // MySQL reads `1.e` as nothing; NUL bytes among digits are skipped.
    ("detectSQLi", "", b"1.e(1)or 1=1", true),
    ("detectSQLi", "", b"1.e or 1=1", false),
    ("detectSQLi", "", b"x'0\x001' or 1=1", true),
    ("detectSQLi", "", b"0x\x001/*", true),
    ("detectSQLi", "", b"1-- sp_password", true),
    ("detectSQLi", "", b"a-- sp_password", true),
    ("detectSQLi", "", b"a-- password", false),
    ("detectSQLi", "", b"1, 2, 3, {``", true),
    ("detectSQLi", "", b"/*/**/", true),
    ("detectSQLi", "", b"it is like me and 17", false),
    ("detectSQLi", "", b"mail in boolean mode", false),
    ("detectSQLi", "", b"create or replace the page", false),
    ("detectXSS", "", b"<script>alert(1)</script>", true),
    ("detectXSS", "", b"hello", false),
    ("detectXSS", "", b"<svgx>", true),
    ("detectXSS", "", b"<scr\0ipt", true),
    ("detectXSS", "", b"<scripts>", false),
    ("detectXSS", "", b"x' onerror=1", true),
    ("detectXSS", "", b"x` onpointerrawupdate=1", true),
    ("detectXSS", "", b"<a onauxclick=\"", true),
    ("detectXSS", "", b"<a onauxclick", false),
    ("detectXSS", "", b"<a one=1>", false),
    ("detectXSS", "", b"<a href=\x01&#x6a;a&#118;a&#00097script:1>", true),
    ("detectXSS", "", b"<a href=/java=1>", false),
    ("detectXSS", "", b"<set attributename=onload>", true),
    ("detectXSS", "", b"<!-- ` -->", true),
    ("detectXSS", "", b"<!--[if gte IE 4]>", true),
    ("detectXSS", "", b"<!-- a --!><b>", false),
    ("detectXSS", "", b"<%import x", true),
    ("detectXSS", "", b"<!doctype", true),
    ("detectXSS", "", b"<![CDATA[<script>]]><b>", false),
    ("unconditionalMatch", "", b"", true),
    ("noMatch", "", b"x", false),
];

fn compile(name: &str, argument: &str) -> Result<Operator, String> {
    let constants = Constants::from([("kind".to_owned(), vec!["utf-8|latin1".to_owned()])]);
    Operator::compile(name, argument, &mut TxNames::default(), &constants, &|name| {
        Err(format!("no file {name}"))
    })
}

#[test]
fn cases() {
    for (name, argument, input, expected) in CASES {
        let operator =
            compile(name, argument).unwrap_or_else(|error| panic!("@{name} {argument}: {error}"));
        let given = operator
            .argument()
            .and_then(|template| template.constant())
            .unwrap_or_default()
            .to_vec();
        let input_text = String::from_utf8_lossy(input);
        assert_eq!(
            operator.matches(input, &given, None),
            *expected,
            "@{name} {argument} on {input_text:?}"
        );
    }
}

#[test]
fn every_name_compiles_or_wants_an_argument() {
    for name in NAMES {
        if let Err(error) = compile(name, "127.0.0.1") {
            assert!(!error.starts_with("unknown"), "@{name}");
            assert!(error.contains("no file") || *name == "validateByteRange", "@{name}: {error}");
        }
    }
}

#[test]
fn refuses_what_it_cannot_say() {
    for (pattern, reason) in [
        ("(?=a)", "lookahead `(?=` is not supported"),
        ("a(?!b)c", "lookahead `(?!` is not supported"),
        ("a(?!b+)", "lookahead `(?!` is not supported"),
        ("(?:a(?!b))*", "lookahead `(?!` is not supported"),
        ("(?<!a)", "lookbehind `(?<!` is not supported"),
        ("(a)\\1", "back-reference `\\1` is not supported"),
        ("a\\Z", "escape `\\Z` is not supported"),
        ("\\x{100}", "escape `\\x{...}`, expected a byte"),
        ("a\\", "pattern ends in a backslash"),
        ("[a", "character class `[` is not closed"),
    ] {
        let error = rx_syntax::translate(pattern).unwrap_err();
        assert!(error.starts_with(reason), "{pattern}: {error}");
    }
}

/// Macros in a pattern: only where every pattern that can come about is known at load.
#[test]
fn patterns_with_macros_are_compiled_at_load() {
    let operator = compile("rx", "^(?:%{tx.kind})$").unwrap();
    for (argument, input, expected) in [
        ("^(?:utf-8|latin1)$", "latin1", true),
        ("^(?:utf-8|latin1)$", "utf-7", false),
        ("^(?:)$", "", true),
        // No other pattern is ever run.
        ("^(?:.*)$", "x", false),
    ] {
        let found = operator.matches(input.as_bytes(), argument.as_bytes(), None);
        assert_eq!(found, expected, "{argument} on {input}");
    }
    for pattern in ["a%{tx.changing}", "%{tx.1}", "%{REQUEST_URI}", "%{rule.id}"] {
        let error = compile("rx", pattern).unwrap_err();
        assert!(error.starts_with("a macro inside a regular expression must be"), "{error}");
    }
    let many = "%{tx.kind}".repeat(5);
    assert_eq!(compile("rx", &many).unwrap_err(), "the macros stand for more than 16 patterns");
    // Not a macro.
    assert!(compile("rx", "100%{2}").is_ok());
}

#[test]
fn captures_groups() {
    let operator = compile("rx", "(a)(b)?(c)").unwrap();
    let mut captures = Captures::default();
    assert!(operator.matches(b"xac", b"", Some(&mut captures)));
    let texts: Vec<&[u8]> = captures.groups().map(|group| &b"xac"[group]).collect();
    // A group that took no part is empty.
    assert_eq!(texts, [b"ac".as_slice(), b"a", b"", b"c"]);
}

/// What stands for a lookahead is no part of the match.
#[test]
fn captures_leave_lookaheads_out() {
    for (name, pattern, input, expected) in [
        ("rx", "<\\?(?!xml)", "<?php", vec!["<?"]),
        ("rx", "(<)(\\?(?!xml))", "<?xpath", vec!["<?", "<", "?"]),
        ("rx", "x*(?!y)", "xxy", vec!["x"]),
        ("rxGlobal", "a(.)", "abacad", vec!["ab", "b", "ac", "c", "ad", "d"]),
        ("verifyCC", "\\d{16}", "x4111111111111111y", vec!["4111111111111111"]),
    ] {
        let operator = compile(name, pattern).unwrap();
        let mut captures = Captures::default();
        assert!(operator.matches(input.as_bytes(), b"", Some(&mut captures)), "{pattern}");
        let texts: Vec<_> = captures.groups().map(|group| &input[group]).collect();
        assert_eq!(texts, expected, "@{name} {pattern}");
    }
}

#[test]
fn captures_at_most_ten_groups() {
    let operator = compile("rx", &"(a)".repeat(20)).unwrap();
    let mut captures = Captures::default();
    let input = [b'a'; 20];
    assert!(operator.matches(&input, b"", Some(&mut captures)));
    assert_eq!(captures.groups().count(), 10);
}

/// The gates of the two libinjection operators: no word alone is an injection, and nothing without
/// `<` and `=` is a script.
#[test]
fn injection_needs_the_bytes_its_gate_asks_for() {
    let (sqli, xss) = (compile("detectSQLi", "").unwrap(), compile("detectXSS", "").unwrap());
    let words = [
        "union",
        "select",
        "or",
        "1e1",
        "0x41",
        "null",
        "true",
        "_",
        "sp_password",
        "x",
        "e",
        "b01",
        "information_schema",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..20_000 {
        let mut word = words[random.below(words.len())].as_bytes().to_vec();
        word.extend((0..random.below(12)).map(|_| WORD[random.below(WORD.len())]));
        assert!(!sqli.matches(&word, b"", None), "{:?}", String::from_utf8_lossy(&word));
        let mut text = b"onload javascript:alert(1) ".to_vec();
        text.extend((0..random.below(24)).map(|_| u8::try_from(random.below(256)).unwrap()));
        text.retain(|byte| !b"<=".contains(byte));
        assert!(!xss.matches(&text, b"", None), "{:?}", String::from_utf8_lossy(&text));
    }
}

const WORD: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

/// Xorshift: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// What reading SQL costs follows its length, whatever the value is made of, and prose is not read to its end.
#[test]
fn work_of_sqli_detection_is_linear() {
    let operator = compile("detectSQLi", "").unwrap();
    let work = |piece: &str, bytes: usize| {
        let value: Vec<u8> = piece.bytes().cycle().take(bytes).collect();
        let mut states = super::States::default();
        let mut work = operator.cost(&value);
        let pay = |more| {
            work += more;
            true
        };
        assert!(operator.holds(&value, b"", &mut states, (1, 0), pay).is_ok());
        assert!(work <= operator.groups_cost(&value), "{piece}: {work}");
        work
    };
    for piece in SQL_PIECES {
        let (short, long) = (work(piece, 8 * 1024), work(piece, 64 * 1024));
        assert!(long <= 9 * short, "{piece}: {short}, {long}");
        assert!(long <= 300 * 64 * 1024, "{piece}: {long}");
    }
    let prose =
        work("the parcel arrived on a tuesday and one of the chairs was scratched ", 64 * 1024);
    assert!(prose < 70_000, "{prose}");
}

/// Repeated: what a reader might look at again and again.
const SQL_PIECES: &[&str] = &[
    "a.",
    "a`",
    "`",
    "``",
    ".",
    "a=",
    "a ",
    "1,",
    "1,-",
    "1+",
    "- ",
    "--",
    "--\n",
    "#\n",
    "#",
    "/*",
    "/**/",
    "*/",
    "'",
    "''",
    "\\'",
    "\\",
    "\"",
    "'\"#\n-- ,",
    "[",
    "]",
    "[]",
    "(",
    ")",
    "()",
    "((1)",
    "{a",
    "{a}",
    "{",
    "}",
    ";",
    "$",
    "$$",
    "$a",
    "$a$",
    "$a$b",
    "@",
    "@@",
    "@a,",
    "@`",
    "select.",
    "select`",
    "sys.",
    "1.e",
    "1.e ",
    "0x",
    "0x0",
    "b'0",
    "x'",
    "q'(",
    "nq'a",
    "u&'",
    "n'",
    "e'",
    "in ",
    "in(",
    "not ",
    "user(",
    "user(a)+",
    "int ",
    "collate a_b ",
    "group by ",
    "union all ",
    "a+#",
    "'+'",
    "!!",
    "\0",
    "\u{a0}",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,",
];

/// Reading stops where it cannot be paid for.
#[test]
fn sqli_detection_stops_without_work() {
    let operator = compile("detectSQLi", "").unwrap();
    let value = b"1=1,".repeat(1_000);
    let (mut left, mut asked) = (2_000_u64, 0);
    let pay = |more| {
        asked += 1;
        left = left.saturating_sub(more);
        left > 0
    };
    assert!(operator.holds(&value, b"", &mut super::States::default(), (1, 0), pay).is_err());
    assert!(asked < 100, "{asked}");
}

const PATTERNS: &[&str] = &[
    "a+b*c{2,4}",
    "(?i)^a.*[bc]$",
    "\\bab\\b|c\\Bd",
    "(?:a|b*)(?:c|d+$)",
    "[^a]{3,}(?:bc|^d)",
    "(a*)(b|c)?d{0,3}",
    "^$",
    "(?:^|[^ab])c(?:$|d)",
    "\\W*ab?\\s+c",
    "(?:ab?c?){2,3}$",
    "a*|b",
    "(?s).*ab.*cd.*",
];

fn patterns() -> Vec<(u32, Operator)> {
    (0..).zip(PATTERNS.iter().map(|pattern| compile("rx", pattern).unwrap())).collect()
}

/// Bytes of the patterns' own.
fn pattern_bytes(seed: &mut u64, length: usize) -> Vec<u8> {
    let byte = |_| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        b"abcdAB \n"[(*seed >> 33) as usize % 8]
    };
    (0..length).map(byte).collect()
}

/// The automaton says what the engine that finds groups says, on strings over the patterns' own bytes.
#[test]
fn both_engines_agree() {
    let (mut states, mut seed, mut matches) = (super::States::default(), 0x2545_f491_u64, 0);
    for (number, operator) in &patterns() {
        for length in 0..3_000 {
            let input = pattern_bytes(&mut seed, length % 11);
            let found = operator.holds(&input, b"", &mut states, (1, *number), |_| true).unwrap();
            assert_eq!(found, operator.matches(&input, b"", None), "{number} on {input:?}");
            matches += u32::from(found);
        }
    }
    assert!(matches > 5_000, "{matches} matches prove little");
}

/// However many automata go through a value together, and wherever one of them ends, each says what it says alone.
#[test]
fn together_as_alone() {
    let (mut states, mut seed) = (super::States::default(), 0x9e37_79b9_u64);
    let (operators, mut answers) = (patterns(), [0, 0]);
    for round in 0..4_000 {
        // Bytes that end few of the searches, so that they go on through several blocks, and now and then others.
        let mut input = b"a bbba b".repeat(round % 40);
        input.extend(pattern_bytes(&mut seed, round % 13));
        let turn = round % 7 * input.len() / 7;
        input.rotate_left(turn);
        let first = round * 5 % operators.len();
        let asked = operators.iter().cycle().skip(first).take(1 + round % super::LANES);
        let asked = asked.map(|(at, operator)| (*at, operator));
        let said = super::hold_together(1, asked.clone(), &input, &mut states, |_| true);
        assert_eq!(said.len(), asked.clone().filter(|(_, operator)| operator.is_search()).count());
        for (at, answer) in said {
            let alone = operators[at as usize].1.matches(&input, b"", None);
            assert_eq!(answer.unwrap(), alone, "{} on {input:?}", PATTERNS[at as usize]);
            answers[usize::from(alone)] += 1;
        }
    }
    assert!(answers.iter().all(|count| *count > 1_000), "{answers:?} prove little");
    let (counted, held) = states.memory();
    assert_eq!(counted, held);
}

/// However many states the values of a thread need, their memory has a bound.
#[test]
fn states_of_a_thread_are_bounded() {
    let operator = compile("rx", "(?:a|b)[a-z]{14}y").unwrap();
    let mut seed = 0x2545_f491_u64;
    let letters: Vec<u8> =
        pattern_bytes(&mut seed, 40_000).iter().map(u8::to_ascii_lowercase).collect();
    let input =
        letters.iter().map(|byte| if *byte == b' ' { b'x' } else { *byte }).collect::<Vec<_>>();
    let (mut states, mut most) = (super::States::default(), 0);
    for number in 0..40 {
        operator
            .holds(&input, b"", &mut states, (u64::from(number % 3), number), |_| true)
            .unwrap();
        let (counted, held) = states.memory();
        assert_eq!(counted, held);
        most = most.max(held);
    }
    // The last one may go beyond it, by its own bound.
    assert!((20 << 20..36 << 20).contains(&most), "{most}");
}

/// Where there is nothing left to pay with, only those that need new states go without an answer.
#[test]
fn one_out_of_work_stops_no_other() {
    let mut states = super::States::default();
    let (cheap, dear) =
        (compile("rx", "[a-c]+z$").unwrap(), compile("rx", "(?:a|b)[a-z]{12}y").unwrap());
    let asked = || [(0, &cheap), (1, &dear)].into_iter();
    let input: Vec<u8> = (0..4_000_u32).map(|n| b"abcx"[(n * n / 7 % 4) as usize]).collect();
    cheap.holds(&input, b"", &mut states, (1, 0), |_| true).unwrap();
    let said = super::hold_together(1, asked(), &input, &mut states, |_| false);
    let answer =
        |wanted| said.iter().find(|(at, _)| *at == wanted).map(|(_, answer)| answer).unwrap();
    assert!(matches!(answer(0), Ok(false)), "{said:?}");
    assert!(answer(1).is_err(), "{said:?}");
}

/// States are paid for by whoever needs them first, steps between many of them by everybody, and a search that cannot
/// pay says so.
#[test]
fn states_are_paid_for_once() {
    let operator = compile("rx", "(?:a|b)[a-z]{12}y").unwrap();
    let input: Vec<u8> = (0..4_000_u32).map(|n| b"abcx"[(n * n / 7 % 4) as usize]).collect();
    let mut states = super::States::default();
    let refused = operator.holds(&input, b"", &mut states, (1, 0), |_| false);
    assert!(refused.is_err());
    let mut work = [0, 0];
    for paid in &mut work {
        let pay = |more| {
            *paid += more;
            true
        };
        assert!(operator.holds(&input, b"", &mut states, (2, 0), pay).is_ok());
    }
    assert!(work[0] > 10_000 && (1..work[0] / 5).contains(&work[1]), "{work:?}");
}
