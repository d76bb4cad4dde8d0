//! Bounds: each is reached with an outcome, never with silence.

use super::*;

fn bounded(rules: &str, bounds: Bounds) -> Profile {
    with(rules, ProfileOptions { bounds, ..Default::default() })
}

#[test]
fn a_body_over_its_bound_is_refused_or_cut() {
    let rules = "SecRule ARGS:a \"@rx x\" \"id:1,phase:2,pass\"";
    for (over, outcome) in [
        (Over::Reject, Outcome::Refused(Exceeded::RequestBody)),
        (Over::Partial, Outcome::Partial(Exceeded::RequestBody)),
    ] {
        let profile = bounded(rules, Bounds { body_bytes: 4, over, ..Bounds::default() });
        let mut tx = Transaction::new(profile);
        tx.request_line(b"POST", b"/", b"HTTP/1.1");
        tx.header(b"Content-Type", b"application/x-www-form-urlencoded");
        tx.head();
        assert_eq!(tx.body_chunk(b"a=x"), Ok(()));
        let result = tx.body_chunk(b"yz");
        assert_eq!(result.is_err(), over == Over::Reject);
        if let Err(error) = result {
            assert_eq!(error.to_string(), "body 5 bytes, bound 4");
        }
        tx.body();
        assert_eq!(tx.outcome(), outcome);
        assert_eq!(tx.matched_rules(), [1]);
    }
}

#[test]
fn rules_and_profile_bound_together() {
    let profile = bounded("SecRequestBodyLimit 100\nSecArgumentsLimit 5000", Bounds::default());
    assert_eq!((profile.bounds().body_bytes, profile.bounds().arguments), (100, 1_000));
}

#[test]
fn too_many_arguments_are_refused() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,nolog\"";
    let target = format!("/?{}", "a=1&".repeat(30));
    let profile = bounded(rules, Bounds { arguments: 20, ..Bounds::default() });
    let mut tx = Transaction::new(profile);
    tx.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
    let action = Action::Bound(Exceeded::Arguments);
    assert_eq!(tx.head(), Verdict::Deny(Interruption { rule_id: 0, status: 403, action }));
    assert_eq!(tx.outcome(), Outcome::Refused(Exceeded::Arguments));
    let profile =
        bounded(rules, Bounds { arguments: 20, over: Over::Partial, ..Bounds::default() });
    let tx = get(&profile, &target);
    assert_eq!(
        (tx.outcome(), tx.matched_rules()),
        (Outcome::Partial(Exceeded::Arguments), [1].as_slice())
    );
}

