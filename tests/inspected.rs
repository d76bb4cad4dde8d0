//! What rules say of how much is inspected, of what counts and of what is recorded is what happens.

use std::fs;

use serde_json::Value;

use crate::harness::client::{Request, Response};
use crate::harness::eventually;
use crate::harness::gateway::{Gateway, Setup, action, findings};
use crate::harness::origin::{Answer, Origin};

fn config(origin: &Origin, profile: &str) -> String {
    format!(
        r#"
telemetry: {{ access_log: {{ to: access.ndjson }}, audit_log: {{ to: audit.log }} }}
waf: {{ mine: {{ rules: ["@DIR@/mine.conf"], {profile} }} }}
services: {{ web: {{ endpoints: ["{}"] }} }}
defaults: {{ waf: mine }}
routes:
  - {{ id: web, match: {{ path: "/*" }}, to: web, public: "a test" }}
  - {{ id: own, match: {{ path: /own }}, respond: {{ status: 201 }}, public: "a test" }}
  - {{ id: gone, match: {{ path: /gone }}, respond: {{ status: 200 }}, public: "a test", screen: {{ deny: [127.0.0.0/8] }} }}
"#,
        origin.address()
    )
}

fn start(origin: &Origin, profile: &str, rules: &str) -> Gateway {
    Setup::new(&config(origin, profile)).file("mine.conf", rules).start()
}

fn origin() -> Origin {
    Origin::start(|seen| {
        let status = if seen.target().contains("broken") { 500 } else { 200 };
        let kind = ("Content-Type".to_owned(), "text/plain".to_owned());
        let body = format!("{}SECRET", "x".repeat(3_000));
        Answer::Reply(status, vec![kind], body.into_bytes())
    })
}

fn form(gateway: &Gateway, fields: &[(&str, &str)], body: &str) -> Response {
    let request = Request::new("POST", "/").form(body);
    let request = fields.iter().fold(request, |request, (name, value)| request.header(name, value));
    request.send(gateway.address())
}

/// What the rules reject is refused, whether a directive or `ctl` set the limit; nothing behind it passes unseen.
#[test]
fn a_limit_of_the_rules_holds() {
    let origin = origin();
    let behind = |bytes: usize| format!("a={}&b=attack", "x".repeat(bytes));
    let deny = "SecRule ARGS:b \"@rx attack\" \"id:1,phase:2,deny\"\n";
    let ctl = |action: &str| format!("SecAction \"id:2,phase:1,pass,nolog,ctl:{action}\"\n{deny}");
    for (rules, status, code) in [
        (format!("SecRequestBodyLimit 1000\n{deny}"), 413, "waf.body_too_large"),
        (
            format!("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction Reject\n{deny}"),
            413,
            "waf.body_too_large",
        ),
        (ctl("requestBodyLimit=1000"), 413, "waf.body_too_large"),
        (
            format!("SecRequestBodyLimit 1000\nSecRequestBodyLimitAction ProcessPartial\n{deny}"),
            200,
            "allowed",
        ),
        (format!("SecRequestBodyLimit 1000\n{}", ctl("ruleEngine=DetectionOnly")), 200, "allowed"),
        (format!("SecRequestBodyLimit 9000\n{deny}"), 403, "waf.blocked"),
    ] {
        let gateway = start(&origin, "", &rules);
        assert_eq!(form(&gateway, &[], &behind(2_000)).status, status, "{rules}");
        assert_eq!(
            form(&gateway, &[], "b=attack").status,
            if code == "allowed" && rules.contains("Detection") { 200 } else { 403 },
            "{rules}"
        );
        let event = gateway.events(2).remove(0);
        assert_eq!(action(&event), code, "{rules}");
        let partial = event["yett"]["waf"]["inspected"] == "partial";
        assert_eq!(partial, code != "waf.blocked", "{event}");
    }
}

/// A rule that would deny in the first phase does not hide the body from the others.
#[test]
fn what_only_detects_looks_on() {
    let origin = origin();
    let rules = r#"
SecRule REQUEST_HEADERS:X-Watch "@rx ." "id:1,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly"
SecRule REQUEST_HEADERS:X-First "@rx ." "id:2,phase:1,deny,msg:'first'"
SecRule REQUEST_HEADERS:X-Again "@rx ." "id:3,phase:1,pass,nolog,ctl:ruleEngine=On"
SecRule ARGS_POST:b "@rx attack" "id:4,phase:2,deny,msg:'second'"
SecRule RESPONSE_BODY "@contains SECRET" "id:5,phase:4,deny,msg:'third'"
"#;
    let gateway = start(&origin, "mode: monitor, response: { inspect: 16KiB }", rules);
    assert_eq!(form(&gateway, &[("x-first", "1")], "b=attack").status, 200);
    let event = gateway.events(1).remove(0);
    let matches = event["yett"]["waf"]["matches"].as_array().unwrap();
    let messages: Vec<&Value> = matches.iter().map(|found| &found["message"]).collect();
    assert_eq!(messages, ["first", "second", "third"]);
    assert_eq!(findings(&event), ["waf.blocked", "waf.response_blocked"], "each once");

    let gateway = start(&origin, "", rules);
    let watch = ("x-watch", "1");
    assert_eq!(form(&gateway, &[watch, ("x-first", "1")], "b=attack").status, 200);
    let back_on = [watch, ("x-first", "1"), ("x-again", "1")];
    assert_eq!(form(&gateway, &back_on, "b=attack").status, 403, "rules act again");
    assert_eq!(form(&gateway, &back_on, "b=fine").status, 200);
    let events = gateway.events(3);
    assert_eq!((action(&events[0]), action(&events[1])), ("allowed", "waf.blocked"));
    assert_eq!(events[0]["yett"]["waf"]["inspected"], "whole");
}

