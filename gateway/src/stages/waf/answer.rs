//! The service's answer under the rules: phase 3 for its head, phase 4 for as much of its body as is inspected.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use waf_rules::{Action, Verdict};

use super::decide::Inspection;
use crate::base::code::Code;
use crate::base::decision::{Decision, Finding, Mode};
use crate::base::event::Inspected;

/// How much of an answer's body the rules want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerAppetite {
    /// The answer waits until the rules have decided. Otherwise it is only watched.
    pub hold: bool,
    /// How long it waits at most while more of it is awaited.
    pub time: Duration,
}

impl Inspection {
    /// The profile looks at answers: the service should give whole ones, without a coding.
    pub fn sees_answers(&self) -> bool {
        self.plan.response.is_some()
    }

    /// Shows an answer's head to the rules. Call it once, and only where [`sees_answers`](Self::sees_answers).
    pub fn answer_head(&mut self, status: StatusCode, fields: &HeaderMap) -> Decision<()> {
        self.answer = Some(Inspected::Head);
        self.transaction.response_line(status.as_u16(), b"HTTP/1.1");
        for (name, value) in fields {
            self.transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
        }
        let verdict = self.transaction.response_head();
        self.judge_answer(verdict)
    }

    /// What the rules want of the body; `None`: nothing, and [`answer_body`](Self::answer_body) may be asked at once.
    pub fn answer_appetite(&self, fields: &HeaderMap) -> Option<AnswerAppetite> {
        let plan = self.plan.response.as_ref()?;
        let wanted = self.transaction.wants_response_body() && !is_coded(fields);
        wanted.then_some(AnswerAppetite { hold: self.plan.mode == Mode::Enforce, time: plan.hold })
    }

    /// A piece of the body. True: the rules have as much as they want.
    pub fn answer_feed(&mut self, bytes: &[u8]) -> bool {
        let Some(plan) = self.plan.response else { return true };
        let room = plan.inspect - self.answer_bytes;
        let kept = bytes.len().min(room);
        self.answer_bytes += kept;
        // The engine's bound is the same: it takes what we give.
        let taken = self.transaction.response_body_chunk(&bytes[..kept]).is_ok();
        let cut = kept < bytes.len() || !taken;
        self.answer = Some(if cut { Inspected::Partial } else { Inspected::Whole });
        cut
    }

    /// As much of the answer as is inspected is here: the rules decide.
    pub fn answer_body(&mut self) -> Decision<()> {
        let verdict = self.transaction.response_body();
        self.judge_answer(verdict)?;
        match self.plan.response {
            Some(plan) if plan.reject && self.answer == Some(Inspected::Partial) => {
                let text = format!("response body larger than {} bytes", plan.inspect);
                Err(Finding::new(Code::WafResponseTooLarge, text))
            }
            _ => Ok(()),
        }
    }

    fn judge_answer(&mut self, verdict: Verdict) -> Decision<()> {
        let Some(why) = self.objection(verdict) else { return Ok(()) };
        let code = match why.action {
            Action::Bound(_) => Code::WafBudget,
            _ => Code::WafResponseBlocked,
        };
        let score = self.transaction.score();
        let evidence = self.evidence(&why, score.outbound, score.outbound_threshold);
        Err(Finding::new(code, evidence))
    }
}

/// The service was asked not to, and coded its answer all the same: the rules could not read it.
fn is_coded(fields: &HeaderMap) -> bool {
    let codings = fields.get_all(header::CONTENT_ENCODING).iter();
    codings.into_iter().any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}
