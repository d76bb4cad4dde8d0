//! What the audit log needs beside the event: taken where fields of both heads are at hand, and only for requests that
//! it will hold.

use http::{HeaderMap, HeaderValue};

use crate::base::clock::Now;
use crate::base::code::Stage;
use crate::base::event::AuditFacts;
use crate::config::document::AuditRequests;
use crate::pipeline::exchange::{Exchange, Head};
use crate::stages::waf::decide::Inspection;
use crate::telemetry::Target;
use crate::telemetry::redact::{REDACTED, is_secret_name};

/// The facts of a request that belongs into the audit log.
pub(super) fn facts(
    exchange: &mut Exchange,
    head: Option<Head<'_>>,
    answer: Option<&HeaderMap>,
) -> Option<Box<AuditFacts>> {
    let section = exchange.snapshot.audit_log.as_ref()?;
    if Target::parse(&section.to) == Target::Off {
        return None;
    }
    let requests = section.requests;
    let decisive = exchange.ledger.decisive().map(|code| code.stage());
    let mut inspection = exchange.inspection.as_mut();
    if let Some(inspection) = &mut inspection {
        inspection.close(Now::read());
    }
    let matched = inspection.as_ref().is_some_and(|inspection| inspection.wants_audit());
    let wanted = match requests {
        AuditRequests::Matched => matched || decisive == Some(Stage::Waf),
        AuditRequests::Refused => decisive.is_some(),
        AuditRequests::All => true,
    };
    let inspection = inspection.map(|inspection| &*inspection);
    wanted.then(|| {
        let wants = |part| inspection.is_none_or(|rules| rules.wants_audit_part(part));
        let masked = |fields: Option<&HeaderMap>, kind| {
            fields.map(|fields| masked(fields, kind, inspection)).unwrap_or_default()
        };
        let request = head.map(|head| head.headers);
        Box::new(AuditFacts {
            request_fields: wants('B').then(|| masked(request, "REQUEST_HEADERS")),
            answer_fields: wants('F').then(|| masked(answer, "RESPONSE_HEADERS")),
            matches: wants('H').then(|| inspection.map(Inspection::audited).unwrap_or_default()),
            ruleset: inspection.map(Inspection::ruleset).unwrap_or_default(),
        })
    })
}

/// Values of secret names, and those that the rules ask to mask, end here: events wait in memory, where they have no
/// business.
fn masked(fields: &HeaderMap, kind: &str, inspection: Option<&Inspection>) -> HeaderMap {
    let mut fields = fields.clone();
    for (name, value) in &mut fields {
        let asked = || inspection.is_some_and(|rules| rules.masks(&format!("{kind}:{name}")));
        if is_secret_name(name.as_str()) || asked() {
            *value = HeaderValue::from_static(REDACTED);
        }
    }
    fields
}
