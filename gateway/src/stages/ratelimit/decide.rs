//! Plan + request -> verdict. Limits of this process are decided at once; for shared ones the caller may have to wait
//! for the store, with [`Ticket::settle`], never longer than its deadline.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::base::clock::Now;
use crate::base::decision::Mode;
use crate::state::counters::measure::Clock;
use crate::state::counters::store::Store;
use crate::state::counters::{Charge, Charged, Counters, Standing};

use super::key::Inputs;
use super::plan::LimitPlan;
use super::section::{LimitScope, OnStoreLoss};
use super::verdict::{Answer, Verdict};

/// The limits that are decided together: all or none counts a request.
#[derive(Debug)]
pub struct LimitSet {
    /// Those of this process.
    local: Box<[Arc<LimitPlan>]>,
    /// Those over the store.
    shared: Box<[Arc<LimitPlan>]>,
    counters: Arc<Counters>,
    /// Tells the sets of all generations apart where their calls to the store are put together.
    number: u64,
}

/// Whether the store has to be asked.
#[derive(Debug)]
pub enum Checked<'a> {
    Done(Verdict),
    /// Boxed: most requests never make one.
    Wait(Box<Ticket<'a>>),
}

/// A request that waits for the store.
#[derive(Debug)]
#[must_use = "a request is admitted only by `settle`"]
pub struct Ticket<'a> {
    set: &'a LimitSet,
    store: Arc<Store>,
    local: Counted,
    shared: Charges,
    clock: Clock,
}

type Charges = SmallVec<[Charge; 2]>;

/// Charges of this process that were counted, to be taken back if the request is refused after all.
#[derive(Debug, Default)]
struct Counted {
    charges: Charges,
    charged: Option<Charged>,
}

impl LimitSet {
    pub(super) fn new(limits: Vec<Arc<LimitPlan>>, counters: Arc<Counters>) -> LimitSet {
        let (shared, local): (Vec<_>, Vec<_>) =
            limits.into_iter().partition(|limit| limit.scope == LimitScope::Shared);
        let number = counters.next_set();
        LimitSet { local: local.into(), shared: shared.into(), counters, number }
    }

    pub fn is_empty(&self) -> bool {
        self.local.is_empty() && self.shared.is_empty()
    }

    /// Its limits, those of this process first.
    pub fn limits(&self) -> impl Iterator<Item = &Arc<LimitPlan>> {
        self.local.iter().chain(&self.shared)
    }

