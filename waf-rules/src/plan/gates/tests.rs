//! What is drawn from patterns, and that nothing which matches is ever held back.

use super::{Gates, Needs, TEXT_BYTES_MIN, Texts};
use crate::bytes::present;
use crate::operator::{Constants, Operator};
use crate::tx::TxNames;

fn compile(pattern: &str) -> Operator {
    Operator::compile("rx", pattern, &mut TxNames::default(), &Constants::new(), &|_| {
        Err("no files".into())
    })
    .unwrap()
}

#[test]
fn finds_required_texts() {
    for (pattern, texts) in [
        ("union\\s+select", vec!["select"]),
        ("(?i)foo(?:bar|baz)", vec!["foobar", "foobaz"]),
        ("a?bcd", vec!["abcd", "bcd"]),
        ("(?:abc)+x", vec!["abc"]),
        ("abc|d.*", vec!["abc", "d"]),
        ("abc|.*", vec![]),
        ("[a-z]+", vec![]),
        ("(?:ab){3}", vec!["ababab"]),
        ("^$", vec![]),
    ] {
        let needs = Needs::of(&mut compile(pattern));
        let found: Vec<String> =
            needs.literals.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        assert_eq!(found, texts, "{pattern}");
    }
}

#[test]
fn finds_required_classes_and_lengths() {
    let needs = Needs::of(&mut compile("[0-9]+\\(.{2}\\)"));
    assert_eq!(needs.min_len, 5);
    assert!(needs.classes.iter().any(|class| class.contains(b'(') && class.len() == 1));
    assert!(Needs::of(&mut compile("a*")).classes.is_empty());
}

/// Random strings over each pattern's own bytes, so that many match: a match must be a candidate.
#[test]
fn never_holds_back_a_match() {
    let patterns = [
        "(?i)union\\s+select",
        "a?b{2,3}(?:cd|ef)+$",
        "^(?:ab|cd|e)",
        "x|yz*|[0-9]{2}",
        "\\bor\\b",
        "(?i)[sS]x?[tT]",
        "(?:a|b)(?:c|d)(?:e|f)",
        "[^a]b",
        "(ab){0,2}c",
        "(?:abc|)d",
        ".a.",
        "(?:foo|ba[rz]|qux?)-?",
    ];
    let mut operators: Vec<Operator> = patterns.iter().map(|pattern| compile(pattern)).collect();
    let gates = Gates::new(&mut operators);
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut matches = 0;
    for _ in 0..40_000 {
        let mut value = Vec::new();
        for _ in 0..8 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            value.push(b"abcdefSxtTuniosel- 01\nr"[(seed >> 33) as usize % 23]);
        }
        let (mut row, mut wanted) = (gates.empty_row(), gates.empty_row());
        gates.fitting(value.len(), &present(&value), &mut row, &mut wanted);
        gates.find_texts(&value.to_ascii_lowercase(), &mut wanted, &mut row, |_| true);
        for (at, operator) in operators.iter().enumerate() {
            if operator.matches(&value, b"", None) {
                matches += 1;
                assert!(
                    row[0] & (1 << at) != 0,
                    "{} on {:?}",
                    patterns[at],
                    String::from_utf8_lossy(&value)
                );
            }
        }
    }
    assert!(matches > 10_000, "{matches} matches prove little");
}

/// Texts that share keys, end a value, repeat and contain each other: what a plain search finds, in any
/// case, and nothing else.
#[test]
fn finds_the_texts_that_are_there() {
    let texts: Vec<Vec<u8>> =
        ["abc", "abcd", "bcde", "cab", "aaaa", "aab", "deabcde", "b\0c", "e e"]
            .map(|text| text.as_bytes().to_vec())
            .to_vec();
    let slices: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let owners: Vec<Vec<u32>> = (0..9).map(|owner| vec![owner]).collect();
    let search = Texts::new(&slices, &owners).unwrap();
    let (mut seed, mut found) = (0x9e37_79b9_u64, 0);
    for length in 0..20_000 {
        let mut value = Vec::new();
        for _ in 0..length % 17 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            value.push(b"abcdeABCDE \0"[(seed >> 33) as usize % 12]);
        }
        let (mut wanted, mut row) = ([0x1ff], [0]);
        let folded = value.to_ascii_lowercase();
        assert!(search.find(&folded, &mut wanted, &mut row, |_| true));
        let holds = |text: &[u8]| folded.windows(text.len()).any(|window| window == text);
        let expected = (0..9).filter(|at| holds(slices[*at])).fold(0_u64, |row, at| row | 1 << at);
        assert_eq!(row[0], expected, "{:?}", String::from_utf8_lossy(&value));
        assert_eq!(wanted[0], 0x1ff & !expected);
        found += expected.count_ones();
    }
    assert!(found > 1_000, "{found} texts prove little");
}

/// Texts of every length against values of every length: at the ends, across blocks, many of one beginning.
#[test]
fn finds_all_texts_and_no_others() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |bound: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize % bound
    };
    let mut some = |bytes: usize| -> Vec<u8> { (0..bytes).map(|_| b"ab.\0"[below(4)]).collect() };
    let texts: std::collections::BTreeSet<Vec<u8>> =
        (0..300).map(|number| some(TEXT_BYTES_MIN + number % 14)).collect();
    let texts: Vec<&[u8]> = texts.iter().map(Vec::as_slice).collect();
    let owners: Vec<Vec<u32>> = (0..).map(|owner| vec![owner]).take(texts.len()).collect();
    let all = Texts::new(&texts, &owners).unwrap();
    let mut found = 0;
    for bytes in (0..400).chain(0..400) {
        let value = some(bytes % 200);
        let (mut wanted, mut row) = (vec![u64::MAX; 5], vec![0; 5]);
        assert!(all.find(&value, &mut wanted, &mut row, |_| true));
        for (text, owner) in texts.iter().zip(&owners) {
            let holds = value.windows(text.len()).any(|part| part == *text);
            let (word, bit) = (owner[0] as usize / 64, 1 << (owner[0] % 64));
            assert_eq!(row[word] & bit != 0, holds, "{text:?} in {value:?}");
            found += usize::from(holds);
        }
    }
    assert!(found > 5_000, "{found} texts prove little");
}
