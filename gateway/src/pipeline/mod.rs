//! The order of the stages, readable top to bottom. Pure but for the two waits that are named: a shared limit and a
//! key that is not at hand.
//!
//! ```text
//! head:  normalise > screen > route > ratelimit (early) > identity > policy > ratelimit (late) > waf (head)
//! body:  waf (body)
//! permit: all of the above
//! answer: waf (head, body)
//! ```

pub mod answer;
pub mod exchange;
pub mod mode;
pub mod permit;
mod refused;
pub mod trial;

pub use refused::{refused, rejected};

#[cfg(test)]
mod tests;

use std::sync::Arc;

use http::HeaderMap;

use crate::base::bounds;
use crate::base::clock::Now;
use crate::base::code::{Code, Stage};
use crate::base::decision::{Decision, Finding};
use crate::base::identity::Identity;
use crate::base::request::Request;
use crate::config::snapshot::RoutePlan;
use crate::stages::identity::Outcome;
use crate::stages::normalise::decide::{Raw, decide as normalise};
use crate::stages::normalise::head::too_many_fields;
use crate::stages::ratelimit::decide::{Checked, LimitSet};
use crate::stages::ratelimit::key::Inputs;
use crate::stages::ratelimit::verdict::Verdict;
use crate::stages::waf::decide::Inspection;
use crate::stages::{identity, policy, screen};
use crate::state::dnsbl::asker::Listings;
use crate::state::tokens::TokenCache;

use exchange::{Exchange, Head, Offline, Reading};
use mode::{Ledger, Refused};
use permit::Permit;

/// Everything that can be decided from the head.
pub async fn head(x: &mut Exchange, head: Head<'_>) -> Result<(), Refused> {
    let now = x.started;
    if let Err(refused) = read(&mut x.reading, &mut x.ledger, head) {
        refused::unreadable(x, head);
        return Err(refused);
    }
    let request = x.reading.request(head);

    let screened =
        screen::decide(&x.snapshot.screen, &x.snapshot.state.standing, request.client.ip, now);
    x.ledger.weigh(x.snapshot.screen.mode, screened)?;
    if !x.snapshot.screen.is_empty() {
        x.ledger.lap(Stage::Screen);
    }

    let matched = x.ledger.demand(x.snapshot.table.decide(&request))?;
    let snapshot = x.snapshot.clone();
    let route = snapshot.route(matched.index);
    x.matched = Some(matched);
    if let Err(refused) = x.ledger.demand(route.normalise.admit(&x.reading.canonical)) {
        refused::unreadable(x, head);
        return Err(refused);
    }
    if let Some(plan) = &route.screen {
        x.ledger.weigh(plan.mode, plan.decide(request.client.ip))?;
    }
    x.ledger.lap(Stage::Route);

    limit(x, head, route, &route.limits.early, now).await?;
    identify(x, head, route, now).await?;
    let allowed = policy::decide(&route.policy, x.identity.as_deref(), now);
    x.ledger.weigh(route.auth_mode, allowed)?;
    if route.identity.is_some() {
        x.ledger.lap(Stage::Policy);
    }
    limit(x, head, route, &route.limits.late, now).await?;

    inspect_head(x, head, route).await
}

/// The inspected part of the body is complete.
pub fn body(x: &mut Exchange) -> Result<(), Refused> {
    let Some(inspection) = &mut x.inspection else { return Ok(()) };
    let decision = inspection.body(Now::read());
    let weighed = x.ledger.weigh(inspection.mode(), decision).map(drop);
    x.ledger.lap(Stage::Waf);
    weighed
}

/// Every stage agreed.
pub fn permit(x: &mut Exchange) {
    if x.ledger.decisive().is_none() {
        x.permit = Some(Permit::issue());
    }
}

/// The canonical reading: made at the door for HTTP/1, here for HTTP/2.
fn read(reading: &mut Reading, ledger: &mut Ledger, head: Head<'_>) -> Result<(), Refused> {
    if reading.canonical.path.is_empty() {
        ledger.demand(count_fields(head.headers))?;
        let host = head.authority.map(str::as_bytes);
        let host =
            host.or_else(|| head.headers.get(http::header::HOST).map(http::HeaderValue::as_bytes));
        let raw = Raw { method: head.method.as_str().as_bytes(), target: head.target, host };
        reading.canonical = ledger.demand(normalise(raw))?;
        if reading.canonical.rewritten {
            reading.raw_target = Some(head.target.into());
        }
    }
    ledger.lap(Stage::Normalise);
    Ok(())
}