/// What is missing behind the bound is no doubt, wherever the body is cut; what stands before it is inspected.
#[test]
fn a_body_that_was_cut_is_no_broken_one() {
    let part = "--b\r\nContent-Disposition: form-data; name=\"a\"";
    let file = format!("{part}; filename=\"x\"\r\nContent-Type: image/png\r\n\r\n--c\r\n\r\n");
    let json =
        r#"{"n":[1.5e-3,true],"a":"EVIL\u0041\ud83d\ude00é","query":"{a(b:\"c\")}","c":null}"#;
    let wide: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let form = "multipart/form-data; boundary=b";
    let bodies: [(&str, Vec<u8>); 6] = [
        ("application/x-www-form-urlencoded", b"x=%41&a=EVIL%41%42&b=".to_vec()),
        (form, format!("{part}\r\n\r\nEVIL\r\n{file}{part}\r\n\r\nx\r\n--b--\r\n").into()),
        ("application/json", json.into()),
        ("application/json; charset=utf-16le", wide),
        (
            "text/xml",
            "<?xml version='1.0'?><!DOCTYPE a><a b='&lt;EVIL'>EVIL&#65;é&amp;<!-- c --><![CDATA[x]]><?p i?></a>".into(),
        ),
        (
            "application/graphql",
            r#"query Q($i: ID = "EVIL") { a(b: "\u0041\u{41}", c: """d""") { ...F } } # end"#.into(),
        ),
    ];
    let rules = "SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR|MULTIPART_UNMATCHED_BOUNDARY|URLENCODED_ERROR \"@eq 1\" \
                 \"id:1,phase:2,pass,msg:'%{REQBODY_ERROR_MSG}'\"\n\
                 SecRule ARGS|XML:/*|XML://@* \"@contains EVIL\" \"id:2,phase:2,pass,nolog\"";
    // The engine cuts, or its caller did and says so.
    let cut_by_engine = |content_type: &str, body: &[u8], body_bytes: usize| {
        let bounds = Bounds { body_bytes, over: Over::Partial, ..Bounds::default() };
        send(&bounded(rules, bounds), "POST", "/", &[("Content-Type", content_type)], body)
    };
    let partial = bounded(rules, Bounds { over: Over::Partial, ..Bounds::default() });
    let cut_by_caller = |content_type: &str, body: &[u8], bytes: usize| {
        let mut tx = Transaction::new(partial.clone());
        tx.header(b"Content-Type", content_type.as_bytes());
        tx.head();
        tx.body_chunk(&body[..bytes]).unwrap();
        tx.state.exceed(Exceeded::RequestBody);
        tx.body();
        tx
    };
    for (content_type, body) in &bodies {
        let wide = content_type.ends_with("le");
        let attack: &[u8] = if wide { b"E\0V\0I\0L\0" } else { b"EVIL" };
        let shows = memchr::memmem::find(body, attack).unwrap() + attack.len();
        for at in 1..body.len() {
            let (tx, other) =
                (cut_by_caller(content_type, body, at), cut_by_engine(content_type, body, at));
            let shown = String::from_utf8_lossy(&body[..at]);
            let found = tx.matched_rules();
            assert!(!found.contains(&1), "{content_type}: {shown}: {:?}", messages(&tx));
            assert!(at < shows || found == [2], "{content_type}: {shown}");
            assert_eq!(tx.outcome(), Outcome::Partial(Exceeded::RequestBody), "{shown}");
            // It does not count what it drops of files.
            if content_type != &form || at < shows {
                assert_eq!((other.matched_rules(), other.outcome()), (found, tx.outcome()));
            }
        }
        // What is wrong before the cut is wrong.
        let mut broken = body.clone();
        let (at, wrong) = if content_type == &form { (2, "%") } else { (0, "%</b>") };
        broken.splice(at..at, wrong.bytes());
        let tx = cut_by_caller(content_type, &broken, body.len());
        assert!(tx.matched_rules().contains(&1), "{content_type}");
    }
}

/// A long name with many headers and file names, many names for a long content: neither costs their product.
#[test]
fn names_of_parts_do_not_multiply() {
    let profile = bounded(
        "SecRule &FILES \"@gt 100000\" \"id:1,phase:2,pass\"",
        Bounds { body_bytes: 16 << 20, over: Over::Partial, ..Bounds::default() },
    );
    let long = "n".repeat(2 << 20);
    let files = (0..200_000).map(|n| format!("; filename={n}")).collect::<String>();
    let names = (0..200_000).map(|n| format!("; name={n}")).collect::<String>();
    let headers = (0..200_000).map(|n| format!("{n}:\r\n")).collect::<String>();
    let part = |parameters: &str, headers: &str, content: &str| {
        format!("--b\r\n{headers}Content-Disposition: form-data{parameters}\r\n\r\n{content}\r\n")
    };
    let body = [
        part(&format!("; name={long}{files}"), &headers, ""),
        part(&names, "", &long),
        "--b--\r\n".to_owned(),
    ];
    let began = std::time::Instant::now();
    let tx = post(&profile, "multipart/form-data; boundary=b", &body.concat());
    assert_eq!(
        (tx.matched_rules(), tx.outcome()),
        ([1].as_slice(), Outcome::Partial(Exceeded::Arguments))
    );
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
}

