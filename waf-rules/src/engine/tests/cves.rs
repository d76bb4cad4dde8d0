//! Ways round ModSecurity, Coraza and CRS that were published: none of them is one here. Each case is named by its
//! number; what is said of each is what went wrong there.

use super::*;

/// What a target shows of a request, in phase 2.
fn seen(target: &str, send: impl Fn(&Profile) -> Transaction) -> Vec<String> {
    let rules = format!(
        "SecRule {target} \"@unconditionalMatch\" \"id:1,phase:2,pass,t:none,msg:'%{{MATCHED_VAR_NAME}}=%{{MATCHED_VAR}}'\""
    );
    messages(&send(&profile(&rules))).into_iter().map(str::to_owned).collect()
}

/// What transformations make of an argument.
fn transformed(list: &str, input: &str) -> String {
    let rules = format!(
        "SecRule ARGS \"@unconditionalMatch\" \"id:1,phase:2,pass,{list},msg:'%{{MATCHED_VAR}}'\""
    );
    let form = "application/x-www-form-urlencoded";
    messages(&post(&profile(&rules), form, &format!("a={input}"))).concat()
}

fn multipart(part: &str) -> impl Fn(&Profile) -> Transaction {
    let body = format!("--b\r\n{part}\r\n--b--\r\n");
    move |profile| post(profile, "multipart/form-data; boundary=b", &body)
}

/// The path was decoded before it was split from the query.
#[test]
fn cve_2024_1019_path_is_split_before_it_is_decoded() {
    let target = "/admin%3f/../?x=1";
    assert_eq!(
        seen("REQUEST_FILENAME", |profile| get(profile, target)),
        ["REQUEST_FILENAME=/admin?/../"]
    );
    assert_eq!(seen("QUERY_STRING", |profile| get(profile, target)), ["QUERY_STRING=x=1"]);
}

/// `//` was read as the start of an authority.
#[test]
fn cve_2025_29914_two_slashes_begin_a_path() {
    let name = seen("REQUEST_FILENAME", |profile| get(profile, "//bar/uploads/foo.php?a=b"));
    assert_eq!(name, ["REQUEST_FILENAME=//bar/uploads/foo.php"]);
}

/// Input that could not be parsed ended the process.
#[test]
fn cve_2023_40586_nothing_is_fatal() {
    for (content_type, body) in [
        ("multipart/form-data; boundary=\u{7f}", "--"),
        ("multipart/form-data; boundary=\"", ""),
        ("application/json", "\u{0}{"),
        ("text/xml", "<?xml <<>>"),
        ("application/grpc", "\u{0}\u{0}"),
        (";;;=\"", "x"),
        ("", ""),
    ] {
        let rules = "SecRule ARGS|XML:/*|FILES|REQUEST_BODY \"@rx x\" \"id:1,phase:2,pass\"";
        let tx = post(&profile(rules), content_type, body);
        assert_eq!(tx.outcome(), Outcome::Inspected, "{content_type}");
    }
}

/// Leading zeros ran past a fixed buffer; only five names were known.
#[test]
fn cve_2025_27110_and_2026_61812_entities_are_decoded() {
    let zeros = format!("%26%23{}60;script", "0".repeat(500));
    assert_eq!(transformed("t:htmlEntityDecode", &zeros), "<script");
    let named = "javascript%26colon;alert%26lpar;1%26rpar;%26NewLine;%26Tab;";
    assert_eq!(transformed("t:htmlEntityDecode", named), "javascript:alert(1)\n\t");
}

/// Line ends inside a field were dropped, so that words grew together.
#[test]
fn cve_2026_52747_fields_keep_their_line_ends() {
    let part = "Content-Disposition: form-data; name=a\r\n\r\nUNION\r\nSELECT\n1\r\r\n";
    assert_eq!(seen("ARGS", multipart(part)), ["ARGS:a=UNION\r\nSELECT\n1\r\r\n"]);
}

/// The extended file name was ignored. Some clients send both, so that both are only shown.
#[test]
fn ghsa_5pww_extended_file_names_count() {
    let part = "Content-Disposition: form-data; name=a; filename=ok.txt; filename*=UTF-8''shell%2ephp\r\n\r\nx";
    assert_eq!(seen("FILES", multipart(part)), ["FILES:a=ok.txt", "FILES:a=shell.php"]);
    let part = part.replace("filename=ok.txt; ", "");
    assert_eq!(seen("FILES", multipart(&part)), ["FILES:a=shell.php"]);
    assert_eq!(seen("MULTIPART_STRICT_ERROR", multipart(&part)), ["MULTIPART_STRICT_ERROR=1"]);
}

