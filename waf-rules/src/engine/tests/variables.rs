//! What requests look like to rules.

use super::*;

/// The values of a target, as `name=value`, sorted by arrival.
fn seen(target: &str, request: impl Fn(&Profile) -> Transaction) -> Vec<String> {
    let rules = format!(
        "SecRule {target} \"@unconditionalMatch\" \"id:1,phase:2,pass,t:none,msg:'%{{MATCHED_VAR_NAME}}=%{{MATCHED_VAR}}'\""
    );
    messages(&request(&profile(&rules))).into_iter().map(str::to_owned).collect()
}

#[test]
fn splits_targets_as_bytes() {
    for (raw, uri, filename, basename, query) in [
        ("/a/b.php?x=1", "/a/b.php?x=1", "/a/b.php", "b.php", "x=1"),
        // CVE-2025-29914: no authority in a path.
        ("//host/path", "//host/path", "//host/path", "path", ""),
        ("http://host:80/p?q", "/p?q", "/p", "p", "q"),
        ("http://host", "", "", "", ""),
        // CVE-2024-1019: split first, decoded after.
        ("/a%3Fb?c", "/a%3Fb?c", "/a?b", "a?b", "c"),
        ("/a\\b", "/a\\b", "/a\\b", "b", ""),
        ("/?u=http://x/y", "/?u=http://x/y", "/", "", "u=http://x/y"),
        ("*", "*", "*", "*", ""),
    ] {
        let one = |name: &str| seen(name, |profile| get(profile, raw));
        assert_eq!(one("REQUEST_URI_RAW"), [format!("REQUEST_URI_RAW={raw}")]);
        assert_eq!(one("REQUEST_URI"), [format!("REQUEST_URI={uri}")]);
        assert_eq!(one("REQUEST_FILENAME"), [format!("REQUEST_FILENAME={filename}")]);
        assert_eq!(one("REQUEST_BASENAME"), [format!("REQUEST_BASENAME={basename}")]);
        assert_eq!(one("QUERY_STRING"), [format!("QUERY_STRING={query}")]);
        assert_eq!(one("REQUEST_LINE"), [format!("REQUEST_LINE=GET {raw} HTTP/1.1")]);
    }
}

#[test]
fn arguments_come_query_first() {
    let form = |profile: &Profile| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        send(profile, "POST", "/?a=1&b=%00", &headers, b"a=2&c=%ff")
    };
    assert_eq!(seen("ARGS", form), ["ARGS:a=1", "ARGS:b=\0", "ARGS:a=2", "ARGS:c=\u{fffd}"]);
    assert_eq!(
        seen("ARGS_NAMES", form),
        ["ARGS_NAMES:a=a", "ARGS_NAMES:b=b", "ARGS_NAMES:a=a", "ARGS_NAMES:c=c"]
    );
    assert_eq!(seen("ARGS_POST|!ARGS_POST:c", form), ["ARGS_POST:a=2"]);
    // The count is taken after the exclusions.
    assert_eq!(seen("&ARGS|!ARGS:a", form), ["&ARGS=2"]);
    assert_eq!(seen("ARGS_COMBINED_SIZE", form), ["ARGS_COMBINED_SIZE=8"]);
    assert_eq!(seen("REQUEST_BODY", form), ["REQUEST_BODY=a=2&c=%ff"]);
    assert_eq!(seen("REQUEST_BODY_LENGTH", form), ["REQUEST_BODY_LENGTH=9"]);
}

#[test]
fn headers_and_cookies() {
    let request = |profile: &Profile| {
        let headers = [
            ("X_a.b", "1"),
            ("x_A.B", "2"),
            ("Cookie", "a=1; b;c==; $Version=\"1\";"),
            ("Cookie", "d=%41"),
        ];
        send(profile, "GET", "/", &headers, b"")
    };
    assert_eq!(
        seen("REQUEST_HEADERS:X_A.b", request),
        ["REQUEST_HEADERS:X_a.b=1", "REQUEST_HEADERS:x_A.B=2"]
    );
    assert_eq!(
        seen("REQUEST_COOKIES", request),
        [
            "REQUEST_COOKIES:a=1",
            "REQUEST_COOKIES:b=",
            "REQUEST_COOKIES:c==",
            "REQUEST_COOKIES:$Version=\"1\"",
            "REQUEST_COOKIES:d=%41"
        ]
    );
    assert_eq!(seen("&REQUEST_HEADERS:None", request), ["&REQUEST_HEADERS:None=0"]);
    assert_eq!(
        seen("REMOTE_ADDR|SERVER_NAME", request),
        ["REMOTE_ADDR=192.0.2.7", "SERVER_NAME=example.com"]
    );
}