/// The rule that ModSecurity's manual recommends for what is not inspected.
#[test]
fn rules_know_that_there_is_more_than_they_see() {
    let origin = origin();
    let rules = r#"
SecRule INBOUND_DATA_ERROR "@eq 1" "id:1,phase:2,pass,msg:'inbound'"
SecRule OUTBOUND_DATA_ERROR "@eq 1" "id:2,phase:4,pass,msg:'outbound'"
"#;
    let profile = "body: { inspect: 800B, over: partial }, response: { inspect: 1KiB }";
    let gateway = start(&origin, profile, rules);
    for (bytes, expected) in [(1_500, vec!["inbound", "outbound"]), (500, vec!["outbound"])] {
        assert_eq!(form(&gateway, &[], &format!("a={}", "x".repeat(bytes))).status, 200);
        let event = gateway.events(if bytes == 1_500 { 1 } else { 2 }).pop().unwrap();
        let matches = event["yett"]["waf"]["matches"].as_array().unwrap();
        let messages: Vec<&Value> = matches.iter().map(|found| &found["message"]).collect();
        assert_eq!(messages, expected, "{bytes}");
    }
}

#[test]
fn a_limit_of_the_rules_for_answers_holds() {
    let origin = origin();
    for (rules, status) in [
        ("SecResponseBodyLimit 100\nSecResponseBodyLimitAction Reject", 502),
        ("SecResponseBodyLimit 100\nSecResponseBodyLimitAction ProcessPartial", 200),
        (
            "SecResponseBodyLimit 100\nSecResponseBodyLimitAction Reject\nSecAction \"id:1,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly\"",
            200,
        ),
        ("SecResponseBodyLimit 9000\nSecResponseBodyLimitAction Reject", 200),
    ] {
        let gateway = start(&origin, "response: { inspect: 16KiB }", rules);
        assert_eq!(Request::get("/").send(gateway.address()).status, status, "{rules}");
    }
}

/// Bodies that rules do not want are not refused for how they are coded, and bounds do not count where rules only detect.
#[test]
fn what_is_not_inspected_is_not_refused() {
    let origin = origin();
    let large = format!("a={}", "x".repeat(2_000));
    let ctl = |action: &str| format!("SecAction \"id:1,phase:1,pass,nolog,ctl:{action}\"");
    for (rules, coded, over) in [
        (String::new(), 400, 413),
        ("SecRequestBodyAccess Off".to_owned(), 200, 200),
        (ctl("requestBodyAccess=Off"), 200, 200),
        (ctl("ruleEngine=Off"), 200, 200),
        (ctl("ruleEngine=DetectionOnly"), 200, 200),
    ] {
        let gateway = start(&origin, "body: { inspect: 1KiB }", &rules);
        let zstd = form(&gateway, &[("content-encoding", "zstd")], "a=1");
        assert_eq!((zstd.status, form(&gateway, &[], &large).status), (coded, over), "{rules}");
        if rules.contains("Detection") {
            let events = gateway.events(2);
            let recorded = [findings(&events[0]), findings(&events[1])];
            assert_eq!(recorded, [vec!["waf.body_unreadable"], vec!["waf.body_too_large"]]);
        }
    }
}

/// The logging phase sees the status that the client got, whoever made it.
#[test]
fn the_last_phase_knows_how_it_ended() {
    let origin = origin();
    let rules = r#"
SecRule ARGS:deny "@rx ." "id:1,phase:1,deny,status:409,nolog"
SecRule ARGS:late "@rx ." "id:2,phase:3,deny,status:410,nolog"
SecRule ARGS:last "@rx ." "id:3,phase:4,deny,status:411,nolog"
SecAction "id:9,phase:5,pass,log,msg:'%{RESPONSE_STATUS}'"
"#;
    let answers = "response: { inspect: 16KiB }";
    for (profile, log) in [("", ""), (answers, ""), (answers, "waf_log: { to: waf.log }, ")] {
        let config = config(&origin, profile).replace("audit_log", &format!("{log}audit_log"));
        let gateway = Setup::new(&config).file("mine.conf", rules).start();
        let cases = [("/", 200), ("/broken", 500), ("/own", 201), ("/?deny=1", 409)];
        let late = [("/?late=1", 410), ("/?last=1", 411)];
        let cases: Vec<_> =
            cases.iter().chain(late.iter().filter(|_| !profile.is_empty())).collect();
        for (at, (path, status)) in cases.iter().enumerate() {
            assert_eq!(Request::get(path).send(gateway.address()).status, *status, "{path}");
            let event = gateway.events(at + 1).pop().unwrap();
            let message = &event["yett"]["waf"]["matches"][0]["message"];
            assert_eq!(message, &Value::from(status.to_string()), "{profile} {path}");
        }
    }
}

