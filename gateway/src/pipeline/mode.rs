//! The one place where an objection counts or does not. Stages object; this decides.

use std::time::Instant;

use smallvec::SmallVec;

use crate::base::code::{Code, Stage};
use crate::base::decision::{Decision, Finding, Mode};
use crate::base::event::Timings;

/// The request is refused; the finding that decided it is in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

/// Findings and times of one exchange.
#[derive(Debug)]
pub struct Ledger {
    findings: SmallVec<[Box<Finding>; 1]>,
    timings: Timings,
    lap: Instant,
}

impl Ledger {
    pub(super) fn new(started: Instant) -> Ledger {
        Ledger { findings: SmallVec::new(), timings: Timings::default(), lap: started }
    }

    /// Weighs a decision. An objection that counts ends the request; one that is only monitored is recorded, and the
    /// stage yields nothing.
    pub fn weigh<T>(&mut self, mode: Mode, decision: Decision<T>) -> Result<Option<T>, Refused> {
        match decision {
            Ok(value) => Ok(Some(value)),
            Err(finding) if mode == Mode::Enforce => Err(self.refuse(finding)),
            Err(finding) => {
                self.findings.push(finding);
                Ok(None)
            }
        }
    }

    /// Weighs a decision of a stage that has no mode: without its value nothing can go on.
    pub fn demand<T>(&mut self, decision: Decision<T>) -> Result<T, Refused> {
        decision.map_err(|finding| self.refuse(finding))
    }

    /// Records an objection that counts. Later ones are consequences of the first and do not count.
    pub fn refuse(&mut self, mut finding: Box<Finding>) -> Refused {
        finding.enforced = self.decisive().is_none();
        self.findings.push(finding);
        Refused
    }

    /// Records an objection that does not count.
    pub fn note(&mut self, finding: Box<Finding>) {
        self.findings.push(finding);
    }

    /// The code that decided the answer.
    pub fn decisive(&self) -> Option<Code> {
        self.decisive_finding().map(|finding| finding.code)
    }

    /// The finding that decided the answer.
    pub fn decisive_finding(&self) -> Option<&Finding> {
        self.findings.iter().map(|finding| &**finding).find(|finding| finding.enforced)
    }

    /// All findings so far.
    pub fn findings(&self) -> &[Box<Finding>] {
        &self.findings
    }

    /// Ends a stage's time; says when.
    pub fn lap(&mut self, stage: Stage) -> Instant {
        let now = Instant::now();
        self.timings.add(stage, now - self.lap);
        self.lap = now;
        now
    }

    /// When the last stage ended.
    pub fn last_lap(&self) -> Instant {
        self.lap
    }

    pub(super) fn close(self) -> (SmallVec<[Box<Finding>; 1]>, Timings) {
        (self.findings, self.timings)
    }
}
