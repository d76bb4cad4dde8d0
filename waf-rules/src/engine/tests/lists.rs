//! `@rbl` and `SecHttpBlKey`: the lists that a profile names, and what rules see of their answers.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::{AddressList, Listing};

const ASKS: &str =
    "SecRule REMOTE_ADDR \"@rbl bl.example.net\" \"id:1,phase:1,pass,capture,msg:'%{TX.0}'\"\n";

/// The only list of these rules.
fn list(rules: &str) -> AddressList {
    let lists = profile(rules).address_lists();
    assert_eq!(lists.len(), 1, "{rules}");
    lists[0].clone()
}

fn list_of(zone: &str) -> AddressList {
    list(&format!(
        "SecHttpBlKey abcDEFghijkl\nSecRule REMOTE_ADDR \"@rbl {zone}\" \"id:1,phase:1,pass\""
    ))
}

/// A request from a client that every list of the profile has with this answer.
fn listed(profile: &Profile, client: &str, answer: [u8; 4]) -> Transaction {
    let mut tx = Transaction::new(profile.clone());
    tx.connection(client.parse().unwrap(), 40_000, [192, 0, 2, 1].into(), 443);
    for list in profile.address_lists() {
        tx.listed(&list, answer.into());
    }
    tx.request_line(b"GET", b"/?a=192.0.2.7&b=192.0.2.8", b"HTTP/1.1");
    tx.head();
    tx.body();
    tx.finish();
    tx
}

#[test]
fn a_question_is_the_address_backwards() {
    for (zone, address, expected) in [
        ("bl.example.net", "192.0.2.7", Some("7.2.0.192.bl.example.net")),
        ("BL.Example.Net.", "192.0.2.7", Some("7.2.0.192.bl.example.net")),
        ("bl.example.net", "::ffff:192.0.2.7", Some("7.2.0.192.bl.example.net")),
        (
            "bl.example.net",
            "2001:db8::a1",
            Some("1.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example.net"),
        ),
        ("dnsbl.httpbl.org", "192.0.2.7", Some("abcdefghijkl.7.2.0.192.dnsbl.httpbl.org")),
        ("dnsbl.httpbl.org", "2001:db8::a1", None),
        ("abcDEF.zen.dq.spamhaus.net", "192.0.2.7", Some("7.2.0.192.abcdef.zen.dq.spamhaus.net")),
        // Another name that ends like it is another list, and is not told the key.
        ("nothttpbl.org", "192.0.2.7", Some("7.2.0.192.nothttpbl.org")),
    ] {
        let address: IpAddr = address.parse().unwrap();
        assert_eq!(list_of(zone).question(address).as_deref(), expected, "{zone} {address}");
    }
}

#[test]
fn an_answer_lists_or_says_nothing() {
    use Listing::{Clear, Listed, Refused};
    let ip = Ipv4Addr::new;
    for (zone, answers, expected) in [
        ("bl.example.net", vec![], Clear),
        ("bl.example.net", vec![ip(127, 0, 0, 2)], Listed(ip(127, 0, 0, 2))),
        ("bl.example.net", vec![ip(127, 0, 0, 1)], Listed(ip(127, 0, 0, 1))),
        // The order of records has no meaning.
        ("zen.spamhaus.org", vec![ip(127, 0, 0, 10), ip(127, 0, 0, 4)], Listed(ip(127, 0, 0, 4))),
        ("zen.spamhaus.org", vec![ip(127, 255, 255, 254)], Refused(ip(127, 255, 255, 254))),
        ("key.zen.dq.spamhaus.net", vec![ip(127, 255, 255, 255)], Refused(ip(127, 255, 255, 255))),
        ("bl.example.net", vec![ip(127, 255, 255, 252)], Refused(ip(127, 255, 255, 252))),
        // A name server that answers every question with its own page.
        ("bl.example.net", vec![ip(198, 51, 100, 1)], Refused(ip(198, 51, 100, 1))),
        ("bl.example.net", vec![ip(0, 0, 0, 0)], Refused(ip(0, 0, 0, 0))),
        ("dnsbl.httpbl.org", vec![ip(198, 51, 100, 1)], Refused(ip(198, 51, 100, 1))),
        ("dnsbl.httpbl.org", vec![ip(127, 255, 255, 5)], Listed(ip(127, 255, 255, 5))),
        ("multi.uribl.com", vec![ip(127, 0, 0, 1)], Refused(ip(127, 0, 0, 1))),
        ("multi.uribl.com", vec![ip(127, 0, 0, 255)], Refused(ip(127, 0, 0, 255))),
        ("multi.uribl.com", vec![ip(127, 0, 0, 2)], Listed(ip(127, 0, 0, 2))),
    ] {
        assert_eq!(list_of(zone).read(answers.clone()), expected, "{zone} {answers:?}");
    }
}

