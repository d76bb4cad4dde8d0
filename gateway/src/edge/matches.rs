//! What the rules found, for the log of matches: written before the answer ends.

use std::net::SocketAddr;
use std::sync::Arc;

use super::watched::Conclude;
use crate::base::clock::Now;
use crate::pipeline::exchange::Exchange;
use crate::stages::waf::decide::Inspection;
use crate::telemetry::Telemetry;
use crate::telemetry::waf_log::About;

/// Runs the rules of the logging phase and writes what matched, before an answer of this status ends; 0: there is none.
/// Nothing to do where nobody reads it: then the event's making is the end of the inspection.
pub(super) fn log(telemetry: &Telemetry, exchange: &mut Exchange, status: u16) {
    write_after(telemetry, exchange, |inspection| inspection.close(Now::read(), status));
}

/// Writes what has matched up to the head of an answer that is not looked into further: go-ftw reads the head, and then
/// the log.
pub(super) fn log_so_far(telemetry: &Telemetry, exchange: &mut Exchange) {
    write_after(telemetry, exchange, |_| ());
}

fn write_after(
    telemetry: &Telemetry,
    exchange: &mut Exchange,
    finish: impl FnOnce(&mut Inspection),
) {
    if exchange.inspection.is_none() || !telemetry.waf_log().is_on() {
        return;
    }
    let about = about(exchange);
    if let Some(inspection) = &mut exchange.inspection {
        finish(inspection);
        telemetry.waf_log().write(&about, inspection.unlogged());
    }
}

/// The same for an inspection that goes with the answer's body.
pub(super) fn conclude(
    telemetry: &Arc<Telemetry>,
    exchange: &Exchange,
    status: u16,
) -> Option<Conclude> {
    if !telemetry.waf_log().is_on() {
        return None;
    }
    let (telemetry, about) = (telemetry.clone(), about(exchange));
    Some(Box::new(move |inspection| {
        inspection.close(Now::read(), status);
        telemetry.waf_log().write(&about, inspection.unlogged());
    }))
}

fn about(exchange: &Exchange) -> About {
    let client = exchange.reading.client;
    let port = if client.is_peer() { client.peer.port() } else { 0 };
    let (host, path) = exchange.asked();
    About {
        unix_us: exchange.started.unix_us,
        client: SocketAddr::new(client.ip, port),
        host: host.to_owned(),
        path: path.to_owned(),
        request_id: exchange.trace.request_id(),
    }
}
