//! One request under the rules.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode, Version, header};
use waf_rules::{Action, EngineMode, Exceeded, Interruption, Match, Outcome, Transaction, Verdict};

use super::answer_coding::AnswerCoding;
use super::coding::{Coding, decode};
use super::plan::Plan;
use super::show;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Answer, Decision, Finding, Mode};
use crate::base::event::{Inspected, RequestFacts, RequestId, RuleMatch, WafFacts};
use crate::base::identity::Identity;
use crate::base::net::Client;
use crate::base::raw::RawHead;
use crate::base::request::Request;
use crate::state::dnsbl::asker::Listings;

/// A request that the rules are looking at.
#[derive(Debug)]
pub struct Inspection {
    pub(super) plan: Arc<Plan>,
    pub(super) transaction: Transaction,
    /// What the client speaks.
    pub(super) version: Version,
    inspected: Inspected,
    /// The body is larger than what is inspected.
    cut: bool,
    /// What the last decision counts.
    pub(super) weight: Mode,
    /// A rule decided: the evaluation is over, whether or not it counts.
    pub(super) ended: bool,
    /// What rules would have decided is told once of a request, and once of its answer: later phases mostly repeat it.
    detected: bool,
    pub(super) answer_told: bool,
    /// The rules of the logging phase have run.
    closed: bool,
    /// So many matches were given to a log.
    logged: usize,
    /// How the body is coded.
    coding: Coding,
    /// Its coding is not what the head says.
    broken: Option<Box<Finding>>,
    /// The rules have a limit of their own for it, which it passes.
    refused_at: Option<usize>,
    /// What was seen of the answer, once there is one.
    pub(super) answer: Option<Inspected>,
    /// Bytes of its body that were inspected.
    pub(super) answer_bytes: usize,
    /// How its body is coded, and what of that could not be read.
    pub(super) answer_coding: AnswerCoding,
    pub(super) answer_unreadable: Option<String>,
    /// The rules' own limit that it passes.
    pub(super) answer_refused_at: Option<usize>,
}

pub use super::show::Sent;

/// Who called whom, under which id, when.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub client: Client,
    /// The address that the client connected to.
    pub server: SocketAddr,
    pub request_id: RequestId,
    pub now: Now,
}

/// How much of a body the rules want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appetite {
    pub bytes: usize,
    /// A larger body is refused.
    pub reject: bool,
    pub timeout: Duration,
}

impl Inspection {
    /// Shows the head to the rules, as it was sent, who was verified to have sent it, and which of their lists have the client.
    pub fn head(
        plan: &Arc<Plan>,
        request: &Request<'_>,
        sent: &Sent<'_>,
        identity: Option<&Identity>,
        listings: &Listings,
        call: &Call,
    ) -> (Inspection, Decision<()>) {
        let mut inspection = Inspection::begin(plan, call);
        inspection.version = request.version;
        if let Some(lists) = &plan.lists {
            show::listings(&mut inspection.transaction, lists, listings);
        }
        if let Some(identity) = identity {
            show::identity(&mut inspection.transaction, identity);
        }
        show::request(&mut inspection.transaction, request, sent);
        let verdict = inspection.transaction.head();
        let mut decision = inspection.judge(verdict);
        if inspection.appetite().is_some() {
            let (coding, readable) = Coding::of(request.headers, plan.inspect);
            inspection.coding = coding;
            decision = inspection.and_unseen(decision, readable);
        }
        (inspection, decision)
    }

    /// Shows a head to the rules that was refused at the door. Nothing depends on them any more: what they find is
    /// recorded.
    pub fn refused(plan: &Arc<Plan>, raw: RawHead<'_>, call: &Call) -> Inspection {
        let mut inspection = Inspection::begin(plan, call);
        show::raw(&mut inspection.transaction, raw);
        inspection.watched()
    }

