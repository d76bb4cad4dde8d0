//! Document -> snapshot. Pure but for the files that the document names; reports every problem at once.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use super::document::{Document, RespondSection, RouteSection};
use super::listener_plan::{ListenerPlan, address};
use super::redact::Written;
use super::snapshot::{RoutePlan, Snapshot};
use crate::base::compile::{Compile, number};
use crate::base::decision::Mode;
use crate::base::subject::SubjectHasher;
use crate::stages::identity::forward::{self, Forward};
use crate::stages::policy::section::AuthSection;
use crate::stages::policy::{self, IssuerFacts};
use crate::stages::ratelimit::plan::{LimitName, LimitPlan, RouteLimits, compile_store};
use crate::stages::ratelimit::section::{LimitSection, LimitUse};
use crate::stages::route::{RouteEntry, RouteTable};
use crate::stages::screen::ScreenPlan;
use crate::stages::upstream::ServicePlan;
use crate::stages::waf::lists::Asking;
use crate::stages::waf::plan::Profiles;
use crate::stages::{identity, normalise, waf};
use crate::state::State;

/// The version of the format that this binary reads.
const VERSION: u32 = 1;
/// Shortest admin token, bytes.
const ADMIN_TOKEN_BYTES: usize = 16;

/// Compiles a document. The snapshot exists only without errors; warnings stay in `cx`. Nothing of `state` changes until
/// the snapshot is swapped in.
pub fn compile<'d>(
    document: &'d Document,
    state: &Arc<State>,
    today: Day,
    cx: &mut Compile,
) -> Option<Snapshot> {
    if document.version != VERSION {
        cx.within("version", |cx| {
            cx.error(
                number::VERSION,
                format!("version {} is not known, allowed: {VERSION}", document.version),
            );
        });
        return None;
    }
    let listeners = listeners(document, cx);
    let admin = cx.within("admin", |cx| admin(document, cx));
    let subjects = cx.within("telemetry", |cx| subjects(document, cx));
    let store =
        cx.within("store", |cx| document.store.as_ref().map(|store| compile_store(store, cx)));
    let screen = cx.within("screen", |cx| ScreenPlan::compile(&document.screen, cx));
    let services = services(document, state, cx);
    let entry = |route: &'d RouteSection| RouteEntry { id: &route.id, matches: &route.matches };
    let table = RouteTable::compile(&document.routes.iter().map(entry).collect::<Vec<_>>(), cx);
    let names = Names {
        issuers: identity::plan::compile(&document.issuers, cx, &state.keys),
        limits: limits(document, cx),
        profiles: profiles(document, state, today, cx),
        forwarded: forward::names(
            document
                .routes
                .iter()
                .filter_map(|route| route.forward.as_ref())
                .chain([&document.defaults.forward]),
        ),
        services: &services,
        state,
        document,
    };
    let routes = cx.within("routes", |cx| names.routes(cx));
    names.unused(cx);
    let watch = names.watch(cx);
    if cx.has_errors() {
        return None;
    }
    let issuers = names.issuers.values().flatten().cloned().collect();
    Some(Snapshot {
        generation: 0,
        state: state.clone(),
        listeners,
        admin: admin?,
        store: store.flatten(),
        subjects: subjects?,
        screen,
        table,
        inspects: routes.iter().any(|route| route.waf.is_some()),
        watch,
        routes: routes.into(),
        services: services.into_iter().filter_map(|(name, plan)| Some((name, plan?))).collect(),
        issuers,
        written: Written::new(document),
        access_log: document.telemetry.access_log.clone(),
        waf_log: document.telemetry.waf_log.clone(),
        audit_log: document.telemetry.audit_log.clone(),
    })
}

/// A calendar day of UTC, for exceptions that expire.
pub use crate::stages::waf::plan::Day;