/// What nests or splits too much hides what lies beyond, whether or not a rule asks for `REQBODY_ERROR`.
#[test]
fn bodies_beyond_their_depth_or_parts_are_refused() {
    let deep =
        |open: &str, close: &str| format!("{}\"\\u0045VIL\"{}", open.repeat(9), close.repeat(9));
    let json = deep("[", "]");
    let document =
        format!("query {}", deep("{a(b:", ")}")).replace('\\', "\\\\").replace('"', "\\\"");
    let part = "--b\r\nContent-Disposition: form-data; name=a\r\n\r\nEVIL\r\n".repeat(9);
    let cases = [
        ("application/json", json, Exceeded::Depth),
        ("application/json", format!("{{\"query\":\"{document}\"}}"), Exceeded::Depth),
        ("application/graphql", deep("{a(b:", ")}"), Exceeded::Depth),
        ("text/xml", format!("{}EVIL{}", "<a>".repeat(9), "</a>".repeat(9)), Exceeded::Depth),
        ("multipart/form-data; boundary=b", format!("{part}--b--\r\n"), Exceeded::Parts),
    ];
    let rules = "SecRule ARGS|XML:/* \"@rx ^never$\" \"id:1,phase:2,pass\"\n\
                 SecRule REQBODY_ERROR \"@eq 1\" \"id:2,phase:2,pass\"";
    for (content_type, body, bound) in &cases {
        for (engine, over, outcome) in [
            (EngineMode::On, Over::Reject, Outcome::Refused(*bound)),
            (EngineMode::On, Over::Partial, Outcome::Partial(*bound)),
            (EngineMode::DetectionOnly, Over::Reject, Outcome::Partial(*bound)),
        ] {
            let bounds = Bounds { depth: 8, parts: 8, over, ..Bounds::default() };
            let options = ProfileOptions { bounds, engine: Some(engine), ..Default::default() };
            let tx = post(&with(rules, options), content_type, body);
            assert_eq!(tx.outcome(), outcome, "{body}");
            let refused = matches!(outcome, Outcome::Refused(_));
            let action = tx.interruption().map(|why| (&why.action, why.status));
            assert_eq!(action, refused.then_some((&Action::Bound(*bound), 403)), "{body}");
            let rules: &[u32] = if refused { &[] } else { &[2] };
            assert!(over == Over::Reject || tx.matched_rules() == rules, "{body}");
        }
    }
}

/// What was found before the budget ran out is still judged.
#[test]
fn the_work_budget_ends_in_an_outcome() {
    let rules = r#"
SecRule ARGS "@rx x" "id:1,phase:2,pass,setvar:tx.s=+5"
SecRule ARGS "@rx [a-z]+\d" "id:2,phase:2,pass"
SecRule TX:S "@ge 5" "id:3,phase:2,deny"
"#;
    let target = format!("/?a={}", "x1".repeat(200));
    let tx = get(
        &bounded(
            rules,
            Bounds { work: 1_000, work_per_byte: 0, over: Over::Partial, ..Bounds::default() },
        ),
        &target,
    );
    assert_eq!(
        (tx.matched_rules(), tx.outcome()),
        ([1, 3].as_slice(), Outcome::Partial(Exceeded::Work))
    );
    // What is refused, or would be, ends there.
    let bound = Exceeded::Work;
    for (engine, outcome) in [
        (EngineMode::On, Outcome::Refused(bound)),
        (EngineMode::DetectionOnly, Outcome::Partial(bound)),
    ] {
        let bounds = Bounds { work: 1_000, work_per_byte: 0, ..Bounds::default() };
        let options = ProfileOptions { bounds, engine: Some(engine), ..Default::default() };
        let tx = get(&with(rules, options), &target);
        assert_eq!((tx.matched_rules(), tx.outcome()), ([].as_slice(), outcome));
        let ended = tx.interruption().or_else(|| tx.detected()).map(|ended| &ended.action);
        assert_eq!(ended, Some(&Action::Bound(bound)));
    }
    let tx = get(&bounded(rules, Bounds::default()), &target);
    assert_eq!((tx.matched_rules(), tx.outcome()), ([1, 2, 3].as_slice(), Outcome::Inspected));
    assert!(tx.work() > 0);
}

