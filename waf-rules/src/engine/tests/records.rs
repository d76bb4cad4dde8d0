//! What is recorded of a transaction, and what is masked in it.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

const LOGIN: &str = r#"SecRule ARGS|REQUEST_URI|REQUEST_HEADERS:Authorization "@rx (?i)secret(.*)" "id:1,phase:2,pass,capture,msg:'in %{MATCHED_VAR_NAME}',logdata:'%{TX.0} / %{ARGS.password} / %{REQUEST_HEADERS.Authorization}'"
"#;

fn records(masking: &str) -> Vec<String> {
    let rules = format!("{LOGIN}SecAction \"id:2,phase:2,pass,nolog,{masking}\"");
    let target = "/?password=Secret99&note=my+secret99&p2=x";
    let tx = send(&profile(&rules), "GET", target, &[("Authorization", "Basic secret0")], b"");
    let text = |found: &crate::Match| {
        let matched = String::from_utf8_lossy(&found.matched).into_owned();
        format!("{} [{}] [{matched}]", found.target, found.data)
    };
    tx.matches().iter().map(text).collect()
}

#[test]
fn masks_arguments_and_headers_everywhere() {
    let plain = records("setvar:tx.a=1");
    assert_eq!(plain[0], "ARGS:password [Secret99 / Secret99 / Basic secret0] [Secret99]");
    let masked = records("sanitiseArg:password,sanitizeRequestHeader:Authorization");
    assert_eq!(
        masked,
        [
            "ARGS:password [****] [****]",
            // The same text elsewhere is masked where it stands.
            "ARGS:note [**** / **** / ****] [my ****]",
            "REQUEST_URI [****] [****]",
            "REQUEST_HEADERS:Authorization [****] [****]",
        ]
    );
    assert!(!masked.concat().to_lowercase().contains("secret"));
}

#[test]
fn log_lines_have_every_field_in_order() {
    let rules = r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,ver:'a/1',tag:'t',severity:2,rev:'3',msg:'m',logdata:'d'""#;
    let tx = get(&profile(rules), "/?a=1");
    let found = &tx.matches()[0];
    let line = r#"[file "t.conf"] [line "1"] [id "1"] [rev "3"] [msg "m"] [data "d"] [severity "CRITICAL"] [ver "a/1"] [tag "t"]"#;
    assert!(found.log_line().ends_with(line), "{}", found.log_line());
    assert_eq!((found.revision.as_str(), found.version.as_str()), ("3", "a/1"));
}

#[test]
fn tags_are_expanded_where_a_match_is_recorded() {
    let rules = r#"
SecDefaultAction "phase:2,log,pass,tag:'Host: %{request_headers.host}',tag:'plain'"
SecRule ARGS:a "@rx ." "id:1,phase:2,tag:'%{MATCHED_VAR}'"
SecRule ARGS:b "@rx ." "id:2,phase:2,tag:'%{MATCHED_VAR}'"
SecRuleRemoveByTag "^example"
SecRuleRemoveByTag "^x"
"#;
    let all = profile(rules);
    let tx = get(&all, &format!("/?a={}", "x".repeat(2_000)));
    let tags = &tx.matches()[0].tags;
    assert_eq!(tags[..2], ["Host: example.com:8443", "plain"]);
    assert_eq!(tags[2].len(), 1_024);
    assert!(tx.matches()[0].log_line().contains("[tag \"Host: example.com:8443\"]"));
    // Rules are chosen by what is written.
    for (choice, found) in [("request_headers", 0), ("example", 1)] {
        let rules = format!("{rules}SecRuleRemoveByTag {choice}");
        assert_eq!(get(&profile(&rules), "/?b=1").matches().len(), found, "{choice}");
    }
    // Without macros all matches share what the rule has.
    let shared = profile("SecRule ARGS \"@rx .\" \"id:1,phase:2,pass,tag:'a'\"");
    let tx = get(&shared, "/?a=1&b=1");
    let tags = |at: usize| tx.matches()[at].tags.as_ptr();
    assert_eq!(tags(0), tags(1));
}

#[test]
fn expanded_tags_are_masked() {
    let rules = r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,tag:'%{ARGS.password}',tag:'secret',sanitiseArg:password"
SecRule ARGS "@rx ." "id:2,phase:2,pass,tag:'secret'""#;
    let tx = get(&profile(rules), "/?password=secret");
    // What the rule says without macros is no secret.
    assert_eq!(tx.matches()[0].tags[..], ["****", "secret"]);
    assert_eq!(tx.matches()[1].tags[..], ["secret"]);
}

#[test]
fn masks_what_a_rule_matched() {
    let rules = r#"SecRule ARGS "@rx ^\d{16}$" "id:1,phase:2,pass,msg:'card',logdata:'%{MATCHED_VAR}',sanitiseMatched"
SecRule ARGS "@rx \d" "id:2,phase:2,pass,logdata:'%{MATCHED_VAR}'""#;
    let tx = get(&profile(rules), "/?pan=4111111111111111&n=12");
    let shown: Vec<_> = tx.matches().iter().map(|found| found.data.as_str()).collect();
    assert_eq!(shown, ["****", "****", "12"]);
    assert!(tx.is_sanitised("ARGS:PAN") && tx.is_sanitised("REQUEST_URI"));
    assert!(!tx.is_sanitised("ARGS:n") && !tx.is_sanitised("ARGS_NAMES:pan"));
}

