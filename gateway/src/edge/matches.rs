//! What the rules found, for the log of matches: written before the answer ends.

use std::net::SocketAddr;

use crate::pipeline::exchange::Exchange;
use crate::telemetry::Telemetry;
use crate::telemetry::waf_log::About;

/// Runs the rules of the logging phase and writes what matched. Nothing to do where nobody reads it: then the event's
/// making is the end of the inspection.
pub(super) fn log(telemetry: &Telemetry, exchange: &mut Exchange) {
    if exchange.inspection.is_none() || !telemetry.waf_log().is_on() {
        return;
    }
    let Some(mut inspection) = exchange.inspection.take() else { return };
    inspection.close();
    let client = exchange.reading.client;
    let port = if client.ip == exchange.connection.peer_ip() { client.peer.port() } else { 0 };
    let (host, path) = exchange.asked();
    let request_id = exchange.trace.request_id();
    let about = About {
        unix_us: exchange.started.unix_us,
        client: SocketAddr::new(client.ip, port),
        host,
        path,
        request_id: request_id.as_str(),
    };
    telemetry.waf_log().write(&about, inspection.unlogged());
    exchange.inspection = Some(inspection);
}