/// A broken body is a finding, and all of it is looked at.
#[test]
fn broken_bodies_are_found() {
    for (content_type, body, argument) in [
        ("application/json", r#"{"a":"x","#, "ARGS:json.a=x"),
        ("application/xml", "<a>x</b>", ""),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n",
            "ARGS:a=x\r\n",
        ),
    ] {
        let request = |profile: &Profile| post(profile, content_type, body);
        assert_eq!(seen("REQBODY_ERROR", request), ["REQBODY_ERROR=1"], "{content_type}");
        assert_eq!(
            seen("REQUEST_BODY", request),
            [format!("REQUEST_BODY={body}")],
            "{content_type}"
        );
        let arguments = seen("ARGS", request);
        assert_eq!(
            arguments.first().map(String::as_str).unwrap_or_default(),
            argument,
            "{content_type}"
        );
    }
    let fine = |profile: &Profile| post(profile, "application/json", "{}");
    assert_eq!(seen("REQBODY_ERROR|REQUEST_BODY", fine), ["REQBODY_ERROR=0"]);
}

#[test]
fn multipart_variables() {
    let body = "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.php\"\r\nX: y\r\n\r\n12345\r\n--b--\r\n";
    let request = |profile: &Profile| post(profile, "multipart/form-data; boundary=b", body);
    assert_eq!(
        seen("FILES|FILES_NAMES|FILES_SIZES", request),
        ["FILES:f=a.php", "FILES_NAMES:f=f", "FILES_SIZES:f=5"]
    );
    assert_eq!(
        seen("FILES_COMBINED_SIZE|MULTIPART_STRICT_ERROR", request),
        ["FILES_COMBINED_SIZE=5", "MULTIPART_STRICT_ERROR=0"]
    );
    assert_eq!(seen("MULTIPART_PART_HEADERS:f", request)[1], "MULTIPART_PART_HEADERS:f=X: y");
}

#[test]
fn xml_variables() {
    let request = |profile: &Profile| post(profile, "text/xml", "<a b='c'>d</a>");
    assert_eq!(seen("XML:/*|XML://@*", request), ["XML:/*=d", "XML://@*=c"]);
}

#[test]
fn bodies_without_a_parser_are_shown_when_forced() {
    let rules = "SecAction \"id:2,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On\"\nSecRule REQUEST_BODY \"@rx x\" \"id:1,phase:2,pass\"";
    assert_eq!(post(&profile(rules), "text/plain", "x").matches().len(), 1);
    let unforced = "SecRule REQUEST_BODY \"@rx x\" \"id:1,phase:2,pass\"";
    assert_eq!(post(&profile(unforced), "text/plain", "x").matches().len(), 0);
    let without = "SecRequestBodyAccess Off\nSecRule ARGS \"@rx x\" \"id:1,phase:2,pass\"";
    assert!(
        post(&profile(without), "application/x-www-form-urlencoded", "a=x").matches().is_empty()
    );
}

#[test]
fn a_body_without_files_has_its_own_bound() {
    let rules = "SecRequestBodyNoFilesLimit 4\nSecRule REQBODY_ERROR \"@eq 1\" \"id:1,phase:2,pass,msg:'%{REQBODY_ERROR_MSG}'\"";
    let tx = post(&profile(rules), "application/x-www-form-urlencoded", "a=123");
    assert_eq!(messages(&tx), ["request body without files 5 bytes, bound 4"]);
}

#[test]
fn responses_are_inspected_where_asked() {
    let rules = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/HTML\n\
                 SecRule RESPONSE_STATUS \"@eq 500\" \"id:1,phase:3,pass,msg:'status'\"\n\
                 SecRule RESPONSE_BODY \"@contains leak\" \"id:2,phase:4,deny,msg:'%{RESPONSE_HEADERS.content-type}'\"";
    let mut tx = Transaction::new(profile(rules));
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    assert_eq!((tx.head(), tx.body()), (Verdict::Pass, Verdict::Pass));
    tx.response_line(500, b"HTTP/1.1");
    tx.response_header(b"Content-Type", b"Text/Html; charset=utf-8");
    assert_eq!(tx.response_head(), Verdict::Pass);
    assert!(tx.wants_response_body());
    tx.response_body_chunk(b"a le").unwrap();
    tx.response_body_chunk(b"ak").unwrap();
    assert!(matches!(tx.response_body(), Verdict::Deny(_)));
    assert_eq!(messages(&tx), ["status", "Text/Html; charset=utf-8"]);
}

#[test]
fn a_profile_may_say_which_responses_are_inspected() {
    let rules = "SecResponseBodyAccess On\nSecResponseBodyMimeType text/html\n\
                 SecRule RESPONSE_BODY \"@contains leak\" \"id:2,phase:4,deny,msg:'m'\"";
    let types = |types: &[&str]| Some(types.iter().map(ToString::to_string).collect());
    for (response_types, html, json) in [
        (None, true, false),
        (types(&["application/json"]), false, true),
        (types(&[]), false, false),
    ] {
        let profile = with(rules, ProfileOptions { response_types, ..Default::default() });
        for (content_type, wanted) in [("text/html", html), ("Application/JSON;a=b", json)] {
            let mut tx = Transaction::new(profile.clone());
            tx.response_line(200, b"HTTP/1.1");
            tx.response_header(b"content-type", content_type.as_bytes());
            tx.response_head();
            assert_eq!(tx.wants_response_body(), wanted, "{content_type}");
        }
    }
}

