//! What the table keeps, and what it lets go.

use super::*;

#[test]
fn recalls_what_was_learned_of_the_same_bytes_under_the_same_rules() {
    let mut known = Known::default();
    assert_eq!(known.recall(1, b""), None);
    known.learn(1, b"", &[7]);
    known.learn(1, b"a", &[8]);
    assert_eq!(known.recall(1, b"").map(|facts| facts[0]), Some(7));
    assert_eq!(known.recall(1, b"a").map(|facts| facts[0]), Some(8));
    assert_eq!(known.recall(2, b"a"), None);
    assert_eq!(known.recall(1, b"a\0"), None);
    let long = [b'a'; VALUE_BYTES_MAX + 1];
    known.learn(1, &long, &[9]);
    assert_eq!(known.recall(1, &long), None);
}

/// A flood of values that never come back leaves those in use where they are.
#[test]
fn values_in_use_withstand_others() {
    let mut known = Known::default();
    known.learn(1, b"Mozilla/5.0", &[1]);
    for number in 0..20_000_u32 {
        known.learn(1, &number.to_be_bytes(), &[0]);
        assert!(known.recall(1, b"Mozilla/5.0").is_some(), "{number}");
    }
    assert_eq!(known.entries.len(), ENTRIES);
}

/// A wider rule set makes the table anew.
#[test]
fn rows_of_another_width_do_not_mix() {
    let mut known = Known::default();
    known.learn(1, b"a", &[1, 2]);
    known.learn(2, b"a", &[3, 4, 5]);
    assert_eq!(known.recall(1, b"a"), None);
    assert_eq!(known.recall(2, b"a").map(|facts| facts.to_vec()), Some(vec![3, 4, 5]));
    known.learn(3, b"b", &[6]);
    assert_eq!(known.recall(3, b"b").map(|facts| facts[0]), Some(6));
}
