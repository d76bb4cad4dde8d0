//! Request bodies: read up to a bound, inspected, and only then forwarded. The service sees no byte of a body before
//! the verdict; of a body whose length is declared it does not even see the head.
//!
//! The framework replays at most 64 KiB of a body that was read early, and hangs when that buffer was truncated. So:
//! a body of declared length is read whole into our own buffer, with the replay switched on for its last 64 KiB only, and
//! the replay is then exchanged for the whole. A body of unknown length that outgrows the replay is *held*: its head has
//! gone to the service, its bytes wait for the verdict.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, Result};

use super::begun;
use super::proxy::Context;
use crate::base::bounds;
use crate::base::code::Code;
use crate::base::decision::Finding;
use crate::pipeline::exchange::Exchange;
use crate::pipeline::mode::Refused;
use crate::stages::waf::decide::{Appetite, too_large};
use crate::telemetry::Telemetry;

/// Size of the framework's replay buffer.
const REPLAY_BYTES: usize = 64 * 1024;
/// A read of HTTP/2 is at most a frame, and must not truncate the replay.
const FRAME_BYTES: usize = 16 * 1024;

/// What we hold of a body.
#[derive(Debug, Default)]
pub(super) enum Held {
    /// Nothing: the body streams through.
    #[default]
    Nothing,
    /// All of it, inspected. Kept, so that a retry can send it again.
    Whole(Bytes),
    /// An inspected beginning that the framework does not replay: it goes before the rest.
    Beginning(BytesMut),
    /// Its bytes wait until all of them, or as many as are inspected, are here.
    Waiting(BytesMut),
}

/// How far reading got.
enum Read {
    Complete,
    /// The inspected part is here, more follows.
    Beginning,
    /// The replay buffer would overflow before the inspected part is here.
    Outgrown,
}

/// Reads and inspects what the route's rules want to see, as far as that can be done before the service is asked.
pub(super) async fn read(
    telemetry: &Telemetry,
    session: &mut Session,
    context: &mut Context,
) -> Result<Result<(), Refused>> {
    let exchange = context.exchange()?;
    let Some(appetite) = appetite(session, exchange) else {
        return Ok(without_body(telemetry, session, exchange));
    };
    let declared = declared_length(session);
    if declared.is_some_and(|length| length > appetite.bytes) && appetite.reject {
        return Ok(Err(exchange.ledger.refuse(too_large(appetite.bytes))));
    }
    if session.req_header().headers.contains_key(EXPECT) {
        session.write_continue_response().await?;
    }
    let mut bytes = BytesMut::with_capacity(declared.unwrap_or(0).min(appetite.bytes));
    let reading = read_until(session, &mut bytes, declared, &appetite);
    let read = match tokio::time::timeout(appetite.timeout, reading).await {
        Ok(Ok(read)) => read,
        Ok(Err(error)) => return unreadable(session, context, error),
        Err(_) => return Ok(Err(exchange.ledger.refuse(too_slow(appetite.timeout)))),
    };
    let decided = match read {
        _ if bytes.len() > appetite.bytes && appetite.reject => {
            Err(exchange.ledger.refuse(too_large(appetite.bytes)))
        }
        Read::Complete | Read::Beginning => {
            inspect(telemetry, exchange, &bytes, matches!(read, Read::Complete))
        }
        Read::Outgrown => Ok(()),
    };
    // The replay begins behind the part that was read without it.
    let replay = session.as_downstream().get_retry_buffer().map(|replay| replay.len());
    let replayed = replay.is_some();
    context.held = match read {
        Read::Complete => Held::Whole(bytes.freeze()),
        Read::Beginning => {
            bytes.truncate(bytes.len() - replay.unwrap_or(0).min(bytes.len()));
            if bytes.is_empty() { Held::Nothing } else { Held::Beginning(bytes) }
        }
        Read::Outgrown if replayed => Held::Waiting(BytesMut::new()),
        Read::Outgrown => Held::Waiting(bytes),
    };
    Ok(decided)
}

/// A chunk on its way to the service.
pub(super) fn forward(
    telemetry: &Telemetry,
    body: &mut Option<Bytes>,
    end: bool,
    context: &mut Context,
) -> Result<()> {
    match &mut context.held {
        Held::Nothing => Ok(()),
        Held::Whole(whole) => {
            if end {
                *body = Some(whole.clone());
            }
            Ok(())
        }
        Held::Beginning(beginning) => {
            if let Some(chunk) = body.take() {
                beginning.extend_from_slice(&chunk);
            }
            *body = Some(std::mem::take(beginning).freeze());
            context.held = Held::Nothing;
            Ok(())
        }
        Held::Waiting(_) => wait(telemetry, body, end, context),
    }
}

