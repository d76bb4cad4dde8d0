//! The fuzz targets on stable, for a few seconds each: seeds from rules and requests of the built-in set
//! and, where it is there, of CRS, damaged by a generator that does the same in every run.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "public for cargo-fuzz, whose crate this file is")]
mod targets;

use std::fs;
use std::time::{Duration, Instant};

use waf_rules::ftw::{self, Request};

use crate::material::package;
use crate::{builtin, crs};

/// Most time and most cases of one target; `YETT_FUZZ_SECONDS` gives it more of both.
const SECONDS: u64 = 4;
const CASES: usize = 4_000;
/// Largest input, in bytes.
const INPUT_BYTES_MAX: usize = 16 * 1024;

#[test]
fn parser() {
    let folder = package().join("rules");
    let mut seeds = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        // Rule by rule: a whole file is too slow to be compiled thousands of times.
        seeds.extend(
            text.split("\n\n")
                .filter(|rule| rule.contains("Sec"))
                .map(|rule| rule.as_bytes().to_vec()),
        );
    }
    seeds.push(OTHER_WORDS.into());
    fuzz(&seeds, targets::parser);
}

#[test]
fn bodies() {
    let seeds = requests().into_iter().filter(|request| !request.body.is_empty());
    let with_type = |request: Request| -> Vec<Vec<u8>> {
        (0..12).map(|number| [&[number], request.body.as_slice()].concat()).collect()
    };
    let mut seeds: Vec<Vec<u8>> = seeds.step_by(7).flat_map(with_type).collect();
    seeds.extend(BODIES.iter().map(|body| body.to_vec()));
    fuzz(&seeds, targets::bodies);
}

#[test]
fn transformations() {
    let mut seeds: Vec<Vec<u8>> = requests().into_iter().map(|request| request.target).collect();
    seeds.push(
        b"\\u0061\\x62\\143&#x3c;&lt;%u003c%3c/*x*/<!--../..\\ \x00\xa0\xc3\xa90x41'^\"".to_vec(),
    );
    fuzz(&seeds, targets::transformations);
}

#[test]
fn patterns() {
    let seeds = PATTERNS.iter().map(|(pattern, value)| format!("{pattern}\n{value}").into_bytes());
    let long = |(pattern, value): &(&str, &str)| {
        format!("{pattern}\n{}", value.repeat(4_000 / value.len())).into_bytes()
    };
    let seeds: Vec<Vec<u8>> = seeds.chain(PATTERNS.iter().map(long)).collect();
    fuzz(&seeds, targets::patterns);
}

#[test]
fn transaction() {
    let raw = |request: Request| {
        let mut raw = [request.method, request.target, request.protocol].join(&b' ');
        for (name, value) in request.headers {
            raw.extend([b"\n".as_slice(), &name, b": ", &value].concat());
        }
        [raw.as_slice(), b"\n\n", &request.body].concat()
    };
    let seeds: Vec<Vec<u8>> = requests().into_iter().map(raw).collect();
    fuzz(&seeds, targets::transaction);
}

#[test]
fn decoder() {
    let gzip = b"\x00\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\x4b\x4c\x4c\x4c\x4c\x04\x00\x90\x4e\x86\xbf\x05\x00\x00\x00";
    let seeds = [
        gzip.to_vec(),
        b"\x01\x78\x9c\x4b\x4c\x4c\x4c\x4c\x04\x00\x05\xb4\x01\xe6".to_vec(),
        b"\x01\x4b\x4c\x4c\x4c\x4c\x04\x00".to_vec(),
        b"\x02\x1b\x04\x00\xf8\x25\xc2\xc2\x84\x04\x00\x00".to_vec(),
        b"\x02\x8b\x02\x80\x61\x61\x61\x61\x61\x03".to_vec(),
    ];
    fuzz(&seeds, targets::decoder);
}

/// Words that the built-in rules do not use.
const OTHER_WORDS: &str = r#"SecRule IP:x|&SESSION:/a/|ENV:WAF_X|TIME_HOUR|!ARGS:a|XML://@* "!@verifyCC \d{13,16}" "id:7,phase:2,initcol:ip=%{REMOTE_ADDR},setvar:ip.x=+%{tx.1},expirevar:ip.x=6,deprecatevar:ip.x=1/2,setsid:%{ARGS.a},sanitiseArg:p,ctl:auditLogParts=+E,ctl:ruleRemoveTargetById=1-9;ARGS:/x/,multiMatch,t:cssDecode,skipAfter:E,chain"
    SecRule TX:/^a/ "@rx ^%{tx.kind}(?!abc)$" "capture,setvar:tx.kind=a|b"
