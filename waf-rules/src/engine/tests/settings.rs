//! Directives and `ctl` options that set the engine.

use super::*;

fn form(profile: &Profile, body: &str) -> Transaction {
    post(profile, "application/x-www-form-urlencoded", body)
}

#[test]
fn arguments_have_their_separator() {
    let rules = "SecArgumentSeparator ;\nSecRule ARGS \"@rx .\" \"id:1,phase:2,pass,msg:'%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'\"";
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let tx = send(&profile(rules), "POST", "/?a=1&b=2;c=3", &headers, b"d=4;e=5");
    assert_eq!(messages(&tx), ["ARGS:a=1&b=2", "ARGS:c=3", "ARGS:d=4", "ARGS:e=5"]);
}

/// `ctl:requestBodyLimit` moves the bound of the rules, never that of the profile.
#[test]
fn ctl_moves_body_bounds_up_to_the_profile() {
    let body = "a=12345678";
    for (ctl, own, kept) in [("4", 1_000, 4), ("8", 1_000, 8), ("900", 1_000, 10), ("900", 6, 6)] {
        let rules = format!(
            "SecRequestBodyLimit 5\nSecRequestBodyLimitAction ProcessPartial\n\
             SecAction \"id:1,phase:1,pass,nolog,ctl:requestBodyLimit={ctl}\"\n\
             SecAction \"id:2,phase:2,pass,msg:'%{{REQUEST_BODY_LENGTH}}'\""
        );
        let bounds = Bounds { body_bytes: own, ..Bounds::default() };
        let profile = with(&rules, ProfileOptions { bounds, ..ProfileOptions::default() });
        assert_eq!(messages(&form(&profile, body)), [kept.to_string()], "{ctl} {own}");
    }
}

#[test]
fn ctl_forces_the_response_body() {
    let rules = |ctl: &str| {
        format!(
            "SecResponseBodyAccess On\nSecAction \"id:1,phase:3,pass,nolog,{ctl}\"\n\
             SecRule RESPONSE_BODY \"@contains x\" \"id:2,phase:4,pass\""
        )
    };
    let wants = |rules: &str| {
        let mut tx = Transaction::new(profile(rules));
        tx.response_header(b"Content-Type", b"application/x-own");
        tx.response_head();
        tx.wants_response_body()
    };
    assert!(!wants(&rules("setvar:tx.a=1")));
    assert!(wants(&rules("ctl:forceResponseBodyVariable=On")));
}

/// What the recommended configurations of ModSecurity and Coraza set, each with a word on what rules it
/// here instead where it is not obeyed.
#[test]
fn recommended_settings_are_obeyed_or_spoken_of() {
    let silent = [
        "SecRuleEngine DetectionOnly",
        "SecRequestBodyAccess On",
        "SecRequestBodyLimit 13107200",
        "SecRequestBodyNoFilesLimit 131072",
        "SecRequestBodyLimitAction Reject",
        "SecRequestBodyJsonDepthLimit 512",
        "SecArgumentsLimit 1000",
        "SecResponseBodyAccess On",
        "SecResponseBodyMimeType text/plain text/html text/xml",
        "SecResponseBodyLimit 524288",
        "SecResponseBodyLimitAction ProcessPartial",
        "SecAuditEngine RelevantOnly",
        "SecAuditLogRelevantStatus \"^(?:5|4(?!04))\"",
        "SecAuditLogParts ABDEFHIJZ",
        "SecArgumentSeparator &",
        "SecCookieFormat 0",
        "SecUnicodeMapFile unicode.mapping 20127",
        "SecStatusEngine Off",
        "SecUploadKeepFiles Off",
        "SecCollectionTimeout 600",
        "SecComponentSignature \"OWASP_CRS/3.3.4\"",
        "SecWebAppId shop",
        "SecSensorId edge-1",
    ];
    let spoken = [
        "SecAuditLog /var/log/modsec_audit.log",
        "SecAuditLogType Serial",
        "SecAuditLogFormat JSON",
        "SecAuditLogStorageDir /var/log/modsec",
        "SecDataDir /tmp/",
        "SecDebugLog /var/log/debug.log",
        "SecDebugLogLevel 3",
        "SecPcreMatchLimit 1000",
        "SecPcreMatchLimitRecursion 1000",
        "SecRequestBodyInMemoryLimit 131072",
        "SecRxPreFilter On",
        "SecServerSignature \"x\"",
        "SecTmpDir /tmp/",
        "SecUploadDir /tmp/",
        "SecUploadFileMode 0600",
        "SecDisableBackendCompression On",
        "SecAction \"id:1,pass,ctl:debugLogLevel=9\"",
        "SecRule IP:x \"@eq 1\" \"id:1,pass\"",
        "SecAction \"id:1,pass,setvar:session.x=1\"",
    ];
    for (lines, notices) in [(silent.as_slice(), 0), (&spoken, 1)] {
        for line in lines {
            let loaded = ruleset(line);
            assert_eq!(loaded.notices().len(), notices, "{line}: {:?}", loaded.notices());
            assert!(loaded.notices().iter().all(|notice| notice.starts_with("t.conf:1:")));
        }
    }
    let signed = ruleset(&silent.join("\n"));
    assert_eq!(
        (signed.components(), signed.sensor_id()),
        (["OWASP_CRS/3.3.4".to_owned()].as_slice(), "edge-1")
    );
}

