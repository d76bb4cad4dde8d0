//! A finder agrees with the general engine, and ends where its states are not paid for.

use regex_automata::{Input, meta};

use super::*;
use crate::operator::rx::parse;

const PATTERNS: &[&str] = &[
    "(?i)a(?:b|bc)*c?",
    "(?:ab|a)(?:c|bcd)?",
    "a.*z|b",
    "a.*?z|b+",
    "^ab|c$",
    r"\bor\b|\Bx",
    "(?:a|ab)(?:c|bcd)(?:d*)",
    "x*",
    "(?:|a)+b",
    "[^a]{2,5}?a|aa",
];

/// Every match of each pattern in random values, one after the other.
#[test]
fn agrees_with_the_general_engine() {
    let (mut seed, mut matches) = (0x2545_f491_4f6c_dd1d_u64, 0);
    for pattern in PATTERNS {
        let hir = parse(pattern).unwrap();
        let finder = Finder::new(&hir).unwrap();
        let config = meta::Config::new().utf8_empty(false);
        let general = meta::Builder::new().configure(config).build_from_hir(&hir).unwrap();
        let mut found = finder.begin();
        for round in 0..3_000 {
            let value: Vec<u8> = (0..round % 150)
                .map(|_| {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    b"abcdzorxA \n-"[(seed >> 33) as usize % 12]
                })
                .collect();
            for from in [0, 1, value.len() / 2, value.len()] {
                if from > value.len() {
                    continue;
                }
                let own = finder.find(&value, from, &mut found, |_| true).unwrap();
                let input = Input::new(&value).span(from..value.len());
                let expected = general.find(input).map(|found| found.range());
                matches += usize::from(own.is_some());
                assert_eq!(own, expected, "{pattern} from {from} of {value:?}");
            }
        }
    }
    assert!(matches > 10_000, "{matches} matches prove little");
}

#[test]
fn ends_where_states_are_not_paid_for() {
    let finder = Finder::new(&parse("(?i)[a-f]+(?:.*[0-9])*q").unwrap()).unwrap();
    let value = b"an honest text with 1 digit or 2 and no end ".repeat(100);
    for bound in [0, 500] {
        let mut work = 0;
        let pay = |more| {
            work += more;
            work <= bound
        };
        assert!(finder.find(&value, 0, &mut finder.begin(), pay).is_err(), "{bound}");
        assert!(work > bound, "{work}");
    }
    let mut found = finder.begin();
    assert!(matches!(finder.find(&value, 0, &mut found, |_| true), Ok(None)));
    // What is there needs not be paid for again.
    assert!(matches!(finder.find(&value, 0, &mut found, |_| false), Ok(None)));
}
