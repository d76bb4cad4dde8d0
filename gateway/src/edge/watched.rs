//! The way to the client of an answer whose body the rules look at.
//!
//! The framework writes an answer's head before it has seen the body, and its filters can hold a body but no head. So
//! while rules look, this stands in the place of the client's session: it takes the head and the body as they come from
//! the service, holds them until the rules have decided, and only then hands them on, or an error instead of them. Where the
//! rules only watch, it holds nothing.
//!
//! An answer whose beginning has waited for long enough is let go while more of it is awaited. That happens while the
//! framework listens to the client, in a future that it may drop at any time: what was let go is written by means that can
//! be taken up again ([`Early`]).
//!
//! Without rules it only sees to it that a client goes on with its body, where the framework has no deadline for that.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType, Result};
use tokio::time::{Instant, Sleep, sleep, timeout_at};

use super::early::Early;
use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::Code;
use crate::base::decision::{Decision, Mode};
use crate::pipeline::answer::panicked;
use crate::stages::waf::answer::AnswerAppetite;
use crate::stages::waf::decide::Inspection;

/// Called once with the inspection before the answer's end goes out.
pub(super) type Conclude = Box<dyn FnOnce(&mut Inspection) + Send + Sync>;

/// Stands in the place of a client's session while rules look at the answer.
pub(super) struct Watched {
    pub(super) inner: ServerSession,
    state: State,
    rules: Option<Rules>,
    /// When the client must have sent more of its body.
    due: Option<Instant>,
    back: Back,
}

/// Where session and rules go once nobody looks any more.
pub(super) type Back = Arc<Mutex<Option<Returned>>>;

pub(super) struct Returned {
    pub(super) session: ServerSession,
    pub(super) inspection: Option<Inspection>,
    pub(super) decision: Decision<()>,
    /// Bytes of the body that the session did not count.
    pub(super) uncounted: u64,
}

enum State {
    /// The rules have not decided: nothing goes out.
    Holding { tasks: Vec<HttpTask>, deadline: Pin<Box<Sleep>> },
    /// The deadline has passed: what was held goes out, the rules look on.
    Early(Early),
    /// All that comes goes out: the rules have let it pass, or only watch.
    Open,
}

struct Rules {
    inspection: Inspection,
    /// The rules have decided.
    decision: Option<Decision<()>>,
    conclude: Option<Conclude>,
}

impl Watched {
    pub(super) fn new(
        inner: ServerSession,
        inspection: Inspection,
        appetite: &AnswerAppetite,
        conclude: Option<Conclude>,
        back: Back,
    ) -> Watched {
        let hold =
            |time: Duration| State::Holding { tasks: Vec::new(), deadline: Box::pin(sleep(time)) };
        let state = if appetite.hold { hold(appetite.time) } else { State::Open };
        let rules = Some(Rules { inspection, decision: None, conclude });
        Watched { inner, state, rules, due: None, back }
    }

    /// Nobody looks; the client may not pause for longer than [`bounds::BODY_READ_TIMEOUT`].
    pub(super) fn timed(inner: ServerSession, back: Back) -> Watched {
        Watched { inner, state: State::Open, rules: None, due: Some(next_read_due()), back }
    }

    /// What came from the service: shown to the rules, then held, handed on or refused.
    pub(super) async fn take(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let verdict = match &mut self.rules {
            Some(rules) => rules.look(&tasks),
            None => Look::Passed,
        };
        match (verdict, &mut self.state) {
            (_, State::Open) => self.inner.response_duplex_vec(tasks).await,
            (Look::Refused, _) => Err(refused()),
            (_, State::Early(early)) => early.write(&mut self.inner, tasks).await,
            (Look::More, State::Holding { tasks: held, .. }) => {
                held.extend(tasks);
                match held.pop_if(|task| matches!(task, HttpTask::Failed(_))) {
                    // The service broke off, and nothing of it has gone out: the client gets a proper error.
                    Some(HttpTask::Failed(error)) => Err(error),
                    _ => Ok(false),
                }
            }
            (Look::Passed, State::Holding { tasks: held, .. }) => {
                let mut all = std::mem::take(held);
                all.extend(tasks);
                self.state = State::Open;
                self.inner.response_duplex_vec(all).await
            }
        }
    }

