//! One list, and whether it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use waf_rules::AddressList;

/// Questions without an answer, one after the other, after which a list rests: not every client shall wait for a list that
/// is down.
const FAILURES_IN_A_ROW: u32 = 5;
/// How long nobody is asked then.
const REST: Duration = Duration::from_secs(10);

/// A list with its record; clones share it.
#[derive(Clone, Debug)]
pub struct List {
    pub list: AddressList,
    pub zone: Arc<str>,
    pub(super) record: Arc<Record>,
}

/// How a question ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Listed,
    Clear,
    /// There was an answer, and it says nothing about the address.
    Refused,
    /// There was none.
    Failed,
}

impl Ended {
    pub const ALL: [Ended; 4] = [Ended::Listed, Ended::Clear, Ended::Refused, Ended::Failed];

    pub fn as_str(self) -> &'static str {
        match self {
            Ended::Listed => "listed",
            Ended::Clear => "clear",
            Ended::Refused => "refused",
            Ended::Failed => "failed",
        }
    }

    fn is_answer(self) -> bool {
        matches!(self, Ended::Listed | Ended::Clear)
    }
}

/// Counts of one list since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that ended, by [`Ended`].
    pub questions: [u64; Ended::ALL.len()],
    /// Requests whose rules ran without its answer.
    pub unanswered: u64,
}

/// What outlives configurations of one list.
#[derive(Debug, Default)]
pub(super) struct Record {
    questions: [AtomicU64; Ended::ALL.len()],
    unanswered: AtomicU64,
    failures: AtomicU32,
    rests_until: Mutex<Option<Instant>>,
}

impl List {
    pub(super) fn new(list: AddressList, record: Arc<Record>) -> List {
        List { zone: list.zone().into(), list, record }
    }

    /// It did not answer for a while, and is left alone for now. When its rest is over one question finds out for all.
    pub(super) fn rests(&self, now: Instant) -> bool {
        if self.record.failures.load(Ordering::Relaxed) < FAILURES_IN_A_ROW {
            return false;
        }
        let mut rests_until = self.record.rests_until.lock();
        let Some(until) = &mut *rests_until else { return false };
        let rests = now < *until;
        if !rests {
            *until = now + REST;
        }
        rests
    }

    /// A question ended. What is worth a line in the log: the first failures of many, and the end of them.
    pub(super) fn ended(&self, result: Ended, why: &str, now: Instant) {
        let record = &self.record;
        record.questions[result as usize].fetch_add(1, Ordering::Relaxed);
        let mut rests_until = record.rests_until.lock();
        if result.is_answer() {
            record.failures.store(0, Ordering::Relaxed);
            if rests_until.take().is_some() {
                log::info!("list `{}` answers again", self.zone);
            }
            return;
        }
        let failures = record.failures.load(Ordering::Relaxed).saturating_add(1);
        record.failures.store(failures, Ordering::Relaxed);
        if failures < FAILURES_IN_A_ROW {
            return;
        }
        if rests_until.replace(now + REST).is_none() {
            let zone = &self.zone;
            log::warn!(
                "list `{zone}` says nothing: {why}; it is asked every {REST:?} until it does"
            );
        }
    }

    pub(super) fn unanswered(&self) {
        self.record.unanswered.fetch_add(1, Ordering::Relaxed);
    }
}

impl Record {
    pub(super) fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            questions: std::array::from_fn(|at| read(&self.questions[at])),
            unanswered: read(&self.unanswered),
        }
    }
}
