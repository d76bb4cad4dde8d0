//! Whole configurations through the real pipeline, without sockets.

mod effects;
mod keys;
mod shipped;

use std::sync::Arc;

use serde_json::Value;

use super::trial::{self, run};
use crate::base::clock::Now;
use crate::config::document::TestRequest;
use crate::config::reload::{Accepted, Source, accept};
use crate::config::report::Report;
use crate::config::snapshot::Snapshot;
use crate::state::State;
use crate::state::keys::fetch::NoFetch;

fn accepted(text: String) -> Result<Accepted, Report> {
    let state = State::new(Arc::new(NoFetch), Now::read());
    accept(&Source::Embedded { name: "test.yaml", text }, &state, trial::tests, 1)
}

/// JSON is YAML.
fn snapshot(document: &Value) -> Arc<Snapshot> {
    let text = document.to_string();
    accepted(text).unwrap_or_else(|report| panic!("{report}\n{document:#}")).snapshot
}

/// What becomes of a request, in one line: status, route, findings (`~` did not count), limits of the route and the
/// fields for the service.
fn outcome(snapshot: &Arc<Snapshot>, request: &Value) -> String {
    let request: TestRequest = serde_json::from_value(request.clone()).unwrap();
    let trial = run(snapshot, &request).unwrap();
    let exchange = &trial.exchange;
    let mut said = vec![trial.status.to_string()];
    said.extend(exchange.route().map(|route| route.id.to_string()));
    for finding in exchange.ledger.findings() {
        let weight = if finding.enforced { "" } else { "~" };
        said.push(format!("{weight}{}", finding.code.as_str()));
    }
    if let Some(route) = exchange.route() {
        let limits = route.limits.early.limits().chain(route.limits.late.limits());
        said.extend(limits.map(|limit| format!("limit:{}", limit.name)));
        let fields = exchange.identity.iter().flat_map(|identity| route.forward.fields(identity));
        let own = fields.filter(|(name, _)| !name.as_str().starts_with("x-yett-"));
        said.extend(own.map(|(name, value)| format!("{name}={}", value.to_str().unwrap())));
        if route.forward.strips("authorization") {
            said.push("no-token".to_owned());
        }
    }
    if let Some(inspection) = &exchange.inspection {
        said.push(format!("matches:{}", inspection.matches().len().min(1)));
    }
    said.join(" ")
}
