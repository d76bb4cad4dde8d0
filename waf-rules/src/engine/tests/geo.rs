//! `@geoLookup` and `GEO`, on the invented places of `tests/material/places.py`.

use super::*;

const DATABASE: &str = "SecGeoLookupDB tests/material/places.mmdb\n";

fn located(rules: &str) -> Profile {
    profile(&format!("{DATABASE}{rules}"))
}

/// What a rule behind a look-up of the argument `ip` shows.
fn geo(text: &str, address: &str) -> String {
    let rules = "SecRule ARGS:ip \"@geoLookup\" \"id:1,phase:1,pass,nolog\"";
    let tx = get(&located(&format!("{rules}{}", show(text))), &format!("/?ip={address}"));
    messages(&tx).join(";")
}

#[test]
fn every_key_can_be_named() {
    for (macro_text, expected) in [
        ("%{geo.country_code} %{GEO.COUNTRY_CODE3} %{GEO:COUNTRY_NAME}", "US USA United States"),
        ("%{geo.country_continent} %{geo.region} %{geo.city}", "NA CA San Diego"),
        ("%{geo.postal_code} %{geo.dma_code}", "92101 825"),
        ("%{geo.latitude} %{geo.longitude}", "32.720300 -117.155200"),
        ("[%{geo.area_code}]", "[]"),
    ] {
        assert_eq!(geo(macro_text, "192.0.2.1"), expected);
        assert_eq!(geo(macro_text, "2001:db8:2::1"), expected);
        assert_eq!(geo(macro_text, "::ffff:192.0.2.1"), expected);
    }
    for nowhere in ["192.0.2.200", "2001:db8:9::", "example.com", "", "192.0.2.1.1", "192.0.2.0/24"]
    {
        assert_eq!(geo("[%{geo.country_code}]", nowhere), "[]", "{nowhere}");
    }
}

#[test]
fn selectors_are_those_of_every_collection() {
    let rules = r#"
SecRule &GEO "@eq 0" "id:1,phase:1,pass,msg:'nothing yet'"
SecRule REMOTE_ADDR "@geoLookup" "id:2,phase:1,pass,msg:'%{MATCHED_VAR}'"
SecRule &GEO "@eq 10" "id:3,phase:1,pass,msg:'ten'"
SecRule &GEO:CITY|&GEO:AREA_CODE "@eq 0" "id:4,phase:1,pass,msg:'%{MATCHED_VAR_NAME}'"
SecRule GEO:/^country_/|!GEO:country_name "@rx ^US" "id:5,phase:1,pass,msg:'%{MATCHED_VAR_NAME}'"
SecRule GEO "@streq CA" "id:6,phase:1,pass,t:none,msg:'%{MATCHED_VAR_NAME}'"
SecRule GEO:country_name "@streq unitedstates" "id:7,phase:2,pass,t:lowercase,t:removeWhitespace,msg:'%{MATCHED_VAR}'"
SecRule GEO:LATITUDE "@gt 31" "id:8,phase:2,pass,msg:'north'"
SecAction "id:9,phase:1,pass,nolog,ctl:ruleRemoveTargetById=10;GEO:CITY"
SecRule GEO:CITY "@rx ." "id:10,phase:5,pass,msg:'removed'"
"#;
    let expected = [
        "nothing yet",
        "192.0.2.7",
        "ten",
        "&GEO:AREA_CODE",
        "GEO:COUNTRY_CODE",
        "GEO:COUNTRY_CODE3",
        "GEO:REGION",
        "unitedstates",
        "north",
    ];
    assert_eq!(messages(&get(&located(rules), "/")), expected);
}

/// A look-up that finds something replaces what was there, one that does not empties it.
#[test]
fn the_last_look_up_counts() {
    let ask = |id, variable: &str| {
        let next = id + 1;
        format!(
            "SecRule {variable} \"@geoLookup\" \"id:{id},phase:1,pass,nolog\"\n\
             SecRule &GEO \"@ge 0\" \"id:{next},phase:1,pass,msg:'%{{geo.country_code}}%{{geo.city}}'\"\n"
        )
    };
    let rules: String = [
        (10, "REMOTE_ADDR"),
        (20, "ARGS:japan"),
        (30, "ARGS:text"),
        (40, "REMOTE_ADDR"),
        (50, "ARGS:none"),
        (60, "ARGS:japan|ARGS:text"),
        (70, "ARGS:text|ARGS:japan"),
    ]
    .map(|(id, variable)| ask(id, variable))
    .concat();
    let profile = located(&rules);
    // The second request on the thread asks about values that are known from the first.
    for _ in 0..3 {
        let tx = get(&profile, "/?japan=2001:db8:1::1&text=here");
        let san_diego = "USSan Diego";
        assert_eq!(messages(&tx), [san_diego, "JP", "", san_diego, san_diego, "", "JP"]);
    }
}

#[test]
fn negation_and_several_steps_ask_as_well() {
    let rules = r#"
SecRule ARGS:a "!@geoLookup" "id:1,phase:1,pass,msg:'a is nowhere'"
SecRule ARGS:b "@geoLookup" "id:2,phase:1,pass,multiMatch,t:none,t:trim,t:removeWhitespace,capture,msg:'b %{MATCHED_VAR}'"
SecRule GEO:COUNTRY_CODE "@streq IS" "id:3,phase:1,pass,msg:'%{MATCHED_VAR}'"
"#;
    let tx = get(&located(rules), "/?a=192.0.2.1&a=127.0.0.1&b=198.51.100.%201");
    assert_eq!(messages(&tx), ["a is nowhere", "b 198.51.100.1", "IS"]);
}

