//! The backtracker against PCRE2, which the rules were written for, and against whoever wants it to run for ever.

use pcre2::bytes::RegexBuilder;

use super::{Backtracker, Groups};
use crate::operator::Rx;

fn compile(pattern: &str) -> Result<Backtracker, String> {
    Backtracker::compile(pattern).map(|(compiled, _)| compiled)
}

fn find(pattern: &str, input: &[u8]) -> Option<Groups> {
    let compiled = compile(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    compiled.find(input, 0, &mut |_| true).unwrap()
}

/// What each group matched; `-` where it took no part.
fn texts(pattern: &str, input: &str) -> Vec<String> {
    let groups = find(pattern, input.as_bytes()).unwrap_or_default();
    let text = |group: &Option<std::ops::Range<usize>>| match group {
        Some(range) => input[range.clone()].to_owned(),
        None => "-".to_owned(),
    };
    groups.iter().map(text).collect()
}

#[test]
fn finds_what_pcre_finds() {
    for (pattern, input, wanted) in [
        (r"(\w+)=\1", "1 or ab=ab", &["ab=ab", "ab"][..]),
        (r"(?i)(\w+)=\1", "Ab=aB", &["Ab=aB", "Ab"]),
        (r"(\w)\1(?!\1)", "aaab", &["aa", "a"]),
        (r"foo(?=bar)", "foobaz foobar", &["foo"]),
        (r"(?<!un)safe", "unsafe safe", &["safe"]),
        (r"(?<=&|&amp;);", "x; &;", &[";"]),
        (r"(?<=a(?=b))b", "ab", &["b"]),
        (r"(?=(\w+))\1:", "abc:", &["abc:", "abc"]),
        (r"(?!(a))b(c)?", "b", &["b", "-", "-"]),
        (r"(a|ab)(c|bcd)(d*)", "abcd", &["abcd", "a", "bcd", ""]),
        (r"(?>a+)ab(c)?", "aab", &[]),
        (r"a++ab", "aab", &[]),
        (r"(a\1?){2}", "aaa", &["aaa", "aa"]),
        (r"^(?:(?!x).)*$", "abc", &["abc"]),
        (r"(?m)^b(?=$)", "a\nb\nc", &["b"]),
        (r"(?:a*)*(?=b)", "aab", &["aa"]),
        (r"(?<q>['\x22]).*?\1", "x='a\"b'", &["'a\"b'", "'"]),
        (r"a{2,3}?(?=a)", "aaaa", &["aa"]),
        (r"a++(?=b)", "aab", &["aa"]),
        (r"(?#why)a(?=b)", "ab", &["a"]),
        (r"\bx\b(?!\S)", "x. x", &["x"]),
    ] {
        assert_eq!(texts(pattern, input), wanted, "{pattern}");
        assert_agrees(pattern, input.as_bytes());
    }
}

/// Both find the same groups; true if there was anything to compare.
fn assert_agrees(pattern: &str, input: &[u8]) -> bool {
    // Without what it tries to know before it begins: there it errs about back-references to later groups.
    let plain = format!("(*NO_START_OPT)(*NO_AUTO_POSSESS){pattern}");
    let Ok(theirs) = RegexBuilder::new().dotall(true).build(&plain) else { return false };
    let Ok((ours, wider)) = Backtracker::compile(pattern) else { return false };
    // What one of them takes too long for is not compared.
    let Ok(wanted) = theirs.captures(input) else { return false };
    let mut work = 0;
    let mut pay = |more: u64| {
        work += more;
        work < 5_000_000
    };
    let Ok(found) = ours.find(input, 0, &mut pay) else { return false };
    let wanted: Option<Groups> = wanted.map(|groups| {
        let group = |number| groups.get(number).map(|group| group.start()..group.end());
        (0..groups.len()).map(group).collect()
    });
    assert_eq!(found, wanted, "{pattern} on {:?}", input.escape_ascii().to_string());
    let config = regex_automata::meta::Config::new().utf8_empty(false);
    let wider = regex_automata::meta::Builder::new().configure(config).build_from_hir(&wider);
    if let Some(groups) = &found {
        let start = groups[0].clone().unwrap().start;
        let first = wider.unwrap().find(input).map(|found| found.start());
        assert!(first.is_some_and(|first| first <= start), "{pattern}: wider begins at {first:?}");
    }
    found.is_some()
}

struct Seed(u64);

impl Seed {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }

    fn pattern(&mut self, depth: usize) -> String {
        let mut pattern = self.sequence(depth);
        if self.below(3) == 0 {
            pattern = format!("{pattern}|{}", self.sequence(depth));
        }
        pattern
    }

    fn sequence(&mut self, depth: usize) -> String {
        (0..=self.below(3)).map(|_| self.item(depth)).collect()
    }

    fn item(&mut self, depth: usize) -> String {
        const SINGLE: &[&str] = &["a", "b", "c", ".", "[ab]", "[^a]", r"\w", r"\s", r"\x61", "B"];
        const ASSERTS: &[&str] =
            &[r"\b", r"\B", "^", r"\z", "(?<=a)", "(?<!b|ca)", "(?<=[ab]{2}|c)"];
        const TIMES: &[&str] = &["", "", "", "*", "+", "?", "{2}", "{1,2}", "{2,}"];
        if self.below(8) == 0 {
            return self.of(ASSERTS).to_owned();
        }
        let item = if depth == 0 || self.below(2) == 0 {
            self.of(&[SINGLE, &[r"\1", r"\2"]].concat()).to_owned()
        } else {
            let open = self.of(&["(", "(", "(?:", "(?=", "(?!", "(?>", "(?i:", "(?i)(?:"]);
            let group = format!("{open}{})", self.pattern(depth - 1));
            if matches!(open, "(?=" | "(?!") {
                return group;
            }
            group
        };
        let times = self.of(TIMES);
        let mode = if times.is_empty() { "" } else { self.of(&["", "", "?", "+"]) };
        format!("{item}{times}{mode}")
    }
}