#[test]
fn other_values_are_refused_with_the_reason() {
    for (line, message) in [
        (
            "SecCookieFormat 1",
            "SecCookieFormat `1`, only 0 is supported: cookies are read as version 0; version 1 died with RFC 6265",
        ),
        (
            "SecUploadKeepFiles RelevantOnly",
            "SecUploadKeepFiles `RelevantOnly`, only Off is supported: uploads are inspected and forwarded, never kept; keep them in the application",
        ),
        ("SecUnicodeMapFile unicode.mapping 1252", "code page `1252`, only 20127 is built in"),
        (
            "SecArgumentSeparator ab",
            "`ab`, expected one punctuation character other than =, % and +",
        ),
        ("SecAuditLogParts AY", "audit log part `Y`, expected letters of ABCDEFGHIJKZ"),
        (
            "SecRuleScript x.lua",
            "SecRuleScript is not supported: no program and no Lua runs on a request; write the rule as a chain",
        ),
        (
            "SecRemoteRules key https://x",
            "SecRemoteRules is not supported: rules are read from files only; fetch and review them before you deploy",
        ),
        (
            "<IfModule security2_module>",
            "`<IfModule` is Apache's, not SecLang: give the lines inside it without it",
        ),
    ] {
        let errors = Ruleset::builder().text("t.conf", line).build().map(|_| ()).unwrap_err();
        let found: Vec<_> = errors.iter().map(|error| error.message.as_str()).collect();
        assert_eq!(found, [message]);
    }
}

/// One broken rule says what is wrong with it, and its chain nothing more.
#[test]
fn a_broken_link_does_not_spoil_its_neighbours() {
    let rules = r#"
SecRule AGRS "@rx a" "id:1,phase:2,deny,chain"
    SecRule ARGS "@rx b" "t:none,chain"
    SecRule ARGS "@geolookup" "t:none"
SecRule ARGS "@rx c" "id:2,phase:2,deny,exec:/bin/sh,chain"
    SecRule ARGS "@rx d" "setvar:nowhere"
SecAction "id:3,pass"
"#;
    let errors = Ruleset::builder().text("t.conf", rules).build().map(|_| ()).unwrap_err();
    let found: Vec<_> = errors.iter().map(|error| (error.line, error.message.as_str())).collect();
    assert_eq!(
        found,
        [
            (2, "unknown variable `AGRS`, did you mean `ARGS`?"),
            (6, "setvar `nowhere` has no collection, expected tx.NAME"),
        ]
    );
}

#[test]
fn targets_are_replaced_and_rules_chosen_by_message() {
    let rules = r#"
SecRule ARGS:a|ARGS:b "@rx 1" "id:1,phase:2,pass,msg:'one %{MATCHED_VAR_NAME}'"
SecRule ARGS:c "@rx 1" "id:2,phase:2,pass,msg:'two %{MATCHED_VAR_NAME}'"
SecRule ARGS:c "@rx 1" "id:3,phase:2,pass,msg:'three'"
SecRuleUpdateTargetById 1-2 ARGS:d ARGS:a
SecRuleUpdateTargetByMsg "^one" "!ARGS:b"
SecRuleRemoveByMsg "^three$"
"#;
    let tx = get(&profile(rules), "/?a=1&b=1&c=1&d=1");
    assert_eq!(messages(&tx), ["one ARGS:d", "two ARGS:c"]);
}

/// Files in the order that CRS's plugins ask for, and optional ones that are not there.
#[test]
fn plugins_load_around_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("plugins/b-config.conf", "SecAction \"id:1,phase:1,pass,nolog,setvar:tx.b=config\"");
    write(
        "plugins/a-before.conf",
        "SecRule TX:b \"@streq config\" \"id:2,phase:1,pass,nolog,ctl:ruleRemoveById=10\"",
    );
    write(
        "rules/1.conf",
        "SecAction \"id:10,phase:1,pass,msg:'10'\"\nSecAction \"id:11,phase:1,pass,msg:'11'\"",
    );
    write("plugins/a-after.conf", "SecRuleUpdateActionById 11 \"msg:'eleven'\"");
    write(
        "main.conf",
        "Include plugins/*-config.conf\nInclude plugins/*-before.conf\nInclude rules/*.conf\n\
                        Include plugins/*-after.conf\nIncludeOptional none/*.conf\nIncludeOptional none.conf\n",
    );
    let ruleset = Ruleset::builder().file(folder.path().join("main.conf")).build().unwrap();
    let profile = Profile::new(&ruleset, ProfileOptions::default()).unwrap();
    assert_eq!(messages(&get(&profile, "/")), ["eleven"]);
}

/// A regular expression that depends on a variable which is set to constants only.
#[test]
fn patterns_follow_constant_variables() {
    let rules = |set: &str| {
        format!(
            "SecAction \"id:1,phase:1,pass,nolog,{set}\"\n\
             SecRule ARGS:c \"@rx ^(?:%{{tx.allowed}})$\" \"id:2,phase:2,pass,capture,msg:'%{{TX.0}}'\""
        )
    };
    let one = profile(&rules("setvar:'tx.allowed=utf-8|latin1'"));
    assert_eq!(messages(&get(&one, "/?c=latin1")), ["latin1"]);
    assert!(messages(&get(&one, "/?c=latin")).is_empty());
    for set in [
        "setvar:tx.allowed=%{ARGS.x}",
        "setvar:tx.allowed=+1",
        "setvar:'tx.all%{ARGS.x}=1'",
        "setvar:tx.x=1",
    ] {
        let errors = Ruleset::builder().text("t", rules(set)).build().map(|_| ()).unwrap_err();
        assert!(
            errors.to_string().contains("must be a tx variable that is only set to constants"),
            "{set}"
        );
    }
}