#[test]
fn asking_everything_comes_to_the_same() {
    let rules = r#"
SecRule GEO:CITY "@contains Diego" "id:1,phase:2,pass"
SecRule ARGS "@geoLookup" "id:2,phase:2,pass,setvar:tx.country=%{geo.country_code}"
SecRule GEO:CITY "@contains Diego" "id:3,phase:2,pass"
SecRule GEO:COUNTRY_NAME "@pm japan iceland" "id:4,phase:2,pass"
SecRule TX:country "@rx ^(?:US|JP)$" "id:5,phase:2,pass"
SecRule ARGS "@geoLookup" "id:6,phase:5,pass,chain"
    SecRule GEO:COUNTRY_CODE "@within IS JP"
"#;
    let profile = located(rules);
    let run = |target: &str, begin: fn(Profile) -> Transaction| {
        let mut tx = begin(profile.clone());
        tx.request_line(b"GET", target.as_bytes(), b"HTTP/1.1");
        tx.head();
        tx.body();
        tx.finish();
        tx.matched_rules().to_vec()
    };
    for (target, expected) in [
        ("/?a=192.0.2.1", vec![2, 3, 5]),
        ("/?a=198.51.100.1", vec![2, 4, 6]),
        ("/?a=192.0.2.1&b=2001:db8:1::1", vec![2, 4, 5, 6]),
        ("/?a=2001:db8:1::1&b=x", vec![2, 5]),
        ("/?a=x", vec![]),
    ] {
        assert_eq!(run(target, Transaction::new), expected, "{target}");
        assert_eq!(run(target, Transaction::exhaustive), expected, "{target}");
    }
}

#[test]
fn look_ups_are_paid_for() {
    let work = |rules: &str| get(&located(rules), "/").work();
    let one = "SecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,pass,nolog\"\n";
    let two = format!("{one}{}", one.replace("id:1", "id:2"));
    assert!(work(one) >= crate::geo::LOOK_UP_COST);
    assert!(work(&two) >= work(one) + crate::geo::LOOK_UP_COST);
    let shown = format!("{one}SecRule GEO:CITY \"@rx x\" \"id:3,phase:1,pass\"");
    assert!(work(&shown) >= work(one) + crate::geo::FIELD_COST);
}

/// Without a database nothing matches, and the load says so; the last one named is the one that is read.
#[test]
fn what_cannot_be_answered_is_said_at_load() {
    let asks = "SecRule REMOTE_ADDR \"@geoLookup\" \"id:1,phase:1,pass,msg:'found'\"\n";
    let shows = "SecRule GEO:CITY \"@rx .\" \"id:2,phase:1,pass,msg:'%{GEO.CITY}'\"\n";
    let never = "t.conf:1:1: @geoLookup never matches: no SecGeoLookupDb names a database";
    let empty = "t.conf:1:9: GEO is always empty: no rule fills it with @geoLookup";
    for (rules, notices, expected) in [
        (asks.to_owned(), vec![never], vec![]),
        (format!("{asks}{shows}"), vec![never], vec![]),
        (shows.to_owned(), vec![empty], vec![]),
        (format!("{asks}SecRuleRemoveById 1"), vec![], vec![]),
        (
            format!("SecGeoLookupDb none.mmdb\n{DATABASE}{asks}{shows}"),
            vec![],
            vec!["found", "San Diego"],
        ),
    ] {
        let loaded = ruleset(&rules);
        assert_eq!(loaded.notices(), notices, "{rules}");
        let profile = Profile::new(&loaded, ProfileOptions::default()).unwrap();
        assert_eq!(messages(&get(&profile, "/")), expected, "{rules}");
    }
}

#[test]
fn a_database_that_cannot_be_read_is_an_error_of_its_line() {
    for (path, message) in [
        ("tests/none.mmdb", "database `tests/none.mmdb`: No such file or directory"),
        ("tests/material/places.py", "database `tests/material/places.py`: invalid database: "),
    ] {
        let rules = format!("SecRuleEngine On\nSecGeoLookupDb {path}");
        let errors = Ruleset::builder().text("t.conf", rules).build().map(|_| ()).unwrap_err();
        let error = errors.iter().next().unwrap();
        assert_eq!((errors.len(), error.line, error.column), (1, 2, 16));
        assert!(error.message.starts_with(message), "{error}");
    }
}

/// The database stands beside the rules that name it, and belongs to what identifies them.
#[test]
fn paths_are_relative_to_the_rules() {
    let folder = tempfile::tempdir().unwrap();
    let (rules, database) = (folder.path().join("main.conf"), folder.path().join("geo/a.mmdb"));
    std::fs::create_dir(folder.path().join("geo")).unwrap();
    std::fs::write(&rules, "SecGeoLookupDb geo/a.mmdb").unwrap();
    let mut bytes = std::fs::read("tests/material/places.mmdb").unwrap();
    let version = |bytes: &[u8]| {
        std::fs::write(&database, bytes).unwrap();
        Ruleset::builder().file(&rules).build().unwrap().version().to_owned()
    };
    let before = version(&bytes);
    assert_eq!(version(&bytes), before);
    let diego = memchr::memmem::find(&bytes, b"San Diego").unwrap();
    bytes[diego] = b's';
    assert_ne!(version(&bytes), before);
}