fn listeners(document: &Document, cx: &mut Compile) -> BTreeMap<Arc<str>, Arc<ListenerPlan>> {
    let mut bound: BTreeMap<SocketAddr, &str> = BTreeMap::new();
    let mut plans = BTreeMap::new();
    cx.within("listeners", |cx| {
        if document.listeners.is_empty() {
            cx.error(number::VALUE, "no listener: nobody could connect");
        }
        for (name, section) in &document.listeners {
            let plan = cx.within(name.clone(), |cx| ListenerPlan::compile(name, section, cx));
            let Some(plan) = plan else { continue };
            if let Some(other) = bound.insert(plan.bind, name).filter(|_| plan.bind.port() != 0) {
                cx.within(name.clone(), |cx| {
                    cx.within("bind", |cx| {
                        cx.error(
                            number::ADDRESS,
                            format!("listener `{other}` has the same address"),
                        )
                        .related(vec![
                            "listeners".into(),
                            other.to_owned().into(),
                            "bind".into(),
                        ]);
                    });
                });
            }
            plans.insert(plan.name.clone(), Arc::new(plan));
        }
    });
    plans
}

/// Outer `None`: there were problems.
fn admin(document: &Document, cx: &mut Compile) -> Option<Option<super::snapshot::AdminPlan>> {
    let Some(section) = &document.admin else { return Some(None) };
    let bind = cx.within("bind", |cx| {
        let bind = address(&section.bind, cx)?;
        if !bind.ip().is_loopback() {
            cx.error(number::ADDRESS, format!("admin address {bind} is not loopback"))
                .hint("the admin listener has no TLS; reach it through a tunnel");
            return None;
        }
        Some(bind)
    });
    let token = cx.within("token", |cx| match section.token.read() {
        Ok(token) if token.len() < ADMIN_TOKEN_BYTES => {
            let text = format!("admin token {} bytes, at least {ADMIN_TOKEN_BYTES}", token.len());
            cx.error(number::VALUE, text);
            None
        }
        Ok(token) => Some(Arc::from(token)),
        Err(error) => {
            cx.error(number::FILE, error);
            None
        }
    });
    Some(Some(super::snapshot::AdminPlan { bind: bind?, token: token? }))
}

fn subjects(document: &Document, cx: &mut Compile) -> Option<SubjectHasher> {
    let Some(key) = &document.telemetry.subject_key else {
        return SubjectHasher::random().map_err(|error| _ = cx.error(number::VALUE, error)).ok();
    };
    cx.within("subject_key", |cx| match key.read() {
        Ok(key) => Some(SubjectHasher::new(key.as_bytes())),
        Err(error) => {
            cx.error(number::FILE, error);
            None
        }
    })
}

/// `None` values had problems: routes that name them are not reported as well.
type Services = BTreeMap<String, Option<Arc<ServicePlan>>>;
type Limits = BTreeMap<String, Option<Arc<LimitPlan>>>;

fn services(document: &Document, state: &State, cx: &mut Compile) -> Services {
    cx.within("services", |cx| {
        let compile = |(name, section): (&String, _)| {
            let plan = cx.within(name.clone(), |cx| {
                ServicePlan::compile(name, section, cx, &state.endpoints)
            });
            (name.clone(), plan)
        };
        document.services.iter().map(compile).collect()
    })
}

fn limits(document: &Document, cx: &mut Compile) -> Limits {
    let shared = document.store.is_some();
    cx.within("limits", |cx| {
        let compile = |(name, section): (&String, &LimitSection)| {
            let plan = cx.within(name.clone(), |cx| {
                LimitPlan::compile(LimitName::named(name), section, shared, cx)
            });
            (name.clone(), plan)
        };
        document.limits.iter().map(compile).collect()
    })
}

fn profiles<'s>(
    document: &Document,
    state: &'s State,
    today: Day,
    cx: &mut Compile,
) -> Profiles<'s> {
    let asking = cx.within("dnsbl", |cx| Asking::compile(&document.dnsbl, &state.dnsbl, cx));
    Profiles::compile(&document.waf, today, state.collections.clone(), Some(asking), cx)
}

