//! The service's answer under the rules: phase 3 for its head, phase 4 for as much of its body as is inspected.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use waf_rules::{Action, Verdict};

use super::answer_coding::{AnswerCoding, Yield};
use super::decide::{Inspection, chosen};
use super::show::protocol;
use crate::base::clock::Now;
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
    pub fn answer_head(
        &mut self,
        status: StatusCode,
        fields: &HeaderMap,
        now: Now,
    ) -> Decision<()> {
        self.tell_time(now);
        self.answer = Some(Inspected::Head);
        self.weight = self.counts();
        self.transaction.response_line(status.as_u16(), protocol(self.version));
        for (name, value) in fields {
            self.transaction.response_header(name.as_str().as_bytes(), value.as_bytes());
        }
        let verdict = self.transaction.response_head();
        self.judge_answer(verdict)
    }

    /// What the rules want of the body, when there is one; `None`: nothing, and [`answer_body`](Self::answer_body) may be
    /// asked at once.
    pub fn answer_appetite(&mut self, fields: &HeaderMap) -> Option<AnswerAppetite> {
        let plan = self.plan.response?;
        if !self.transaction.wants_response_body() {
            return None;
        }
        match AnswerCoding::of(fields, plan.inspect) {
            Ok(coding) => self.answer_coding = coding,
            Err(why) => {
                self.unreadable(why);
                return None;
            }
        }
        Some(AnswerAppetite { hold: self.counts() == Mode::Enforce, time: plan.hold })
    }

    /// A piece of the body. True: the rules have as much as they want.
    pub fn answer_feed(&mut self, bytes: &[u8]) -> bool {
        match std::mem::take(&mut self.answer_coding) {
            AnswerCoding::Plain => self.show_answer(bytes),
            AnswerCoding::Coded(mut unpacking) => {
                let yielded = unpacking.push(bytes);
                self.answer_coding = AnswerCoding::Coded(unpacking);
                self.show_yield(yielded)
            }
            AnswerCoding::Over => {
                self.answer_coding = AnswerCoding::Over;
                true
            }
        }
    }

    /// As much of the answer as is inspected is here: the rules decide.
    pub fn answer_body(&mut self, now: Now) -> Decision<()> {
        self.tell_time(now);
        if let AnswerCoding::Coded(unpacking) = &mut self.answer_coding {
            let rest = unpacking.finish();
            self.show_yield(rest);
        }
        let verdict = self.transaction.response_body();
        self.judge_answer(verdict)?;
        self.weight = self.counts();
        self.unseen_answer()
    }

    /// Objects to what the rules could not see of it, where that is not to pass.
    fn unseen_answer(&mut self) -> Decision<()> {
        let rejected = self.plan.response.filter(|plan| plan.reject);
        let bound = self.answer_refused_at.or_else(|| rejected.map(|plan| plan.inspect));
        match (self.answer, bound) {
            (Some(Inspected::Unreadable), _) if rejected.is_some() => {
                let why = self.answer_unreadable.take().unwrap_or_default();
                Err(Finding::new(Code::WafResponseUnreadable, why))
            }
            (Some(Inspected::Partial), Some(bound)) => {
                let text = format!("response body larger than {bound} bytes");
                Err(Finding::new(Code::WafResponseTooLarge, text))
            }
            _ => Ok(()),
        }
    }

    /// True: nothing more comes of the body.
    fn show_yield(&mut self, yielded: Yield) -> bool {
        let broken = yielded.unreadable.is_some() && !yielded.plain;
        let over = self.show_answer(&yielded.bytes) || yielded.cut || broken;
        if yielded.cut {
            self.answer = Some(Inspected::Partial);
        }
        if over {
            self.answer_coding = AnswerCoding::Over;
        } else if yielded.plain {
            self.answer_coding = AnswerCoding::Plain;
        }
        if let Some(why) = yielded.unreadable {
            self.unreadable(why);
        }
        over
    }

    fn show_answer(&mut self, bytes: &[u8]) -> bool {
        let Some(plan) = self.plan.response else { return true };
        let room = plan.inspect - self.answer_bytes;
        let kept = bytes.len().min(room);
        self.answer_bytes += kept;
        if let Err(over) = self.transaction.response_body_chunk(&bytes[..kept]) {
            self.answer_refused_at = Some(over.bound);
        }
        let cut = kept < bytes.len() || self.answer_refused_at.is_some();
        if kept < bytes.len() {
            self.transaction.response_body_cut();
        }
        self.answer = Some(match cut {
            _ if self.answer_unreadable.is_some() => Inspected::Unreadable,
            true => Inspected::Partial,
            false => Inspected::Whole,
        });
        cut
    }

    fn unreadable(&mut self, why: String) {
        self.answer = Some(Inspected::Unreadable);
        self.answer_unreadable = Some(why);
    }

    fn judge_answer(&mut self, verdict: Verdict) -> Decision<()> {
        let why = match verdict {
            // The request was, and that it was did not count.
            Verdict::Deny(_) if self.ended => return Ok(()),
            Verdict::Deny(why) => {
                self.weight = self.plan.mode;
                why
            }
            Verdict::Pass => {
                let Some(why) = self.transaction.take_detected() else { return Ok(()) };
                self.weight = Mode::Monitor;
                why
            }
        };
        if std::mem::replace(&mut self.answer_told, true) {
            return Ok(());
        }
        let code = match why.action {
            Action::Bound(_) => Code::WafBudget,
            _ => Code::WafResponseBlocked,
        };
        let score = self.transaction.score();
        let evidence = self.evidence(&why, score.outbound, score.outbound_threshold);
        Err(chosen(Finding::new(code, evidence), &why))
    }
}
