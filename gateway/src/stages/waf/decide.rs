//! One request under the rules.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Version, header};
use waf_rules::{Action, Exceeded, Interruption, Match, Outcome, Transaction, Verdict};

use super::plan::Plan;
use crate::base::bounds;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding, Mode};
use crate::base::event::{Inspected, RuleMatch, WafFacts};
use crate::base::request::Request;

/// A request that the rules are looking at.
#[derive(Debug)]
pub struct Inspection {
    plan: Arc<Plan>,
    transaction: Transaction,
    inspected: Inspected,
    /// The body is larger than what is inspected.
    cut: bool,
    /// A verdict that objects ends the evaluation: later phases would only repeat it.
    ended: bool,
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
    /// Shows the head to the rules.
    pub fn head(plan: &Arc<Plan>, request: &Request<'_>) -> (Inspection, Decision<()>) {
        let mut transaction = Transaction::new(plan.profile.clone());
        let client = request.client;
        transaction.connection(client.ip, client.peer.port(), IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        request_line(&mut transaction, request);
        fields(&mut transaction, request);
        let verdict = transaction.head();
        let mut inspection = Inspection {
            plan: plan.clone(),
            transaction,
            inspected: Inspected::Whole,
            cut: false,
            ended: false,
        };
        let decision =
            inspection.judge(verdict).and_then(|()| inspection.readable(request.headers));
        (inspection, decision)
    }

    /// What the rules want of the body; `None`: nothing.
    pub fn appetite(&self) -> Option<Appetite> {
        let wanted = !self.ended && self.plan.inspect > 0 && self.transaction.wants_body();
        wanted.then_some(Appetite {
            bytes: self.plan.inspect,
            // What is only watched is never refused: the beginning of a larger body is inspected.
            reject: self.plan.reject && self.plan.mode == Mode::Enforce,
            timeout: self.plan.timeout,
        })
    }

    /// The inspected part of the body. `complete`: there is no more.
    pub fn feed(&mut self, bytes: &[u8], complete: bool) {
        let kept = bytes.len().min(self.plan.inspect);
        self.cut |= kept < bytes.len() || !complete;
        if self.transaction.body_chunk(&bytes[..kept]).is_err() || self.cut {
            self.inspected = Inspected::Partial;
        }
    }

    /// The request is complete as far as it is inspected: the rules decide.
    pub fn body(&mut self) -> Decision<()> {
        if self.ended {
            return Ok(());
        }
        let verdict = self.transaction.body();
        self.judge(verdict)?;
        // Whoever reads the body may have refused it already; what was not seen never passes as seen.
        if self.plan.reject && self.cut {
            return Err(too_large(self.plan.inspect));
        }
        Ok(())
    }

    /// What matched so far.
    pub fn matches(&self) -> Vec<RuleMatch> {
        self.transaction.matches().iter().map(rule_match).collect()
    }

    pub fn mode(&self) -> Mode {
        self.plan.mode
    }

    /// A body follows that the rules will not see.
    pub fn skip_body(&mut self) {
        self.inspected = Inspected::Head;
    }

    /// The end: rules of the logging phase run, the rest is for the event.
    pub fn into_facts(mut self) -> WafFacts {
        self.transaction.finish();
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
            matches: self.transaction.matches().iter().map(rule_match).collect(),
        }
    }

    /// A coding hides the body from the rules: it would be an open door beside the guarded one.
    fn readable(&self, headers: &HeaderMap) -> Decision<()> {
        let coded = headers
            .get_all(header::CONTENT_ENCODING)
            .iter()
            .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
        if self.plan.inspect > 0 && coded {
            return Err(Finding::new(
                Code::WafBodyUnreadable,
                "Content-Encoding of an inspected body",
            )
            .detail("this route takes request bodies without Content-Encoding only"));
        }
        Ok(())
    }

    fn judge(&mut self, verdict: Verdict) -> Decision<()> {
        let interruption = match (verdict, self.transaction.detected()) {
            (Verdict::Deny(interruption), _) => interruption,
            (Verdict::Pass, Some(detected)) => detected.clone(),
            (Verdict::Pass, None) => return Ok(()),
        };
        self.ended = true;
        Err(self.finding(&interruption))
    }

    fn finding(&self, interruption: &Interruption) -> Box<Finding> {
        let score = self.transaction.score();
        let code = match interruption.action {
            Action::Bound(Exceeded::RequestBody) => Code::WafBodyTooLarge,
            Action::Bound(_) => Code::WafBudget,
            _ => Code::WafBlocked,
        };
        let mut rules: Vec<String> =
            self.transaction.matches().iter().map(|found| found.rule_id.to_string()).collect();
        rules.dedup();
        let mut evidence = format!(
            "score {} of {}, decided by rule {}, matched {}",
            score.inbound,
            score.inbound_threshold,
            interruption.rule_id,
            rules.join(" ")
        );
        if let Action::Bound(bound) = &interruption.action {
            evidence = format!("bound `{}` exceeded; {evidence}", bound.as_str());
        }
        evidence.truncate(bounds::EVIDENCE_BYTES);
        Finding::new(code, evidence)
    }
}

/// A body beyond the bound, where the profile rejects it.
pub fn too_large(bound: usize) -> Box<Finding> {
    Finding::new(Code::WafBodyTooLarge, format!("request body larger than {bound} bytes"))
        .detail(format!("the request body is larger than {bound} bytes"))
}

/// The rules see the line that the client sent.
fn request_line(transaction: &mut Transaction, request: &Request<'_>) {
    let protocol: &[u8] = match request.version {
        Version::HTTP_10 => b"HTTP/1.0",
        Version::HTTP_2 => b"HTTP/2.0",
        _ => b"HTTP/1.1",
    };
    let method = request.method.as_str().as_bytes();
    if !request.raw_target.is_empty() {
        return transaction.request_line(method, request.raw_target, protocol);
    }
    match request.query() {
        None => transaction.request_line(method, request.path().as_bytes(), protocol),
        Some(query) => {
            let mut target = Vec::with_capacity(request.path().len() + 1 + query.len());
            target.extend_from_slice(request.path().as_bytes());
            target.push(b'?');
            target.extend_from_slice(query.as_bytes());
            transaction.request_line(method, &target, protocol);
        }
    }
}

fn fields(transaction: &mut Transaction, request: &Request<'_>) {
    for (name, value) in request.headers {
        transaction.header(name.as_str().as_bytes(), value.as_bytes());
    }
    // HTTP/2 names the host in a pseudo field; rules look for Host.
    if !request.headers.contains_key(header::HOST) && !request.host().is_empty() {
        transaction.header(b"Host", request.host().as_bytes());
    }
}

fn rule_match(found: &Match) -> RuleMatch {
    let class = found.tags.iter().find(|tag| tag.starts_with("attack-"));
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
