//! How limits answer: one finding for the limits that refuse, one for each that only watches, the facts for the event
//! and the fields for the client (draft-ietf-httpapi-ratelimit-headers).

use std::fmt::Write;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use serde_json::Value;
use smallvec::SmallVec;

use crate::base::code::Code;
use crate::base::decision::{Decision, Finding, Mode};
use crate::base::event::{LimitDecision, LimitFacts};
use crate::state::counters::Standing;
use crate::state::counters::measure::{Clock, Measure};

use super::plan::LimitPlan;

const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Problem types of the draft's registry.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
const REDUCED_CAPACITY: &str =
    "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";
/// Below one fifth an allowed answer says what is left.
const NEAR: u64 = 5;
/// `Retry-After` when the store is lost, seconds: it is probed at least that often.
const STORE_RETRY_S: u64 = 2;

/// What a set of limits says about a request.
#[derive(Debug, Default)]
pub struct Verdict {
    /// The request is refused.
    pub refusal: Option<Box<Finding>>,
    /// Objections of limits in mode `monitor`: recorded, never enforced.
    pub monitored: SmallVec<[Box<Finding>; 1]>,
    /// For the event: one per limit that was decided.
    pub facts: SmallVec<[LimitFacts; 2]>,
    /// Fields to append to the answer of an allowed request; empty unless a limit is nearly used up.
    pub fields: Vec<(HeaderName, HeaderValue)>,
}

/// How one limit was decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answer<'a> {
    limit: &'a Arc<LimitPlan>,
    decision: LimitDecision,
    /// Nothing was counted for limits that are open or closed.
    count: Option<(Measure, Standing)>,
    /// Requests that may still pass.
    remaining: u64,
}

impl Verdict {
    /// The stage's decision; the facts go to the event.
    pub fn decision(self) -> Decision<()> {
        self.refusal.map_or(Ok(()), Err)
    }

    pub(super) fn of(answers: &[Answer<'_>], clock: Clock) -> Verdict {
        let facts = answers.iter().map(Answer::facts).collect();
        let monitored = answers
            .iter()
            .filter(|answer| answer.objects() && !answer.binding())
            .map(|answer| refusal(&[*answer], clock))
            .collect();
        let objecting: SmallVec<[Answer<'_>; 2]> =
            answers.iter().filter(|answer| answer.objects() && answer.binding()).copied().collect();
        if objecting.is_empty() {
            let near = answers.iter().any(Answer::is_near);
            let fields = if near { fields(answers, clock) } else { Vec::new() };
            return Verdict { refusal: None, monitored, facts, fields };
        }
        let mut finding = refusal(&objecting, clock);
        finding.headers.extend(fields(answers, clock));
        Verdict { refusal: Some(finding), monitored, facts, fields: Vec::new() }
    }
}

impl<'a> Answer<'a> {
    pub(super) fn counted(limit: &'a Arc<LimitPlan>, measure: Measure, standing: Standing) -> Self {
        let decision =
            if standing.exceeded { LimitDecision::Exceeded } else { LimitDecision::Allowed };
        Answer::new(limit, decision, measure, standing)
    }

    /// Decided by this process's share.
    pub(super) fn share(limit: &'a Arc<LimitPlan>, measure: Measure, standing: Standing) -> Self {
        Answer::new(limit, LimitDecision::Fallback, measure, standing)
    }

    pub(super) fn open(limit: &'a Arc<LimitPlan>) -> Self {
        Answer { limit, decision: LimitDecision::Open, count: None, remaining: 0 }
    }

    pub(super) fn closed(limit: &'a Arc<LimitPlan>) -> Self {
        Answer { limit, decision: LimitDecision::Closed, count: None, remaining: 0 }
    }

    fn new(
        limit: &'a Arc<LimitPlan>,
        decision: LimitDecision,
        measure: Measure,
        standing: Standing,
    ) -> Self {
        let remaining = measure.available(standing.spent);
        Answer { limit, decision, count: Some((measure, standing)), remaining }
    }

    fn facts(&self) -> LimitFacts {
        LimitFacts {
            name: Arc::clone(&self.limit.name),
            decision: self.decision,
            remaining: self.remaining,
        }
    }

    fn objects(&self) -> bool {
        self.decision == LimitDecision::Closed
            || self.count.is_some_and(|(_, standing)| standing.exceeded)
    }

    fn binding(&self) -> bool {
        self.limit.mode == Mode::Enforce
    }

    /// Whole seconds until one more request may pass than now.
    fn wait_s(&self, clock: Clock) -> u64 {
        self.count.map_or(0, |(measure, standing)| {
            measure.wait_us(standing.spent, clock).div_ceil(1_000_000)
        })
    }

    /// Clients are not told about limits that only watch.
    fn is_near(&self) -> bool {
        let near = |measure: Measure| self.remaining.saturating_mul(NEAR) < measure.size();
        self.binding() && self.count.is_some_and(|(measure, _)| near(measure))
    }
}

/// One finding for all answers, which must object. The store's loss counts only when nothing is exceeded: a client
/// that has used up its share must not read that the fault is ours.
fn refusal(answers: &[Answer<'_>], clock: Clock) -> Box<Finding> {
    let exceeded: SmallVec<[Answer<'_>; 2]> =
        answers.iter().filter(|answer| answer.count.is_some()).copied().collect();
    if exceeded.is_empty() {
        return store_lost(answers);
    }
    // The longest wait: before it, another try can only fail.
    let wait_s = exceeded.iter().map(|answer| answer.wait_s(clock)).max().unwrap_or(1).max(1);
    let mut evidence = String::new();
    for answer in &exceeded {
        let LimitPlan { name, text, key, .. } = &**answer.limit;
        let _ = write!(evidence, "limit `{name}` ({text}) by {key} used up, ");
    }
    let _ = write!(evidence, "next in {wait_s}s");
    Finding::new(Code::RatelimitExceeded, evidence)
        .header(header::RETRY_AFTER, HeaderValue::from(wait_s))
        .member("type", Value::from(QUOTA_EXCEEDED))
        .member("violated-policies", names(&exceeded))
}

fn store_lost(answers: &[Answer<'_>]) -> Box<Finding> {
    let names = names(answers);
    Finding::new(Code::RatelimitStoreLost, format!("store lost, limits {names} are closed"))
        .header(header::RETRY_AFTER, HeaderValue::from(STORE_RETRY_S))
        .member("type", Value::from(REDUCED_CAPACITY))
}

fn names(answers: &[Answer<'_>]) -> Value {
    answers.iter().map(|answer| Value::from(&*answer.limit.name)).collect()
}

/// `RateLimit` and `RateLimit-Policy` of the limits that bind.
fn fields(answers: &[Answer<'_>], clock: Clock) -> Vec<(HeaderName, HeaderValue)> {
    let (mut limits, mut policies) = (String::new(), String::new());
    for answer in answers.iter().filter(|answer| answer.binding() && answer.count.is_some()) {
        let separator = if limits.is_empty() { "" } else { ", " };
        let (name, remaining) = (&answer.limit.name, answer.remaining);
        let _ = write!(limits, "{separator}\"{name}\";r={remaining};t={}", answer.wait_s(clock));
        let _ = write!(policies, "{separator}{}", answer.limit.policy);
    }
    [(RATELIMIT, limits), (RATELIMIT_POLICY, policies)]
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .filter_map(|(name, text)| HeaderValue::try_from(text).ok().map(|value| (name, value)))
        .collect()
}
