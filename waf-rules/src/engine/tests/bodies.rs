//! Bodies as rules see them: what each processor yields, and what it doubts.

use std::io::Write;

use super::*;

/// Arguments of a body, and the error the parser raised.
fn parsed(headers: &[(&str, &str)], body: &[u8]) -> (Vec<String>, String) {
    let rules = r#"
SecRule ARGS_POST "@unconditionalMatch" "id:1,phase:2,pass,t:none,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule XML:/* "@unconditionalMatch" "id:2,phase:2,pass,t:none,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule REQBODY_ERROR "@eq 1" "id:3,phase:2,pass,nolog,setvar:tx.error=1"
"#;
    let profile = profile(&format!("{rules}{}", show("%{REQBODY_ERROR_MSG}")));
    let tx = send(&profile, "POST", "/", headers, body);
    let mut seen: Vec<String> = messages(&tx).into_iter().map(str::to_owned).collect();
    let error = seen.pop().unwrap_or_default();
    (seen.iter().map(|text| text.replacen("ARGS_POST:", "", 1)).collect(), error)
}

fn of_type(content_type: &str, body: impl AsRef<[u8]>) -> (Vec<String>, String) {
    parsed(&[("Content-Type", content_type)], body.as_ref())
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[test]
fn text_in_wide_characters_is_decoded() {
    let json = r#"{"a":"<script>"}"#;
    let wide = utf16(json);
    let marked = [b"\xff\xfe".as_slice(), &wide].concat();
    let big: Vec<u8> = json.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let quad: Vec<u8> = json.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    for (content_type, body) in [
        ("application/json; charset=utf-8", json.as_bytes().to_vec()),
        ("application/json; charset=UTF-16LE", wide.clone()),
        ("application/json; charset=\"utf-16\"", wide),
        ("application/json", marked),
        ("application/json; charset=utf-16be", big.clone()),
        ("application/json; charset=utf-16", big),
        ("application/json; charset=utf-32", quad),
    ] {
        let expected = (vec!["json.a=<script>".to_owned()], String::new());
        assert_eq!(of_type(content_type, body), expected, "{content_type}");
    }
    let xml = utf16("<a>&lt;script></a>");
    assert_eq!(of_type("text/xml; charset=utf-16le", xml).0, ["XML:/*=<script>"]);
    // Half a character is one that nobody knows.
    let (seen, _) =
        of_type("application/json; charset=utf-16le", [utf16("\"a"), vec![0x22]].concat());
    assert_eq!(seen, ["json=a\u{fffd}"]);
}

/// A set in which ASCII does not look like ASCII is a finding, and the bytes are inspected as they are.
#[test]
fn other_character_sets_are_doubted() {
    let form = "application/x-www-form-urlencoded";
    for (content_type, body, error) in [
        (format!("{form}; charset=ibm037"), "a=1", "charset `ibm037` cannot be inspected"),
        (format!("{form}; charset=utf-7"), "a=+ADw-", "charset `utf-7` cannot be inspected"),
        (
            format!("{form}; charset=utf-16"),
            "a=1",
            "a form in UTF-16 or UTF-32 cannot be inspected",
        ),
        // CVE-2022-39955: two of them, of which one is allowed.
        (
            format!("{form}; charset=utf-8; charset=ibm037"),
            "a=1",
            "content type has more than one charset",
        ),
        (form.to_owned(), "_charset_=utf-7&a=1", "charset `utf-7` cannot be inspected"),
        (
            "application/json;charset=cp500".to_owned(),
            "{\"a\":1}",
            "charset `cp500` cannot be inspected",
        ),
        (
            "text/xml".to_owned(),
            "<?xml version='1.0' encoding='utf-7'?><a>+ADw-</a>",
            "XML: charset `utf-7` cannot be inspected",
        ),
        (
            "text/xml; charset=hz-gb-2312".to_owned(),
            "<a/>",
            "charset `hz-gb-2312` cannot be inspected",
        ),
    ] {
        let (seen, found) = of_type(&content_type, body);
        assert_eq!(found, error, "{content_type}");
        assert!(!seen.is_empty() || body == "<a/>", "{content_type}");
    }
    for charset in ["UTF-8", "\"iso-8859-15\"", "windows-1252", "Shift_JIS", "us-ascii"] {
        assert_eq!(of_type(&format!("{form}; charset={charset}"), "a=1").1, "", "{charset}");
    }
}

#[test]
fn graphql_strings_are_arguments() {
    let query = r#"# comment "no string"
query Q($id: ID = "9") { user(id: "1' OR 1=1--", tags: ["a", "b\u0022\u{1F600}"]) @include(if: true)
  { name(note: """block "quoted" \""" <script>""") } ...F }
fragment F on User { age(over: -1.5e3) }"#;
    let strings = [
        "id=9",
        "id=1' OR 1=1--",
        "tags=a",
        "tags=b\"\u{1f600}",
        "note=block \"quoted\" \"\"\" <script>",
    ];
    let named = |prefix: &str| strings.map(|string| format!("{prefix}.{string}")).to_vec();
    assert_eq!(of_type("application/graphql", query), (named("graphql"), String::new()));
    // The same document in JSON, where it is an argument itself too.
    let json = format!(
        "{{\"query\":{},\"variables\":{{\"v\":\"x\"}}}}",
        serde_json::to_string(query).unwrap()
    );
    let (mut seen, error) = of_type("application/json", json);
    assert_eq!((seen.remove(0), error.as_str()), (format!("json.query={query}"), ""));
    assert_eq!(seen, [named("json.query"), vec!["json.variables.v=x".to_owned()]].concat());
    // What is only called a query stays a value.
    assert_eq!(of_type("application/json", r#"{"query":"{ \"unclosed"}"#).1, "");
}

#[test]
fn graphql_errors_keep_what_was_read() {
    for (query, error) in [
        ("", ""),
        ("  ", "GraphQL: the document is empty"),
        ("{ a(b: \"seen\"", "GraphQL: a bracket is not closed at byte 13"),
        ("{ a(b: \"seen\") } }", "GraphQL: a bracket closes nothing at byte 18"),
        ("{ a(b: \"seen\" c: \"x\n\") }", "GraphQL: a string is not closed at byte 19"),
        ("{ a(b: \"seen\" c: \"\"\"x\") }", "GraphQL: a block string is not closed at byte 25"),
        ("{ a(b: \"seen\" c: \"\\x\") }", "GraphQL: an escape is invalid at byte 18"),
        ("{ a(b: \"seen\" c: \"\\u{110000000}\") }", "GraphQL: an escape is invalid at byte 18"),
        ("{ a(b: \"seen\" c: `x`) }", "GraphQL: a character belongs to no token at byte 17"),
    ] {
        let (seen, found) = of_type("application/graphql", query);
        assert_eq!(found, error, "{query}");
        let first = seen.first().map(String::as_str);
        assert!(!query.contains("seen") || first == Some("graphql.b=seen"), "{query}: {seen:?}");
    }
    let deep = "{a".repeat(10_000);
    assert_eq!(of_type("application/graphql", deep).1, "GraphQL nests deeper than 64 levels");
}

/// A field: tag, length, content.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    [&[number << 3 | 2, length], content].concat()
}

fn frame(flags: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flags], length.as_slice(), message].concat()
}