SecMarker E
SecRuleUpdateTargetById 7 "!ARGS:x" "ARGS:y"
SecRuleUpdateActionById 7 "deny,status:404"
SecAuditLogRelevantStatus "^(?:5|4(?!04))"
"#;

/// Patterns of every kind, and what some part of them matches.
const PATTERNS: &[(&str, &str)] = &[
    (r"(?<!un|&)safe\b(?=[^a-z]|$)", "unsafe safe! "),
    (r"(?i)([\s'`()]*)\b(\w+)\b\s*(?:=|like|<>?)\s*(?!\b\2\b)\w+|\2\1", "x' or 1<>2 like 2 "),
    (r"(?>a+|b)*?(c\1?){2,4}+(?#x)[^\x00-\x1f]{3}", "aabcccab "),
    (r"^(?:(?:a+)+|(?m)^b$)+(?!c)\z", "aaab"),
    (r"(a|b(?=c)|(?<=b)c)*\1(?i:D)", "abcabcd"),
    (r"\$\{(?:[^{}]|\{[^}]*\}){0,20}\}|%[0-9a-f]{2}", "${jndi:{x}} %2e "),
];

const BODIES: &[&[u8]] = &[
    b"\x04query Q($a: ID = \"x\") { f(a: \"b\\u0041\", c: [\"\"\"d\"\"\"]) @e { g } }",
    b"\x05\x0a\x05plain\x1a\x07\x0a\x05inner",
    b"\x06\x00\x00\x00\x00\x07\x0a\x05plain\x00\x00\x00\x00\x00",
    b"\x07AAAAAAcKBXBsYWlu",
    b"\x08\x00\x00\x00\x00\x07{\"a\":1}",
    b"\x09\xff\xfe{\x00\"\x00a\x00\"\x00:\x001\x00}\x00",
    b"\x01--b\r\nContent-Disposition: form-data; name=a; filename*0=\"x\"; filename*1*=%2e\r\n\r\nc\r\n--b--\r\n",
    b"\x01--b\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nc--b--x\r\nContent-Disposition: form-data; name=d\r\n\r\ne\r\n--b--\r\n--b\r\n",
    b"\x03<?xml version='1.0' encoding='utf-8'?><!DOCTYPE a><a b='&lt;'>&#65;<![CDATA[x]]></a>",
    b"\x02{\"query\":\"{ a(b: \\\"c\\\") }\",\"query\":[1,2.5e3,null,{\"a\":[]}]}",
];

/// Every request of the tests at hand.
fn requests() -> Vec<Request> {
    let tests = builtin::tests().into_iter().chain(crs::sample());
    tests
        .flat_map(|test: ftw::Test| test.stages)
        .filter_map(|stage| stage.input.request().ok())
        .collect()
}

/// Each seed as it is, and then damaged ones, as far as time and number allow.
fn fuzz(seeds: &[Vec<u8>], target: fn(&[u8])) {
    assert!(!seeds.is_empty());
    let wanted = std::env::var("YETT_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(wanted.unwrap_or(SECONDS));
    let cases = if wanted.is_some() { usize::MAX } else { CASES };
    let (began, mut random) = (Instant::now(), Random(0x9e37_79b9_7f4a_7c15));
    target(b"");
    for case in 0..cases {
        let mut input =
            seeds[if case < seeds.len() { case } else { random.below(seeds.len()) }].clone();
        if case >= seeds.len() {
            damage(&mut input, &seeds[random.below(seeds.len())], &mut random);
        }
        input.truncate(INPUT_BYTES_MAX);
        target(&input);
        if began.elapsed() > time {
            return;
        }
    }
}

/// What fuzzers do: flip, overwrite, insert, cut, double, and splice with another input.
fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    const SPECIAL: &[u8] = b"\0%&=;<>'\"\\/{}[]()|*:,#\r\n \xff\xc3\x80\xef\xbb\xbf";
    for _ in 0..=random.below(4) {
        let at = random.below(bytes.len().max(1));
        match random.below(7) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            1 if !bytes.is_empty() => bytes[at] = SPECIAL[random.below(SPECIAL.len())],
            2 => bytes.insert(at.min(bytes.len()), SPECIAL[random.below(SPECIAL.len())]),
            3 => bytes.truncate(at),
            4 if bytes.len() < INPUT_BYTES_MAX => bytes.extend_from_within(at.min(bytes.len())..),
            5 if !other.is_empty() => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[random.below(other.len())..]);
            }
            _ if !bytes.is_empty() => drop(bytes.remove(at)),
            _ => {}
        }
    }
}

/// Xorshift: the same cases in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}