/// Where a route's requests go: exactly one of a service and an answer of our own.
type Destination = (Option<Arc<ServicePlan>>, Option<Arc<RespondSection>>);

/// Everything that a route may name.
struct Names<'a> {
    issuers: identity::Issuers,
    limits: Limits,
    profiles: Profiles<'a>,
    forwarded: Vec<String>,
    services: &'a Services,
    state: &'a Arc<State>,
    document: &'a Document,
}

impl Names<'_> {
    fn routes(&self, cx: &mut Compile) -> Vec<RoutePlan> {
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        let mut plans = Vec::with_capacity(self.document.routes.len());
        for (index, section) in self.document.routes.iter().enumerate() {
            cx.within(index, |cx| {
                if let Some(first) = seen.insert(&section.id, index) {
                    cx.within("id", |cx| {
                        cx.error(
                            number::DUPLICATE_ROUTE,
                            format!("route `{}` exists already", section.id),
                        )
                        .related(vec![
                            "routes".into(),
                            first.into(),
                            "id".into(),
                        ]);
                    });
                }
                check_id(&section.id, cx);
                plans.extend(self.route(index, section, cx));
            });
        }
        plans
    }

    fn route(&self, index: usize, section: &RouteSection, cx: &mut Compile) -> Option<RoutePlan> {
        // Asked for at the end: a route that goes nowhere may have other mistakes to report.
        let destination = self.destination(section, cx);
        let auth = self.auth(section, cx);
        let identity = auth.as_ref().map(|auth| self.identity(auth, section, cx));
        let policy = match (&auth, &identity) {
            (Some(auth), Some(identity)) => {
                cx.within("auth", |cx| policy::Plan::compile(auth, &facts(identity), cx))
            }
            _ => policy::Plan::default(),
        };
        let screen = section
            .screen
            .as_ref()
            .map(|screen| cx.within("screen", |cx| ScreenPlan::compile(screen, cx)));
        let limits = cx.within("limits", |cx| self.route_limits(section, cx));
        let waf = cx.within("waf", |cx| {
            self.profiles.for_route(section.waf.as_ref(), self.document.defaults.waf.as_deref(), cx)
        });
        let forward = cx.within("forward", |cx| {
            Forward::compile(
                section.forward.as_ref(),
                &self.document.defaults.forward,
                &self.forwarded,
                cx,
            )
        });
        let (service, respond) = destination?;
        Some(RoutePlan {
            id: section.id.as_str().into(),
            slot: u32::try_from(index).unwrap_or(u32::MAX),
            normalise: normalise::plan::Plan::compile(&section.normalise),
            screen: screen.filter(|screen| screen.mode != Mode::Off && !screen.is_empty()),
            limits,
            identity: identity
                .filter(|_| auth.as_ref().is_some_and(|auth| auth.mode != Some(Mode::Off))),
            auth_mode: auth.as_ref().and_then(|auth| auth.mode).unwrap_or_default(),
            policy,
            waf,
            forward,
            service,
            respond,
        })
    }

    /// What looks at requests that belong to no route because nobody can read them.
    fn watch(&self, cx: &mut Compile) -> Option<Arc<waf::plan::Plan>> {
        let default = self.document.defaults.waf.as_deref();
        let logged = self.document.telemetry.waf_log.as_ref().is_some_and(|log| log.to != "off");
        default.filter(|_| logged).and_then(|name| self.profiles.for_route(None, Some(name), cx))
    }

    fn destination(&self, section: &RouteSection, cx: &mut Compile) -> Option<Destination> {
        match (&section.to, &section.respond) {
            (Some(_), Some(_)) => {
                cx.within("respond", |cx| {
                    cx.error(number::CONTRADICTION, "route has both `to` and `respond`").at_key();
                });
                None
            }
            (None, None) => {
                cx.error(number::CONTRADICTION, format!("route `{}` goes nowhere", section.id))
                    .hint("add `to: SERVICE` or `respond: { status: .. }`");
                None
            }
            (Some(name), None) => cx.within("to", |cx| match self.services.get(name) {
                Some(plan) => plan.clone().map(|plan| (Some(plan), None)),
                None => {
                    let known = self.services.keys().map(String::as_str);
                    cx.unknown(number::UNKNOWN_SERVICE, "service", name, known);
                    None
                }
            }),
            (None, Some(respond)) => {
                if !(200..=599).contains(&respond.status) {
                    cx.within("respond", |cx| {
                        cx.within("status", |cx| {
                            cx.error(
                                number::RANGE,
                                format!("status {}, allowed 200 to 599", respond.status),
                            );
                        });
                    });
                }
                if http::HeaderValue::try_from(&respond.content_type).is_err() {
                    cx.within("respond", |cx| {
                        cx.within("content_type", |cx| {
                            cx.error(number::FORMAT, "content type is not a header value");
                        });
                    });
                }
                Some((None, Some(Arc::new(respond.clone()))))
            }
        }
    }

    /// `None`: a public route, whose reason is written.
    fn auth(&self, section: &RouteSection, cx: &mut Compile) -> Option<AuthSection> {
        let defaults = self.document.defaults.auth.clone().unwrap_or_default();
        if let Some(reason) = &section.public {
            if section.auth.is_some() {
                cx.within("public", |cx| {
                    cx.error(number::CONTRADICTION, "route is both `public` and has `auth`")
                        .at_key();
                });
            }
            if reason.trim().is_empty() {
                cx.within("public", |cx| {
                    cx.error(number::NO_AUTH, "the reason for a public route is empty");
                });
            }
            return None;
        }
        let auth = section.auth.clone().unwrap_or_default().over(&defaults);
        if auth.issuers.as_ref().is_none_or(Vec::is_empty) {
            cx.error(
                number::NO_AUTH,
                format!("route `{}` neither authenticates nor says why not", section.id),
            )
            .hint("add `auth: { issuers: [..] }`, or `public: \"the reason\"`");
        }
        Some(auth)
    }

    fn identity(
        &self,
        auth: &AuthSection,
        section: &RouteSection,
        cx: &mut Compile,
    ) -> identity::Plan {
        let names = auth.issuers.as_deref().unwrap_or_default();
        let optional = auth.optional.unwrap_or(false);
        let own = section.auth.as_ref().is_some_and(|auth| auth.issuers.is_some());
        let compile =
            |cx: &mut Compile| identity::Plan::compile(names, optional, &self.issuers, cx);
        match own {
            true => cx.within("auth", |cx| cx.within("issuers", compile)),
            // What is wrong with the defaults is reported once, at the defaults.
            false => compile(&mut Compile::new()),
        }
    }

    fn route_limits(&self, section: &RouteSection, cx: &mut Compile) -> RouteLimits {
        let shared = self.document.store.is_some();
        let inline = section.limits.iter().filter_map(|limit| match limit {
            LimitUse::Inline(section) => Some(section),
            LimitUse::Named(_) => None,
        });
        let mut inline_names = LimitName::inline(&section.id, inline).into_iter();
        let mut plans = self.default_limits(section);
        for (index, limit) in section.limits.iter().enumerate() {
            cx.within(index, |cx| match limit {
                LimitUse::Named(name) => match self.limits.get(name) {
                    Some(plan) => plans.extend(plan.clone()),
                    None => {
                        let known = self.limits.keys().map(String::as_str);
                        cx.unknown(number::UNKNOWN_LIMIT, "limit", name, known);
                    }
                },
                LimitUse::Inline(section) => {
                    if let Some(name) = inline_names.next() {
                        plans.extend(LimitPlan::compile(name, section, shared, cx));
                    }
                }
            });
        }
        let params = path_params(&section.matches.path);
        RouteLimits::compile(&plans, &params, &self.state.counters, cx)
    }

    fn default_limits(&self, section: &RouteSection) -> Vec<Arc<LimitPlan>> {
        let wanted = |name: &&String| !section.without_limits.contains(name);
        let names = self.document.defaults.limits.iter().filter(wanted);
        names.filter_map(|name| self.limits.get(name)?.clone()).collect()
    }

    /// Names in `defaults` that do not exist, and definitions that nobody uses.
    fn unused(&self, cx: &mut Compile) {
        let defaults = &self.document.defaults;
        cx.within("defaults", |cx| {
            cx.within("limits", |cx| {
                for (index, name) in defaults.limits.iter().enumerate() {
                    if !self.limits.contains_key(name) {
                        let known = self.limits.keys().map(String::as_str);
                        cx.within(index, |cx| {
                            _ = cx.unknown(number::UNKNOWN_LIMIT, "limit", name, known)
                        });
                    }
                }
            });
            if let Some(issuers) = defaults.auth.as_ref().and_then(|auth| auth.issuers.as_ref()) {
                cx.within("auth", |cx| {
                    cx.within("issuers", |cx| {
                        identity::Plan::compile(issuers, false, &self.issuers, cx);
                    });
                });
            }
            cx.within("forward", |cx| {
                Forward::compile(None, &defaults.forward, &self.forwarded, cx);
            });
            cx.within("waf", |cx| self.profiles.check_default(defaults.waf.as_deref(), cx));
        });
        self.warn_without(cx);
        self.warn_services(cx);
    }

    fn warn_without(&self, cx: &mut Compile) {
        for (index, route) in self.document.routes.iter().enumerate() {
            for (at, name) in route.without_limits.iter().enumerate() {
                if !self.document.defaults.limits.contains(name) {
                    cx.within("routes", |cx| {
                        cx.within(index, |cx| {
                            cx.within("without_limits", |cx| {
                                cx.within(at, |cx| {
                                    let known =
                                        self.document.defaults.limits.iter().map(String::as_str);
                                    cx.unknown(number::UNKNOWN_LIMIT, "default limit", name, known);
                                });
                            });
                        });
                    });
                }
            }
        }
    }

    fn warn_services(&self, cx: &mut Compile) {
        let used: HashSet<&str> =
            self.document.routes.iter().filter_map(|route| route.to.as_deref()).collect();
        cx.within("services", |cx| {
            for name in self.services.keys().filter(|name| !used.contains(name.as_str())) {
                cx.within(name.clone(), |cx| {
                    cx.warning(number::UNUSED, format!("service `{name}` is never used")).at_key();
                });
            }
        });
    }
}

fn facts(identity: &identity::Plan) -> Vec<IssuerFacts<'_>> {
    identity.issuers.iter().map(issuer_facts).collect()
}

/// What the policy stage may know of the identity stage's plan: stages do not know each other.
fn issuer_facts(issuer: &Arc<identity::IssuerPlan>) -> IssuerFacts<'_> {
    IssuerFacts {
        name: &issuer.name,
        acr_values: &issuer.any_acr,
        maps_mfa: issuer.maps_mfa(),
        skew_s: issuer.skew_s,
    }
}

/// An id is a metric label and part of counter keys.
fn check_id(id: &str, cx: &mut Compile) {
    const ID_BYTES: usize = 64;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > ID_BYTES || !id.bytes().all(plain) {
        cx.within("id", |cx| {
            cx.error(number::FORMAT, format!("route id `{id}`"))
                .hint(format!("letters, digits, `-`, `_` and `.`, 1 to {ID_BYTES}"));
        });
    }
}

/// Names of `{parameters}`; malformed ones are the route stage's to report.
fn path_params(path: &str) -> Vec<&str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect()
}