    /// Listens to the client as the session does, and lets go of what was held for long enough.
    pub(super) async fn listen(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        loop {
            match &mut self.state {
                State::Open => break,
                State::Early(early) => {
                    early.flush(&mut self.inner).await?;
                    return early.listen(&mut self.inner, no_body_expected).await;
                }
                State::Holding { tasks, deadline } => {
                    tokio::select! {
                        biased;
                        () = deadline.as_mut() => {}
                        read = self.inner.read_body_or_idle(no_body_expected) => return read,
                    }
                    let held = std::mem::take(tasks);
                    self.state = State::Early(Early::begin(&mut self.inner, held)?);
                }
            }
        }
        let reading = self.inner.read_body_or_idle(no_body_expected);
        let Some(due) = self.due.filter(|_| !no_body_expected) else { return reading.await };
        match timeout_at(due, reading).await {
            Ok(read) => {
                self.due = Some(next_read_due());
                read
            }
            Err(_) => Err(Error::new(ErrorType::ReadTimedout).into_down()),
        }
    }

    pub(super) fn early_bytes(&self) -> u64 {
        match &self.state {
            State::Early(early) => early.uncounted(),
            _ => 0,
        }
    }
}

fn next_read_due() -> Instant {
    Instant::now() + bounds::BODY_READ_TIMEOUT
}

/// What the rules say to what has come so far.
enum Look {
    /// They want more.
    More,
    Passed,
    Refused,
}

impl Rules {
    fn look(&mut self, tasks: &[HttpTask]) -> Look {
        if self.decision.is_none() {
            let decide = || self.inspect(tasks);
            self.decision = match catch_unwind(AssertUnwindSafe(decide)) {
                Ok(decision) => decision,
                Err(_panic) => Some(Err(panicked())),
            };
        }
        let counts = self.inspection.mode() == Mode::Enforce;
        let look = match &self.decision {
            None => Look::More,
            Some(Err(finding)) if counts || finding.code == Code::EdgePanic => Look::Refused,
            Some(_) => Look::Passed,
        };
        // What is refused ends with another answer, and is concluded with its status.
        if !matches!(look, Look::Refused)
            && tasks.iter().any(HttpTask::is_end)
            && let Some(conclude) = self.conclude.take()
        {
            conclude(&mut self.inspection);
        }
        look
    }

    /// `None`: more has to come first.
    fn inspect(&mut self, tasks: &[HttpTask]) -> Option<Decision<()>> {
        let mut enough = false;
        for task in tasks {
            match task {
                HttpTask::Body(Some(data), _) if !enough => {
                    enough = self.inspection.answer_feed(data);
                }
                // What is broken off has no end that could be judged.
                HttpTask::Failed(_) => return None,
                _ => {}
            }
            enough |= task.is_end();
        }
        enough.then(|| self.inspection.answer_body(Now::read()))
    }
}

/// The ledger will hold the reason; this only ends the proxying.
fn refused() -> Box<Error> {
    Error::new(ErrorType::HTTPStatus(403))
}

impl Drop for Watched {
    fn drop(&mut self) {
        let uncounted = self.early_bytes();
        let session = std::mem::replace(&mut self.inner, ServerSession::Custom(Box::new(())));
        let (inspection, decision) = match self.rules.take() {
            Some(rules) => (Some(rules.inspection), rules.decision.unwrap_or(Ok(()))),
            None => (None, Ok(())),
        };
        *self.back.lock() = Some(Returned { session, inspection, decision, uncounted });
    }
}