/// HTTP/1's head is counted as it is read. The crumbs of a cookie are one field (RFC 9113 §8.2.3): their number has the
/// bound of the head's size.
fn count_fields(fields: &HeaderMap) -> Decision<()> {
    if fields.len() <= bounds::HEADER_FIELDS {
        return Ok(());
    }
    let crumbs = fields.get_all(http::header::COOKIE).iter().count();
    let count = fields.len() - crumbs.saturating_sub(1);
    match count > bounds::HEADER_FIELDS {
        true => Err(too_many_fields()),
        false => Ok(()),
    }
}

async fn limit(
    x: &mut Exchange,
    head: Head<'_>,
    route: &RoutePlan,
    limits: &LimitSet,
    now: Now,
) -> Result<(), Refused> {
    if limits.is_empty() || x.offline.is_some() {
        return Ok(());
    }
    let verdict = match check(x, head, route, limits, now) {
        Checked::Done(verdict) => verdict,
        Checked::Wait(ticket) => ticket.settle().await,
    };
    let Verdict { refusal, monitored, facts, fields } = verdict;
    x.limits.extend(facts);
    x.answer_fields.extend(fields);
    for finding in monitored {
        x.ledger.note(finding);
    }
    let refused = refusal.map(|finding| x.ledger.refuse(finding));
    x.ledger.lap(Stage::Ratelimit);
    refused.map_or(Ok(()), Err)
}

fn check<'l>(
    x: &Exchange,
    head: Head<'_>,
    route: &RoutePlan,
    limits: &'l LimitSet,
    now: Now,
) -> Checked<'l> {
    let path = x.reading.canonical.path.as_str();
    let inputs = Inputs {
        client_ip: x.reading.client.ip,
        headers: head.headers,
        route: &route.id,
        path_param: &|name| x.matched.as_ref()?.param(path, name),
        identity: x.identity.as_deref(),
    };
    limits.check(&inputs, now)
}

async fn identify(
    x: &mut Exchange,
    head: Head<'_>,
    route: &RoutePlan,
    now: Now,
) -> Result<(), Refused> {
    let Some(plan) = &route.identity else { return Ok(()) };
    let verified = match &x.offline {
        Some(offline) => assume(plan, offline, now),
        None => {
            let request = x.reading.request(head);
            verify(plan, &request, &x.snapshot.state.tokens, now).await
        }
    };
    if let Some((identity, cached)) = x.ledger.weigh(route.auth_mode, verified)? {
        x.token_cached = identity.is_some().then_some(cached);
        x.identity = identity;
    }
    x.ledger.lap(Stage::Identity);
    Ok(())
}

/// Offline: the claims count as verified.
fn assume(
    plan: &identity::Plan,
    offline: &Offline,
    now: Now,
) -> Decision<(Option<Arc<Identity>>, bool)> {
    match &offline.token {
        None => plan.anonymous().map(|_| (None, false)),
        Some(claims) => match plan.assume(claims, now) {
            Ok(identity) => Ok((Some(identity), false)),
            Err(why) => Err(Finding::new(Code::IdentityClaims, why)),
        },
    }
}

async fn verify(
    plan: &identity::Plan,
    request: &Request<'_>,
    tokens: &TokenCache,
    now: Now,
) -> Decision<(Option<Arc<Identity>>, bool)> {
    match plan.decide(request, tokens, now)? {
        Outcome::Known { identity, cached } => Ok((identity, cached)),
        Outcome::NeedsKeys(pending) => {
            let identity = pending.settle(tokens, now, bounds::KEY_WAIT).await?;
            Ok((Some(identity), false))
        }
    }
}

async fn inspect_head(x: &mut Exchange, head: Head<'_>, route: &RoutePlan) -> Result<(), Refused> {
    let Some(plan) = &route.waf else { return Ok(()) };
    // Offline every request is looked at: what a test proves must not depend on chance.
    if x.offline.is_none() && !plan.samples(x.trace.trace_id) {
        x.sampled_out = Some(plan.clone());
        return Ok(());
    }
    let listings = match &plan.lists {
        // Boxed: few routes ask, and every request would have to carry the room for it.
        Some(lists) if x.offline.is_none() => Box::pin(lists.ask(x.reading.client.ip)).await,
        _ => Listings::new(),
    };
    let (request, identity) = (x.reading.request(head), x.identity.as_deref());
    let (inspection, decision) =
        Inspection::head(plan, &request, &head.sent(), identity, &listings, &x.call());
    let weighed = x.ledger.weigh(inspection.mode(), decision).map(drop);
    x.inspection = Some(inspection);
    x.ledger.lap(Stage::Waf);
    weighed
}
