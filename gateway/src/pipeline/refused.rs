//! Requests that never become one: refused at the door, because they can be read in more than one way or in none. The
//! event says what was asked as far as that can be told, and what the rules would have said.

use std::sync::Arc;

use http::{HeaderMap, Method, Version};

use super::exchange::{Arrival, Exchange, Head};
use crate::base::code::Stage;
use crate::base::decision::Finding;
use crate::base::event::{RequestFacts, TraceContext};
use crate::base::raw::RawHead;
use crate::config::snapshot::Snapshot;
use crate::stages::waf::decide::Inspection;

/// Longest method that is shown.
const METHOD_BYTES: usize = 32;

/// Records a request whose head nobody may trust; its finding decides. `raw` is what was read of it.
pub fn refused(
    snapshot: Arc<Snapshot>,
    arrival: Arrival,
    trace: TraceContext,
    finding: Box<Finding>,
    raw: RawHead<'_>,
) -> Box<Exchange> {
    let mut exchange = Exchange::begin(snapshot, arrival, trace, &HeaderMap::new());
    exchange.ledger.refuse(finding);
    exchange.sent = Some(Box::new(facts(&exchange, raw)));
    exchange.ledger.lap(Stage::Normalise);
    watch(&mut exchange, raw);
    exchange
}

/// The same for a stream of HTTP/2 of which nothing is known: its codec refused it.
pub fn rejected(
    snapshot: Arc<Snapshot>,
    arrival: Arrival,
    trace: TraceContext,
    finding: Box<Finding>,
) -> Box<Exchange> {
    let mut exchange = refused(snapshot, arrival, trace, finding, RawHead::default());
    if let Some(sent) = &mut exchange.sent {
        sent.version = Version::HTTP_2;
    }
    exchange
}

/// The same for a head that was parsed, but has no canonical reading.
pub(super) fn unreadable(x: &mut Exchange, head: Head<'_>) {
    let Some(plan) = x.snapshot.watch.clone() else { return };
    let request = x.reading.request(head);
    x.inspection = Some(Inspection::watch(&plan, &request, &head.sent(), &x.call()));
    x.ledger.lap(Stage::Waf);
}

/// Path and query of a target that nobody could read.
pub(super) fn split(target: &[u8]) -> (String, Option<String>) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match memchr::memchr(b'?', target) {
        Some(at) => (text(&target[..at]), Some(text(&target[at + 1..]))),
        None => (text(target), None),
    }
}

fn watch(x: &mut Exchange, raw: RawHead<'_>) {
    let Some(plan) = x.snapshot.watch.clone().filter(|_| !raw.is_empty()) else { return };
    x.inspection = Some(Inspection::refused(&plan, raw, &x.call()));
    x.ledger.lap(Stage::Waf);
}

fn facts(x: &Exchange, raw: RawHead<'_>) -> RequestFacts {
    let line = raw.line();
    let (path, query) = split(line.target);
    let field = |name| raw.field(name).map(String::from_utf8_lossy);
    let method = Some(line.method).filter(|method| method.len() <= METHOD_BYTES);
    RequestFacts {
        client: x.reading.client,
        method: method.and_then(|method| Method::from_bytes(method).ok()),
        secure: x.reading.secure,
        host: field("host").unwrap_or_default().into_owned(),
        path,
        query,
        version: if line.protocol == b"HTTP/1.0" { Version::HTTP_10 } else { Version::HTTP_11 },
        user_agent: field("user-agent").map(Into::into),
    }
}
