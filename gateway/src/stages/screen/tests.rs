use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::blocks::Blocks;
use super::section::ScreenSection;
use super::{ScreenPlan, decide};
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::compile::{Compile, Problem, Severity, number};
use crate::base::decision::Mode;
use crate::state::standing::Standing;

fn blocks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn compile(allow: &[&str], deny: &[&str], mode: Mode) -> (ScreenPlan, Vec<Problem>) {
    let section = ScreenSection { allow: blocks(allow), deny: blocks(deny), mode };
    let mut cx = Compile::new();
    let plan = cx.within("screen", |cx| ScreenPlan::compile(&section, cx));
    (plan, cx.into_problems())
}

#[test]
fn deny_beats_allow_and_an_empty_allow_lets_pass() {
    let cases: &[(&[&str], &[&str], &str, bool)] = &[
        (&[], &[], "203.0.113.7", true),
        (&["10.0.0.0/8"], &[], "10.1.2.3", true),
        (&["10.0.0.0/8"], &[], "203.0.113.7", false),
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.1.2.3", false),
        (&["10.0.0.0/8"], &["10.1.0.0/16"], "10.2.2.3", true),
        (&["10.1.2.3/32"], &["10.0.0.0/8"], "10.1.2.3", false),
        (&[], &["10.0.0.0/8"], "::ffff:10.1.2.3", false),
        (&["10.0.0.0/8"], &[], "::ffff:10.1.2.3", true),
        (&[], &["::ffff:10.0.0.0/104"], "10.1.2.3", false),
        // IPv6 blocks hold IPv6 clients, IPv4 blocks IPv4 clients.
        (&[], &["::/0"], "10.1.2.3", true),
        (&[], &["::/0"], "2001:db8::1", false),
        (&["0.0.0.0/0"], &[], "2001:db8::1", false),
        (&["2001:db8::/32"], &[], "2001:db8:ffff::1", true),
        (&[], &["255.255.255.255/32", "0.0.0.0/32"], "255.255.255.255", false),
    ];
    for (allow, deny, address, passes) in cases {
        let (plan, _) = compile(allow, deny, Mode::Enforce);
        let decided = plan.decide(ip(address));
        assert_eq!(decided.is_ok(), *passes, "allow {allow:?}, deny {deny:?}, {address}");
        if let Err(finding) = decided {
            assert_eq!(finding.code, Code::ScreenListed);
        }
    }
}

#[test]
fn off_decides_nothing_and_monitor_still_finds() {
    let (off, _) = compile(&[], &["10.0.0.0/8"], Mode::Off);
    assert!(off.decide(ip("10.1.2.3")).is_ok());
    let (monitor, _) = compile(&[], &["10.0.0.0/8"], Mode::Monitor);
    assert!(monitor.decide(ip("10.1.2.3")).is_err());
    assert_eq!(monitor.mode, Mode::Monitor);
}

#[test]
fn a_ban_comes_before_the_lists_and_does_not_depend_on_their_mode() {
    let (plan, _) = compile(&["10.0.0.0/8"], &[], Mode::Off);
    let (standing, now) = (Standing::new(), Now::read());
    assert!(decide(&plan, &standing, ip("10.1.2.3"), now).is_ok());
    standing.ban("10.1.2.3/32".parse().unwrap(), Duration::from_secs(60), "scan", now).unwrap();
    let finding = decide(&plan, &standing, ip("10.1.2.3"), now).unwrap_err();
    assert_eq!(finding.code, Code::ScreenBanned);
    assert!(decide(&plan, &standing, ip("10.1.2.3"), now.after(Duration::from_secs(60))).is_ok());
}

#[test]
fn blocks_that_can_be_misread_are_warnings() {
    let (_, found) =
        compile(&["10.1.0.0/16", "192.0.2.1/24"], &["10.0.0.0/9", "10.128.0.0/9"], Mode::Enforce);
    let seen: Vec<_> =
        found.iter().map(|problem| (problem.number, problem.place.clone())).collect();
    let place = |index: usize| vec!["screen".into(), "allow".into(), index.into()];
    assert_eq!(seen, [(number::HOST_BITS, place(1)), (number::SHADOWED_BLOCK, place(0))]);
    assert!(found.iter().all(|problem| problem.severity == Severity::Warning));
}

#[test]
fn ranges_that_overlap_or_touch_become_one() {
    let set = Blocks::new(&blocks(&[
        "10.0.1.0/24",
        "10.0.0.0/24",
        "10.0.0.128/25",
        "10.0.2.0/23",
        "10.0.8.0/24",
    ]));
    for (block, held) in [
        ("10.0.0.0/23", true),
        ("10.0.0.0/22", true),
        ("10.0.0.0/21", false),
        ("10.0.8.0/24", true),
        ("10.0.9.0/24", false),
        ("::/0", false),
    ] {
        assert_eq!(set.contains_block(block.parse().unwrap()), held, "{block}");
    }
}

/// 100,000 blocks against the definition: an address is in the set when some block holds it.
#[test]
fn a_long_list_agrees_with_its_definition() {
    let list: Vec<IpNet> = (0..100_000_u32)
        .map(|n| {
            let bits = n.wrapping_mul(2_654_435_761);
            let length = 22 + u8::try_from(bits >> 4 & 7).unwrap();
            IpNet::new(IpAddr::from(bits.to_be_bytes()), length).unwrap()
        })
        .collect();
    let set = Blocks::new(&list);
    let mut held = 0;
    for n in 0..200_u32 {
        let address = IpAddr::from(n.wrapping_mul(0x9e37_79b9).rotate_left(7).to_be_bytes());
        let expected = list.iter().any(|block| block.contains(&address));
        held += usize::from(expected);
        assert_eq!(set.contains(address), expected, "{address}");
    }
    assert!((1..200).contains(&held), "{held} of 200 held: the test tests nothing");
}