/// Collects until the verdict. An empty chunk sends nothing; `None` would end the body.
fn wait(
    telemetry: &Telemetry,
    body: &mut Option<Bytes>,
    end: bool,
    context: &mut Context,
) -> Result<()> {
    let Held::Waiting(mut bytes) = std::mem::take(&mut context.held) else { return Ok(()) };
    if let Some(chunk) = body.take() {
        bytes.extend_from_slice(&chunk);
    }
    let exchange = context.exchange()?;
    let Some(appetite) = exchange.inspection.as_ref().and_then(|inspection| inspection.appetite())
    else {
        *body = Some(bytes.freeze());
        return Ok(());
    };
    if bytes.len() > appetite.bytes && appetite.reject {
        exchange.ledger.refuse(too_large(appetite.bytes));
        return Err(refused());
    }
    // A body that fills the bound to the byte may end there, or go on: only its end, or one more byte, tells.
    if !end && (bytes.len() < appetite.bytes || appetite.reject) {
        context.held = Held::Waiting(bytes);
        *body = Some(Bytes::new());
        return Ok(());
    }
    if inspect(telemetry, exchange, &bytes, end).is_err() {
        return Err(refused());
    }
    *body = Some(bytes.freeze());
    Ok(())
}

/// The ledger holds the answer; this only ends the proxying.
fn refused() -> Box<Error> {
    Error::new(ErrorType::HTTPStatus(403))
}

/// Most rules, those about the query included, decide in the body phase: it comes without a body too.
fn without_body(
    telemetry: &Telemetry,
    session: &mut Session,
    exchange: &mut Exchange,
) -> Result<(), Refused> {
    let skipped = session.is_upgrade_req() || !session.as_downstream_mut().is_body_empty();
    begun::judge_body(telemetry, exchange, |inspection| {
        if skipped {
            inspection.skip_body();
        }
    })
}

/// `None`: nothing to read, or a stream that must not be held. An upgrade request with a body was refused at the door, so
/// no body goes past the rules this way.
fn appetite(session: &mut Session, exchange: &Exchange) -> Option<Appetite> {
    let appetite = exchange.inspection.as_ref()?.appetite()?;
    let body = !session.is_upgrade_req() && !session.as_downstream_mut().is_body_empty();
    body.then_some(appetite)
}

async fn read_until(
    session: &mut Session,
    bytes: &mut BytesMut,
    declared: Option<usize>,
    appetite: &Appetite,
) -> Result<Read> {
    let frame = if session.is_http2() { FRAME_BYTES } else { 0 };
    if declared.is_none() {
        session.enable_retry_buffering();
    }
    let beyond = declared.is_some_and(|length| length > appetite.bytes);
    loop {
        match declared {
            Some(_) if beyond && bytes.len() >= appetite.bytes => return Ok(Read::Beginning),
            // One read is at most 64 KiB, so there always is a last one.
            Some(length) if length - bytes.len() <= REPLAY_BYTES => {
                session.enable_retry_buffering()
            }
            Some(_) => {}
            None if bytes.len() > appetite.bytes => return Ok(Read::Beginning),
            None if bytes.len() + frame > REPLAY_BYTES => return Ok(Read::Outgrown),
            None => {}
        }
        match session.read_request_body().await? {
            Some(chunk) => bytes.extend_from_slice(&chunk),
            None => return Ok(Read::Complete),
        }
    }
}

/// Feeds the rules and asks for their verdict.
fn inspect(
    telemetry: &Telemetry,
    exchange: &mut Exchange,
    bytes: &[u8],
    complete: bool,
) -> Result<(), Refused> {
    begun::judge_body(telemetry, exchange, |inspection| inspection.feed(bytes, complete))
}

fn declared_length(session: &Session) -> Option<usize> {
    let value = session.req_header().headers.get(CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn unreadable(
    session: &mut Session,
    context: &mut Context,
    error: Box<Error>,
) -> Result<Result<(), Refused>> {
    // Nobody knows where this body ends: what follows on the connection must not be taken for a request.
    session.set_keepalive(None);
    let finding = match error.etype() {
        ErrorType::ReadTimedout => too_slow(bounds::BODY_READ_TIMEOUT),
        ErrorType::ConnectionClosed | ErrorType::ReadError | ErrorType::WriteError => {
            return Err(error.into_down());
        }
        etype => Finding::new(Code::WafBodyUnreadable, etype.as_str())
            .detail("the request body is not framed as its header says"),
    };
    Ok(Err(context.exchange()?.ledger.refuse(finding)))
}

pub(super) fn too_slow(bound: Duration) -> Box<Finding> {
    Finding::new(
        Code::WafBodyTimeout,
        format!("request body incomplete after {} ms", bound.as_millis()),
    )
}
