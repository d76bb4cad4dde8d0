mod decide;
mod key;
mod plan;
mod store;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use crate::base::clock::Now;
use crate::base::compile::Compile;
use crate::base::identity::Identity;
use crate::state::counters::Counters;

use super::decide::{Checked, LimitSet};
use super::key::Inputs;
use super::plan::{LimitName, LimitPlan, RouteLimits};
use super::section::LimitSection;
use super::verdict::Verdict;

fn section(yaml: &str) -> LimitSection {
    // YAML flow style with quoted values is JSON.
    serde_json::from_str(yaml).unwrap()
}

fn plan(name: &str, text: &str) -> Arc<LimitPlan> {
    compile(name, text, false).unwrap()
}

fn shared(name: &str, text: &str) -> Arc<LimitPlan> {
    compile(name, text, true).unwrap()
}

fn compile(name: &str, text: &str, store: bool) -> Result<Arc<LimitPlan>, String> {
    let mut cx = Compile::new();
    let plan = LimitPlan::compile(LimitName::named(name), &section(text), store, &mut cx);
    let problems: Vec<String> = cx
        .into_problems()
        .into_iter()
        .map(|problem| {
            let place: Vec<String> = problem.place.iter().map(|step| format!("{step:?}")).collect();
            let hint = problem.hint.unwrap_or_default();
            format!("Y{:03} {} [{}] ({hint})", problem.number, problem.message, place.join("."))
        })
        .collect();
    plan.ok_or_else(|| problems.join("\n"))
}

fn limits(plans: &[Arc<LimitPlan>], counters: &Arc<Counters>) -> RouteLimits {
    let mut cx = Compile::new();
    let limits = RouteLimits::compile(plans, &["id"], counters, &mut cx);
    assert!(!cx.has_errors(), "{:?}", cx.into_problems());
    limits
}

/// What a client sends.
#[derive(Clone)]
struct Client {
    ip: IpAddr,
    headers: HeaderMap,
    route: &'static str,
    id: Option<&'static str>,
    identity: Option<Identity>,
}

impl Client {
    fn at(ip: &str) -> Client {
        Client {
            ip: ip.parse().unwrap(),
            headers: HeaderMap::new(),
            route: "orders",
            id: None,
            identity: None,
        }
    }

    fn header(mut self, name: &str, value: &[u8]) -> Client {
        let name = HeaderName::try_from(name).unwrap();
        self.headers.append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    fn id(mut self, id: &'static str) -> Client {
        self.id = Some(id);
        self
    }

    fn token(mut self, issuer: &str, claims: Value) -> Client {
        let Value::Object(claims) = claims else { panic!("claims are an object") };
        self.identity = Some(Identity {
            issuer_name: issuer.into(),
            issuer: issuer.into(),
            subject: "anna".into(),
            client_id: None,
            scopes: Box::default(),
            roles: Box::default(),
            acr: None,
            amr: Box::default(),
            auth_time_s: None,
            mfa: false,
            expires_s: 0,
            claims,
        });
        self
    }

    fn with<R>(&self, work: impl FnOnce(&Inputs<'_>) -> R) -> R {
        work(&Inputs {
            client_ip: self.ip,
            headers: &self.headers,
            route: self.route,
            path_param: &|name| self.id.filter(|_| name == "id"),
            identity: self.identity.as_ref(),
        })
    }

    fn check<'s>(&self, set: &'s LimitSet, now: Now) -> Checked<'s> {
        self.with(|inputs| set.check(inputs, now))
    }

    /// For sets without shared limits.
    fn decide(&self, set: &LimitSet, now: Now) -> Verdict {
        match self.check(set, now) {
            Checked::Done(verdict) => verdict,
            Checked::Wait(_) => panic!("a local limit waits"),
        }
    }

    async fn settle(&self, set: &LimitSet, now: Now) -> Verdict {
        match self.check(set, now) {
            Checked::Done(verdict) => verdict,
            Checked::Wait(ticket) => ticket.settle().await,
        }
    }
}

fn header<'v>(headers: &'v [(HeaderName, HeaderValue)], name: &str) -> Option<&'v str> {
    headers.iter().find(|(have, _)| have == name).map(|(_, value)| value.to_str().unwrap())
}