#[test]
fn protocol_buffers_yield_their_texts() {
    let inner = [field(1, b"1' OR 1=1--"), vec![2 << 3, 0x96, 1]].concat();
    let message = [
        field(1, b"plain"),
        field(3, &inner),
        // 64 and 32 bits, a group, bytes that are no text.
        vec![4 << 3 | 1, 0, 0, 0, 0, 0, 0, 0, 0, 5 << 3 | 5, 0, 0, 0, 0],
        vec![6 << 3 | 3, 7 << 3, 1, 6 << 3 | 4],
        field(8, b"\xff\xfe\xfd"),
    ]
    .concat();
    let expected = ["protobuf.1=plain", "protobuf.3.1=1' OR 1=1--"];
    for (content_type, body) in [
        ("application/x-protobuf", message.clone()),
        ("application/vnd.google.protobuf; proto=x", message.clone()),
        ("application/grpc", frame(0, &message)),
        ("application/grpc+proto", [frame(0, &message), frame(0, b"")].concat()),
        // The trailers of gRPC-Web are no message.
        (
            "application/grpc-web+proto",
            [frame(0, &message), frame(0x80, b"grpc-status: 0")].concat(),
        ),
        ("application/connect+proto", [frame(0, &message), frame(2, b"{}")].concat()),
    ] {
        let (seen, error) = of_type(content_type, body);
        assert_eq!(
            (seen, error.as_str()),
            (expected.map(str::to_owned).to_vec(), ""),
            "{content_type}"
        );
    }
    // Text that may as well be a message is both.
    let (seen, _) = of_type("application/protobuf", field(1, &field(2, b"x")));
    assert_eq!(seen, ["protobuf.1=\u{12}\u{1}x", "protobuf.1.2=x"]);
}

