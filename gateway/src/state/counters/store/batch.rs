//! Requests for the same subjects, put together: one call at a time per group. Those that arrive meanwhile wait and are
//! asked for together by the next call, in the order of their arrival.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::super::measure::Clock;
use super::super::table::{Charge, Charged, Standing, Subject, Table};
use super::Lost;
use super::link::Link;
use super::script::Granted;

/// Most requests that wait behind one call. More are decided without the store.
const WAITERS_MAX: usize = 4_096;
/// Most groups under way.
const GROUPS_MAX: usize = 16_384;

pub(super) type Answer = oneshot::Receiver<Result<Charged, Lost>>;
type Waiter = oneshot::Sender<Result<Charged, Lost>>;

/// What requests have in common that are asked for together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group {
    /// Sets of limits differ in their numbers, so only requests of one set share a call.
    set: u64,
    subjects: SmallVec<[Subject; 2]>,
}

/// Groups with a call under way, and who waits for the next one.
#[derive(Debug, Default)]
pub(super) struct Batches {
    waiting: Mutex<HashMap<Group, Vec<Waiter>>>,
}

/// The part of a request that joined.
pub(super) enum Joined {
    /// No call is under way: the caller has to run a [`Lead`].
    Leads(Waiter, Answer),
    Waits(Answer),
}

impl Group {
    pub(super) fn new(set: u64, charges: &[Charge]) -> Group {
        Group { set, subjects: charges.iter().map(|charge| charge.subject).collect() }
    }
}

impl Batches {
    pub(super) fn join(&self, group: &Group) -> Result<Joined, Lost> {
        let (waiter, answer) = oneshot::channel();
        let mut waiting = self.waiting.lock();
        if let Some(waiters) = waiting.get_mut(group) {
            if waiters.len() >= WAITERS_MAX {
                return Err(Lost);
            }
            waiters.push(waiter);
            return Ok(Joined::Waits(answer));
        }
        if waiting.len() >= GROUPS_MAX {
            return Err(Lost);
        }
        waiting.insert(group.clone(), Vec::new());
        Ok(Joined::Leads(waiter, answer))
    }

    /// Who waits for the next call; `None` ends the group.
    fn next(&self, group: &Group) -> Option<Vec<Waiter>> {
        let mut waiting = self.waiting.lock();
        let waiters = waiting.get_mut(group).map(std::mem::take).unwrap_or_default();
        if waiters.is_empty() {
            waiting.remove(group);
            return None;
        }
        Some(waiters)
    }
}

/// Runs the calls of one group until nobody waits.
pub(super) struct Lead {
    pub(super) link: Arc<Link>,
    pub(super) batches: Arc<Batches>,
    pub(super) mirror: Arc<Table>,
    pub(super) group: Group,
    pub(super) charges: SmallVec<[Charge; 2]>,
    /// Wall clock of the first request: quotas of the mirror find their window with it.
    pub(super) unix_us: u64,
    /// The group was ended in order.
    pub(super) finished: bool,
}

impl Lead {
    pub(super) async fn run(mut self, first: Waiter) {
        let mut waiters = vec![first];
        loop {
            waiters.retain(|waiter| !waiter.is_closed());
            if !waiters.is_empty() {
                let result = self.call(waiters.len()).await;
                self.deliver(result, waiters);
            }
            match self.batches.next(&self.group) {
                Some(next) => waiters = next,
                None => break,
            }
        }
        self.finished = true;
    }

    async fn call(&self, requests: usize) -> Result<Granted, Lost> {
        let sent = Clock { steady_us: self.link.steady_us(), unix_us: self.unix_us };
        // What will at least be spent when the last moment comes at which the call may count: a seed never takes from a
        // subject what the store would grant.
        let late_us = sent.steady_us + self.link.deadline_us();
        let late = Clock { steady_us: late_us, ..sent };
        let seeds = |charge: &Charge| super::last_seen(&self.mirror, charge, late);
        let called = self.link.call(&self.charges, requests, seeds).await?;
        let clock = Clock { steady_us: sent.steady_us, unix_us: called.now_us };
        for (charge, (_, spent)) in self.charges.iter().zip(&called.granted.limits) {
            self.mirror.note(charge.subject, &charge.measure, *spent, clock);
        }
        Ok(called.granted)
    }

    /// First come, first served. A request whose client went away meanwhile leaves its grant to the next one.
    fn deliver(&self, result: Result<Granted, Lost>, waiters: Vec<Waiter>) {
        let granted = match result {
            Ok(granted) => granted,
            Err(lost) => {
                for waiter in waiters {
                    let _ = waiter.send(Err(lost));
                }
                return;
            }
        };
        let mut turn = 0;
        for waiter in waiters {
            if waiter.send(Ok(charged(&self.charges, &granted, turn))).is_ok() {
                turn += 1;
            }
        }
    }
}

impl Drop for Lead {
    /// A call that was cut off must not leave a group behind that waits for it.
    fn drop(&mut self) {
        if !self.finished {
            self.batches.waiting.lock().remove(&self.group);
        }
    }
}

/// How the request ended that was served after `turn` others of the same call.
fn charged(charges: &[Charge], granted: &Granted, turn: u64) -> Charged {
    let standing = |(charge, (room, spent)): (&Charge, &(u64, u64))| {
        let taken = granted.requests.min(*room);
        // Those that come after it in the same call had not been counted when it was.
        let later = taken.saturating_sub(turn + 1) * charge.measure.unit();
        Standing { exceeded: turn >= *room, spent: spent.saturating_sub(later) }
    };
    Charged {
        granted: turn < granted.requests,
        standings: charges.iter().zip(&granted.limits).map(standing).collect(),
    }
}