/// CVE-2025-47947, CVE-2025-48866: a thousand arguments to mask cost no more than they hold.
#[test]
fn masking_is_bounded() {
    let rules = r#"SecRule ARGS "@rx ." "id:1,phase:2,pass,msg:'%{MATCHED_VAR}',sanitiseMatched""#;
    let target = format!("/?{}", (0..990).map(|n| format!("a{n}=value{n}&")).collect::<String>());
    let tx = get(&profile(rules), &target);
    assert_eq!(tx.matches().len(), 128);
    let masked = tx.matches().iter().filter(|found| found.matched == b"****").count();
    assert_eq!(masked, 64);
}

#[test]
fn audit_is_wanted_as_the_rules_say() {
    for (rules, status, wanted) in [
        ("SecAuditEngine On", 200, true),
        ("SecAuditEngine Off\nSecAction \"id:1,auditlog,pass\"", 200, false),
        ("SecAction \"id:1,log,pass\"", 200, true),
        ("SecAction \"id:1,log,noauditlog,pass\"", 200, false),
        // The pattern of ModSecurity's recommended configuration.
        ("SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"", 403, true),
        ("SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"", 404, false),
        ("SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"", 503, true),
        ("SecAction \"id:1,nolog,pass,ctl:auditEngine=On\"", 200, true),
    ] {
        let mut tx = Transaction::new(profile(rules));
        tx.head();
        tx.body();
        tx.response_line(status, b"HTTP/1.1");
        tx.finish();
        assert_eq!(tx.wants_audit(), wanted, "{rules} {status}");
    }
}

#[test]
fn audit_parts_are_set_and_changed() {
    let parts = |rules: &str| {
        let tx = get(&profile(rules), "/");
        ('A'..='Z').filter(|letter| tx.audit_parts().contains(*letter)).collect::<String>()
    };
    assert_eq!(parts(""), "ABCFHZ");
    assert_eq!(parts("SecAuditLogParts ABDEFHIJZ"), "ABDEFHIJZ");
    assert_eq!(parts("SecAction \"id:1,pass,nolog,ctl:auditLogParts=+E\""), "ABCEFHZ");
    assert_eq!(parts("SecAction \"id:1,pass,nolog,ctl:auditLogParts=-AC\""), "ABFHZ");
}

#[test]
fn time_is_what_the_caller_says() {
    let rules =
        show("%{TIME_YEAR}-%{TIME_MON}-%{TIME_DAY} %{TIME} %{TIME_WDAY} %{TIME_EPOCH} %{DURATION}");
    let profile = profile(&rules);
    let mut tx = Transaction::new(profile.clone());
    tx.time(UNIX_EPOCH + Duration::from_secs(1_000_000_000));
    tx.head();
    tx.time(UNIX_EPOCH + Duration::from_millis(1_000_000_000_250));
    tx.finish();
    assert_eq!(messages(&tx), ["2001-8-9 01:46:40 0 1000000000 250000"]);
    // Nobody said: nothing is shown, and nothing matches.
    assert_eq!(messages(&get(&profile, "/")), ["--    "]);
}

#[test]
fn environment_is_read_by_name_and_only_what_is_allowed() {
    let rules = format!(
        "SecRule ENV:WAF_MODE \"@streq strict\" \"id:1,phase:1,pass,msg:'strict'\"{}",
        show("%{ENV.WAF_MODE}")
    );
    let given = [("WAF_MODE", "strict"), ("TOKEN", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let ruleset = Ruleset::builder().text("t", rules).environment(given.clone()).build().unwrap();
    let profile = Profile::new(&ruleset, ProfileOptions::default()).unwrap();
    assert_eq!(messages(&get(&profile, "/")), ["strict", "strict"]);
    for (rule, message) in [
        (
            "SecRule ENV:TOKEN \"@rx .\" \"id:1\"",
            "ENV:TOKEN may not be read: call it WAF_TOKEN, or set tx.token in a SecAction",
        ),
        ("SecRule ENV \"@rx .\" \"id:1\"", "ENV needs a name: ENV:WAF_NAME"),
        ("SecRule ENV:/./ \"@rx .\" \"id:1\"", "ENV needs a name: ENV:WAF_NAME"),
        (
            "SecAction \"id:1,msg:'%{ENV.TOKEN}'\"",
            "ENV:TOKEN may not be read: call it WAF_TOKEN, or set tx.token in a SecAction",
        ),
    ] {
        let errors = Ruleset::builder().text("t", rule).environment(given.clone()).build();
        assert_eq!(errors.map(|_| ()).unwrap_err().iter().next().unwrap().message, message);
    }
}

#[test]
fn remembers_the_highest_severity_and_the_verified_user() {
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,nolog,severity:NOTICE\"\nSecAction \"id:2,phase:1,pass,nolog,severity:ERROR\"\n\
         SecAction \"id:3,phase:1,pass,nolog,severity:WARNING\"{}",
        show("%{HIGHEST_SEVERITY} %{AUTH_TYPE} %{REMOTE_USER}")
    );
    let mut tx = Transaction::new(profile(&rules));
    tx.authenticated(b"Bearer", b"joe");
    tx.header(b"Authorization", b"Basic root:root");
    tx.head();
    tx.finish();
    assert_eq!(messages(&tx), ["3 Bearer joe"]);
    assert_eq!(shown("", "%{HIGHEST_SEVERITY}", "/"), "255");
}

#[test]
fn full_request_is_all_that_was_sent() {
    let rules = "SecRule FULL_REQUEST|FULL_REQUEST_LENGTH \"@rx .\" \"id:1,phase:2,pass,msg:'%{MATCHED_VAR}'\"";
    let tx = send(&profile(rules), "POST", "/x?y", &[("A", "b")], b"body");
    let text = "POST /x?y HTTP/1.1\r\nHost: example.com:8443\r\nA: b\r\n\r\nbody";
    assert_eq!(messages(&tx), [text, &text.len().to_string()]);
}
