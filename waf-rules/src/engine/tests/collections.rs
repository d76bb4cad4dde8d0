//! Persistent collections, seen through rules.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::{MemoryBounds, MemoryCollections};

/// A GET from an address at a second, and what its last rule shows.
fn at(profile: &Profile, address: u8, second: u64) -> (Option<Interruption>, String) {
    let mut tx = Transaction::new(profile.clone());
    tx.time(UNIX_EPOCH + Duration::from_secs(second));
    tx.connection([192, 0, 2, address].into(), 40_000, [192, 0, 2, 1].into(), 443);
    tx.request_line(b"GET", b"/", b"HTTP/1.1");
    let verdict = tx.head();
    tx.body();
    tx.finish();
    let shown = tx.matches().last().map(|found| found.message.clone()).unwrap_or_default();
    let denied = match verdict {
        Verdict::Deny(why) => Some(why),
        Verdict::Pass => None,
    };
    (denied, shown)
}

/// Counts per address, blocks for a while, forgets.
#[test]
fn rules_count_across_transactions() {
    let rules = format!(
        r#"
SecAction "id:4,phase:1,pass,nolog,setvar:tx.duration=300"
SecAction "id:1,phase:1,pass,nolog,initcol:ip=%{{REMOTE_ADDR}},setvar:ip.hits=+1,expirevar:ip.hits=60"
SecRule IP:BLOCKED "@eq 1" "id:2,phase:1,deny,status:429,msg:'blocked'"
SecRule IP:HITS "@gt 3" "id:3,phase:1,deny,setvar:ip.blocked=1,expirevar:ip.blocked=%{{tx.duration}},msg:'too many'"
{}"#,
        show("%{ip.hits} %{IP.is_new} %{ip.key}")
    );
    let profile = profile(&rules);
    let status = |address, second| at(&profile, address, second).0.map(|why| why.status);
    assert_eq!(at(&profile, 1, 1_000).1, "1 1 192.0.2.1");
    assert_eq!(at(&profile, 1, 1_001).1, "2 0 192.0.2.1");
    assert_eq!(status(1, 1_002), None);
    assert_eq!(status(1, 1_003), Some(403));
    // Blocked for 300 seconds, and no other address with it.
    assert_eq!((status(1, 1_004), status(2, 1_004)), (Some(429), None));
    assert_eq!((status(1, 1_302), status(1, 1_400)), (Some(429), None));
}

#[test]
fn collections_are_closed_until_a_rule_opens_them() {
    let rules = format!(
        r#"
SecAction "id:1,phase:1,pass,nolog,setvar:ip.a=1"
SecRule &IP "@eq 0" "id:2,phase:1,pass,msg:'closed',initcol:ip=x,setvar:ip.a=2,setvar:ip.b=word,setvar:!ip.c"
SecRule IP:/^[ab]$/ "@rx ." "id:3,phase:1,pass,msg:'%{{MATCHED_VAR_NAME}}=%{{MATCHED_VAR}}'"
SecRule IP "@streq 2" "id:4,phase:1,pass,msg:'all of it'"
SecRule &IP:c "@eq 0" "id:5,phase:1,pass,initcol:ip=%{{tx.none}},msg:'%{{ip.a}}'"
{}"#,
        show("%{ip.update_counter}")
    );
    let tx = get(&profile(&rules), "/");
    let expected = ["closed", "IP:a=2", "IP:b=word", "all of it", "2", "0"];
    assert_eq!(messages(&tx), expected);
}