#[test]
fn the_first_group_explains_the_answer() {
    for (zone, answer, expected) in [
        (
            "bl.example.net",
            [127, 0, 0, 2],
            "RBL lookup of 7.2.0.192.bl.example.net succeeded at REMOTE_ADDR.",
        ),
        (
            "dnsbl.httpbl.org",
            [127, 3, 61, 1],
            "RBL lookup of 7.2.0.192.dnsbl.httpbl.org succeeded at REMOTE_ADDR. Suspicious IP: 3 days since last activity, threat score 61",
        ),
        (
            "dnsbl.httpbl.org",
            [127, 9, 2, 0],
            "RBL lookup of 7.2.0.192.dnsbl.httpbl.org succeeded at REMOTE_ADDR. Search Engine: 9 days since last activity, threat score 2",
        ),
        (
            "dnsbl.httpbl.org",
            [127, 9, 2, 8],
            "RBL lookup of 7.2.0.192.dnsbl.httpbl.org succeeded at REMOTE_ADDR.  : 9 days since last activity, threat score 2",
        ),
        (
            "zen.spamhaus.org",
            [127, 0, 0, 3],
            "RBL lookup of 7.2.0.192.zen.spamhaus.org succeeded at REMOTE_ADDR (Static UBE sources).",
        ),
        (
            "zen.spamhaus.org",
            [127, 0, 0, 9],
            "RBL lookup of 7.2.0.192.zen.spamhaus.org succeeded at REMOTE_ADDR.",
        ),
        (
            "multi.uribl.com",
            [127, 0, 0, 14],
            "RBL lookup of 7.2.0.192.multi.uribl.com succeeded at REMOTE_ADDR (BLACK,GREY,RED).",
        ),
    ] {
        let rules = format!("SecHttpBlKey abcdefghijkl\n{}", ASKS.replace("bl.example.net", zone));
        assert_eq!(messages(&listed(&profile(&rules), "192.0.2.7", answer)), [expected]);
    }
}

/// All groups are those of this match, and a rule that only looks at a group wakes.
#[test]
fn groups_replace_older_ones() {
    let rules = r#"
SecRule ARGS:a "@rx (\d+)\.(\d+)" "id:1,phase:1,pass,nolog,capture"
SecRule REMOTE_ADDR "@rbl bl.example.net" "id:2,phase:1,pass,nolog,capture,setvar:'tx.said=%{tx.0}'"
SecRule TX:1 "@rx ." "id:3,phase:1,pass,msg:'a group is left: %{TX.1}'"
SecRule TX:0 "@rx ^RBL lookup of ([^ ]+)" "id:4,phase:1,pass,capture,msg:'%{TX.1}'"
SecRule TX:said "@endsWith REMOTE_ADDR." "id:5,phase:2,pass,msg:'kept'"
"#;
    let tx = listed(&profile(rules), "192.0.2.7", [127, 0, 0, 2]);
    assert_eq!(messages(&tx), ["7.2.0.192.bl.example.net", "kept"]);
    let without = rules.replace("nolog,capture,setvar", "nolog,setvar");
    let tx = listed(&profile(&without), "192.0.2.7", [127, 0, 0, 2]);
    assert_eq!(messages(&tx), ["a group is left: 192"]);
}

