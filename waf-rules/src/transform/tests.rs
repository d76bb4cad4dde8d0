//! Cases: transformation, input, output. A comment above a case says what it defends.

use super::Transform;
use crate::bytes::present;

const CASES: &[(&str, &[u8], &[u8])] = &[
    ("base64Decode", b"VGVzdA==", b"Test"),
    ("base64Decode", b"VGVzdDE", b"Test1"),
    // Stops at the first foreign byte and keeps what it has.
    ("base64Decode", b"VGVz dA==", b"Tes"),
    ("base64DecodeExt", b"VG Vz\ndA==", b"Test"),
    // GHSA-4j47: the URL alphabet.
    ("base64DecodeExt", b"-_-_", b"\xfb\xff\xbf"),
    ("base64Encode", b"Test", b"VGVzdA=="),
    ("cmdLine", b"C^OMMAND /C D\"I\"R", b"command/c dir"),
    ("cmdLine", b"cat,;  /etc\t\t/passwd", b"cat/etc/passwd"),
    ("cmdLine", b"a ( b", b"a( b"),
    ("compressWhitespace", b"a \t\r\n\x0b\x0c b", b"a b"),
    ("compressWhitespace", b"a \xa0 b", b"a b"),
    ("cssDecode", b"\\6a avascript\\:x", b"javascript:x"),
    ("cssDecode", b"test\\\nend\\", b"testend"),
    ("cssDecode", b"\\FF1cscript", b"\x3cscript"),
    ("escapeSeqDecode", b"\\a\\b\\n\\x41\\101\\?\\\\\\", b"\x07\x08\nAA?\\\\"),
    // Of three digits a shell keeps eight bits.
    ("escapeSeqDecode", b"\\541\\1234\\08", b"aS4\08"),
    // A shell drops the backslash of what is no escape; so do ModSecurity and Coraza.
    ("escapeSeqDecode", b"w\\hoami \\xz \\9 \\\xff", b"whoami xz 9 \xff"),
    ("hexDecode", b"414243", b"ABC"),
    // CVE-2026-30923: a single last digit.
    ("hexDecode", b"4", b""),
    ("hexEncode", b"\x00\xffA", b"00ff41"),
    ("htmlEntityDecode", b"&lt;&GT;&quot&amp;&nbsp;", b"<>\"&\xa0"),
    // CVE-2025-27110: leading zeros.
    ("htmlEntityDecode", b"&#0000000000060;&#x000000000003e;", b"<>"),
    // CVE-2026-61812: names beyond the five.
    ("htmlEntityDecode", b"javascript&colon;alert&lpar;1&rpar;", b"javascript:alert(1)"),
    ("htmlEntityDecode", b"&unknown; &colon &; &#; &#x; &", b"&unknown; &colon &; &#; &#x; &"),
    ("htmlEntityDecode", b"&#8364;", b"\xe2\x82\xac"),
    ("htmlEntityDecode", b"&#99999999999999999999;", b"\xef\xbf\xbd"),
    ("jsDecode", b"\\u0061\\x62\\143\\n\\q", b"abc\nq"),
    ("jsDecode", b"\\uff1cscript", b"<script"),
    // Three digits only up to 377.
    ("jsDecode", b"\\777", b"\x3f7"),
    ("jsDecode", b"\\u00", b"u00"),
    ("jsDecode", b"end\\", b"end\\"),
    ("length", b"12345", b"5"),
    ("lowercase", b"ABC\xc0", b"abc\xc0"),
    ("md5", b"", b"\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e"),
    ("normalizePath", b"/dir/./.././../../foo/bar", b"/foo/bar"),
    ("normalizePath", b"dir/./.././../../foo/bar", b"../../foo/bar"),
    ("normalizePath", b"//a///b/", b"/a/b/"),
    ("normalizePath", b"/..", b"/"),
    ("normalizePath", b"a.b...c", b"a.b...c"),
    ("normalisePathWin", b"\\dir\\..\\etc\\passwd", b"/etc/passwd"),
    // GHSA-qrch: the byte after the comment stays.
    ("removeComments", b"a/*x*/b<!--y-->c--d", b"abc"),
    ("removeComments", b"a#b", b"a"),
    ("removeComments", b"a/*b", b"a "),
    ("removeComments", b"a/*/b*/c<!--d--", b"ac "),
    ("removeCommentsChar", b"a/*b*/c--d#e<!--f-->g", b"abcdefg"),
    ("removeNulls", b"a\0b", b"ab"),
    ("removeWhitespace", b" a \t\xa0b\n", b"ab"),
    ("removeWhitespace", b"java\xc2\xa0script \xc2\xa9 \xc2", b"javascript\xc2\xa9\xc2"),
    ("replaceComments", b"a/* x */b/*y", b"a b "),
    ("replaceNulls", b"a\0b", b"a b"),
    (
        "sha1",
        b"",
        b"\xda\x39\xa3\xee\x5e\x6b\x4b\x0d\x32\x55\xbf\xef\x95\x60\x18\x90\xaf\xd8\x07\x09",
    ),
    ("sqlHexDecode", b"0x414243 0xzz 0x4", b"ABC 0xzz 0x4"),
    ("trim", b" a b ", b"a b"),
    ("trimLeft", b" a ", b"a "),
    ("trimRight", b" a ", b" a"),
    ("uppercase", b"abc\xe0", b"ABC\xe0"),
    ("urlDecode", b"a+b%20c%zz%4", b"a b c%zz%4"),
    ("urlDecode", b"%u0041", b"%u0041"),
    ("urlDecodeUni", b"%u0041%u00e9%uff1c%u2019%25%u12", b"Ae<'%%u12"),
    ("urlEncode", b"a b*c/d", b"a+b*c%2fd"),
    ("utf8toUnicode", "a\u{e9}\u{20ac}".as_bytes(), b"a%u00e9%u20ac"),
    ("utf8toUnicode", "\u{1f600}".as_bytes(), b"%u1f600"),
    // Overlong `<`, in two and in three bytes.
    ("utf8toUnicode", b"\xc0\xbcscript\xe0\x80\xbe", b"%u003cscript%u003e"),
    // A lead byte alone is lost, so that it hides nothing: `%\xc33C` is `%3C` to who leaves it out.
    ("utf8toUnicode", b"%\xc33C \xe9b \xe2\x80", b"%3C b \x80"),
    ("utf8toUnicode", b"\x80 \xff", b"\x80 \xff"),
];

#[test]
fn cases() {
    for (name, input, expected) in CASES {
        let transform = Transform::parse(name).unwrap();
        let mut out = Vec::new();
        transform.apply(input, &mut out);
        assert_eq!(out, *expected, "{name} of {:?}", String::from_utf8_lossy(input));
    }
}

/// Without its trigger bytes a transformation must be the identity: the engine then leaves it out.
#[test]
fn is_identity_without_triggers() {
    let inputs: Vec<Vec<u8>> = (0..=255_u8).map(|byte| vec![byte, b'a', byte, byte]).collect();
    for entry in super::TABLE {
        for input in inputs.iter().filter(|input| !present(input).intersects(&entry.triggers)) {
            let mut out = Vec::new();
            (entry.apply)(input, &mut out);
            assert_eq!(&out, input, "{}", entry.name);
        }
    }
}

#[test]
fn names_the_nearest() {
    assert_eq!(
        Transform::parse("lowercas"),
        Err("unknown transformation `lowercas`, did you mean `lowercase`?".into())
    );
}