#[test]
fn sessions_and_users_belong_to_an_application() {
    let store = Arc::new(MemoryCollections::new(MemoryBounds::default()));
    let shown = |application: &str, rules: &str| {
        let rules = format!(
            "SecWebAppId {application}\nSecAction \"id:1,phase:1,pass,nolog,{rules}\"{}",
            show("%{session.n} %{user.n} %{ip.n} %{SESSIONID} %{USERID}")
        );
        let collections = Some(store.clone() as Arc<dyn crate::Collections>);
        let profile = with(&rules, ProfileOptions { collections, ..ProfileOptions::default() });
        messages(&get(&profile, "/")).join(";")
    };
    let all = "setsid:abc,setuid:joe,initcol:ip=%{REMOTE_ADDR},setvar:session.n=+1,setvar:user.n=+1,setvar:ip.n=+1";
    assert_eq!(shown("one", all), "1 1 1 abc joe");
    assert_eq!(shown("one", all), "2 2 2 abc joe");
    assert_eq!(shown("two", all), "1 1 3 abc joe");
    assert_eq!(store.len(), 5);
}

#[test]
fn collections_have_their_timeout() {
    let rules = |more: &str| {
        let rules = "SecCollectionTimeout 100\nSecAction \"id:1,phase:1,pass,nolog,initcol:global=all,setvar:global.n=+1";
        profile(&format!("{rules}{more}\"{}", show("%{global.n}")))
    };
    let (short, long) = (rules(""), rules(",setvar:global.timeout=1000"));
    let seen = |profile: &Profile, second| at(profile, 1, second).1;
    assert_eq!([0, 99, 198, 298].map(|second| seen(&short, second)), ["1", "2", "3", "1"]);
    assert_eq!([0, 99, 1_000].map(|second| seen(&long, second)), ["1", "2", "3"]);
}

/// A transaction sees the timeout that it sets, and of a new instance the one that it will have.
#[test]
fn instances_say_their_timeout() {
    let rules = |more: &str| {
        let rules = "SecCollectionTimeout 100\nSecAction \"id:1,phase:1,pass,nolog,initcol:ip=x";
        profile(&format!("{rules}{more}\"{}", show("%{ip.timeout}")))
    };
    let set = rules(",setvar:ip.timeout=77");
    assert_eq!([0, 1].map(|second| at(&set, 1, second).1), ["77", "77"]);
    let unset = rules(",setvar:ip.n=1");
    assert_eq!([0, 1].map(|second| at(&unset, 1, second).1), ["100", "100"]);
}

/// Transactions that write are counted, not their writes.
#[test]
fn updates_are_counted_by_transaction() {
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x\"\n\
         SecRule REMOTE_ADDR \"@streq 192.0.2.1\" \"id:2,phase:1,pass,nolog,setvar:ip.a=1,setvar:ip.b=1,expirevar:ip.a=9\"{}",
        show("%{ip.update_counter} %{ip.is_new}")
    );
    let profile = profile(&rules);
    let shown = [2, 1, 1, 2, 2].map(|address| at(&profile, address, 0).1);
    assert_eq!(shown, ["0 1", "0 1", "1 0", "2 0", "2 0"]);
}

#[test]
fn variables_decay() {
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x\"\nSecRule &IP:score \"@eq 0\" \"id:2,phase:1,pass,nolog,\
         setvar:ip.score=100,deprecatevar:ip.score=10/60\"{}",
        show("%{ip.score}")
    );
    let profile = profile(&rules);
    assert_eq!(
        [0, 59, 60, 185].map(|second| at(&profile, 1, second).1),
        ["100", "100", "90", "70"]
    );
}

/// No transaction sees the other's copy, but counts add up.
#[test]
fn writes_of_transactions_that_overlap_add_up() {
    let rules = format!(
        "SecAction \"id:1,phase:1,pass,nolog,initcol:ip=x,setvar:ip.n=+1\"\n\
         SecAction \"id:2,phase:2,pass,nolog,setvar:ip.n=+1\"{}",
        show("%{ip.n}")
    );
    let profile = profile(&rules);
    let (mut one, mut two) = (Transaction::new(profile.clone()), Transaction::new(profile));
    let mut shown = Vec::new();
    one.head();
    two.head();
    for tx in [&mut one, &mut two] {
        tx.body();
        tx.finish();
        shown.push(tx.matches()[0].message.clone());
    }
    assert_eq!(shown, ["3", "4"]);
}