/// A part said how it was to be decoded: what the application read was not what the rules saw.
#[test]
fn cve_2022_39956_parts_that_ask_to_be_decoded_are_a_doubt() {
    for (header, doubt) in [
        ("Content-Transfer-Encoding: base64", true),
        ("content-transfer-encoding: Quoted-Printable", true),
        ("Content-Transfer-Encoding: 8bit", false),
        ("Content-Type: text/plain; charset=utf-7", true),
        ("Content-Type: text/plain; charset=utf-8", false),
    ] {
        let part = format!("Content-Disposition: form-data; name=a\r\n{header}\r\n\r\nx");
        let found = seen("MULTIPART_STRICT_ERROR", multipart(&part));
        let wanted = format!("MULTIPART_STRICT_ERROR={}", u8::from(doubt));
        assert_eq!(found, [wanted], "{header}");
    }
}

/// A NUL ended the name for the rules and not for the application.
#[test]
fn cve_2022_48279_and_2023_24021_nul_bytes_stay() {
    let part =
        "Content-Disposition: form-data; name=\"a\u{0}b\"; filename=\"x.php\u{0}.jpg\"\r\n\r\nx";
    assert_eq!(seen("FILES", multipart(part)), ["FILES:a\u{0}b=x.php\u{0}.jpg"]);
    let part = "Content-Disposition: form-data; name=a\r\n\r\n1\u{0}<script>";
    assert_eq!(seen("ARGS", multipart(part)), ["ARGS:a=1\u{0}<script>"]);
    // A second disposition, or none, is a doubt and not a hidden field.
    for part in [
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nx",
        "Content-Type: text/plain\r\n\r\nx",
    ] {
        assert_eq!(seen("MULTIPART_STRICT_ERROR", multipart(part)), ["MULTIPART_STRICT_ERROR=1"]);
        assert!(seen("ARGS", multipart(part)).iter().all(|arg| arg.ends_with("=x")), "{part}");
    }
}