#[test]
fn framed_json_text_and_compression_are_read() {
    use base64::Engine;
    let json = frame(0, br#"{"a":"<script>"}"#);
    assert_eq!(of_type("application/grpc+json", &json).0, ["json.a=<script>"]);
    let message = field(1, b"<script>");
    let text = base64::engine::general_purpose::STANDARD.encode(frame(0, &message));
    assert_eq!(of_type("application/grpc-web-text", text).0, ["protobuf.1=<script>"]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&message).unwrap();
    let packed = frame(1, &encoder.finish().unwrap());
    let headers = |encoding: &'static str| {
        [("Content-Type", "application/grpc"), ("grpc-encoding", encoding)]
    };
    assert_eq!(parsed(&headers("gzip"), &packed).0, ["protobuf.1=<script>"]);
    for (encoding, error) in [
        ("identity", "gRPC: a message is compressed and no encoding is named"),
        ("snappy", "gRPC: content coding `snappy` is not decoded"),
        ("br", "gRPC: encoded body is broken"),
    ] {
        let found = parsed(&headers(encoding), &packed).1;
        assert!(found.starts_with(error), "{encoding}: {found}");
    }
}

#[test]
fn broken_protocol_buffers_keep_what_was_read() {
    let seen = field(1, b"seen");
    for (more, error) in [
        (vec![1 << 3 | 2, 200], "protocol buffer: a number does not end at byte 8"),
        (vec![1 << 3 | 2, 9, 1], "protocol buffer: a field is longer than the message at byte 8"),
        (vec![1 << 3 | 7], "protocol buffer: a wire type is unknown at byte 7"),
        (vec![1 << 3 | 4], "protocol buffer: a wire type is unknown at byte 7"),
        (vec![1 << 3 | 3], "protocol buffer: a group is not closed at byte 7"),
        (vec![0], "protocol buffer: a field number is out of range at byte 7"),
        (vec![0x80; 20], "protocol buffer: a number does not end at byte 16"),
    ] {
        let (fields, found) = of_type("application/protobuf", [seen.clone(), more].concat());
        assert_eq!((fields, found.as_str()), (vec!["protobuf.1=seen".to_owned()], error));
    }
    for (body, error) in [
        (vec![0, 0, 0], "gRPC: the body ends within a message's head"),
        (
            vec![0, 0xff, 0xff, 0xff, 0xff, 1],
            "gRPC: a message of 4294967295 bytes, 1 bytes are left",
        ),
        (frame(4, b""), "gRPC: flags 0x04 are unknown"),
    ] {
        assert_eq!(of_type("application/grpc", body).1, error);
    }
}

/// Messages in messages: work and memory stay within size and depth.
#[test]
fn protocol_buffers_nest_within_bounds() {
    let mut message = b"\xff".to_vec();
    while message.len() < 100 {
        message = field(1, &message);
    }
    let (_, error) = of_type("application/protobuf", message);
    assert_eq!(error, "protocol buffer nests deeper than 32 levels");
    let wide = field(1, b"x").repeat(5_000);
    let mut tx = Transaction::new(profile("SecRule ARGS \"@rx never\" \"id:1,phase:2,pass\""));
    tx.header(b"Content-Type", b"application/protobuf");
    tx.head();
    tx.body_chunk(&wide).unwrap();
    tx.body();
    assert_eq!(tx.outcome(), Outcome::Refused(Exceeded::Arguments));
}

#[test]
fn names_in_pieces_are_joined_and_doubted() {
    let part = |disposition: &str| {
        let body =
            format!("--b\r\nContent-Disposition: form-data; {disposition}\r\n\r\nx\r\n--b--\r\n");
        let rules = "SecRule FILES|ARGS_NAMES \"@unconditionalMatch\" \"id:1,phase:2,pass,msg:'%{MATCHED_VAR}'\"\n\
                     SecRule MULTIPART_STRICT_ERROR \"@eq 1\" \"id:2,phase:2,pass,msg:'strict'\"";
        let tx = post(&profile(rules), "multipart/form-data; boundary=b", &body);
        messages(&tx).join(" ")
    };
    for (disposition, seen) in [
        // RFC 2231, section 3 and 4.1; the pieces may come in any order.
        ("name=a; filename*0=sh; filename*1=ell.ph; filename*2=p", "shell.php a strict"),
        ("name=a; filename*1=.php; filename*0=shell", "shell.php a strict"),
        (
            "name=a; filename*0*=UTF-8''%73hell; filename*1*=%2ephp; filename*2=5",
            "shell.php5 a strict",
        ),
        ("name=a; filename=ok.txt; filename*0=shell; filename*1=.php", "ok.txt shell.php a strict"),
        ("name*0=a; name*1=b", "ab strict"),
        ("name=a; filename*x=shell.php", "shell.php a strict"),
        ("name=a; filename*=UTF-8''%73hell.php", "shell.php a strict"),
        ("name=a; filename=ok.txt; filename*=UTF-8''%73hell.php", "ok.txt shell.php"),
        ("name=a; name=b; filename=c; filename=d", "c d a b strict"),
    ] {
        assert_eq!(part(disposition), seen, "{disposition}");
    }
}

