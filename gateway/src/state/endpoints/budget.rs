//! Retries as a share of requests: an outage must not be multiplied by those who wait for its end.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::clock::Now;
use crate::base::units::Percent;

/// Length of the sliding window.
const WINDOW_S: u64 = 10;
/// Retries per second that are allowed however few requests there are; without them a quiet service could
/// never retry.
pub const RETRIES_PER_SECOND_MIN: u64 = 3;
/// One more than the window: the second that is being overwritten is never counted.
const BUCKETS: usize = 11;

/// Requests and retries of the last 10 s of one service. Lock-free.
#[derive(Debug, Default)]
pub struct RetryBudget {
    seconds: [AtomicU64; BUCKETS],
}

/// One second, packed: 20 bits of its number, 24 bits of requests, 20 bits of retries. Counts stop at their top.
#[derive(Clone, Copy)]
struct Second {
    number: u64,
    requests: u64,
    retries: u64,
}

const NUMBERS: u64 = 1 << 20;
const REQUESTS_MAX: u64 = (1 << 24) - 1;
const RETRIES_MAX: u64 = (1 << 20) - 1;

impl RetryBudget {
    pub fn new() -> RetryBudget {
        RetryBudget::default()
    }

    /// Counts a first attempt.
    pub fn request(&self, now: Now) {
        self.count(now, 1, 0);
    }

    /// Takes one retry out of the budget; `false`: it is used up. A share of 0 allows none.
    pub fn try_retry(&self, share: Percent, now: Now) -> bool {
        if share.0 == 0 {
            return false;
        }
        let (requests, retries) = self.sums(now);
        let allowed = (requests * u64::from(share.0) / 100).max(RETRIES_PER_SECOND_MIN * WINDOW_S);
        if retries >= allowed {
            return false;
        }
        self.count(now, 0, 1);
        true
    }

    pub(super) fn count(&self, now: Now, requests: u64, retries: u64) {
        let number = now.unix_s() % NUMBERS;
        let slot = &self.seconds[bucket(now.unix_s())];
        // The closure always yields a value.
        let _ = slot.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |packed| {
            let known = Second::unpack(packed);
            let known = if known.number == number {
                known
            } else {
                Second { number, requests: 0, retries: 0 }
            };
            Some(known.plus(requests, retries).pack())
        });
    }

    pub(super) fn sums(&self, now: Now) -> (u64, u64) {
        let last = now.unix_s();
        (0..WINDOW_S).filter_map(|back| last.checked_sub(back)).fold((0, 0), |sum, second| {
            let known = Second::unpack(self.seconds[bucket(second)].load(Ordering::Relaxed));
            if known.number != second % NUMBERS {
                return sum;
            }
            (sum.0 + known.requests, sum.1 + known.retries)
        })
    }
}

#[allow(clippy::cast_possible_truncation)] // below BUCKETS
fn bucket(second: u64) -> usize {
    (second % BUCKETS as u64) as usize
}

impl Second {
    fn unpack(packed: u64) -> Second {
        Second {
            number: packed >> 44,
            requests: packed >> 20 & REQUESTS_MAX,
            retries: packed & RETRIES_MAX,
        }
    }

    fn pack(self) -> u64 {
        self.number << 44 | self.requests << 20 | self.retries
    }

    fn plus(self, requests: u64, retries: u64) -> Second {
        Second {
            number: self.number,
            requests: (self.requests + requests).min(REQUESTS_MAX),
            retries: (self.retries + retries).min(RETRIES_MAX),
        }
    }
}
