//! Against a real name server on loopback.

#[allow(unreachable_pub)] // it belongs to the end-to-end tests as well
#[path = "../../../../tests/harness/dns.rs"]
mod dns;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use hickory_resolver::proto::op::ResponseCode;
use waf_rules::{Profile, ProfileOptions, Ruleset};

use super::question::{Answer, Question, Said};
use super::*;
use dns::{NameServer, Reply};
use list::Ended;

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(20);

fn lists(state: &Dnsbl, zones: &[&str]) -> Vec<List> {
    let rules: String = zones
        .iter()
        .zip(1..)
        .map(|(zone, id)| format!("SecRule REMOTE_ADDR \"@rbl {zone}\" \"id:{id},phase:1,pass\"\n"))
        .collect();
    let rules = format!("SecHttpBlKey abcdefghijkl\n{rules}");
    let ruleset = Ruleset::builder().text("rules", rules).build().unwrap();
    let profile = Profile::new(&ruleset, ProfileOptions::default()).unwrap();
    profile.address_lists().into_iter().map(|list| state.list(list)).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn listed(last: u8) -> Reply {
    Reply::Addresses(vec![[127, 0, 0, last].into()], 600)
}

/// What was counted of the only list.
fn counts(state: &Dnsbl) -> Counts {
    let counts = state.counts();
    assert_eq!(counts.len(), 1);
    counts[0].1
}

#[tokio::test]
async fn every_list_is_asked_once_for_all_who_wait() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    server.say("7.2.0.192.one.example", listed(2));
    server.say("7.2.0.192.three.example", listed(9));
    let lists = lists(&state, &["one.example", "two.example", "three.example"]);
    let asker = state.asker(&[server.address()]).unwrap();
    let all = (0..50).map(|_| asker.ask(&lists, ip("192.0.2.7"), LONG));
    for listings in join_all(all).await {
        assert_eq!(listings.to_vec(), [(0, [127, 0, 0, 2].into()), (2, [127, 0, 0, 9].into())]);
    }
    // The same client in another spelling, and with answers that are known no wait at all.
    let again = asker.ask(&lists, ip("::ffff:192.0.2.7"), Duration::ZERO).await;
    assert_eq!(again.len(), 2);
    let mut asked = server.asked();
    asked.sort();
    let names = ["7.2.0.192.one.example", "7.2.0.192.three.example", "7.2.0.192.two.example"];
    assert_eq!(asked, names);
    assert_eq!(state.counts().iter().map(|(_, counts)| counts.unanswered).sum::<u64>(), 0);
}

#[tokio::test]
async fn nobody_waits_beyond_the_deadline_and_late_answers_are_kept() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    server.otherwise(Reply::Silence);
    let lists = lists(&state, &["one.example"]);
    let asker = state.asker(&[server.address()]).unwrap();
    let start = Instant::now();
    assert!(asker.ask(&lists, ip("192.0.2.7"), SHORT).await.is_empty());
    assert!(start.elapsed() >= SHORT);
    assert_eq!(counts(&state).unanswered, 1);
    // The question goes on without the one who asked; its second attempt is heard.
    server.say("7.2.0.192.one.example", listed(2));
    assert_eq!(asker.ask(&lists, ip("192.0.2.7"), LONG).await.len(), 1);
    let [.., failed] = counts(&state).questions;
    assert_eq!((failed, counts(&state).unanswered), (0, 1));
}

#[tokio::test]
async fn a_second_name_server_answers_for_the_first() {
    let (silent, server, state) = (NameServer::start(), NameServer::start(), Dnsbl::default());
    silent.otherwise(Reply::Silence);
    server.say("7.2.0.192.one.example", listed(2));
    let lists = lists(&state, &["one.example"]);
    for servers in [[silent.address(), server.address()], [server.address(), silent.address()]] {
        let asker = state.asker(&servers).unwrap();
        assert_eq!(asker.ask(&lists, ip("192.0.2.7"), LONG).await.len(), 1);
    }
}

#[tokio::test]
async fn what_lists_nobody_blocks_nobody() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    let lists = lists(&state, &["one.example"]);
    let asker = state.asker(&[server.address()]).unwrap();
    for (last, reply, ended) in [
        (1, Reply::Addresses(vec![[198, 51, 100, 1].into()], 600), Ended::Refused),
        (2, Reply::Addresses(vec![[127, 255, 255, 254].into()], 600), Ended::Refused),
        (3, Reply::Failure(ResponseCode::ServFail), Ended::Failed),
        (4, Reply::Failure(ResponseCode::Refused), Ended::Failed),
        (5, Reply::NoSuchName(0), Ended::Clear),
        (6, Reply::Addresses(vec![], 600), Ended::Clear),
        (7, listed(2), Ended::Listed),
    ] {
        server.say(&format!("{last}.2.0.192.one.example"), reply);
        let before = counts(&state);
        let listings = asker.ask(&lists, [192, 0, 2, last].into(), LONG).await;
        let after = counts(&state);
        assert_eq!(listings.len(), usize::from(ended == Ended::Listed), "{last}");
        let answered = matches!(ended, Ended::Listed | Ended::Clear);
        assert_eq!(after.unanswered - before.unanswered, u64::from(!answered), "{last}");
        assert_eq!(after.questions[ended as usize] - before.questions[ended as usize], 1, "{last}");
    }
}

/// http:BL knows IPv4 alone: that is an answer, and nobody was asked.
#[tokio::test]
async fn a_list_is_not_asked_what_it_cannot_know() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    let lists = lists(&state, &["dnsbl.httpbl.org"]);
    let asker = state.asker(&[server.address()]).unwrap();
    assert!(asker.ask(&lists, ip("2001:db8::7"), LONG).await.is_empty());
    assert_eq!(counts(&state), Counts::default());
    asker.ask(&lists, ip("192.0.2.7"), LONG).await;
    assert_eq!(server.asked(), ["abcdefghijkl.7.2.0.192.dnsbl.httpbl.org"]);
}

