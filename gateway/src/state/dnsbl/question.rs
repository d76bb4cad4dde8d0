//! One question to one list, which everybody who wants its answer waits for.

use std::net::Ipv4Addr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time;

/// Time for an answer, all attempts together; beyond the wait of the request that asked, so that the next request of
/// this client finds an answer.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// How long an answer counts, whatever its time to live says (RFC 2308 §5 has hours for both).
const KEPT: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(3600)];
/// How long it counts that there was none.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Question {
    asked: Instant,
    /// What was said of the address before: it counts while nothing newer is known (RFC 8767).
    before: Said,
    answer: OnceLock<Answer>,
    told: Notify,
}

/// What is known of an address, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) said: Said,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Listed(Ipv4Addr),
    Clear,
    Nothing,
}

impl Answer {
    /// An answer that its list lets one keep for `ttl`.
    pub(super) fn kept(said: Said, ttl: Duration, now: Instant) -> Answer {
        let kept = match said {
            Said::Nothing => FAILURE_KEPT,
            Said::Listed(_) | Said::Clear => ttl.clamp(KEPT[0], KEPT[1]),
        };
        Answer { said, until: now + kept }
    }
}

impl Question {
    pub(super) fn new(before: Said, now: Instant) -> Question {
        Question { asked: now, before, answer: OnceLock::new(), told: Notify::new() }
    }

    /// What is known by now.
    pub(super) fn said(&self) -> Said {
        match self.answer.get().map(|answer| answer.said) {
            None | Some(Said::Nothing) => self.before,
            Some(said) => said,
        }
    }

    /// It is time to ask anew. What never got an answer, though its time is over, was lost.
    pub(super) fn is_stale(&self, now: Instant) -> bool {
        let until =
            self.answer.get().map_or(self.asked + 2 * ANSWER_TIMEOUT, |answer| answer.until);
        now >= until
    }

    pub(super) fn answer(&self, answer: Answer) {
        // Only who asked answers.
        let _ = self.answer.set(answer);
        self.told.notify_waiters();
    }

    /// What is known once there is an answer, or no more time.
    pub(super) async fn said_before(&self, deadline: time::Instant) -> Said {
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            // From here on no answer is missed.
            told.as_mut().enable();
            if self.answer.get().is_some() || time::timeout_at(deadline, told).await.is_err() {
                return self.said();
            }
        }
    }
}