    fn watched(mut self) -> Inspection {
        self.inspected = Inspected::Head;
        self.ended = true;
        if self.transaction.head() == Verdict::Pass {
            self.transaction.body();
        }
        self
    }

    /// The same for a head that was parsed but has no canonical reading.
    pub fn watch(
        plan: &Arc<Plan>,
        request: &Request<'_>,
        sent: &Sent<'_>,
        call: &Call,
    ) -> Inspection {
        let mut inspection = Inspection::begin(plan, call);
        show::request(&mut inspection.transaction, request, sent);
        inspection.watched()
    }

    fn begin(plan: &Arc<Plan>, call: &Call) -> Inspection {
        let mut transaction = Transaction::new(plan.profile.clone());
        show::call(&mut transaction, call);
        Inspection {
            plan: plan.clone(),
            transaction,
            version: Version::HTTP_11,
            inspected: Inspected::Whole,
            cut: false,
            weight: plan.mode,
            ended: false,
            detected: false,
            answer_told: false,
            closed: false,
            logged: 0,
            coding: Coding::Plain,
            broken: None,
            refused_at: None,
            answer: None,
            answer_bytes: 0,
            answer_coding: AnswerCoding::Plain,
            answer_unreadable: None,
            answer_refused_at: None,
        }
    }

    /// What the rules want of the body; `None`: nothing.
    pub fn appetite(&self) -> Option<Appetite> {
        let wanted = !self.ended && self.plan.inspect > 0 && self.transaction.wants_body();
        wanted.then_some(Appetite {
            bytes: self.plan.inspect,
            // What is only watched is never refused: the beginning of a larger body is inspected.
            reject: self.plan.reject && self.counts() == Mode::Enforce,
            timeout: self.plan.timeout,
        })
    }

    /// The inspected part of the body. `complete`: there is no more.
    pub fn feed(&mut self, bytes: &[u8], complete: bool) {
        match std::mem::take(&mut self.coding) {
            Coding::Plain => self.show(bytes, complete),
            Coding::Coded(mut decoder) => {
                let decoded = decode(&mut decoder, bytes, complete);
                self.show(&decoded.bytes, !decoded.cut);
                self.broken = decoded.broken;
            }
            Coding::Opaque => self.inspected = Inspected::Head,
        }
    }

    fn show(&mut self, bytes: &[u8], complete: bool) {
        let kept = bytes.len().min(self.plan.inspect);
        self.cut |= kept < bytes.len() || !complete;
        let fed = self.transaction.body_chunk(&bytes[..kept]);
        self.refused_at = fed.err().map(|over| over.bound);
        if self.cut {
            self.transaction.body_cut();
        }
        if self.cut || self.refused_at.is_some() {
            self.inspected = Inspected::Partial;
        }
    }

    /// The request is complete as far as it is inspected: the rules decide.
    pub fn body(&mut self, now: Now) -> Decision<()> {
        if self.ended {
            return Ok(());
        }
        self.tell_time(now);
        let verdict = self.transaction.body();
        let decision = self.judge(verdict);
        let unseen = self.unseen();
        self.and_unseen(decision, unseen)
    }

    /// Objects to what the rules could not see. Whoever reads the body may have done so already; what was not seen never
    /// passes as seen.
    fn unseen(&mut self) -> Decision<()> {
        let over = (self.plan.reject && self.cut).then_some(self.plan.inspect);
        match (self.broken.take(), self.refused_at.or(over)) {
            (Some(broken), _) => Err(broken),
            (None, Some(bound)) => Err(too_large(bound)),
            (None, None) => Ok(()),
        }
    }

    /// A rule's decision stands above what could not be seen, but for one that only would have been.
    fn and_unseen(&mut self, decision: Decision<()>, unseen: Decision<()>) -> Decision<()> {
        let counts = self.counts();
        if self.ended || decision.is_err() && (unseen.is_ok() || counts != Mode::Enforce) {
            return decision;
        }
        self.weight = counts;
        unseen
    }

