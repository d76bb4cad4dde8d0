//! What the table keeps, and what it lets go.

use super::*;
use crate::engine::buffers::Seeds;

fn hash(value: &[u8]) -> u64 {
    Seeds::default().hash(value)
}

#[test]
fn recalls_what_was_learned_of_the_same_bytes_under_the_same_rules() {
    let mut known = Known::default();
    assert_eq!(known.recall(1, hash(b""), b""), None);
    known.learn(1, hash(b""), b"", &[7]);
    known.learn(1, hash(b"a"), b"a", &[8]);
    assert_eq!(known.recall(1, hash(b""), b"").map(|facts| facts[0]), Some(7));
    assert_eq!(known.recall(1, hash(b"a"), b"a").map(|facts| facts[0]), Some(8));
    assert_eq!(known.recall(2, hash(b"a"), b"a"), None);
    assert_eq!(known.recall(1, hash(b"a\0"), b"a\0"), None);
}

/// Values of both tables, to the byte where one ends and the other begins; longer ones are not kept.
#[test]
fn keeps_long_values_apart_and_the_longest_not_at_all() {
    let mut known = Known::default();
    let value = [b'a'; LONG.value_bytes_max + 1];
    let lens = [SHORT.value_bytes_max, SHORT.value_bytes_max + 1, LONG.value_bytes_max];
    for (facts, len) in (0..).zip(lens) {
        known.learn(1, hash(&value[..len]), &value[..len], &[facts]);
    }
    for (facts, len) in (0..).zip(lens) {
        assert_eq!(
            known.recall(1, hash(&value[..len]), &value[..len]).map(|facts| facts[0]),
            Some(facts),
            "{len}"
        );
        assert_eq!(known.recall(1, hash(&value[..len - 2]), &value[..len - 2]), None, "{len}");
    }
    known.learn(1, hash(&value), &value, &[9]);
    assert_eq!(known.recall(1, hash(&value), &value), None);
}

/// A flood of values that never come back leaves those in use where they are.
#[test]
fn values_in_use_withstand_others() {
    let mut known = Known::default();
    known.learn(1, hash(b"Mozilla/5.0"), b"Mozilla/5.0", &[1]);
    for number in 0..20_000_u32 {
        known.learn(1, hash(&number.to_be_bytes()), &number.to_be_bytes(), &[0]);
        assert!(known.recall(1, hash(b"Mozilla/5.0"), b"Mozilla/5.0").is_some(), "{number}");
    }
    assert_eq!(known.short.entries.len(), SHORT.entries);
}

/// A wider rule set makes the table anew.
#[test]
fn rows_of_another_width_do_not_mix() {
    let mut known = Known::default();
    known.learn(1, hash(b"a"), b"a", &[1, 2]);
    known.learn(2, hash(b"a"), b"a", &[3, 4, 5]);
    assert_eq!(known.recall(1, hash(b"a"), b"a"), None);
    assert_eq!(known.recall(2, hash(b"a"), b"a").map(|facts| facts.to_vec()), Some(vec![3, 4, 5]));
    known.learn(3, hash(b"b"), b"b", &[6]);
    assert_eq!(known.recall(3, hash(b"b"), b"b").map(|facts| facts[0]), Some(6));
}