/// Whoever comes from more addresses than can be asked about at once gets through unasked, and is counted; nobody waits
/// longer for it.
#[tokio::test]
async fn a_flood_of_addresses_is_bounded() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    server.otherwise(Reply::Silence);
    let lists = lists(&state, &["one.example"]);
    let asker = state.asker(&[server.address()]).unwrap();
    let host = |host: u128| IpAddr::V6((0x2001_0db8 << 96 | host).into());
    let flood = (0..1_000).map(|number| asker.ask(&lists, host(number), SHORT));
    assert!(join_all(flood).await.iter().all(|listings| listings.is_empty()));
    assert_eq!(counts(&state).unanswered, 1_000);
    // The first question ends when nobody has said anything for its whole time, as all others do.
    asker.ask(&lists, host(0), LONG).await;
    let mut asked = server.asked();
    asked.sort();
    asked.dedup();
    assert!((1..=256).contains(&asked.len()), "{} names", asked.len());
}

#[tokio::test]
async fn a_list_that_fails_is_left_alone() {
    let (server, state) = (NameServer::start(), Dnsbl::default());
    server.otherwise(Reply::Failure(ResponseCode::ServFail));
    let lists = lists(&state, &["one.example"]);
    let asker = state.asker(&[server.address()]).unwrap();
    for host in 0..20 {
        asker.ask(&lists, [192, 0, 2, host].into(), LONG).await;
    }
    let counts = counts(&state);
    assert_eq!((counts.questions[Ended::Failed as usize], counts.unanswered), (5, 20));
}

#[test]
fn a_rest_ends_with_one_question_for_all() {
    let state = Dnsbl::default();
    let list = lists(&state, &["one.example"]).remove(0);
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    (0..4).for_each(|_| list.ended(Ended::Failed, "", start));
    assert!(!list.rests(start), "four failures are none");
    list.ended(Ended::Refused, "", start);
    assert!(list.rests(start) && list.rests(at(9)));
    assert!(!list.rests(at(10)), "one may ask");
    assert!(list.rests(at(10)) && list.rests(at(19)), "the others wait for what it finds");
    list.ended(Ended::Failed, "", at(12));
    assert!(list.rests(at(21)));
    assert!(!list.rests(at(22)));
    list.ended(Ended::Clear, "", at(22));
    assert!(!list.rests(at(22)));
    list.ended(Ended::Failed, "", at(22));
    assert!(!list.rests(at(22)), "it counts from the beginning");
}

#[test]
fn answers_age_within_bounds() {
    let start = Instant::now();
    let said = Said::Listed([127, 0, 0, 2].into());
    for (said, ttl_s, kept_s) in [
        (said, 600, 600),
        (said, 0, 30),
        (Said::Clear, 1, 30),
        (Said::Clear, 86_400, 3_600),
        (said, u32::MAX, 3_600),
        (Said::Nothing, 600, 10),
    ] {
        let question = Question::new(Said::Nothing, start);
        let before = start + Duration::from_secs(1);
        assert!(!question.is_stale(before), "it is on its way");
        question.answer(Answer::kept(said, Duration::from_secs(ttl_s.into()), start));
        let end = start + Duration::from_secs(kept_s);
        assert!(!question.is_stale(end - SHORT) && question.is_stale(end), "{said:?} {ttl_s}");
    }
    assert!(
        Question::new(Said::Nothing, start).is_stale(start + Duration::from_secs(6)),
        "it was lost"
    );
}

/// A list that is down says what it said last, as long as that is kept.
#[test]
fn an_old_answer_counts_until_there_is_a_new_one() {
    let start = Instant::now();
    let listed = Said::Listed([127, 0, 0, 2].into());
    for (answer, expected) in
        [(None, listed), (Some(Said::Nothing), listed), (Some(Said::Clear), Said::Clear)]
    {
        let question = Question::new(listed, start);
        if let Some(said) = answer {
            question.answer(Answer::kept(said, LONG, start));
        }
        assert_eq!(question.said(), expected, "{answer:?}");
    }
    assert_eq!(Question::new(Said::Nothing, start).said(), Said::Nothing);
}

#[tokio::test]
async fn who_asks_the_same_servers_shares_what_is_known() {
    let (server, other, state) = (NameServer::start(), NameServer::start(), Dnsbl::default());
    let first = state.asker(&[server.address()]).unwrap();
    assert!(Arc::ptr_eq(&first, &state.asker(&[server.address()]).unwrap()));
    assert!(!Arc::ptr_eq(&first, &state.asker(&[other.address()]).unwrap()));
    let lists = lists(&state, &["one.example"]);
    first.ask(&lists, ip("192.0.2.7"), LONG).await;
    drop(first);
    let next = state.asker(&[server.address()]).unwrap();
    next.ask(&lists, ip("192.0.2.7"), LONG).await;
    assert_eq!(server.asked().len(), 2, "nobody held the first one");
}

#[test]
fn name_servers_are_addresses_with_or_without_port() {
    for (text, expected) in [
        ("10.0.0.53", Some("10.0.0.53:53")),
        ("10.0.0.53:5353", Some("10.0.0.53:5353")),
        ("2001:db8::53", Some("[2001:db8::53]:53")),
        ("[2001:db8::53]:5353", Some("[2001:db8::53]:5353")),
        ("ns.example.com", None),
        ("10.0.0.53:", None),
        ("10.0.0", None),
        ("", None),
    ] {
        let parsed = servers::parse(text).map(|server| server.to_string());
        assert_eq!(parsed.as_deref(), expected, "{text}");
    }
}
