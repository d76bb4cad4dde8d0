use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::{BAN_TIME, BANS, Standing};
use crate::base::bounds;
use crate::base::clock::Now;

fn block(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_ban_holds_its_block_until_it_ends() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.0/24"), MINUTE, "scan", now).unwrap();
    standing.ban(block("2001:db8:1::/48"), MINUTE, "scan", now).unwrap();
    let cases = [
        ("203.0.113.7", true),
        ("203.0.114.7", false),
        ("::ffff:203.0.113.7", true),
        ("2001:db8:1:2::3", true),
        ("2001:db8:2::3", false),
    ];
    for (address, banned) in cases {
        assert_eq!(standing.banned(ip(address), now).is_some(), banned, "{address}");
    }
    assert_eq!(standing.banned(ip("203.0.113.7"), now), Some(MINUTE));
    assert!(standing.banned(ip("203.0.113.7"), now.after(MINUTE)).is_none());
}

#[test]
fn overlapping_bans_hold_until_the_last_ends() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.7/32"), MINUTE, "a", now).unwrap();
    standing.ban(block("203.0.113.0/24"), 2 * MINUTE, "b", now).unwrap();
    assert_eq!(standing.banned(ip("203.0.113.7"), now), Some(2 * MINUTE));
    assert!(standing.lift(block("203.0.113.0/24")));
    assert_eq!(standing.banned(ip("203.0.113.7"), now), Some(MINUTE));
    assert!(standing.banned(ip("203.0.113.8"), now).is_none());
}

#[test]
fn a_shorter_ban_of_the_same_block_shortens_nothing() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.7/32"), 2 * MINUTE, "operator", now).unwrap();
    standing.ban(block("203.0.113.7/32"), MINUTE, "detector", now).unwrap();
    let list = standing.list(now);
    assert_eq!((list.len(), list[0].left, list[0].why.as_str()), (1, 2 * MINUTE, "operator"));
    standing.ban(block("203.0.113.7/32"), 3 * MINUTE, "longer", now).unwrap();
    assert_eq!(standing.list(now)[0].why, "longer");
}

#[test]
fn lifting_needs_exactly_the_block() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.99/24"), MINUTE, "", now).unwrap();
    assert!(!standing.lift(block("203.0.113.7/32")));
    assert!(standing.lift(block("203.0.113.0/24")));
    assert!(!standing.lift(block("203.0.113.0/24")));
    assert!(standing.banned(ip("203.0.113.7"), now).is_none());
}

#[test]
fn a_mapped_block_is_the_ipv4_block() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("::ffff:203.0.113.0/120"), MINUTE, "", now).unwrap();
    assert!(standing.banned(ip("203.0.113.7"), now).is_some());
    assert_eq!(standing.list(now)[0].block, block("203.0.113.0/24"));
}

#[test]
fn what_would_shut_everyone_out_or_last_for_ever_is_refused() {
    let (standing, now) = (Standing::new(), Now::read());
    let cases = [
        ("0.0.0.0/0", MINUTE, "wider than /8"),
        ("::/0", MINUTE, "wider than /16"),
        ("::ffff:0.0.0.0/96", MINUTE, "wider than /8"),
        ("203.0.113.7/32", Duration::ZERO, "ban of 0 s"),
        ("203.0.113.7/32", BAN_TIME + MINUTE, "allowed up to"),
    ];
    for (text, ttl, part) in cases {
        let error = standing.ban(block(text), ttl, "", now).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(standing.list(now), []);
}

#[test]
fn above_the_bound_the_ban_that_ends_soonest_gives_way() {
    let (standing, now) = (Standing::new(), Now::read());
    let address = |n: usize| IpNet::from(IpAddr::from(u32::try_from(n).unwrap().to_be_bytes()));
    for n in 0..=BANS {
        // The first ends last: order of arrival does not decide.
        let left = Duration::from_secs(u64::try_from(BANS - n).unwrap() + 100);
        standing.ban(address(n), left, "flood", now).unwrap();
    }
    let list = standing.list(now);
    assert_eq!(list.len(), BANS);
    assert!(list.is_sorted_by_key(|ban| ban.left));
    let banned = |n| standing.banned(address(n).addr(), now).is_some();
    assert!(banned(0) && banned(BANS) && !banned(BANS - 1));
}

#[test]
fn bans_that_ended_make_room() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.1/32"), MINUTE, "", now).unwrap();
    let later = now.after(2 * MINUTE);
    assert_eq!(standing.list(later), []);
    standing.ban(block("203.0.113.2/32"), MINUTE, "", later).unwrap();
    assert_eq!(standing.book.read().bans.len(), 1);
    assert_eq!(standing.book.read().v4.len(), 1);
}

#[test]
fn the_reason_is_cut_at_its_bound_between_characters() {
    let (standing, now) = (Standing::new(), Now::read());
    standing.ban(block("203.0.113.1/32"), MINUTE, &"é".repeat(1000), now).unwrap();
    let why = &standing.list(now)[0].why;
    assert!(why.len() <= bounds::EVIDENCE_BYTES && why.chars().all(|letter| letter == 'é'));
}
