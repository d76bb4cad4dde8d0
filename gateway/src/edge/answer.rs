//! An answer on its way from the service: shown to the route's rules, where it has some that look at answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, StatusCode};
use parking_lot::Mutex;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

use super::matches;
use super::proxy::Context;
use super::watched::{Back, Returned, Watched};
use crate::base::code::Code;
use crate::pipeline::answer;
use crate::stages::waf::answer::AnswerAppetite;
use crate::telemetry::Telemetry;

/// Until the answer begins, a client that sends a body over HTTP/2 may not pause for longer than one over HTTP/1, whose
/// connection the framework times. Streams may: in gRPC either side is silent for as long as it has nothing to say.
pub(super) fn await_body(session: &mut Session, context: &mut Context) {
    let stands_in = context.watched.is_some() || !session.is_http2();
    if stands_in || session.as_downstream_mut().is_body_done() || is_stream(session) {
        return;
    }
    let back: Back = Arc::new(Mutex::new(None));
    context.watched = Some(back.clone());
    stand_in(session, |own| Watched::timed(own, back));
}

fn is_stream(session: &Session) -> bool {
    let kind = session.req_header().headers.get(CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

/// Puts something of ours in the place of the client's session.
fn stand_in(session: &mut Session, make: impl FnOnce(ServerSession) -> Watched) {
    let placeholder = ServerSession::Custom(Box::new(()));
    let own = std::mem::replace(&mut *session.downstream_session, placeholder);
    *session.downstream_session = ServerSession::Custom(Box::new(make(own)));
}

/// Shows the head to the rules. When they want the body too, the client's session is exchanged for one that gives it to
/// them, until [`restore`].
pub(super) fn begin(
    telemetry: &Arc<Telemetry>,
    session: &mut Session,
    response: &ResponseHeader,
    context: &mut Context,
) -> Result<()> {
    // What follows a switch of protocols is no answer; what comes before the answer is none either.
    if response.status.is_informational() {
        return Ok(());
    }
    restore(telemetry, session, context);
    let exchange = context.exchange()?;
    if exchange.inspection.is_none() {
        return Ok(());
    }
    let method = &session.req_header().method;
    let bodiless = is_bodiless(method, response.status, &response.headers);
    if answer::is_watched(exchange) {
        look(telemetry, session, response, context, bodiless)?;
    }
    // What is watched is not here any more; it is written when the watching ends.
    match bodiless {
        true => matches::log(telemetry, context.exchange()?, response.status.as_u16()),
        false => matches::log_so_far(telemetry, context.exchange()?),
    }
    Ok(())
}

/// Gives the session back to the framework, and what the rules said to the exchange. Nothing to do where they did not look.
pub(super) fn restore(telemetry: &Telemetry, session: &mut Session, context: &mut Context) {
    let Some(back) = context.watched.take() else { return };
    let placeholder = ServerSession::Custom(Box::new(()));
    drop(std::mem::replace(&mut *session.downstream_session, placeholder));
    let returned = back.lock().take();
    let Some(Returned { session: own, inspection, decision, uncounted }) = returned else { return };
    *session.downstream_session = own;
    context.uncounted_bytes += uncounted;
    if let (Some(exchange), Some(inspection)) = (&mut context.exchange, inspection) {
        if decision.as_ref().is_err_and(|finding| finding.code == Code::EdgePanic) {
            telemetry.metrics().panic_caught();
        }
        answer::settle(exchange, inspection, decision);
    }
}

fn look(
    telemetry: &Arc<Telemetry>,
    session: &mut Session,
    response: &ResponseHeader,
    context: &mut Context,
    bodiless: bool,
) -> Result<()> {
    let exchange = context.exchange()?;
    let look = || answer::head(exchange, response.status, &response.headers, bodiless);
    let appetite = match catch_unwind(AssertUnwindSafe(look)) {
        Ok(Ok(appetite)) => appetite,
        Ok(Err(_refused)) => return Err(refused()),
        Err(_panic) => {
            telemetry.metrics().panic_caught();
            context.exchange()?.ledger.refuse(answer::panicked());
            return Err(refused());
        }
    };
    match appetite {
        Some(appetite) => watch(telemetry, session, response.status, context, &appetite),
        None => Ok(()),
    }
}

fn watch(
    telemetry: &Arc<Telemetry>,
    session: &mut Session,
    status: StatusCode,
    context: &mut Context,
    appetite: &AnswerAppetite,
) -> Result<()> {
    let exchange = context.exchange()?;
    let conclude = matches::conclude(telemetry, exchange, status.as_u16());
    let Some(inspection) = exchange.inspection.take() else { return Ok(()) };
    let back: Back = Arc::new(Mutex::new(None));
    context.watched = Some(back.clone());
    stand_in(session, |own| Watched::new(own, inspection, appetite, conclude, back));
    Ok(())
}

/// No body follows such a head (RFC 9112 §6.3).
fn is_bodiless(method: &Method, status: StatusCode, fields: &HeaderMap) -> bool {
    let empty = fields.get(CONTENT_LENGTH).is_some_and(|length| length.as_bytes() == b"0");
    empty
        || method == Method::HEAD
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// The ledger holds the reason; this only ends the proxying.
fn refused() -> Box<Error> {
    Error::new(ErrorType::HTTPStatus(403))
}