/// Four transformations were quadratic: none is. A quadratic one takes minutes for this.
#[test]
fn cve_2023_38285_transformations_are_linear() {
    let began = std::time::Instant::now();
    let hostile =
        ["\\", "/*", "&#", "%u", "<!--", "../", "''", "0x"].map(|text| text.repeat(30_000));
    for name in crate::transform::names() {
        let transform = crate::transform::Transform::parse(name).unwrap();
        for input in &hostile {
            transform.apply(input.as_bytes(), &mut Vec::new());
        }
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

/// Deep nesting took the stack or minutes.
#[test]
fn cve_2021_42717_json_nests_within_a_bound() {
    for body in ["[".repeat(100_000), "{\"a\":".repeat(20_000)] {
        let rules = show("%{REQBODY_ERROR_MSG}");
        let tx = post(&profile(&rules), "application/json", &body);
        assert_eq!(messages(&tx), ["JSON nests deeper than 64 levels"]);
        assert_eq!(tx.outcome(), Outcome::Refused(Exceeded::Depth));
    }
}

/// A pattern was matched by backtracking, for as long as the client liked; where there was a bound, what
/// passed it counted as no match (GHSA-5m93).
#[test]
fn cve_2020_15598_cve_2019_11387_and_ghsa_5m93_patterns_are_linear() {
    let rules = r#"
SecRule ARGS:a "@rx ^(?:a+)+$" "id:1,phase:2,pass,msg:'no'"
SecRule ARGS:a "@rx (?:a|aa|aaa)*b" "id:2,phase:2,pass,msg:'no'"
SecRule ARGS:a "@rx (?:a*)*!$" "id:3,phase:2,pass,msg:'found'"
"#;
    let body = format!("a={}%21", "a".repeat(60_000));
    let tx = post(&profile(rules), "application/x-www-form-urlencoded", &body);
    assert_eq!((messages(&tx), tx.outcome()), (vec!["found"], Outcome::Inspected));
}

/// One digit at the end was read beyond the buffer.
#[test]
fn cve_2026_30923_half_a_byte_is_none() {
    assert_eq!(transformed("t:hexDecode", "4"), "");
    assert_eq!(transformed("t:hexDecode", "414"), "A");
}

/// The byte behind a comment was dropped with it.
#[test]
fn ghsa_qrch_comments_end_where_they_end() {
    assert_eq!(transformed("t:removeComments", "UN/**/ION"), "UNION");
    assert_eq!(transformed("t:removeComments", "/**/<script>"), "<script>");
}

/// The alphabet of URLs was not known.
#[test]
fn ghsa_4j47_base64_has_two_alphabets() {
    assert_eq!(transformed("t:base64DecodeExt", "PD94bWw_Pj4-"), "<?xml?>>>");
}

/// `Text/HTML` was not `text/html`, and the response not looked at.
#[test]
fn cve_2026_73856_media_types_have_no_case() {
    let mut tx =
        Transaction::new(profile("SecResponseBodyAccess On\nSecResponseBodyMimeType text/html"));
    tx.response_header(b"Content-Type", b"TEXT/Html;charset=utf-8");
    tx.response_head();
    assert!(tx.wants_response_body());
}

/// Rules read a document that was never begun; empty nodes crashed.
#[test]
fn cve_2026_73857_and_2025_52891_xml_may_be_missing_or_empty() {
    let rules = "SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=XML\"\n\
                 SecRule XML:/*|XML://@* \"@rx x\" \"id:2,phase:2,pass\"";
    for body in ["", " ", "<a/>", "<a></a>", "<a b=''><c/></a>", "<a><![CDATA[]]></a>", "x"] {
        let tx = send(&profile(rules), "POST", "/", &[], body.as_bytes());
        assert_eq!(tx.outcome(), Outcome::Inspected, "{body}");
    }
    let doubted = seen("REQBODY_ERROR", |profile| post(profile, "text/xml", "no tag"));
    assert_eq!(doubted, ["REQBODY_ERROR=1"]);
}

/// After an error the request went on, and two answers were made.
#[test]
fn cve_2025_54571_a_verdict_is_final() {
    let rules =
        "SecAction \"id:1,phase:1,deny,status:403\"\nSecAction \"id:2,phase:2,deny,status:418\"";
    let mut tx = Transaction::new(profile(rules));
    let first = tx.head();
    assert!(matches!(&first, Verdict::Deny(why) if why.status == 403));
    assert_eq!(
        (tx.body(), tx.response_head(), tx.response_body()),
        (first.clone(), first.clone(), first)
    );
}

/// What lay beyond the bound passed without a word.
#[test]
fn partial_bodies_say_so() {
    let rules = "SecRequestBodyLimit 20\nSecRequestBodyLimitAction ProcessPartial\n\
                 SecRule INBOUND_DATA_ERROR \"@eq 1\" \"id:1,phase:2,pass\"";
    let tx = post(
        &profile(rules),
        "application/x-www-form-urlencoded",
        &format!("{}&a=<script>", "a=1&".repeat(9)),
    );
    assert_eq!(
        (tx.outcome(), tx.matched_rules()),
        (Outcome::Partial(Exceeded::RequestBody), [1].as_slice())
    );
}

/// One rule saw the first of two headers, the application took the other.
#[test]
fn cve_2023_38199_both_content_types_are_seen() {
    let headers = [("Content-Type", "text/plain"), ("content-type", "application/json")];
    let request = |profile: &Profile| send(profile, "POST", "/", &headers, b"{\"a\":1}");
    assert_eq!(seen("&REQUEST_HEADERS:Content-Type", request), ["&REQUEST_HEADERS:Content-Type=2"]);
    assert_eq!(seen("REQUEST_HEADERS:Content-Type", request).len(), 2);
}

/// A trailing path was taken for the file's.
#[test]
fn cve_2021_35368_trailing_path_is_part_of_the_name() {
    let target = "/index.php/wp-admin/../x";
    assert_eq!(
        seen("REQUEST_FILENAME", |profile| get(profile, target)),
        [format!("REQUEST_FILENAME={target}")]
    );
}

/// A chain looked at what the last value of its head had captured; `MATCHED_VARS` has them all.
#[test]
fn cve_2026_21876_a_chain_can_look_at_every_match() {
    let rules = r#"
SecRule REQUEST_HEADERS:C "@rx charset=(.*)" "id:1,phase:1,pass,capture,msg:'found',chain"
    SecRule MATCHED_VARS "@contains evil" "t:none"
"#;
    for headers in
        [[("C", "charset=evil"), ("C", "charset=ok")], [("C", "charset=ok"), ("C", "charset=evil")]]
    {
        assert_eq!(messages(&send(&profile(rules), "GET", "/", &headers, b"")), ["found"]);
    }
}

/// Attributes of XML were not looked at.
#[test]
fn ghsa_6jp8_xml_attributes_are_values() {
    let request = |profile: &Profile| post(profile, "text/xml", "<a b=\"&lt;script&gt;\"/>");
    assert_eq!(seen("XML://@*", request), ["XML://@*=<script>"]);
}

/// A parser was chosen by a part of the type, or none because there was no type.
#[test]
fn body_parsers_are_chosen_by_the_whole_type() {
    for (content_type, processor) in [
        ("a;b=application/json", ""),
        ("application/jsonx", ""),
        ("text/plain; application/json", ""),
        ("APPLICATION/JSON;x", "JSON"),
        ("application/vnd.api+json", "JSON"),
    ] {
        let found = seen("REQBODY_PROCESSOR", |profile| post(profile, content_type, "{}"));
        assert_eq!(found, [format!("REQBODY_PROCESSOR={processor}")], "{content_type}");
    }
    // What nobody parses is shown whole where a rule asks for it.
    let rules = "SecRule &REQUEST_HEADERS:Content-Type \"@eq 0\" \"id:1,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On\"\n\
                 SecRule REQUEST_BODY \"@contains script\" \"id:2,phase:2,pass\"";
    assert_eq!(send(&profile(rules), "POST", "/", &[], b"<script>").matches().len(), 1);
}
