//! The service's answer: its rules, where the route has some. An answer that is refused never reaches the client; the
//! ledger then says why, as for a request.

use http::{HeaderMap, StatusCode};

use super::exchange::Exchange;
use super::mode::Refused;
use crate::base::clock::Now;
use crate::base::code::{Code, Stage};
use crate::base::decision::{Decision, Finding};
use crate::stages::waf::answer::AnswerAppetite;
use crate::stages::waf::decide::Inspection;

/// Whether somebody looks at the answer: the service is then asked for a whole one, without a coding.
pub fn is_watched(x: &Exchange) -> bool {
    x.inspection.as_ref().is_some_and(Inspection::sees_answers)
}

/// Decides what can be decided from the answer's head, which is all of it when no body follows that the rules want.
pub fn head(
    x: &mut Exchange,
    status: StatusCode,
    fields: &HeaderMap,
    bodiless: bool,
) -> Result<Option<AnswerAppetite>, Refused> {
    let Some(inspection) = &mut x.inspection else { return Ok(None) };
    let now = Now::read();
    let decision = inspection.answer_head(status, fields, now);
    x.ledger.weigh(inspection.mode(), decision)?;
    let appetite = if bodiless { None } else { inspection.answer_appetite(fields) };
    let decision = if appetite.is_none() { inspection.answer_body(now) } else { Ok(()) };
    let weighed = x.ledger.weigh(inspection.mode(), decision);
    x.ledger.lap(Stage::Waf);
    weighed.map(|_| appetite)
}

/// Takes back an inspection that went with the body, and what came of it.
pub fn settle(x: &mut Exchange, inspection: Inspection, decision: Decision<()>) {
    let mode = inspection.mode();
    x.inspection = Some(inspection);
    // Whether it counts is in the ledger; who asks finds it there.
    let _ = match decision {
        Err(panicked) if panicked.code == Code::EdgePanic => Err(x.ledger.refuse(panicked)),
        decision => x.ledger.weigh(mode, decision).map(drop),
    };
}

/// A bug of ours must not let an answer pass.
pub fn panicked() -> Box<Finding> {
    Finding::new(Code::EdgePanic, "a stage panicked")
}