/// Records are those that the rules want: by status, by match, or none.
#[test]
fn the_audit_log_holds_what_the_rules_want() {
    let origin = origin();
    let deny = "SecRule ARGS:deny \"@rx .\" \"id:1,phase:1,deny,msg:'x'\"\n";
    let relevant = "SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^5\"\n";
    for (rules, path, expected) in [
        (relevant.to_owned(), "/broken", true),
        (relevant.to_owned(), "/", false),
        (deny.to_owned(), "/?deny=1", true),
        (format!("SecAuditEngine Off\n{deny}"), "/?deny=1", false),
        (
            format!("SecAction \"id:2,phase:1,pass,nolog,ctl:auditEngine=Off\"\n{deny}"),
            "/?deny=1",
            false,
        ),
        (deny.replace("msg", "log,noauditlog,msg"), "/?deny=1", false),
        (deny.replace("deny,msg", "pass,nolog,auditlog,msg"), "/?deny=1", true),
        (deny.replace("deny,msg", "pass,nolog,msg"), "/?deny=1", false),
        ("SecAuditEngine On".to_owned(), "/", true),
    ] {
        let gateway = start(&origin, "", &rules);
        Request::get(path).send(gateway.address());
        gateway.events(1);
        let log = fs::read_to_string(gateway.folder().join("audit.log")).unwrap_or_default();
        assert_eq!(!log.is_empty(), expected, "{rules} {path}: {log}");
    }
}

/// What rules mask is in no record: not in the address, nor in another field, nor in the message of another rule.
#[test]
fn what_rules_mask_is_nowhere() {
    let origin = origin();
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,sanitiseArg:badge"
SecRule REQUEST_COOKIES:zz "@rx ." "id:2,phase:1,pass,msg:'saw %{MATCHED_VAR}',sanitiseMatched"
SecRule REQUEST_COOKIES "@rx ." "id:3,phase:1,pass,msg:'also %{MATCHED_VAR}',logdata:'%{MATCHED_VAR}'"
"#;
    let gateway = start(&origin, "", rules);
    let request = Request::get("/?%62adge=4242%53ECRET&q=shoes")
        .header("cookie", "zz=SECRETcookie; other=fine")
        .header("referer", "https://a.test/?badge=4242SECRET&x=1")
        .header("user-agent", "agent 4242SECRET");
    assert_eq!(request.send(gateway.address()).status, 200);
    let event = gateway.events(1).remove(0).to_string();
    let audit = fs::read_to_string(gateway.folder().join("audit.log")).unwrap();
    for record in [&event, &audit] {
        assert!(!record.contains("SECRET") && !record.contains("%53ECRET"), "{record}");
        assert!(record.contains("q=shoes") && record.contains("also fine"), "{record}");
    }
    assert!(audit.contains("https://a.test/?badge=****&x=1"), "{audit}");
}

/// Rule files are watched as the configuration is, lists beside them too; what is broken changes nothing.
#[test]
fn changed_rule_files_are_read_again() {
    let origin = origin();
    let rules = |word: &str| {
        format!(
            "SecRule ARGS:q \"@pmFromFile words.data\" \"id:1,phase:1,deny\"\nSecRule ARGS:q \"@streq {word}\" \"id:2,phase:1,deny\""
        )
    };
    let setup = Setup::new(&config(&origin, ""));
    let gateway = setup.file("mine.conf", rules("one")).file("words.data", "alpha\n").start();
    let status = |word: &str| Request::get(&format!("/?q={word}")).send(gateway.address()).status;
    assert_eq!(
        (status("one"), status("alpha"), status("two"), status("beta")),
        (403, 403, 200, 200)
    );
    gateway.replace("mine.conf", rules("two"));
    eventually("rules are read again", || (status("two") == 403).then_some(()));
    assert_eq!(status("one"), 200);
    gateway.replace("words.data", "beta\n");
    eventually("the list is read again", || (status("beta") == 403).then_some(()));
    gateway.replace("mine.conf", "SecRule ARGS:q \"@nonsense\" \"id:1\"");
    eventually("what is wrong is logged", || gateway.log().contains("@nonsense").then_some(()));
    assert_eq!((status("two"), status("beta")), (403, 403));
    gateway.replace("mine.conf", rules("three"));
    eventually("it is tried again", || (status("three") == 403).then_some(()));
}
