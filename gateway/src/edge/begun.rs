//! A request whose exchange has begun: what every way through the edge does at its beginning and at its end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt;
use http::HeaderMap;

use super::{audit, matches};
use crate::base::code::Code;
use crate::base::decision::Finding;
use crate::base::net::any_contains;
use crate::config::live::Live;
use crate::pipeline;
use crate::pipeline::exchange::{Arrival, End, Exchange, Head};
use crate::pipeline::mode::Refused;
use crate::stages::waf::decide::Inspection;
use crate::telemetry::Telemetry;
use crate::telemetry::trace::Trace;

/// An exchange, and the trace that it is a part of.
pub(super) struct Begun {
    pub(super) exchange: Box<Exchange>,
    pub(super) trace: Trace,
}

impl Begun {
    /// Begins the exchange of a request at the door, with the snapshot that it keeps to its end.
    pub(super) fn new(live: &Live, arrival: Arrival, headers: &HeaderMap) -> Begun {
        let listener = &arrival.connection.listener;
        let trusted = any_contains(&listener.trace_trust, arrival.connection.peer.ip());
        let trace = Trace::of(headers, trusted);
        let exchange = Exchange::begin(live.load(), arrival, trace.context, headers);
        Begun { exchange, trace }
    }
}

/// Runs the stages that look at the head.
pub(super) async fn judge_head(
    telemetry: &Telemetry,
    exchange: &mut Exchange,
    head: Head<'_>,
) -> Result<(), Refused> {
    match AssertUnwindSafe(pipeline::head(exchange, head)).catch_unwind().await {
        Ok(decided) => decided,
        Err(_panic) => Err(panicked(telemetry, exchange)),
    }
}

/// Runs the stages that look at the body, or at its absence. `show` gives them what there is of it.
pub(super) fn judge_body(
    telemetry: &Telemetry,
    exchange: &mut Exchange,
    show: impl FnOnce(&mut Inspection),
) -> Result<(), Refused> {
    let judge = || {
        exchange.inspection.as_mut().map(show);
        pipeline::body(exchange)
    };
    match catch_unwind(AssertUnwindSafe(judge)) {
        Ok(decided) => decided,
        Err(_panic) => Err(panicked(telemetry, exchange)),
    }
}

/// A bug of ours must not let a request pass.
fn panicked(telemetry: &Telemetry, exchange: &mut Exchange) -> Refused {
    telemetry.metrics().panic_caught();
    log::error!(target: "yett::edge", "a stage panicked; the request is refused");
    exchange.ledger.refuse(Finding::new(Code::EdgePanic, "a stage panicked"))
}

/// The exchange ends: its event is made and handed on. `answer` holds the fields that the client got.
pub(super) fn finish(
    telemetry: &Telemetry,
    mut exchange: Box<Exchange>,
    head: Option<Head<'_>>,
    answer: Option<&HeaderMap>,
    end: End,
) {
    matches::log(telemetry, &mut exchange, end.status);
    let audit = audit::facts(&mut exchange, head, answer, end.status);
    let mut event = exchange.finish(head, end);
    event.audit = audit;
    telemetry.record(event);
}