#[test]
fn negation_chains_and_other_names_of_the_client() {
    let rules = r#"
SecAction "id:1,phase:1,pass,nolog,setvar:tx.real_ip=%{REMOTE_ADDR}"
SecAction "id:2,phase:1,pass,nolog,setvar:tx.real_ip=%{remote_host}"
SecRule TX:REAL_IP "@rbl bl.example.net" "id:3,phase:1,pass,msg:'%{MATCHED_VAR} %{MATCHED_VAR_NAME}'"
SecRule REMOTE_HOST|!REMOTE_ADDR "@rbl BL.example.net" "id:4,phase:1,pass,t:none,t:lowercase,t:trim,multiMatch,msg:'host'"
SecRule REMOTE_ADDR "!@rbl bl.example.net" "id:5,phase:1,pass,msg:'not listed'"
SecRule ARGS:a "@streq 192.0.2.7" "id:6,phase:2,pass,msg:'both',chain"
    SecRule REMOTE_ADDR "@rbl bl.example.net"
"#;
    let profile = profile(rules);
    assert_eq!(profile.address_lists().len(), 1, "one list under two spellings");
    // The next requests on the thread must not find the answers of this one.
    for _ in 0..3 {
        let tx = listed(&profile, "2001:db8::7", [127, 0, 0, 2]);
        assert_eq!(messages(&tx), ["2001:db8::7 TX:real_ip", "host", "both"]);
        assert_eq!(messages(&get(&profile, "/?a=192.0.2.7")), ["not listed"]);
    }
}

#[test]
fn asking_everything_comes_to_the_same() {
    let profile = profile(ASKS);
    let mut tx = Transaction::exhaustive(profile.clone());
    tx.connection([192, 0, 2, 7].into(), 1, [192, 0, 2, 1].into(), 443);
    tx.listed(&profile.address_lists()[0], [127, 0, 0, 2].into());
    tx.head();
    assert_eq!(tx.matched_rules(), [1]);
}