/// A pattern that backtracks without end on what the client sends takes no more than any other, and lets nothing pass.
#[test]
fn backtracking_ends_with_the_work() {
    let nested = r#"SecRule ARGS "@rx ^(?:a+)+(?!a)\z(?<=b)" "id:1,phase:2,pass""#;
    // The ways that are left to be tried would fill memory before the work is spent.
    let remembered = r#"SecRule ARGS "@rx ^(?:(a)|b)*(?!c)\z(?<=b)" "id:1,phase:2,pass""#;
    let plenty = Bounds { work: 1_000_000_000, ..Bounds::default() };
    for (rules, bounds) in [(nested, Bounds::default()), (remembered, plenty)] {
        let body = format!("q={}", "a".repeat(100_000));
        let tx = post(&bounded(rules, bounds), "application/x-www-form-urlencoded", &body);
        assert_eq!(tx.outcome(), Outcome::Refused(Exceeded::Work), "{rules}");
        assert!(tx.interruption().is_some());
    }
    // Groups that each of many values asks for anew are paid for anew.
    let shown = r#"SecRule ARGS "@rx ^(?:a|a)*(?=(a))(?<=aaa)" "id:1,phase:2,pass,capture,logdata:'%{TX.0}'""#;
    let dear = r#"SecRule ARGS "@rx (\w+)-(?!a+b)(\w+)-\1$" "id:1,phase:2,pass,capture,logdata:'%{TX.0}'""#;
    for rules in [shown, dear] {
        let pairs = format!("q={}-{}-a&", "a".repeat(400), "a".repeat(400));
        let work = |pairs: &str| {
            let form = "application/x-www-form-urlencoded";
            post(&bounded(rules, Bounds { work: u64::MAX / 2, ..Bounds::default() }), form, pairs)
                .work()
        };
        let (one, many) = (work(&pairs), work(&pairs.repeat(20)));
        assert!(many > 8 * one, "{rules}: {one}, {many}");
    }
    let tx = get(&profile(nested), "/?q=aaaaaaaa");
    assert_eq!((tx.matched_rules(), tx.outcome()), ([].as_slice(), Outcome::Inspected));
}

#[test]
fn matches_are_bounded_and_counted() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,setvar:tx.n=+1\"";
    let profile =
        bounded(&format!("{rules}{}", show("%{tx.n}")), Bounds { matches: 3, ..Bounds::default() });
    let tx = get(&profile, "/?a=1&b=1&c=1&d=1&e=1");
    assert_eq!((tx.matches().len(), tx.matches_dropped()), (3, 3));
}

/// A rule that doubles a text per value, and names made by the client, stay within bounds: of size, and of
/// the work of copying.
#[test]
fn variables_do_not_grow_without_end() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,setvar:tx.a=xxxxxxxxxxxxxxxx"
SecRule ARGS "@rx ." "id:2,phase:2,pass,nolog,setvar:'tx.a=%{tx.a}%{tx.a}',setvar:'tx.k_%{MATCHED_VAR}=1'"
SecRule TX:a "@rx ^x+$" "id:3,phase:2,pass,msg:'%{MATCHED_VAR}'"
"#;
    let target =
        |values| format!("/?{}", (0..values).map(|n| format!("a={n}&")).collect::<String>());
    let tx = get(&profile(rules), &target(30));
    assert_eq!(tx.matches()[0].matched.len(), 256);
    assert_eq!(tx.matches()[0].message.len(), 1_024);
    let tx = get(&profile(rules), &target(900));
    assert_eq!(tx.outcome(), Outcome::Refused(Exceeded::Work));
}

#[test]
fn log_lines_hold_no_control_characters() {
    let rules = "SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,msg:'m',logdata:'%{MATCHED_VAR}',tag:'t',severity:2,ver:'v'\"";
    let tx = get(&profile(rules), "/?a=%0a%22%1b[31m%ff");
    let line = tx.matches()[0].log_line();
    assert!(
        line.contains("[id \"1\"] [msg \"m\"]")
            && line.contains("[severity \"CRITICAL\"] [ver \"v\"] [tag \"t\"]"),
        "{line}"
    );
    assert!(!line.chars().any(char::is_control), "{line:?}");
    // Nor can the name of an argument add a line or a field.
    let tx = get(&profile(rules), "/?a%0a[id%20%229%22]=x");
    let line = tx.matches()[0].log_line();
    assert!(line.contains("at ARGS:a\\n[id \\\"9\\\"]."), "{line}");
    assert!(!line.contains("[id \"9\"]") && !line.chars().any(char::is_control), "{line:?}");
    // A name of an argument is the client's, too.
    let forged = get(&profile(rules), "/?a%0a%22%5d+[id+%229%22]=1").matches()[0].log_line();
    assert!(!forged.contains('\n') && !forged.contains("[id \"9\"]"), "{forged:?}");
}

#[test]
fn a_transaction_can_move_between_threads() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    is_send::<Transaction>();
    is_shared::<Profile>();
    is_shared::<Ruleset>();
}