    /// Counts the request, or finds out that it has to wait for the store.
    pub fn check(&self, inputs: &Inputs<'_>, now: Now) -> Checked<'_> {
        if self.is_empty() {
            return Checked::Done(Verdict::default());
        }
        let clock = self.counters.clock(now);
        if self.shared.is_empty() {
            let charged = self.counters.local().charge(&charges(&self.local, inputs), clock);
            return Checked::Done(self.verdict(Some(&charged), &[], clock));
        }
        let local = self.charge_local(inputs, clock);
        if !local.granted() {
            return Checked::Done(self.verdict(local.charged.as_ref(), &[], clock));
        }
        let shared = charges(&self.shared, inputs);
        let Some(store) = self.counters.live_store() else {
            return Checked::Done(self.settle_without(local, &shared, clock));
        };
        if let Some(known) = store.known_exceeded(&shared, clock) {
            return Checked::Done(self.settle_known(local, &shared, &known, clock));
        }
        Checked::Wait(Box::new(Ticket { set: self, store, local, shared, clock }))
    }

    fn charge_local(&self, inputs: &Inputs<'_>, clock: Clock) -> Counted {
        if self.local.is_empty() {
            return Counted::default();
        }
        let charges = charges(&self.local, inputs);
        let charged = self.counters.local().charge(&charges, clock);
        Counted { charges, charged: Some(charged) }
    }

    /// The store answered.
    fn settle_with(&self, local: Counted, charged: &Charged, clock: Clock) -> Verdict {
        let answers: SmallVec<[Answer<'_>; 2]> = self
            .shared
            .iter()
            .zip(&charged.standings)
            .map(|(limit, standing)| Answer::counted(limit, limit.measure, *standing))
            .collect();
        self.conclude(local, charged.granted, &answers, clock)
    }

    /// What the store said last already refuses the request. The other limits are unknown and not reported.
    fn settle_known(
        &self,
        local: Counted,
        charges: &[Charge],
        known: &[Option<Standing>],
        clock: Clock,
    ) -> Verdict {
        let answers: SmallVec<[Answer<'_>; 2]> = self
            .shared
            .iter()
            .zip(charges)
            .zip(known)
            .filter_map(|((limit, charge), standing)| {
                standing.map(|standing| Answer::counted(limit, charge.measure, standing))
            })
            .collect();
        self.conclude(local, false, &answers, clock)
    }

    /// The store is lost: each limit says what happens.
    fn settle_without(&self, local: Counted, charges: &[Charge], clock: Clock) -> Verdict {
        let share_of = |limit: &Arc<LimitPlan>| limit.on_store_loss == OnStoreLoss::Local;
        let counted: Charges = self
            .shared
            .iter()
            .zip(charges)
            .filter(|(limit, _)| share_of(limit))
            .map(|(_, charge)| *charge)
            .collect();
        let refused = self
            .shared
            .iter()
            .any(|limit| limit.on_store_loss == OnStoreLoss::Closed && limit.mode == Mode::Enforce);
        let share = self.counters.charge_share(&counted, refused, clock);
        let mut shares = share.measures.iter().zip(&share.charged.standings);
        let answers: SmallVec<[Answer<'_>; 2]> = self
            .shared
            .iter()
            .filter_map(|limit| match limit.on_store_loss {
                OnStoreLoss::Open => Some(Answer::open(limit)),
                OnStoreLoss::Closed => Some(Answer::closed(limit)),
                OnStoreLoss::Local => shares
                    .next()
                    .map(|(measure, standing)| Answer::share(limit, *measure, *standing)),
            })
            .collect();
        self.conclude(local, share.charged.granted && !refused, &answers, clock)
    }

    fn conclude(
        &self,
        local: Counted,
        granted: bool,
        shared: &[Answer<'_>],
        clock: Clock,
    ) -> Verdict {
        if !granted && let Some(charged) = &local.charged {
            self.counters.local().refund(&local.charges, charged, clock);
        }
        self.verdict(local.charged.as_ref(), shared, clock)
    }

    fn verdict(&self, local: Option<&Charged>, shared: &[Answer<'_>], clock: Clock) -> Verdict {
        let mut answers: SmallVec<[Answer<'_>; 2]> = SmallVec::new();
        for (limit, standing) in self.local.iter().zip(local.map_or(&[][..], |all| &all.standings))
        {
            answers.push(Answer::counted(limit, limit.measure, *standing));
        }
        answers.extend_from_slice(shared);
        Verdict::of(&answers, clock)
    }
}

impl Ticket<'_> {
    /// Waits for the store, at most for its deadline; without an answer the limits' `on_store_loss` decides.
    pub async fn settle(self: Box<Self>) -> Verdict {
        let Ticket { set, store, local, shared, clock } = *self;
        match store.charge(set.number, &shared, clock).await {
            Ok(charged) => set.settle_with(local, &charged, clock),
            Err(_lost) => set.settle_without(local, &shared, clock),
        }
    }
}

impl Counted {
    fn granted(&self) -> bool {
        self.charged.as_ref().is_none_or(|charged| charged.granted)
    }
}

fn charges(limits: &[Arc<LimitPlan>], inputs: &Inputs<'_>) -> Charges {
    limits
        .iter()
        .map(|limit| Charge {
            subject: limit.key.subject(&limit.subject_key, inputs),
            limit: limit.limit_subject,
            measure: limit.measure,
            binding: limit.mode == Mode::Enforce,
        })
        .collect()
}
