//! Every transformation that both know, on the same values: equal, or different for a reason that stands here.

use std::collections::BTreeMap;

use waf_rules::ftw::{Request, Response};
use waf_rules::{Profile, ProfileOptions, Ruleset, Transaction};

use super::peer::{self, Peer};
use crate::robust::below;

/// Equal on every value.
const ALIKE: &[&str] = &[
    "base64Encode",
    "cssDecode",
    "escapeSeqDecode",
    "jsDecode",
    "length",
    "lowercase",
    "md5",
    "removeCommentsChar",
    "removeNulls",
    "removeWhitespace",
    "replaceComments",
    "replaceNulls",
    "sha1",
    "sqlHexDecode",
    "trim",
    "trimLeft",
    "trimRight",
    "uppercase",
    "urlDecode",
    "urlDecodeUni",
    "urlEncode",
];

/// Different, with a value that shows it, and why.
const DIFFERENT: &[(&str, &[u8], &str)] = &[
    ("base64Decode", b"QUJD?", "what was decoded before a foreign byte is kept, as in version 2"),
    ("base64DecodeExt", b"-_-_", "GHSA-4j47: it does not know the alphabet of URLs"),
    ("cmdLine", b"a\x0bb", "vertical tab and form feed are blanks to cmd.exe, and here"),
    ("compressWhitespace", b"a\xa0b", "0xA0 is a blank here, as in version 2"),
    ("hexDecode", b"zz", "it decodes digits that are none"),
    ("htmlEntityDecode", b"&colon;", "CVE-2026-61812: it knows five names"),
    ("normalisePath", b"ab..", "it takes a name that ends in two dots for the folder above"),
    ("normalisePathWin", b"ab..", "the same"),
    ("parityEven7bit", b"\xa0", "it counts the bit that it is to set"),
    ("parityOdd7bit", b"\xa0", "the same"),
    ("removeComments", b"<!--a*/b", "there either end ends either comment"),
    ("utf8toUnicode", b"a\0b", "it loses NUL bytes"),
];

/// What values are made of: each starts, ends or breaks off something that a transformation undoes.
const PIECES: &[&[u8]] = &[
    b"%",
    b"%u",
    b"%41",
    b"%u0041",
    b"%uff1c",
    b"%zz",
    b"+",
    b"&#60;",
    b"&#x3c;",
    b"&lt;",
    b"&amp;lt;",
    b"&nbsp;",
    b"&",
    b";",
    b"\\x41",
    b"\\u0041",
    b"\\uff1c",
    b"\\101",
    b"\\0",
    b"\\",
    b"\\n",
    b"\\q",
    b"\\41 ",
    b"\\000041",
    b"\\ff1c",
    b"/*",
    b"*/",
    b"--",
    b"#",
    b"<!--",
    b"-->",
    b"//",
    b"../",
    b"./",
    b"..",
    b"/",
    b"\x00",
    b" ",
    b"\t",
    b"\n",
    b"\x0b",
    b"\xa0",
    b"\xc2\xa0",
    b"\xc3\xa9",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x98\x80",
    b"\xff",
    b"\x80",
    b"\xc3",
    b"\"",
    b"'",
    b"^",
    b",",
    b"(",
    b"QUJD",
    b"QQ==",
    b"=",
    b"-_",
    b"0x41",
    b"4142",
    b"4",
    b"abc",
    b"ABC",
    b"z9",
];

/// Values that are made, beside those of `DIFFERENT`.
const VALUES: usize = 4_000;
/// Pieces of a value, at most.
const PIECES_MAX: usize = 5;

type Outputs = BTreeMap<u32, String>;

#[test]
fn transformations_are_those_of_libmodsecurity() {
    let Some(python) = peer::python() else { return };
    let names: Vec<&str> =
        ALIKE.iter().copied().chain(DIFFERENT.iter().map(|(name, ..)| *name)).collect();
    let rules: String = names.iter().zip(1..).map(rule).collect();
    let mut peer = Peer::start(&python, std::slice::from_ref(&rules))
        .unwrap_or_else(|error| panic!("{error}"));
    peer.log = true;
    let ruleset = Ruleset::builder().text("rules", rules).build();
    let ruleset = ruleset.unwrap_or_else(|errors| panic!("{errors}"));
    let profile = Profile::new(&ruleset, ProfileOptions::default())
        .unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut compare = |value: &[u8]| {
        let request = request(value);
        let theirs = peer.ask(&request, &Response::default());
        let theirs: Outputs =
            theirs.unwrap_or_else(|error| panic!("{error}")).2.into_iter().collect();
        let ours = ours(&profile, value);
        assert_eq!(ours.len(), names.len());
        let differs = |at: &usize| {
            let id = u32::try_from(at + 1).unwrap_or_default();
            ours.get(&id) != theirs.get(&id)
        };
        (0..names.len()).filter(differs).map(|at| names[at]).collect::<Vec<_>>()
    };
    let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
    for value in values() {
        for name in compare(&value).into_iter().filter(|name| ALIKE.contains(name)) {
            wrong.entry(name).or_insert_with(|| value.escape_ascii().to_string());
        }
    }
    assert!(wrong.is_empty(), "different, of a value: {wrong:?}");
    for (name, value, why) in DIFFERENT {
        assert!(compare(value).contains(name), "{name} differs no more: {why}");
    }
}

fn rule((name, id): (&&str, u32)) -> String {
    format!(
        "SecRule REQUEST_HEADERS:X \"@unconditionalMatch\" \
         \"id:{id},phase:1,pass,log,t:none,t:{name},t:hexEncode,logdata:'%{{MATCHED_VAR}}'\"\n"
    )
}

fn ours(profile: &Profile, value: &[u8]) -> Outputs {
    let mut tx = Transaction::new(profile.clone());
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    tx.header(b"X", value);
    tx.head();
    tx.matches().iter().map(|found| (found.rule_id, found.data.clone())).collect()
}

fn request(value: &[u8]) -> Request {
    Request {
        method: b"GET".to_vec(),
        target: b"/".to_vec(),
        protocol: b"HTTP/1.1".to_vec(),
        headers: vec![(b"X".to_vec(), value.to_vec())],
        body: Vec::new(),
    }
}

/// The same in every run.
fn values() -> Vec<Vec<u8>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let value = |_| {
        let count = 1 + below(&mut seed, PIECES_MAX);
        (0..count).flat_map(|_| PIECES[below(&mut seed, PIECES.len())]).copied().collect()
    };
    (0..VALUES).map(value).collect()
}
