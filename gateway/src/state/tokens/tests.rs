use std::sync::Arc;

use serde_json::Map;

use super::{TokenCache, Verified};
use crate::base::identity::Identity;

fn verified(subject: &str) -> Arc<Verified> {
    let identity = Identity {
        issuer_name: "corp".into(),
        issuer: "https://id.example".into(),
        subject: subject.into(),
        client_id: None,
        scopes: Box::new([]),
        roles: Box::new([]),
        acr: None,
        amr: Box::new([]),
        auth_time_s: None,
        mfa: false,
        expires_s: 2,
        claims: Map::new(),
    };
    Arc::new(Verified { identity: Arc::new(identity), stamp: 0, epoch: 0, ends_s: 2, starts_s: 0 })
}

fn holds(cache: &TokenCache, token: &str) -> bool {
    cache.get(token).is_some_and(|verified| &*verified.identity.subject == token)
}

#[test]
fn a_token_is_found_by_all_of_its_bytes() {
    let cache = TokenCache::new(1 << 20);
    cache.insert("aaa.bbb.ccc", verified("aaa.bbb.ccc"));
    assert!(holds(&cache, "aaa.bbb.ccc"));
    for other in ["aaa.bbb.ccd", "aaa.bbb.cc", "aaa.bbb.cccc", ""] {
        assert!(cache.get(other).is_none(), "{other}");
    }
    cache.remove("aaa.bbb.ccc");
    assert!(cache.is_empty());
    assert_eq!(cache.bytes(), 0);
}

#[test]
fn memory_stays_flat_under_a_million_distinct_tokens() {
    const BYTES: usize = 1 << 20;
    let cache = TokenCache::new(BYTES);
    for index in 0..1_000_000 {
        let token = format!("token-{index}");
        cache.insert(&token, verified("s"));
    }
    assert!(cache.bytes() <= BYTES, "{}", cache.bytes());
    assert!(cache.bytes() > BYTES / 2, "{}", cache.bytes());
    let slots: usize = cache.shards.iter().map(|shard| shard.read().slots.len()).sum();
    assert!(slots <= BYTES / 768, "{slots} slots");
}

#[test]
fn a_scan_does_not_push_out_tokens_in_use() {
    let cache = TokenCache::new(1 << 20);
    let used: Vec<String> = (0..100).map(|index| format!("used-{index}")).collect();
    for token in &used {
        cache.insert(token, verified(token));
    }
    for index in 0..20_000 {
        if index % 100 == 0 {
            assert!(used.iter().all(|token| holds(&cache, token)), "after {index}");
        }
        cache.insert(&format!("once-{index}"), verified("once"));
    }
}

#[test]
fn replacing_and_removing_keeps_the_list_whole() {
    let cache = TokenCache::new(256 * 1024);
    // A fixed pseudo-random walk over few names: every path through the list is taken many times.
    let mut state = 1_u32;
    for _ in 0..200_000 {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let token = format!("token-{}", (state >> 8) % 1_000);
        match state >> 30 {
            0 => cache.remove(&token),
            1 => assert!(cache.get(&token).is_none_or(|found| *found.identity.subject == *token)),
            _ => cache.insert(&token, verified(&token)),
        }
    }
    assert!(cache.bytes() <= 256 * 1024);
    for shard in &cache.shards {
        let shard = shard.read();
        let mut listed = 0;
        let mut index = shard.newest;
        while index != super::NONE {
            listed += 1;
            index = shard.slots[index as usize].older;
        }
        assert_eq!(listed, shard.table.len());
    }
}

#[test]
fn an_entry_larger_than_a_shard_is_not_kept() {
    let cache = TokenCache::new(64 * 1024);
    cache.insert(&"x".repeat(4096), verified("s"));
    assert!(cache.is_empty());
}
