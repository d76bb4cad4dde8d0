//! `@detectSQLi` and `@detectXSS` against the libinjection that libmodsecurity brings: the same verdicts and the same
//! fingerprints, on every text of the corpora and of the CRS's tests, on those texts damaged, and on texts that a
//! generator makes of SQL and HTML. `YETT_FUZZ_SECONDS` makes more of them.

use std::collections::BTreeSet;
use std::io;

use serde::Serialize;
use waf_rules::ftw::{Request, in_parallel};
use waf_rules::{Profile, ProfileOptions, Ruleset, Transaction};

use super::peer::{self, Peer};
use crate::robust::below;
use crate::{corpora, crs};

const RULES: &str = r#"
SecRule REQUEST_HEADERS:X "@detectSQLi" "id:1,phase:1,pass,log,t:none,capture,logdata:'%{TX.0}'"
SecRule REQUEST_HEADERS:X "@detectXSS" "id:2,phase:1,pass,log,t:none"
"#;

/// Texts of the corpora and the tests that are longer are left out: most have nothing after all.
const BYTES_MAX: usize = 4 * 1024;
/// Texts that are made in each of three ways.
const MADE: usize = 12_000;
/// Texts of one question.
const BATCH: usize = 2_000;

/// Markup that only this engine finds: what it has, an example, and why.
const ONLY_OURS: &[(&[u8], &[u8], &str)] = &[
    (b"onbegin", b"<animate onbegin=1>", "SVG runs it when an animation begins"),
    (b"onbeforexrselect", b"<a onbeforexrselect=1>", "an event of WebXR"),
    (b"onforminput", b"<a onforminput=1>", "older lists have it: Opera 12"),
    (b"ondomfocus", b"<a ondomfocusin=1>", "the same"),
    (b"onoverconstrained", b"<a onoverconstrained=1>", "the same"),
    (b"onwebgl", b"<a onwebglcontextchanged=1>", "the same"),
    (b"onwebkitregion", b"<a onwebkitregionoversetchange=1>", "the same"),
    (b"onwebkitspeech", b"<a onwebkitspeechchange=1>", "the same"),
    (b"onwebkitwillreveal", b"<a onwebkitwillrevealtop=1>", "the same"),
    (
        b"</",
        b"></a ><script>",
        "behind an end tag with a blank or a slash in it, the next tag is taken there for an end tag too",
    ),
    (
        b"\xff",
        b"<a \xff onclick=1>",
        "there a byte 0xff, as the first of a name or of a value, is the end of the text; browsers read on",
    ),
];

/// Of each text: the fingerprint, if it is an attack, and whether it is harmful markup.
type Said = (Option<String>, bool);

#[derive(Serialize)]
struct Question {
    values: Vec<String>,
}

#[test]
fn verdicts_are_those_of_libinjection() {
    let Some(python) = peer::python() else { return };
    let mut peer =
        Peer::start(&python, &[RULES.to_owned()]).unwrap_or_else(|error| panic!("{error}"));
    let profile = profile();
    let found = texts();
    let made = made(&found);
    let (mut attacks, mut scripts, mut wrong) = (0, 0, Vec::new());
    for batch in found.iter().chain(&made).collect::<Vec<_>>().chunks(BATCH) {
        let theirs = ask(&mut peer, batch).unwrap_or_else(|error| panic!("{error}"));
        let ours = in_parallel(batch, |text| ours(&profile, text));
        for (text, (ours, theirs)) in batch.iter().zip(ours.iter().zip(&theirs)) {
            attacks += usize::from(theirs.0.is_some());
            scripts += usize::from(theirs.1);
            if ours != theirs && !is_explained(text, ours, theirs) {
                wrong.push(format!(
                    "{:?}: {ours:?}, there {theirs:?}",
                    text.escape_ascii().to_string()
                ));
            }
        }
    }
    let all = found.len() + made.len();
    eprintln!(
        "{all} texts, {} of them found; {attacks} attacks by SQL, {scripts} by markup",
        found.len()
    );
    assert!(attacks > 300 && scripts > 500, "{attacks} and {scripts} prove little");
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
    for (_, example, why) in ONLY_OURS {
        let theirs = ask(&mut peer, &[&example.to_vec()]).unwrap_or_else(|error| panic!("{error}"));
        assert!(!theirs[0].1 && ours(&profile, example).1, "{example:?} differs no more: {why}");
    }
}

