//! Cases for the parsers: what comes out as `name=value`, and what is wrong.

use std::ops::ControlFlow;

use super::multipart::{Flags, Parser, Part, PartBounds};
use super::urlencoded::{self, Pair};
use super::{BodyError, Sink, json, media_type, xml};
use crate::Exceeded;
use crate::action::BodyProcessor;

#[derive(Default)]
struct Collect {
    fields: Vec<String>,
    bound: Option<usize>,
}

impl Sink for Collect {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        if self.bound == Some(self.fields.len()) {
            return ControlFlow::Break(());
        }
        self.fields.push(format!(
            "{}={}",
            String::from_utf8_lossy(name),
            String::from_utf8_lossy(value)
        ));
        ControlFlow::Continue(())
    }
}

#[test]
fn media_types_choose_exactly() {
    for (content_type, processor) in [
        ("application/json", Some(BodyProcessor::Json)),
        ("Application/JSON ; charset=utf-8", Some(BodyProcessor::Json)),
        ("application/problem+json", Some(BodyProcessor::Json)),
        ("application/soap+xml", Some(BodyProcessor::Xml)),
        ("multipart/form-data; boundary=x", Some(BodyProcessor::Multipart)),
        ("multipart/form-data boundary=x", Some(BodyProcessor::Multipart)),
        ("Multipart/Form-Data\tboundary=x", Some(BodyProcessor::Multipart)),
        ("multipart/form-data, boundary=x", Some(BodyProcessor::Multipart)),
        ("multipart/form-dataX; boundary=x", None),
        ("multipart/form-data-x boundary=x", None),
        ("application/x-www-form-urlencoded", Some(BodyProcessor::UrlEncoded)),
        ("a;b=application/json", None),
        ("application/jsonx", None),
        ("text/plain", None),
        ("+json", None),
        ("", None),
    ] {
        assert_eq!(media_type::processor(content_type.as_bytes()), processor, "{content_type}");
    }
}

#[test]
fn urlencoded_cases() {
    for (text, fields, valid) in [
        ("a=1&b=2&a=3", vec!["a=1", "b=2", "a=3"], true),
        ("a&&=x&b=c=d", vec!["a=", "=x", "b=c=d"], true),
        ("a%26b=%3d+x", vec!["a&b== x"], true),
        ("a=%zz%4", vec!["a=%zz%4"], false),
        ("", vec![], true),
    ] {
        let mut sink = Collect::default();
        assert_eq!(
            urlencoded::parse(text.as_bytes(), b'&', &mut Pair::default(), &mut sink),
            Ok(valid),
            "{text}"
        );
        assert_eq!(sink.fields, fields, "{text}");
    }
}

#[test]
fn urlencoded_stops_at_the_bound() {
    let mut sink = Collect { bound: Some(2), ..Collect::default() };
    assert_eq!(
        urlencoded::parse(b"a&b&c", b'&', &mut Pair::default(), &mut sink),
        Err(BodyError::Bound)
    );
    assert_eq!(sink.fields.len(), 2);
}