#[test]
fn agrees_with_pcre_on_random_patterns() {
    let (mut seed, mut matches) = (Seed(7), 0);
    for _ in 0..4_000 {
        let pattern = seed.pattern(3);
        for _ in 0..6 {
            let length = seed.below(12);
            let input: Vec<u8> = (0..length).map(|_| b"abcABC \n"[seed.below(8)]).collect();
            matches += usize::from(assert_agrees(&pattern, &input));
        }
    }
    assert!(matches > 3_000, "{matches} matches prove little");
}

#[test]
fn says_what_is_wrong() {
    for (pattern, wanted) in [
        ("(?=a", "regular expression: unclosed group"),
        ("(?=a))", "regular expression: unopened group"),
        (r"(a)\2", "back-reference `\\2`, but the pattern has 1 groups"),
        (r"(?=a)\12", "back-reference `\\12` before its group"),
        ("(?<=a+)b", "each alternative of a lookbehind must match a fixed number of bytes"),
        ("(?<=(a)|bc*)b", "each alternative of a lookbehind must match a fixed number of bytes"),
        ("(?=*a)", "regular expression: repetition operator missing expression"),
        ("(?=a)b{3,2}", "repetition `{3,2}`, the least is more than the most"),
        ("(?=a)b{99999999999}", "repetition `{99999999999}`, expected numbers"),
        ("(?=a)(?:b{1000}){1000}(?:cd){60000}", "the pattern is too large"),
        (r"(?=a)\Zb", "escape `\\Z` is not supported"),
        (r"(?=a)(?R)", "group `(?R` is not supported"),
        (r"(?=a)(*FAIL)", "verbs such as"),
        (r"(?=a)(?x:b)", "group `(?x` is not supported"),
        (r"(?=a)[b", "character class `[` is not closed"),
        (r"(?=a)b\", "pattern ends in a backslash"),
    ] {
        let error = compile(pattern).unwrap_err();
        assert!(error.starts_with(wanted), "{pattern}: {error}");
    }
    let deep = format!("{}a{}", "(?=".repeat(2_000), ")".repeat(2_000));
    assert!(compile(&deep).unwrap_err().starts_with("groups within groups"));
    let repeated = format!("(?=a)b{}", "{1}".repeat(50_000));
    assert!(compile(&repeated).unwrap_err().starts_with("repetition of a repetition"));
    // As deep as may be: whatever walks the tree, and the automaton's, has room for it.
    let nested = format!("(?=a){}a{}", "(?:".repeat(99), ")****".repeat(99));
    assert!(Rx::compile(&nested).unwrap().matches(b"ba", None));
    // However often nothing is wanted, it is found at once.
    assert!(find("(?=a)(?:){4000000000}{4000000000}a", b"ba").is_some());
    let many = format!("(?=a){}", "(b)".repeat(200));
    assert!(compile(&many).unwrap_err().starts_with("more than 100 groups"));
}

/// Patterns that take exponential and quadratic time, on what makes them: they end where the work does.
#[test]
fn no_value_runs_for_ever() {
    for (pattern, input) in [
        ("(?:a+)+(?!b)$c", b"a".repeat(65_536)),
        ("(a|a)*(?=b)", b"a".repeat(65_536)),
        (r"(a*)*\1b", b"a".repeat(65_536)),
        (r"(\s*)\s*\1x", b" ".repeat(65_536)),
        ("(?=(.*)*x)", b"ab".repeat(32_768)),
        (r"(?:.|\n)*?(?<=x)y", b"x".repeat(65_536)),
        (r"((?:ab?)*)\1z", b"ab".repeat(32_768)),
    ] {
        let compiled = compile(pattern).unwrap();
        let (mut left, mut asked) = (10_000_000_u64, 0);
        let mut pay = |work: u64| {
            asked += 1;
            let enough = work <= left;
            left = left.saturating_sub(work);
            enough
        };
        let ended = compiled.find(&input, 0, &mut pay);
        assert!(ended.is_err(), "{pattern}: {ended:?}");
        assert!(asked < 20_000, "{pattern}: {asked}");
    }
}

/// What gives nothing back is tried once: words and runs of blanks do not take quadratic time.
#[test]
fn ordinary_patterns_are_linear() {
    for pattern in [r"(\w+)\b=\1", r"\b(\w+)\s*=\s*\1\b", r"([a-z]+)\b(?!:)[!]"] {
        let compiled = compile(pattern).unwrap();
        let mut work = 0;
        let mut pay = |more: u64| {
            work += more;
            true
        };
        let input = [b"word ".repeat(2_000), b"a".repeat(20_000)].concat();
        // Of a word without end each place is a beginning, unless something says where a word begins.
        let is_anchored = pattern.starts_with(r"\b");
        let input = if is_anchored { &input[..] } else { &input[..10_000] };
        assert!(compiled.find(input, 0, &mut pay).unwrap().is_none(), "{pattern}");
        assert!(work < 120 * input.len() as u64, "{pattern}: {work} for {}", input.len());
    }
}