    /// What matched so far.
    pub fn matches(&self) -> Vec<RuleMatch> {
        self.transaction.matches().iter().map(rule_match).collect()
    }

    /// What the last decision counts.
    pub fn mode(&self) -> Mode {
        self.weight
    }

    /// A body follows that the rules will not see.
    pub fn skip_body(&mut self) {
        self.inspected = Inspected::Head;
    }

    /// The end, as far as rules are asked: those of the logging phase run, once, and see the status that the client gets; 0:
    /// it gets none.
    pub fn close(&mut self, now: Now, status: u16) {
        if !std::mem::replace(&mut self.closed, true) {
            self.tell_time(now);
            if status > 0 {
                self.transaction.response_line(status, show::protocol(self.version));
            }
            self.transaction.finish();
        }
    }

    /// Matches that no log has got.
    pub fn unlogged(&mut self) -> &[Match] {
        let matches = self.transaction.matches();
        let from = std::mem::replace(&mut self.logged, matches.len());
        &matches[from..]
    }

    /// The rules want a record of this request.
    pub fn wants_audit(&self) -> bool {
        self.transaction.wants_audit()
    }

    /// The rules want none, whatever happens (`SecAuditEngine Off`).
    pub fn forbids_audit(&self) -> bool {
        self.transaction.forbids_audit()
    }

    /// The rules want this part in the record, by ModSecurity's letter.
    pub fn wants_audit_part(&self, letter: char) -> bool {
        self.transaction.audit_parts().contains(letter)
    }

    /// Matches for the audit log: those of rules that keep out of it are not among them.
    pub fn audited(&self) -> Vec<Match> {
        self.transaction.matches().iter().filter(|found| found.audit).cloned().collect()
    }

    /// The rules asked that no record shows the value of this target, e.g. `REQUEST_HEADERS:x-pin` (`sanitise...`).
    pub fn masks(&self, target: &str) -> bool {
        self.transaction.is_sanitised(target)
    }

    /// A text for a record, without what the rules asked to mask; `None`: it is as it is.
    pub fn masked(&self, text: &str) -> Option<String> {
        self.transaction.sanitised(text)
    }

    /// The same of a query, by the names of its arguments too.
    pub fn masked_query(&self, query: &str) -> Option<String> {
        self.transaction.sanitised_query(query)
    }

    /// Takes from what the event says of the request what the rules asked to mask.
    pub fn mask(&self, request: &mut RequestFacts) {
        if !self.transaction.has_sanitised() {
            return;
        }
        if let Some(path) = self.transaction.sanitised(&request.path) {
            request.path = path;
        }
        let query = request.query.as_deref();
        if let Some(query) = query.and_then(|query| self.transaction.sanitised_query(query)) {
            request.query = Some(query);
        }
        let agent = request.user_agent.as_deref();
        if let Some(agent) = agent.and_then(|agent| self.transaction.sanitised(agent)) {
            request.user_agent = Some(agent.into());
        }
    }

    /// Version of the rules.
    pub fn ruleset(&self) -> String {
        self.plan.profile.ruleset().version().to_owned()
    }

    /// Names of rule sets in them.
    pub fn components(&self) -> Vec<String> {
        self.plan.profile.ruleset().components().to_vec()
    }

    /// What the rules call this gateway.
    pub fn sensor_id(&self) -> String {
        self.plan.profile.ruleset().sensor_id().to_owned()
    }

    /// What the event says.
    pub fn into_facts(mut self, now: Now, status: u16) -> WafFacts {
        self.close(now, status);
        let score = self.transaction.score();
        let inspected = match self.transaction.outcome() {
            Outcome::Inspected => self.inspected,
            Outcome::Partial(_) | Outcome::Refused(_) => Inspected::Partial,
        };
        WafFacts {
            profile: self.plan.name.clone(),
            mode: self.plan.mode,
            score: count(score.inbound),
            threshold: count(score.inbound_threshold),
            inspected,
            response: self.answer,
            matches: self.transaction.matches().iter().map(rule_match).collect(),
        }
    }