fn is_explained(text: &[u8], ours: &Said, theirs: &Said) -> bool {
    let text = text.to_ascii_lowercase();
    let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
    ours.0 == theirs.0 && ours.1 && ONLY_OURS.iter().any(|(part, ..)| has(part))
}

fn ask(peer: &mut Peer, batch: &[&Vec<u8>]) -> io::Result<Vec<Said>> {
    peer.send(&Question { values: batch.iter().map(|text| peer::text(text)).collect() })?;
    peer.receive()
}

fn profile() -> Profile {
    let ruleset = Ruleset::builder().text("rules", RULES).build();
    let ruleset = ruleset.unwrap_or_else(|errors| panic!("{errors}"));
    Profile::new(&ruleset, ProfileOptions::default()).unwrap_or_else(|errors| panic!("{errors:?}"))
}

fn ours(profile: &Profile, text: &[u8]) -> Said {
    let mut tx = Transaction::new(profile.clone());
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    tx.header(b"X", text);
    tx.head();
    let said = |id| tx.matches().iter().find(|found| found.rule_id == id);
    (said(1).map(|found| found.data.clone()), said(2).is_some())
}

/// Texts of real requests: parameters, fields and leaves of JSON.
fn texts() -> Vec<Vec<u8>> {
    let mut texts = BTreeSet::new();
    let labelled = corpora::sample(usize::MAX).into_iter().map(|(_, request)| request);
    let tests = crs::folder().map(|folder| crs::tests(&folder)).unwrap_or_default();
    let stages = tests.iter().flat_map(|test| &test.stages);
    let tested = stages.filter_map(|stage| stage.input.request().ok());
    labelled.chain(tested).for_each(|request| texts_of(&request, &mut texts));
    texts.retain(|text| !text.is_empty() && text.len() <= BYTES_MAX);
    texts.into_iter().collect()
}

fn texts_of(request: &Request, texts: &mut BTreeSet<Vec<u8>>) {
    texts.extend(request.headers.iter().map(|(_, value)| value.clone()));
    for part in [&request.target, &request.body] {
        let pieces = part.split(|byte| b"?&=".contains(byte));
        texts.extend(pieces.map(decoded));
    }
    if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&request.body) {
        leaves(json, texts);
    }
}

fn leaves(json: serde_json::Value, texts: &mut BTreeSet<Vec<u8>>) {
    match json {
        serde_json::Value::String(text) => {
            texts.insert(text.into_bytes());
        }
        serde_json::Value::Array(list) => list.into_iter().for_each(|leaf| leaves(leaf, texts)),
        serde_json::Value::Object(map) => map.into_iter().for_each(|(_, leaf)| leaves(leaf, texts)),
        _ => {}
    }
}