/// What a rule says of itself: numbers are numbers, texts are as written.
#[test]
fn rules_know_themselves() {
    let about = "id:7,phase:2,pass,severity:CRITICAL,rev:'2',ver:'a/1',msg:'of %{REQUEST_METHOD}',logdata:'in %{REQUEST_METHOD}'";
    for (target, value) in [
        ("RULE:id", "7"),
        ("RULE:severity", "2"),
        ("RULE:rev", "2"),
        ("RULE:ver", "a/1"),
        ("RULE:msg", "of %{REQUEST_METHOD}"),
        ("RULE:logdata", "in %{REQUEST_METHOD}"),
    ] {
        let name = target.to_lowercase().replace(':', ".");
        let rules = format!(
            "SecRule {target} \"@rx .\" \"{about},setvar:'tx.seen=%{{MATCHED_VAR}}',setvar:'tx.told=%{{{name}}}'\""
        );
        assert_eq!(
            shown(&rules, "%{tx.seen}|%{tx.told}", "/"),
            format!("{value}|{value}"),
            "{target}"
        );
    }
    for (target, operator, more) in [
        ("RULE:severity", "@eq 2", "severity:CRITICAL"),
        ("RULE:severity", "@lt 1", "severity:EMERGENCY"),
        ("&RULE:severity", "@eq 0", "t:none"),
        ("&RULE:logdata", "@eq 0", "t:none"),
        ("RULE:id", "@eq 7", "t:none"),
        ("ARGS:n", "@eq %{rule.id}", "t:none"),
        ("ARGS:n", "@streq %{rule.id}", "t:none"),
        ("&ARGS", "@lt %{rule.id}", "t:none"),
        ("ARGS:n", "@within 1 %{rule.msg}", "msg:7"),
    ] {
        let rules = format!("SecRule {target} \"{operator}\" \"id:7,phase:2,pass,{more}\"");
        assert_eq!(get(&profile(&rules), "/?n=7").matched_rules(), [7], "{target} {operator}");
    }
}

/// Two rules may ask the same of the same value, and mean each its own number.
#[test]
fn numbers_of_rules_are_computed_with() {
    let rules = r#"
SecAction "id:3,phase:1,pass,nolog,initcol:ip=x,setvar:tx.n=+%{rule.id},setvar:ip.n=+%{rule.id}"
SecAction "id:4,phase:1,pass,nolog,severity:5,setvar:tx.n=+%{rule.id},setvar:tx.n=-%{rule.severity},setvar:ip.n=+%{rule.id}"
SecRule ARGS "@streq %{rule.id}" "id:8,phase:2,pass,nolog,setvar:tx.seen=8"
SecRule ARGS "@streq %{rule.id}" "id:9,phase:2,pass,nolog,setvar:tx.seen=9,capture"
"#;
    assert_eq!(shown(rules, "%{tx.n} %{ip.n} %{tx.seen}", "/?n=8"), "2 7 8");
    assert_eq!(shown(rules, "%{tx.n} %{ip.n} %{tx.seen}", "/?n=9"), "2 7 9");
}

/// What the answer says of its length, or what was seen of it.
#[test]
fn response_has_a_length() {
    let rules = "SecResponseBodyAccess On\n\
                 SecAction \"id:3,phase:3,pass,msg:'%{RESPONSE_CONTENT_LENGTH}'\"\n\
                 SecAction \"id:4,phase:4,pass,msg:'%{RESPONSE_CONTENT_LENGTH}'\"";
    let profile = profile(rules);
    for (header, body, lengths) in [
        (Some("12"), Some("hello"), ["12", "12"]),
        (None, Some("hello"), ["0", "5"]),
        (None, Some(""), ["0", "0"]),
        // Of a body that was not fed nothing is known.
        (None, None, ["0", "0"]),
    ] {
        let mut tx = Transaction::new(profile.clone());
        tx.head();
        tx.body();
        tx.response_line(200, b"HTTP/1.1");
        let kind: &[u8] = if body.is_some() { b"text/html" } else { b"image/png" };
        tx.response_header(b"Content-Type", kind);
        header.iter().for_each(|value| tx.response_header(b"Content-Length", value.as_bytes()));
        tx.response_head();
        if tx.wants_response_body() {
            tx.response_body_chunk(body.unwrap_or_default().as_bytes()).unwrap();
        }
        tx.response_body();
        assert_eq!(messages(&tx), lengths, "{header:?} {body:?}");
    }
}