    /// Rules of the phases to come see how long it took until now.
    pub(super) fn tell_time(&mut self, now: Now) {
        show::time(&mut self.transaction, now);
    }

    /// What an objection counts at this moment: rules may only detect (`ctl:ruleEngine`), whatever the profile's mode.
    pub(super) fn counts(&self) -> Mode {
        match self.transaction.engine() {
            EngineMode::On => self.plan.mode,
            EngineMode::DetectionOnly | EngineMode::Off => Mode::Monitor,
        }
    }

    fn judge(&mut self, verdict: Verdict) -> Decision<()> {
        let why = match verdict {
            Verdict::Deny(why) => {
                (self.ended, self.weight) = (true, self.plan.mode);
                why
            }
            Verdict::Pass => {
                self.weight = Mode::Monitor;
                let told = self.detected;
                let Some(why) = self.transaction.take_detected().filter(|_| !told) else {
                    return Ok(());
                };
                self.detected = true;
                why
            }
        };
        Err(self.finding(&why))
    }

    fn finding(&self, interruption: &Interruption) -> Box<Finding> {
        let code = match interruption.action {
            Action::Bound(Exceeded::RequestBody) => Code::WafBodyTooLarge,
            Action::Bound(_) => Code::WafBudget,
            _ => Code::WafBlocked,
        };
        let score = self.transaction.score();
        let evidence = self.evidence(interruption, score.inbound, score.inbound_threshold);
        chosen(Finding::new(code, evidence), interruption)
    }

    pub(super) fn evidence(&self, why: &Interruption, score: i64, threshold: i64) -> String {
        let mut rules: Vec<String> =
            self.transaction.matches().iter().map(|found| found.rule_id.to_string()).collect();
        rules.dedup();
        let mut evidence = format!(
            "score {score} of {threshold}, decided by rule {}, matched {}",
            why.rule_id,
            rules.join(" ")
        );
        if let Action::Bound(bound) = &why.action {
            evidence = format!("bound `{}` exceeded; {evidence}", bound.as_str());
        }
        evidence.truncate(bounds::EVIDENCE_BYTES);
        evidence
    }
}

/// A body beyond the bound, where the profile rejects it.
pub fn too_large(bound: usize) -> Box<Finding> {
    Finding::new(Code::WafBodyTooLarge, format!("request body larger than {bound} bytes"))
        .detail(format!("the request body is larger than {bound} bytes"))
}

/// The answer that a rule chose: its status, the place it sends to, or none at all.
pub(super) fn chosen(finding: Box<Finding>, interruption: &Interruption) -> Box<Finding> {
    let status = StatusCode::from_u16(interruption.status);
    let answer = status.map_or(Answer::Usual, Answer::Status);
    match &interruption.action {
        Action::Bound(_) => finding,
        Action::Deny => finding.answer(answer),
        Action::Drop => finding.answer(Answer::None),
        // What macros made of it may be no value of a field: then the request is refused all the same.
        Action::Redirect(to) => match HeaderValue::try_from(to) {
            Ok(to) => finding.answer(answer).header(header::LOCATION, to),
            Err(_) => finding,
        },
    }
}

fn rule_match(found: &Match) -> RuleMatch {
    // As written: what macros make of a tag may be a client's word, and this becomes a label.
    let class = found.written_tags().iter().find(|tag| tag.starts_with("attack-"));
    RuleMatch {
        rule_id: found.rule_id,
        message: found.message.clone(),
        severity: found.severity.map_or("none", |severity| severity.as_str()),
        class: class.map_or_else(|| Arc::from("other"), |class| Arc::from(class.as_str())),
        target: found.target.clone(),
        matched: found.matched.escape_ascii().to_string(),
        score: count(found.score),
    }
}

fn count(score: i64) -> u32 {
    u32::try_from(score.max(0)).unwrap_or(u32::MAX)
}