/// `%41` and `+`.
fn decoded(text: &[u8]) -> Vec<u8> {
    let (mut decoded, mut at) = (Vec::new(), 0);
    while let Some(byte) = text.get(at) {
        let digits = text.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let escaped = escaped.filter(|_| *byte == b'%');
        decoded.push(escaped.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded
}

/// The same in every run.
fn made(found: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let seconds = std::env::var("YETT_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let (sql, html) = (sql(), html());
    let mut seed = 0x6a09_e667_f3bc_c908;
    let of = |pieces: &[Vec<u8>], seed: &mut u64| -> Vec<u8> {
        let count = 1 + below(seed, 10);
        (0..count).flat_map(|_| pieces[below(seed, pieces.len())].clone()).collect()
    };
    let mut texts = Vec::new();
    for _ in 0..MADE * seconds.unwrap_or(1_usize).clamp(1, 100) {
        texts.push(of(&sql, &mut seed));
        texts.push(of(&html, &mut seed));
        if !found.is_empty() {
            let mut text = found[below(&mut seed, found.len())].clone();
            let pieces = if below(&mut seed, 2) == 0 { &sql } else { &html };
            let at = below(&mut seed, text.len() + 1);
            text.splice(at..at, of(pieces, &mut seed));
            text.remove(below(&mut seed, text.len()));
            texts.push(text);
        }
    }
    texts
}

/// Every word that means something, whole and in parts, and what stands between words.
fn sql() -> Vec<Vec<u8>> {
    let words = include_str!("../../../src/operator/detect_sqli/words.txt");
    let words: Vec<&str> = words.lines().flat_map(|line| line[2..].split(", ")).collect();
    let spaced = |word: &&str| format!("{word} ").into_bytes();
    let parts = words.iter().flat_map(|word| word.split(' '));
    let parts = parts.map(|part| part.to_ascii_lowercase().into_bytes());
    let mut pieces: Vec<Vec<u8>> = words.iter().map(spaced).chain(parts).collect();
    // As often as words.
    let signs = SQL.iter().cycle().take(pieces.len());
    pieces.extend(signs.map(|sign| sign.to_vec()));
    pieces
}

const SQL: &[&[u8]] = &[
    b"'",
    b"\"",
    b"`",
    b"/*",
    b"*/",
    b"/*!",
    b"--",
    b"-- ",
    b"#",
    b"(",
    b")",
    b",",
    b";",
    b"=",
    b"<=>",
    b"::",
    b":",
    b"||",
    b"&&",
    b"!",
    b"!!",
    b"~",
    b"+",
    b"-",
    b"*",
    b"%",
    b"^",
    b"&",
    b"|",
    b"<",
    b">",
    b"@",
    b"@@",
    b"$",
    b"$$",
    b"$a$",
    b"$.",
    b"$1",
    b".",
    b"..",
    b" 1 ",
    b"0x1f",
    b"0b1",
    b"1e5",
    b"1.e",
    b"1e",
    b".5",
    b"1f",
    b"1d ",
    b"1fu",
    b"x'1f'",
    b"b'01'",
    b"n'a'",
    b"e'a'",
    b"u&'a'",
    b"q'[",
    b"]'",
    b"nq'(",
    b")'",
    b"[a]",
    b"[",
    b"]",
    b"{",
    b"}",
    b"\\",
    b"\\N",
    b"\\'",
    b"\\\\",
    b"''",
    b"?",
    b"\0",
    b"\xa0",
    b"\x7f",
    b"\n",
    b"\t",
    b"\xc3\xa9",
    b" a ",
    b"foo",
    b"a_b",
    b"sp_password",
    b"USER(",
    b"1 or 1=1",
    b"in (",
    b"like (",
    b" ",
    b" ",
    b"{`",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
];

fn html() -> Vec<Vec<u8>> {
    let events = include_str!("../../../src/operator/detect_xss/events.txt");
    let events = events.split_ascii_whitespace().map(|event| format!("on{event}").into_bytes());
    let mut pieces: Vec<Vec<u8>> = events.collect();
    let signs = HTML.iter().cycle().take(4 * pieces.len());
    pieces.extend(signs.map(|sign| sign.to_vec()));
    pieces
}

const HTML: &[&[u8]] = &[
    b"<",
    b">",
    b"</",
    b"/>",
    b"<!",
    b"<!--",
    b"-->",
    b"-!>",
    b"--",
    b"<?",
    b"<%",
    b"%>",
    b"<![CDATA[",
    b"]]>",
    b"<!doctype",
    b"=",
    b"'",
    b"\"",
    b"`",
    b" ",
    b"\n",
    b"\x0b",
    b"\0",
    b"/",
    b"a",
    b"b",
    b"script",
    b"SVG",
    b"xsl:",
    b"iframe",
    b"base",
    b"meta",
    b"onclick",
    b"onfoo",
    b"on",
    b"style",
    b"href",
    b"src",
    b"xlink:href",
    b"xmlns",
    b"attributename",
    b"javascript:",
    b"java",
    b"data:",
    b"view-source:",
    b"vbscript:",
    b"&#x6a;",
    b"&#106;",
    b"&#x6A",
    b"&#x144;",
    b"&#",
    b"&#x",
    b"&#00000000106;",
    b"&#99999999;",
    b"\t",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"[if ",
    b"xml ",
    b"import ",
    b"entity ",
    b"-",
    b"!",
    b"action",
    b"to",
    b"from",
    b"filter",
    b"<a ",
    b"<img ",
    b"<x onzoo",
    b"m",
];