#[test]
fn forms_without_a_semicolon_are_read_and_doubted() {
    let body = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--b--\r\n";
    let rules = show("%{ARGS.a} %{MULTIPART_MISSING_SEMICOLON} %{MULTIPART_STRICT_ERROR}");
    let profile = profile(&rules);
    for (content_type, seen) in [
        ("multipart/form-data; boundary=b", "x 0 0"),
        ("multipart/form-data boundary=b", "x 1 1"),
        ("multipart/form-dataX boundary=b", " 0 0"),
    ] {
        assert_eq!(messages(&post(&profile, content_type, body)), [seen], "{content_type}");
    }
}

#[test]
fn parts_that_ask_to_be_decoded_are_doubted() {
    let strict = |header: &str| {
        let body = format!(
            "--b\r\nContent-Disposition: form-data; name=a\r\n{header}\r\n\r\nx\r\n--b--\r\n"
        );
        let rules = "SecRule MULTIPART_STRICT_ERROR \"@eq 1\" \"id:1,phase:2,pass\"";
        !post(&profile(rules), "multipart/form-data; boundary=b", &body).matches().is_empty()
    };
    for header in [
        "Content-Transfer-Encoding: base64",
        "content-transfer-encoding:quoted-printable",
        "Content-Type: text/plain; charset=utf-7",
        "Content-Type: text/plain; charset=utf-8; charset=ibm500",
    ] {
        assert!(strict(header), "{header}");
    }
    for header in [
        "Content-Transfer-Encoding: 8bit",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Type: image/png",
    ] {
        assert!(!strict(header), "{header}");
    }
}

#[test]
fn content_of_files_is_kept_only_for_rules_that_look_at_it() {
    let body = "--b\r\nContent-Disposition: form-data; name=f; filename=x.php\r\n\r\n<?php system\r\n--b--\r\n";
    let form = "multipart/form-data; boundary=b";
    let looking = "SecRule FILES_TMP_CONTENT \"@contains <?php\" \"id:1,phase:2,pass,msg:'%{MATCHED_VAR_NAME}'\"";
    assert_eq!(messages(&post(&profile(looking), form, body)), ["FILES_TMP_CONTENT:f"]);
    let other = post(&profile("SecRule FILES \"@contains php\" \"id:1,phase:2,pass\""), form, body);
    assert_eq!(other.matches().len(), 1);
    let mixed = body.replace("x.php\r\n", "x.php\n");
    let rules = "SecRule MULTIPART_CRLF_LF_LINES \"@eq 1\" \"id:1,phase:2,pass\"";
    assert_eq!(post(&profile(rules), form, &mixed).matches().len(), 1);
    assert!(post(&profile(rules), form, body).matches().is_empty());
}

/// Of an upload only what is not a file counts towards the bound of a body; a bound of the rules on the
/// whole of it holds all the same, and a body that breaks beyond the bound is not taken for inspected.
#[test]
fn uploads_are_bounded_by_what_is_held() {
    let head = "--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n";
    let field = "\r\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    let send = |rules: &str, field_bytes: usize, end: &str| {
        let rules = format!("{rules}\nSecRule ARGS|FILES_SIZES \"@rx .\" \"id:1,phase:2,pass\"");
        let bounds = Bounds { body_bytes: 1_000, ..Bounds::default() };
        let mut tx =
            Transaction::new(with(&rules, ProfileOptions { bounds, ..Default::default() }));
        tx.header(b"Content-Type", b"multipart/form-data; boundary=b");
        tx.head();
        let pieces = [
            head.to_owned(),
            "x".repeat(50_000),
            field.to_owned(),
            "y".repeat(field_bytes),
            end.to_owned(),
        ];
        let fits = pieces.iter().all(|piece| tx.body_chunk(piece.as_bytes()).is_ok());
        let verdict = if fits { tx.body() } else { Verdict::Pass };
        (fits, verdict == Verdict::Pass, tx.matched_rules().len(), tx.outcome())
    };
    let (last, refused) = ("\r\n--b--\r\n", Outcome::Refused(Exceeded::RequestBody));
    assert_eq!(send("", 100, last), (true, true, 1, Outcome::Inspected));
    assert_eq!(send("", 2_000, last), (false, true, 0, refused));
    assert_eq!(send("SecRequestBodyLimit 40000", 100, last), (false, true, 0, refused));
    assert_eq!(send("", 100, ""), (true, false, 0, refused));
    let partial = Outcome::Partial(Exceeded::RequestBody);
    assert_eq!(
        send("SecRequestBodyLimitAction ProcessPartial", 2_000, last),
        (true, true, 1, partial)
    );
}
