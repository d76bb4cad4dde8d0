//! Counters that gateways share, in one Redis or Valkey server.
//!
//! All limits of a request are one atomic call of `script.lua`, on the server's clock. Requests for the same subjects
//! that arrive while a call is under way wait for the next one, which asks for all of them: a hot subject costs one call
//! per round trip, whatever its load, and still not one request too many is admitted. What the store says is kept as a
//! mirror; it refuses further requests of an exhausted subject without a call, seeds this process's shares while the
//! store is lost, and gives a store that lost its memory back what it knew.
//!
//! | file | what it is |
//! |---|---|
//! | [`target`] | where the store is |
//! | [`script`] | the call and its reply |
//! | [`link`] | the connection: made, watched and dropped in the background |
//! | [`breaker`] | when it is dropped |
//! | [`batch`] | requests for the same subjects, put together |
//! | [`status`] | figures for metrics and operators |

mod batch;
mod breaker;
mod link;
mod script;
mod status;
mod target;

#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Instant;

use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::measure::Clock;
use super::table::{Charge, Charged, Standing, Table};

use batch::Batches;
use link::Link;
pub use status::{LATENCY_BOUNDS_US, Status};
pub use target::StoreTarget;

/// Rows of the mirror: subjects whose shared state this process remembers.
const MIRROR_ROWS: usize = 1 << 16;
/// Longest time for which the mirror refuses on its own: an operator who resets a key in the store is heard within it.
const MIRROR_FRESH_US: u64 = 1_000_000;

/// The store did not answer in time, or cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rate limit store lost")]
pub struct Lost;

/// See the module. Dropping it ends its connection and its tasks.
#[derive(Debug)]
pub struct Store {
    link: Arc<Link>,
    batches: Arc<Batches>,
    mirror: Arc<Table>,
    keeper: AbortHandle,
    runtime: Handle,
}

impl Store {
    /// Begins to connect, on `runtime`.
    pub(super) fn start(target: StoreTarget, origin: Instant, runtime: &Handle) -> Store {
        let link = Arc::new(Link::new(target, origin));
        let keeper = runtime.spawn(Arc::clone(&link).keep()).abort_handle();
        Store {
            link,
            batches: Arc::new(Batches::default()),
            mirror: Arc::new(Table::new(MIRROR_ROWS)),
            keeper,
            runtime: runtime.clone(),
        }
    }

    /// Whether the connection is the one that the target asks for.
    pub(super) fn serves(&self, target: &StoreTarget) -> bool {
        self.link.serves(target)
    }

    /// Takes over what may change without a new connection.
    pub(super) fn adjust(&self, target: &StoreTarget) {
        self.link.adjust(target);
    }

    /// Whether it can be asked. While it cannot, nobody waits for it.
    pub fn is_live(&self) -> bool {
        self.link.is_live()
    }

    pub(super) fn gateways(&self) -> u64 {
        self.link.gateways()
    }

    pub(super) fn status(&self, shares: u64) -> Status {
        self.link.status(shares)
    }

    /// Standings of binding charges that the store refused lately and must still refuse; `None` when it has to be asked.
    ///
    /// The mirror counts from the moment a call was sent, which is before the server counted it: a subject has spent at
    /// least what the mirror says, so nobody is refused whom the store would admit.
    pub fn known_exceeded(
        &self,
        charges: &[Charge],
        clock: Clock,
    ) -> Option<SmallVec<[Option<Standing>; 2]>> {
        let mut any = false;
        let known = charges
            .iter()
            .map(|charge| {
                let found = self.mirror.find(charge.subject)?;
                let fresh = clock.steady_us.saturating_sub(found.written_at_us) < MIRROR_FRESH_US;
                let spent = charge.measure.spent(found.cell, clock);
                let exceeded = fresh && charge.measure.available(spent) == 0;
                any |= exceeded && charge.binding;
                exceeded.then_some(Standing { exceeded, spent })
            })
            .collect();
        any.then_some(known)
    }

    /// What a subject had spent at least when it was last seen, less what time has paid back since.
    pub(super) fn last_seen(&self, charge: &Charge, clock: Clock) -> u64 {
        last_seen(&self.mirror, charge, clock)
    }

    /// Adds to the mirror what was admitted while the store is lost, so that it learns of it when it is back.
    pub(super) fn note_admitted(&self, charges: &[Charge], charged: &Charged, clock: Clock) {
        for (charge, standing) in charges.iter().zip(&charged.standings) {
            if charged.granted && !standing.exceeded {
                let spent = self.last_seen(charge, clock) + charge.measure.unit();
                self.mirror.note(
                    charge.subject,
                    &charge.measure,
                    spent.min(charge.measure.cap()),
                    clock,
                );
            }
        }
    }

    /// Counts one request against all charges or none; waits at most for the deadline.
    pub async fn charge(
        &self,
        set: u64,
        charges: &[Charge],
        clock: Clock,
    ) -> Result<Charged, Lost> {
        let deadline = self.link.deadline();
        let answer = self.join(set, charges, clock)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            // Dropped without an answer: the task ended with the store.
            Ok(Err(_)) | Err(_) => Err(Lost),
        }
    }

    fn join(&self, set: u64, charges: &[Charge], clock: Clock) -> Result<batch::Answer, Lost> {
        let group = batch::Group::new(set, charges);
        match self.batches.join(&group)? {
            batch::Joined::Waits(answer) => Ok(answer),
            batch::Joined::Leads(first, answer) => {
                let lead = batch::Lead {
                    link: Arc::clone(&self.link),
                    batches: Arc::clone(&self.batches),
                    mirror: Arc::clone(&self.mirror),
                    group,
                    charges: charges.into(),
                    unix_us: clock.unix_us,
                    finished: false,
                };
                // A task of its own: the others must not depend on the first one's client staying.
                self.runtime.spawn(lead.run(first));
                Ok(answer)
            }
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.keeper.abort();
        self.link.close();
    }
}

fn last_seen(mirror: &Table, charge: &Charge, clock: Clock) -> u64 {
    mirror.find(charge.subject).map_or(0, |found| charge.measure.spent(found.cell, clock))
}
