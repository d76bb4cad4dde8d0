//! Broken requests: every test request of the built-in rules, mutated. Nothing panics, every outcome
//! is explicit, and the prefilter still loses nothing.

use waf_rules::ftw::{Request, transact};
use waf_rules::{EngineMode, Outcome, Transaction};

use crate::{builtin, summary};

/// Mutations of each request.
const ROUNDS: u64 = 3;

#[test]
fn mutated_requests_are_inspected_or_refused() {
    let profile = builtin::profile(4, EngineMode::DetectionOnly);
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    for stage in builtin::tests().iter().flat_map(|test| &test.stages) {
        for _ in 0..ROUNDS {
            let request = mutate(stage.input.request().unwrap_or_default(), &mut seed);
            let gated = transact(Transaction::new(profile.clone()), &request, None);
            let plain = transact(Transaction::exhaustive(profile.clone()), &request, None);
            assert_eq!(summary(&gated), summary(&plain), "{request:?}");
            assert!(
                matches!(gated.outcome(), Outcome::Inspected | Outcome::Partial(_)),
                "{request:?}"
            );
        }
    }
}

/// Overwrites, cuts and doubles bytes of target, header values and body.
pub(crate) fn mutate(mut request: Request, seed: &mut u64) -> Request {
    damage(&mut request.target, seed);
    damage(&mut request.body, seed);
    if let Some(at) = (!request.headers.is_empty()).then(|| below(seed, request.headers.len())) {
        damage(&mut request.headers[at].1, seed);
    }
    request
}

fn damage(bytes: &mut Vec<u8>, seed: &mut u64) {
    const SPECIAL: &[u8] = b"\0%&=;<>'\"\\/{}[]()\r\n\xff\xc3";
    for _ in 0..=below(seed, 3) {
        if bytes.is_empty() {
            return;
        }
        let at = below(seed, bytes.len());
        match below(seed, 4) {
            0 => bytes[at] = SPECIAL[below(seed, SPECIAL.len())],
            1 => bytes.truncate(at),
            2 => bytes.insert(at, SPECIAL[below(seed, SPECIAL.len())]),
            _ => bytes.extend_from_within(at..),
        }
    }
}

/// Xorshift: the same requests in every run.
pub(crate) fn below(seed: &mut u64, bound: usize) -> usize {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    usize::try_from(*seed % bound as u64).unwrap_or(0)
}