#[test]
fn json_flattens() {
    for (text, fields) in [
        (r#"{"a":[{"b":1},2]}"#, vec!["json.a=", "json.a.0.b=1", "json.a.1=2"]),
        // Duplicate keys are both seen.
        (r#"{"a":1,"a":"x"}"#, vec!["json.a=1", "json.a=x"]),
        ("[1,[],{}]", vec!["json=", "json.0=1", "json.1=", "json.2="]),
        (r#""x""#, vec!["json=x"]),
        ("\u{feff}true", vec!["json=true"]),
        (r#"{"a":null,"b":false,"c":-1.5e+3}"#, vec!["json.a=", "json.b=false", "json.c=-1.5e+3"]),
        (r#"{"\u0061\n":"\ud83d\ude00\u00e9\"\/"}"#, vec!["json.a\n=\u{1f600}\u{e9}\"/"]),
        (r#""\ud83d x""#, vec!["json=\u{fffd} x"]),
        (r#"{"a":{"b":{"c":1}},"d":2}"#, vec!["json.a.b.c=1", "json.d=2"]),
    ] {
        let mut sink = Collect::default();
        assert_eq!(json::parse(text.as_bytes(), 8, &mut sink), Ok(()), "{text}");
        assert_eq!(sink.fields, fields, "{text}");
    }
}

#[test]
fn json_errors_keep_what_was_read() {
    for text in [
        r#"{"a":1,"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b"}"#,
        r#"{"a":1}x"#,
        r#"{"a":1,'b':2}"#,
        r#"{"a":1,"b":tru}"#,
        "{\"a\":1,\"b\":\"\n\"}",
        r#"{"a":1,"b":01}"#,
        r#"{"a":1,"b":1.}"#,
        r#"{"a":1,"b":"\q"}"#,
        r#"{"a":1,"b":"x"#,
    ] {
        let mut sink = Collect::default();
        let result = json::parse(text.as_bytes(), 8, &mut sink);
        let ends = [r#"{"a":1,"#, r#"{"a":1,"b":"x"#].contains(&text);
        assert_eq!(matches!(result, Err(BodyError::Ends(_))), ends, "{text}: {result:?}");
        assert_eq!(matches!(result, Err(BodyError::Malformed(_))), !ends, "{text}: {result:?}");
        assert_eq!(sink.fields.first().map(String::as_str), Some("json.a=1"), "{text}");
    }
}

#[test]
fn json_is_bounded() {
    let deep = "[".repeat(100_000);
    let result = json::parse(deep.as_bytes(), 64, &mut Collect::default());
    assert_eq!(result, Err(BodyError::too_deep("JSON", 64)));
    let long = format!("{{\"{}\":[{}1]}}", "k".repeat(60_000), "1,".repeat(1_000));
    let result = json::parse(long.as_bytes(), 64, &mut Collect::default());
    let reason = "JSON names take more than 1048576 bytes".to_owned();
    assert_eq!(result, Err(BodyError::Beyond(Exceeded::Arguments, reason)));
}

#[test]
fn xml_cases() {
    for (text, expected, attributes) in [
        ("<a x='1'>t<b y=\"&lt;2\"/>u</a>", "tu", vec!["1", "<2"]),
        ("<a><![CDATA[<x>]]>&#60;&amp;&ent;</a>", "<x><&&ent;", vec![]),
        ("<?xml version=\"1.0\"?><!-- c --><a/>", "", vec![]),
    ] {
        let (document, result) = xml::parse(text.as_bytes(), 8);
        assert_eq!(result, Ok(()), "{text}");
        assert_eq!(String::from_utf8_lossy(&document.text), expected, "{text}");
        assert_eq!(
            document.attributes,
            attributes.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(),
            "{text}"
        );
    }
}

#[test]
fn xml_errors_keep_what_was_read() {
    for text in ["seen", "<a>seen", "<a>seen</b>", "<a>seen<b>", "<a>seen<b/></a><"] {
        let (document, result) = xml::parse(text.as_bytes(), 8);
        assert!(result.is_err(), "{text}");
        assert!(document.text.starts_with(b"seen"), "{text}");
    }
    let deep = "<a>".repeat(1_000);
    let (_, result) = xml::parse(deep.as_bytes(), 64);
    assert_eq!(result, Err(BodyError::too_deep("XML", 64)));
}

/// Parts as `name=content`, files as `name[file name]:content`; what is both has all of it.
fn parts(content_type: &str, body: &str) -> (Vec<String>, Flags, Result<(), BodyError>) {
    read(content_type, body, true)
}

fn read(
    content_type: &str,
    body: &str,
    keep_files: bool,
) -> (Vec<String>, Flags, Result<(), BodyError>) {
    let (mut found, mut flags) = (Vec::new(), Flags::default());
    let bounds = PartBounds { parts: 4, files: Some(1), keep_files };
    let mut sink = |part: Part<'_>| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let names = text(&part.names().collect::<Vec<_>>().join(&b','));
        let files = match part.filenames.join(&b',') {
            _ if part.filenames.is_empty() => String::new(),
            files => format!("[{}]", text(&files)),
        };
        let is = if part.is_field { "=" } else { ":" };
        found.push(format!("{names}{files}{is}{}", text(part.content)));
        ControlFlow::Continue(())
    };
    let parser = Parser::new(content_type.as_bytes(), bounds, &mut flags);
    let result = parser.and_then(|mut parser| {
        let read = parser.push(body.as_bytes(), &mut sink);
        let result = read.and_then(|()| parser.finish(&mut sink));
        flags = parser.flags();
        result
    });
    (found, flags, result)
}

const FORM: &str = "multipart/form-data; boundary=xx";

/// Nothing to doubt: every line ends as it should.
const PLAIN: Flags = Flags {
    boundary_quoted: false,
    boundary_whitespace: false,
    data_before: false,
    data_after: false,
    header_folding: false,
    invalid_header_folding: false,
    lf_line: false,
    crlf_line: true,
    missing_semicolon: false,
    invalid_quoting: false,
    invalid_part: false,
    file_limit_exceeded: false,
    unmatched_boundary: false,
};

fn body(disposition: &str) -> String {
    format!("--xx\r\nContent-Disposition: {disposition}\r\n\r\nv\r\n--xx--\r\n")
}

#[test]
fn multipart_reads_parts() {
    let two = "--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--xx\r\n\
               Content-Disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\nContent-Type: text/plain\r\n\r\n\r\n--xx--\r\n";
    let (found, flags, result) = parts(FORM, two);
    assert_eq!(
        (found, flags, result),
        (vec!["a=1\r\n2".into(), "f[x.txt]:".into()], PLAIN, Ok(()))
    );
    // A form without fields.
    assert_eq!(parts(FORM, "--xx--\r\n"), (vec![], PLAIN, Ok(())));
}

#[test]
fn multipart_reads_dispositions() {
    for (disposition, field, strict) in [
        (r#"form-data; name="a""#, "a=v", false),
        (r#"form-data; name="a\"b""#, "a\"b=v", false),
        (r#"form-data; name="a"; filename="C:\dir\x""#, r"a[C:\dir\x]:v", false),
        // GHSA-5pww: the extended form counts, and to some readers it alone makes no file.
        ("form-data; name=a; filename*=UTF-8''%2e%2e%2fx", "a[../x]=v", true),
        (r#"form-data; name="a"; filename="ok"; filename*=UTF-8''evil"#, "a[ok,evil]:v", false),
        (r#"form-data; name="a"; filename*=UTF-8''x; filename="x""#, "a[x]:v", false),
        (r#"form-data; name="a"; filename="ok"; filename*=UTF-8''"#, "a[ok,]=v", true),
        (r#"form-data; name="a"; filename=""; filename*=UTF-8''x"#, "a[,x]=v", true),
        (r#"form-data; name="a"; filename="b"; filename="c""#, "a[b,c]=v", true),
        ("form-data; name=a; filename*0=x", "a[x]=v", true),
        // A field to those who see no file where none has a name.
        (r#"form-data; name="a"; filename="""#, "a[]=v", true),
        ("form-data; name=a; filename=", "a[]=v", true),
        (r#"form-data; name="a"; filename="x"#, "a[x]=v", true),
        (r#"form-data; name="a"; filename ="x""#, "a[x]=v", true),
        (r#"form-data; name="a"; filename= "x""#, "a[x]=v", true),
        (r#"form-data; name="a\\"; filename="x""#, "a\\[x]=v", true),
        ("form-data; name=a[';filename=x']", "a['[x']]=v", true),
        (r#"form-data;; name="a"; filename="x""#, "a[x]=v", true),
        (r#"form-data; name="a"; name="b""#, "a,b=v", true),
        (r#"form-data; name="a"; name*=UTF-8''b"#, "a,b=v", true),
        ("form-data; name*=UTF-8''b", "b=v", true),
        (r#"form-data; name="a" filename="b""#, "a[b]=v", true),
        ("form-data; name='a'", "'a'=v", true),
        (r#"form-data; name="a"#, "a=v", true),
        (r#"form-data; name="a"; other="b""#, "a=v", true),
        (r#"attachment; name="a""#, "a=v", true),
        ("form-data", "=v", true),
    ] {
        let (found, flags, result) = parts(FORM, &body(disposition));
        assert_eq!((found, result), (vec![field.to_owned()], Ok(())), "{disposition}");
        assert_eq!(flags.is_strict_error(), strict, "{disposition}: {flags:?}");
    }
}

/// Readers go by the beginning of the type, and find the boundary all the same.
#[test]
fn multipart_misses_the_semicolon() {
    let good = body(r#"form-data; name="a""#);
    for content_type in [
        "multipart/form-data boundary=xx",
        "multipart/form-data boundary=xx; charset=utf-8",
        "multipart/form-data, boundary=\"xx\"",
        "multipart/form-data charset=utf-8 Boundary=xx",
        "multipart/form-data x; boundary=xx",
    ] {
        let (found, flags, result) = parts(content_type, &good);
        assert_eq!((found, result), (vec!["a=v".to_owned()], Ok(())), "{content_type}");
        assert!(flags.missing_semicolon && flags.is_strict_error(), "{content_type}");
    }
    for content_type in [FORM, "multipart/form-data ;boundary=xx"] {
        assert!(!parts(content_type, &good).1.missing_semicolon, "{content_type}");
    }
    let two = parts("multipart/form-data boundary=xx; boundary=yy", &good).2;
    let reason = "multipart: content type has more than one boundary";
    assert_eq!(two, Err(BodyError::malformed(reason)));
}

/// Who ends lines at CR LF alone sees no boundary behind a bare line feed.
#[test]
fn multipart_doubts_a_bare_line_feed_before_a_boundary() {
    let good = body(r#"form-data; name="a""#);
    let mixed = (true, true);
    for (body, lines, field) in [
        (good.clone(), (false, true), "a=v"),
        (good.replace("v\r\n", "v\n"), mixed, "a=v"),
        (good.replace("v\r\n", "v\r\n\n"), mixed, "a=v\r\n"),
        (good.replace("v\r\n", "\n"), mixed, "a="),
        (good.replace("v\r\n", ""), (false, true), "a="),
        // Text may have them.
        (good.replace("v\r\n", "v\nw\r\n"), (false, true), "a=v\nw"),
        (good.replace("\r\n", "\n"), (true, false), "a=v"),
        (good.replace("\r\n", "\n").replace("v\n", "v\r\n"), mixed, "a=v"),
    ] {
        let (found, flags, result) = parts(FORM, &body);
        assert_eq!((found, result), (vec![field.to_owned()], Ok(())), "{body:?}");
        assert_eq!((flags.lf_line, flags.crlf_line), lines, "{body:?}");
    }
}

#[test]
fn multipart_doubts_how_headers_are_folded() {
    let good = body(r#"form-data; name="a""#);
    for (blank, folded, invalid) in
        [(" ", true, false), ("\t", true, false), ("\u{b}", false, true), ("\u{c}", false, true)]
    {
        let flags = parts(FORM, &good.replace("; name", &format!(";\r\n{blank}name"))).1;
        let raised = (flags.header_folding, flags.invalid_header_folding);
        assert_eq!(raised, (folded, invalid), "{blank:?}");
        assert!(flags.is_strict_error());
    }
}

/// What is in doubt about the headers of a file makes it a field besides.
#[test]
fn multipart_files_in_doubt_are_fields() {
    let file = body(r#"form-data; name="a"; filename="x""#);
    assert_eq!(parts(FORM, &file), (vec!["a[x]:v".into()], PLAIN, Ok(())));
    let empty = body(r#"form-data; name="a"; filename="""#).replace("\r\nv", "\r\n");
    assert_eq!(parts(FORM, &empty), (vec!["a[]:".into()], PLAIN, Ok(())));
    let second = "\r\nContent-Disposition: form-data; name=b\r\n\r\n";
    for (body, field) in [
        (file.replace("; filename", ";\r\n filename"), "a[x]=v"),
        (file.replace("\r\n\r\n", "\n\n"), "a[x]=v"),
        (file.replace("\r\n\r\n", second), "a,b[x]=v"),
        (file.replace("Disposition:", "Disposition :"), "a[x]=v"),
        (file.replace("\r\n\r\n", "\r\n--xx\r\n\r\n"), "a[x]=v"),
        (file.replace("form-data", "attachment"), "a[x]=v"),
    ] {
        let (found, flags, result) = parts(FORM, &body);
        assert_eq!((found, result), (vec![field.to_owned()], Ok(())), "{body}");
        assert!(flags.is_strict_error(), "{body}");
    }
    // Nothing is in doubt about this file but how it is coded, nor about the one behind a broken part.
    let coded = file.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    assert_eq!(parts(FORM, &coded).0, ["a[x]:v"]);
    let behind = format!("--xx\r\nbroken\r\n\r\n\r\n{file}");
    assert_eq!(parts(FORM, &behind).0, ["=", "a[x]:v"]);
}

/// Boundaries where some readers see them and some do not: what both read is handed on.
#[test]
fn multipart_boundaries_in_doubt_are_read_both_ways() {
    let field = "Content-Disposition: form-data; name=id\r\n\r\nA";
    let file = "--xx\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n";
    let named = "--xx\r\nContent-Disposition: form-data; name=n\r\n\r\n";
    for (body, found) in [
        // Behind the end, with a boundary and without.
        (format!("{named}v\r\n--xx--\r\n--xx\r\n{field}\r\n--xx--"), vec!["n=v", "id=A"]),
        (format!("{named}v\r\n--xx--\r\n{field}"), vec!["n=v", "id=A"]),
        (format!("{named}v\r\n--xx--\r\nend --xx\r\n{field}"), vec!["n=v", "id=A"]),
        // Before the beginning.
        (format!("{field}\r\n{named}v\r\n--xx--"), vec!["id=A", "n=v"]),
        (format!("x --xx\r\n{}\r\n--xx--", field.to_lowercase()), vec!["id=a"]),
        // In a file: behind it there is no file to some.
        (format!("{file}x\r\n--xx--x\r\n{field}\r\n--xx--"), vec!["f[g]=", "id=A"]),
        (format!("{file}x\r\n--xx x\r\n{field}\r\n--xx--"), vec!["f[g]=", "id=A"]),
        (format!("{file}x--xx\r\n{field}\r\n--xx--"), vec!["f[g]=", "id=A"]),
        (format!("{file}x--xx{field}\r\n--xx--"), vec!["f[g]=", "id=A"]),
        (format!("{file}--xx{}\r\n{field}\r\n--xx--", " ".repeat(1_025)), vec!["f[g]=", "id=A"]),
        // In a field: it ends there, or goes on.
        (format!("{named}a\r\n--xx--b\r\n--xx--"), vec!["n=a\r\n--xx--b", "n=a"]),
        (format!("{named}a--xxb\r\n--xx--"), vec!["n=a--xxb", "n=a"]),
        // In a header.
        (
            file.replace("=g", &format!("=\"--xx{};x=\"", &field[..39])) + "A\r\n--xx--",
            vec!["f[--xxContent-Disposition: form-data; name=id;x=]=A"],
        ),
    ] {
        for keep_files in [true, false] {
            let (seen, flags, result) = read(FORM, &body, keep_files);
            assert_eq!(result, Ok(()), "{body}");
            assert!(flags.is_strict_error(), "{body}: {flags:?}");
            assert_eq!(seen.len(), found.len(), "{body}: {seen:?}");
            for (seen, found) in seen.iter().zip(&found) {
                assert!(
                    seen == found || seen.starts_with("f[") && seen.starts_with(found),
                    "{seen}"
                );
            }
        }
    }
    // What clients send behind the end.
    for end in ["", "\r\n", "\n", " \t\r\n\r\n"] {
        let flags = parts(FORM, &format!("{named}v\r\n--xx--\r\n{end}")).1;
        assert_eq!(flags, PLAIN, "{end:?}");
    }
    for sentence in ["This is a message.", "Content-Disposition: none"] {
        let before = format!("{sentence}\r\n{named}v\r\n--xx--\r\n");
        let expected = Flags { data_before: true, ..PLAIN };
        assert_eq!(parts(FORM, &before), (vec!["n=v".into()], expected, Ok(())));
        let after = format!("{named}v\r\n--xx--\r\n{sentence}\r\n");
        let expected = Flags { data_after: true, ..PLAIN };
        assert_eq!(parts(FORM, &after), (vec!["n=v".into()], expected, Ok(())));
    }
    // Parts behind the end, and those within others, are counted too.
    let many = format!("--xx--\r\n{}--xx--", format!("--xx\r\n{field}\r\n").repeat(9));
    assert!(matches!(parts(FORM, &many).2, Err(BodyError::Beyond(Exceeded::Parts, _))));
    let many = format!("{named}{}\r\n--xx--", format!("-- --xx\r\n{field}\r\n").repeat(9));
    assert!(matches!(parts(FORM, &many).2, Err(BodyError::Beyond(Exceeded::Parts, _))));
}

#[test]
fn multipart_raises_flags() {
    let good = body(r#"form-data; name="a""#);
    let raised = |content_type: &str, body: &str, pick: fn(&Flags) -> bool| {
        pick(&parts(content_type, body).1)
    };
    assert!(raised("multipart/form-data; boundary=\"xx\"", &good, |flags| flags.boundary_quoted));
    assert!(raised("multipart/form-data; boundary= xx", &good, |flags| flags.boundary_whitespace));
    assert!(raised(FORM, &format!("x\r\n{good}"), |flags| flags.data_before));
    assert!(raised(FORM, &format!("{good}x"), |flags| flags.data_after));
    assert!(raised(FORM, &good.replace("\r\n", "\n"), |flags| flags.lf_line));
    assert!(raised(FORM, &good.replace("; name", ";\r\n name"), |flags| flags.header_folding));
    assert!(
        raised(FORM, &good.replace("--xx--", "--xx1\r\n--xx--"), |flags| flags.unmatched_boundary)
    );
    assert!(raised(FORM, &good.replace("Content-Disposition:", "Content-Disposition"), |flags| {
        flags.invalid_part
    }));
    let file = "--xx\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n\r\n";
    assert!(raised(FORM, &format!("{file}{file}--xx--\r\n"), |flags| flags.file_limit_exceeded));
}

#[test]
fn multipart_errors() {
    for (content_type, body, reason) in [
        ("multipart/form-data", "", "content type has no boundary"),
        ("multipart/form-data; boundary=", "", "boundary has 0 bytes, bound 1 to 70"),
        (
            "multipart/form-data; boundary=a; boundary=b",
            "",
            "content type has more than one boundary",
        ),
        ("multipart/form-data; boundary=\"a", "", "boundary quote is not closed"),
        ("multipart/form-data; boundary=a\u{7f}", "", "boundary holds an invalid character"),
        (FORM, "nothing", "no boundary in the body"),
        (
            FORM,
            "--xx\r\nContent-Disposition: form-data; name=a\r\n\r\nv",
            "the last boundary is missing",
        ),
        (FORM, "--xx\r\nContent-Disposition: form-data", "the body ends within part headers"),
    ] {
        let result = parts(content_type, body).2.map_err(BodyError::of_whole);
        assert_eq!(result, Err(BodyError::malformed(format!("multipart: {reason}"))));
    }
    let reason = "multipart: more than 4 parts".to_owned();
    assert_eq!(
        parts(FORM, &"--xx\r\n\r\n\r\n".repeat(9)).2,
        Err(BodyError::Beyond(Exceeded::Parts, reason))
    );
    // A boundary that is called like the parameter is not a second one.
    assert!(parts("multipart/form-data; boundary=boundary", "--boundary--\r\n").2.is_ok());
}

/// However a body arrives, the same parts come out, and no content of a file is held.
#[test]
fn multipart_does_not_depend_on_chunks() {
    let files = "--xx\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n\r\n--x\r\n--xxx\n\r\r\n\r\n--xx \r\n\
                 Content-Disposition: form-data;\r\n name=a\r\n\r\nx\r\n\r\n--xx--\r\nend";
    let long = format!(
        "{}{}\r\n--xx--",
        body("form-data; name=a").trim_end_matches("--xx--\r\n"),
        "-".repeat(9_000)
    );
    let padding = " ".repeat(1_023);
    let ends = format!(
        "x--xx\r\n{}{padding}\r\r\n\r\n--xx{padding}  \r\nend --xx\r\n--xx--y",
        body("form-data; name=a")
    );
    for (body, keep_files) in [
        (files, true),
        (files, false),
        (&long, false),
        ("--xx", false),
        (&body("x"), true),
        (&ends, false),
    ] {
        let bounds = PartBounds { parts: 4, files: None, keep_files };
        let read = |chunk: usize| {
            let (mut found, mut flags) = (Vec::new(), Flags::default());
            let mut sink = |part: Part<'_>| {
                found.push((
                    (part.names, part.is_field),
                    part.filenames,
                    part.headers,
                    part.content.to_vec(),
                    part.bytes,
                ));
                ControlFlow::Continue(())
            };
            let mut parser = Parser::new(FORM.as_bytes(), bounds, &mut flags).unwrap();
            let mut chunks = body.as_bytes().chunks(chunk);
            let result = chunks.try_for_each(|chunk| parser.push(chunk, &mut sink));
            let result = result.and_then(|()| parser.finish(&mut sink));
            (format!("{result:?} {:?} {}", parser.flags(), parser.held()), found)
        };
        let whole = read(body.len());
        for chunk in [1, 2, 3, 5, 64] {
            assert_eq!(read(chunk), whole, "by {chunk}: {body}");
        }
        let (_, parts) = whole;
        for ((_, is_field), filenames, _, content, bytes) in &parts {
            let whole = keep_files || filenames.is_empty();
            // Of a file that is a field from a boundary on, what is behind it.
            let kept = if whole { *bytes } else { usize::from(*is_field) * "--xxx\n\r\r\n".len() };
            assert_eq!(content.len(), kept, "{body}");
        }
    }
}

#[test]
fn multipart_holds_no_files() {
    let mut parser = Parser::new(
        FORM.as_bytes(),
        PartBounds { parts: 4, files: None, keep_files: false },
        &mut Flags::default(),
    )
    .unwrap();
    let mut sizes = Vec::new();
    let mut sink = |part: Part<'_>| {
        sizes.push(part.bytes);
        ControlFlow::Continue(())
    };
    let head = b"--xx\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n";
    parser.push(head, &mut sink).unwrap();
    for _ in 0..1_000 {
        parser.push(&[b'x'; 4_096], &mut sink).unwrap();
        assert!(parser.held() <= head.len() + 4_096);
    }
    parser.push(b"\r\n--xx--\r\n", &mut sink).unwrap();
    parser.finish(&mut sink).unwrap();
    assert_eq!(sizes, [4_096_000]);
}