/// Only the client is asked about: nobody can have other names asked for, or be taken for another.
#[test]
fn other_values_are_refused_with_their_place() {
    let only = "@rbl asks of the client's address alone";
    let changed = "with this transformation";
    for (rules, column, message) in [
        ("SecRule ARGS:a \"@rbl bl.example.net\" \"id:1\"", 9, only),
        (
            "SecRule REMOTE_ADDR|REQUEST_HEADERS:X-Forwarded-For \"@rbl bl.example.net\" \"id:1\"",
            21,
            only,
        ),
        ("SecRule &REMOTE_ADDR \"@rbl bl.example.net\" \"id:1\"", 9, only),
        ("SecRule SERVER_ADDR \"@rbl bl.example.net\" \"id:1\"", 9, only),
        ("SecRule TX \"@rbl bl.example.net\" \"id:1\"", 9, only),
        ("SecRule TX:/^real/ \"@rbl bl.example.net\" \"id:1\"", 9, only),
        ("SecRule TX:none \"@rbl bl.example.net\" \"id:1\"", 9, only),
        (
            "SecRule TX:ip \"@rbl bl.example.net\" \"id:1,setvar:tx.ip=%{REQUEST_HEADERS.X-Real-IP}\"",
            9,
            only,
        ),
        (
            "SecRule TX:ip \"@rbl bl.example.net\" \"id:1,setvar:tx.ip=%{REMOTE_ADDR},setvar:tx.ip=192.0.2.1\"",
            9,
            only,
        ),
        (
            "SecRule TX:ip \"@rbl bl.example.net\" \"id:1,setvar:tx.ip=%{REMOTE_ADDR},setvar:tx.ip=+1\"",
            9,
            only,
        ),
        (
            "SecRule TX:ip \"@rbl bl.example.net\" \"id:1,setvar:tx.ip=%{REMOTE_ADDR},setvar:tx.%{ARGS.x}=1\"",
            9,
            only,
        ),
        ("SecRule TX:0 \"@rbl bl.example.net\" \"id:1,setvar:tx.0=%{REMOTE_ADDR}\"", 9, only),
        ("SecRule REMOTE_ADDR \"@rbl bl.example.net\" \"id:1,t:sha1\"", 1, changed),
        (
            "SecRule REMOTE_ADDR \"@rbl bl.example.net\" \"id:1,t:normalizePath,t:length\"",
            1,
            changed,
        ),
        (
            "SecRule REMOTE_ADDR \"@rbl %{tx.zone}\" \"id:1\"",
            27,
            "a list is asked before the rules run",
        ),
        ("SecRule REMOTE_ADDR \"@rbl bl..net\" \"id:1\"", 27, "`bl..net` is no zone of a list"),
        (
            "SecRule REMOTE_ADDR \"@rbl http://bl.net\" \"id:1\"",
            27,
            "`http://bl.net` is no zone of a list",
        ),
        ("SecHttpBlKey not.a-key", 1, "expected a key of http:BL"),
    ] {
        let built = Ruleset::builder().text("t.conf", rules).build().map(|_| ());
        let errors = built.expect_err(rules);
        let error = errors.iter().next().unwrap();
        assert_eq!((errors.len(), error.line, error.column), (1, 1, column), "{rules}: {error}");
        assert!(error.message.starts_with(message), "{rules}: {error}");
    }
}

/// Zones of 180 bytes, of labels of 63.
#[test]
fn zones_are_bounded() {
    let built = |zone: &str| {
        let rules = format!("SecRule REMOTE_ADDR \"@rbl {zone}\" \"id:1,phase:1,pass\"");
        Ruleset::builder().text("t.conf", rules).build().is_ok()
    };
    let label = "x".repeat(63);
    assert!(built(&format!("{label}.{label}.{}", "y".repeat(52))));
    assert!(!built(&format!("{label}.{label}.{}", "y".repeat(53))));
    assert!(!built(&format!("x{label}.net")));
    let longest = list_of(&format!("{label}.{label}.{}", "y".repeat(52)));
    assert!(longest.question("2001:db8::1".parse().unwrap()).unwrap().len() <= 253);
}

/// http:BL without its key is never asked, which the load says; other lists do not get the key.
#[test]
fn http_bl_needs_its_key() {
    let rules = ASKS.replace("bl.example.net", "dnsbl.httpbl.org");
    let keyless = ruleset(&rules);
    let notice =
        "t.conf:1:1: @rbl never matches: http:BL is asked with a key, and no SecHttpBlKey gives it";
    assert_eq!(keyless.notices(), [notice]);
    let options = ProfileOptions::default();
    assert!(Profile::new(&keyless, options).unwrap().address_lists().is_empty());
    let removed = ruleset(&format!("{rules}SecRuleRemoveById 1"));
    assert!(removed.notices().is_empty());
    let keyed = ruleset(&format!("{rules}SecHttpBlKey abcdefghijkl"));
    assert!(keyed.notices().is_empty());
}

/// A rule that the route does without asks nothing.
#[test]
fn removed_rules_ask_nothing() {
    let rules = format!("{ASKS}{}", ASKS.replace("bl.", "other.").replace("id:1", "id:2"));
    let exclusions = vec![Exclusion { rules: vec![RuleSelector::Id(1)], target: None }];
    let lists = with(&rules, ProfileOptions { exclusions, ..ProfileOptions::default() });
    let zones: Vec<String> =
        lists.address_lists().iter().map(|list| list.zone().to_owned()).collect();
    assert_eq!(zones, ["other.example.net"]);
}
