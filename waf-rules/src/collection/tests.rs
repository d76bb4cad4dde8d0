//! What the store in memory keeps, forgets and bounds.

use std::sync::Arc;

use super::*;

fn ip(name: &str) -> CollectionKey {
    let application = Box::default();
    CollectionKey { collection: Collection::Ip, application, name: name.as_bytes().into() }
}

fn first<'a>(name: &'a [u8], update: Update<'a>) -> Write<'a> {
    Write { name, update, first: true }
}

fn value(store: &MemoryCollections, key: &CollectionKey, name: &str, now_s: u64) -> String {
    let found = store.open(key, now_s).variables.into_iter();
    let value = found.filter(|(known, _)| **known == *name.as_bytes()).map(|(_, value)| value);
    value.map(|value| String::from_utf8_lossy(&value).into_owned()).collect()
}

/// (seconds, write, value of `x` right after).
const STEPS: &[(u64, Update<'_>, &str)] = &[
    (100, Update::Add(5), "5"),
    (101, Update::Add(-2), "3"),
    (102, Update::Set(b"word"), "word"),
    (103, Update::Add(1), "1"),
    (104, Update::Expire(10), "1"),
    (113, Update::Add(1), "2"),
    // It ran out at 114, and the next write begins anew.
    (114, Update::Add(1), "1"),
    (115, Update::Set(b"100"), "100"),
    (120, Update::Decay { amount: 10, period_s: 5 }, "100"),
    (129, Update::Add(0), "90"),
    (131, Update::Add(0), "80"),
    (900, Update::Add(0), "0"),
    (901, Update::Unset, ""),
    (902, Update::Expire(5), ""),
];

#[test]
fn applies_writes_in_time() {
    let (store, key) = (MemoryCollections::default(), ip("192.0.2.1"));
    for (now_s, update, expected) in STEPS {
        store.update(&key, first(b"x", *update), *now_s, 3_600);
        assert_eq!(value(&store, &key, "x", *now_s), *expected, "{now_s}: {update:?}");
    }
    let snapshot = store.open(&key, 902);
    assert_eq!((snapshot.created_s, snapshot.updated_s, snapshot.updates), (100, 902, 14));
}

/// An instance that was forgotten between two writes of a transaction is not new after the second.
#[test]
fn counts_transactions() {
    let (store, key) = (MemoryCollections::default(), ip("a"));
    let write = |first, now_s| {
        let write = Write { name: b"x", update: Update::Add(1), first };
        store.update(&key, write, now_s, 60);
        store.open(&key, now_s).updates
    };
    assert_eq!([write(true, 0), write(false, 0), write(true, 1), write(false, 90)], [1, 1, 2, 1]);
}

#[test]
fn forgets_instances_without_writes() {
    let (store, key) = (MemoryCollections::default(), ip("a"));
    store.update(&key, first(b"x", Update::Set(b"1")), 100, 60);
    assert_eq!(
        (value(&store, &key, "x", 159), value(&store, &key, "x", 160)),
        ("1".into(), String::new())
    );
    store.update(&key, first(b"x", Update::Timeout(500)), 100, 60);
    assert_eq!(value(&store, &key, "x", 599), "1");
    assert_eq!(store.open(&key, 600), Snapshot::default());
}

/// A flood of names stays within the bound, and costs those first that were not written for longest.
#[test]
fn instances_are_bounded() {
    let bounds = MemoryBounds { instances: 640, ..MemoryBounds::default() };
    let (store, busy) = (MemoryCollections::new(bounds), ip("busy"));
    for n in 0..20_000_u64 {
        store.update(&ip(&format!("flood {n}")), first(b"x", Update::Add(1)), n, 1_000_000);
        store.update(&busy, first(b"x", Update::Add(1)), n + 1, 1_000_000);
        assert!(store.len() <= 640);
    }
    assert_eq!(value(&store, &busy, "x", 20_001), "20000");
}

#[test]
fn variables_and_bytes_are_bounded() {
    let bounds = MemoryBounds { variables: 2, instance_bytes: 10, ..MemoryBounds::default() };
    let (store, key) = (MemoryCollections::new(bounds), ip("a"));
    let set = |name: &str, text: &str| {
        store.update(&key, first(name.as_bytes(), Update::Set(text.as_bytes())), 0, 60)
    };
    assert_eq!(set("a", "1234"), Some(b"1234".to_vec()));
    assert_eq!(set("b", "12345"), None);
    assert_eq!(set("b", "1234"), Some(b"1234".to_vec()));
    assert_eq!(set("c", ""), None);
    // What does not fit leaves the old value.
    assert_eq!(set("a", "12345"), Some(b"1234".to_vec()));
}

#[test]
fn long_names_are_told_apart() {
    let store = MemoryCollections::default();
    let (one, two) =
        (ip(&format!("{}1", "x".repeat(9_000))), ip(&format!("{}2", "x".repeat(9_000))));
    store.update(&one, first(b"x", Update::Set(b"1")), 0, 60);
    assert_eq!(
        (value(&store, &one, "x", 0), value(&store, &two, "x", 0)),
        ("1".into(), String::new())
    );
}

/// Nothing is lost when many transactions count at once.
#[test]
fn concurrent_counts_add_up() {
    let store = Arc::new(MemoryCollections::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..1_000 {
                    store.update(&ip("a"), first(b"x", Update::Add(1)), 0, 60);
                }
            });
        }
    });
    assert_eq!(value(&store, &ip("a"), "x", 0), "4000");
}
