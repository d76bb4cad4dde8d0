//! What the audit log needs beside the event: taken where fields of both heads are at hand, and only for requests that
//! it will hold.

use http::{HeaderMap, HeaderValue};

use crate::base::clock::Now;
use crate::base::code::{Code, Stage};
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
    status: u16,
) -> Option<Box<AuditFacts>> {
    let section = exchange.snapshot.audit_log.as_ref()?;
    if Target::parse(&section.to) == Target::Off {
        return None;
    }
    let requests = section.requests;
    let decisive = exchange.ledger.decisive();
    let server = exchange.connection.local;
    let mut inspection = exchange.inspection.as_mut();
    if let Some(inspection) = &mut inspection {
        inspection.close(Now::read(), status);
    }
    let wanted = match requests {
        AuditRequests::Matched => is_matched(inspection.as_deref(), decisive),
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
            components: inspection.map(Inspection::components).unwrap_or_default(),
            sensor_id: inspection.map(Inspection::sensor_id).unwrap_or_default(),
            server: Some(server),
        })
    })
}

/// A rule that wants a record matched, or the request passed a bound of the rules, where they do not forbid records.
fn is_matched(inspection: Option<&Inspection>, decisive: Option<Code>) -> bool {
    let by_rule = matches!(decisive, Some(Code::WafBlocked | Code::WafResponseBlocked));
    let by_bound = !by_rule && decisive.is_some_and(|code| code.stage() == Stage::Waf);
    inspection.is_some_and(|rules| rules.wants_audit() || by_bound && !rules.forbids_audit())
}

/// What the rules ask to mask may stand in other fields as well, such as `Referer`.
fn masked_value(rules: &Inspection, value: &HeaderValue) -> Option<HeaderValue> {
    let text = value.to_str().ok()?;
    let shown = match text.split_once('?') {
        Some((before, query)) => format!("{before}?{}", rules.masked_query(query)?),
        None => rules.masked(text)?,
    };
    Some(HeaderValue::try_from(shown).unwrap_or_else(|_| HeaderValue::from_static(REDACTED)))
}

/// Values of secret names, and those that the rules ask to mask, end here: events wait in memory, where they have no
/// business.
fn masked(fields: &HeaderMap, kind: &str, inspection: Option<&Inspection>) -> HeaderMap {
    let mut fields = fields.clone();
    for (name, value) in &mut fields {
        let asked = || inspection.is_some_and(|rules| rules.masks(&format!("{kind}:{name}")));
        if is_secret_name(name.as_str()) || asked() {
            *value = HeaderValue::from_static(REDACTED);
        } else if let Some(masked) = inspection.and_then(|rules| masked_value(rules, value)) {
            *value = masked;
        }
    }
    fields
}
