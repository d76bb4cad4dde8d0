//! Sections -> plans: every bound is checked here, so that decisions are plain arithmetic.

use std::sync::Arc;

use crate::base::compile::{Compile, number};
use crate::base::decision::Mode;
use crate::base::units::{Rate, Span, Window};
use crate::state::counters::measure::{EXACT, GATEWAYS_MAX, Gcra, Measure};
use crate::state::counters::store::StoreTarget;
use crate::state::counters::{CHARGES_MAX, Counters, Subject};

use super::decide::LimitSet;
use super::key::{KeyPlan, SubjectKey};
use super::section::{LimitScope, LimitSection, OnStoreLoss, StoreSection};

/// Longest name of a limit: it is part of answers, events and metrics.
pub const NAME_BYTES: usize = 64;

/// One limit, compiled.
#[derive(Debug)]
pub struct LimitPlan {
    /// As clients, events and metrics see it.
    pub name: Arc<str>,
    /// What its counters are kept under. Numbers are not part of it: a changed rate takes over what was counted.
    pub id: Box<str>,
    pub measure: Measure,
    pub scope: LimitScope,
    pub on_store_loss: OnStoreLoss,
    pub mode: Mode,
    pub(super) key: KeyPlan,
    pub(super) subject_key: SubjectKey,
    /// Its item of `RateLimit-Policy`.
    pub(super) policy: String,
    /// The limit itself, as its counters know it.
    pub(super) limit_subject: Subject,
    /// For evidence: the numbers as the operator wrote them.
    pub(super) text: String,
}

/// What a limit is called and what its counters are kept under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitName {
    pub name: Arc<str>,
    pub id: Box<str>,
}

impl LimitName {
    /// A limit of the `limits` section: every route that uses it counts in the same place.
    pub fn named(name: &str) -> LimitName {
        LimitName { name: name.into(), id: format!("named:{name}").into() }
    }

    /// The limits that a route writes in place, in their order. Their counters follow route and key, so that a limit
    /// keeps its state when another is put before it; equal keys are told apart by their order.
    pub fn inline<'s>(
        route: &str,
        sections: impl IntoIterator<Item = &'s LimitSection>,
    ) -> Vec<LimitName> {
        let mut seen: Vec<String> = Vec::new();
        let name = |(index, section): (usize, &LimitSection)| {
            let key = format!("{:?}", section.key);
            let earlier = seen.iter().filter(|other| **other == key).count();
            let id = format!("inline:{route}:{earlier}:{key}").into();
            seen.push(key);
            LimitName { name: format!("{route}#{}", index + 1).into(), id }
        };
        sections.into_iter().enumerate().map(name).collect()
    }
}

impl LimitPlan {
    /// Compiles one limit and reports all its problems. `shared` says whether a store is configured.
    pub fn compile(
        name: LimitName,
        section: &LimitSection,
        shared: bool,
        cx: &mut Compile,
    ) -> Option<Arc<LimitPlan>> {
        let named = check_name(&name.name, cx);
        let measure = measure(section, cx);
        let key = cx.within("key", |cx| KeyPlan::compile(&section.key, cx));
        let scope = scope(section.scope, shared, cx);
        if section.scope == Some(LimitScope::Local) && section.on_store_loss != OnStoreLoss::Local {
            cx.within("on_store_loss", |cx| {
                cx.warning(
                    number::LIMIT_SCOPE,
                    "`on_store_loss` has no effect on a limit of scope `local`",
                );
            });
        }
        let (measure, key, scope) = (measure?, key?, scope?);
        let policy = named.then(|| policy_item(&name.name, &measure))?;
        let subject_key = SubjectKey::new(&format!("{}:{}", kind(&measure), name.id));
        Some(Arc::new(LimitPlan {
            limit_subject: subject_key.limit(),
            subject_key,
            text: text(section),
            name: name.name,
            id: name.id,
            measure,
            scope,
            on_store_loss: section.on_store_loss,
            mode: section.mode,
            key,
            policy,
        }))
    }

    /// Path parameters that every route of this limit must have.
    pub fn path_params(&self) -> impl Iterator<Item = &str> {
        self.key.path_params()
    }
}

/// The limits of one route: those that are decided before the caller is known, and those that need the token.
#[derive(Debug)]
pub struct RouteLimits {
    pub early: LimitSet,
    pub late: LimitSet,
}

impl RouteLimits {
    /// Splits a route's limits by what their keys need. A limit that is named twice counts once; those with
    /// `mode: off` are left out. `params` are the parameters of the route's path.
    pub fn compile(
        limits: &[Arc<LimitPlan>],
        params: &[&str],
        counters: &Arc<Counters>,
        cx: &mut Compile,
    ) -> RouteLimits {
        let mut distinct: Vec<Arc<LimitPlan>> = Vec::new();
        for limit in limits.iter().filter(|limit| limit.mode != Mode::Off) {
            check_params(limit, params, cx);
            if distinct.iter().all(|other| other.id != limit.id) {
                distinct.push(Arc::clone(limit));
            }
        }
        let (late, early): (Vec<_>, Vec<_>) =
            distinct.into_iter().partition(|limit| limit.key.needs_identity());
        for set in [&early, &late] {
            if set.len() > CHARGES_MAX {
                cx.error(
                    number::LIMITS_CROWDED,
                    format!("{} limits apply at once, bound {CHARGES_MAX}", set.len()),
                );
            }
        }
        RouteLimits {
            early: LimitSet::new(early, Arc::clone(counters)),
            late: LimitSet::new(late, Arc::clone(counters)),
        }
    }
}

fn check_params(limit: &LimitPlan, params: &[&str], cx: &mut Compile) {
    for name in limit.path_params().filter(|name| !params.contains(name)) {
        let problem =
            cx.unknown(number::LIMIT_PARAMETER, "path parameter", name, params.iter().copied());
        problem.message = format!(
            "limit `{}` counts by `path.{name}`, which the route's path does not have",
            limit.name
        );
    }
}

/// The name stands in a quoted string of the answer (RFC 9651 §3.3.3) and in metric labels.
fn check_name(name: &str, cx: &mut Compile) -> bool {
    let legal = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    let good = !name.is_empty() && name.len() <= NAME_BYTES && name.bytes().all(legal);
    if !good {
        cx.error(
            number::LIMIT_NAME,
            format!(
                "limit name `{name}`, allowed: 1 to {NAME_BYTES} visible ASCII characters without quotes"
            ),
        )
        .at_key();
    }
    good
}

fn measure(section: &LimitSection, cx: &mut Compile) -> Option<Measure> {
    match (section.rate, section.quota) {
        (Some(rate), None) => cx.within(burst_place(section), |cx| gcra(rate, section.burst, cx)),
        (None, Some(quota)) => {
            if section.burst.is_some() {
                cx.within("burst", |cx| {
                    cx.error(
                        number::LIMIT_BURST,
                        "`burst` belongs to `rate`; a quota may be used at once",
                    )
                    .at_key();
                });
                return None;
            }
            if quota.count > EXACT {
                cx.within("quota", |cx| {
                    cx.error(
                        number::LIMIT_COUNT,
                        format!("quota {} per window, bound {EXACT}", quota.count),
                    );
                });
                return None;
            }
            Some(Measure::Quota(quota))
        }
        (None, None) => {
            cx.error(number::LIMIT_KIND, "a limit needs `rate` or `quota`")
                .hint("for example `rate: 100/1s`");
            None
        }
        (Some(_), Some(_)) => {
            cx.error(number::LIMIT_KIND, "a limit has either `rate` or `quota`, not both")
                .hint("write two limits: a request must pass both");
            None
        }
    }
}

fn burst_place(section: &LimitSection) -> &'static str {
    if section.burst.is_some() { "burst" } else { "rate" }
}

fn gcra(rate: Rate, burst: Option<u64>, cx: &mut Compile) -> Option<Measure> {
    let wanted = burst.unwrap_or(rate.count);
    if wanted == 0 {
        cx.error(number::LIMIT_COUNT, "burst 0 admits nothing, allowed: 1 or more");
        return None;
    }
    match Gcra::new(rate, wanted) {
        Ok(gcra) => Some(Measure::Rate(gcra)),
        Err(inexact) if inexact.burst_max == 0 => {
            cx.error(
                number::LIMIT_COUNT,
                format!("rate {rate} cannot be counted exactly; its period is bound by 366d"),
            )
            .hint("use `quota` for calendar windows");
            None
        }
        Err(inexact) => {
            let most = inexact.burst_max;
            cx.error(
                number::LIMIT_COUNT,
                format!("burst {wanted}, at most {most} can be counted exactly at rate {rate}"),
            )
            .hint(format!("`burst: {most}`, or `quota` for a calendar window"));
            None
        }
    }
}

fn scope(scope: Option<LimitScope>, shared: bool, cx: &mut Compile) -> Option<LimitScope> {
    if scope == Some(LimitScope::Shared) && !shared {
        cx.within("scope", |cx| {
            cx.error(number::LIMIT_SCOPE, "scope `shared` needs a `store`")
                .hint("add `store: { redis: ... }`");
        });
        return None;
    }
    let default = if shared { LimitScope::Shared } else { LimitScope::Local };
    Some(scope.unwrap_or(default))
}

/// Limits of one name that turn from a rate into a quota must not read each other's cells.
fn kind(measure: &Measure) -> &'static str {
    match measure {
        Measure::Rate(_) => "rate",
        Measure::Quota(_) => "quota",
    }
}

/// draft-ietf-httpapi-ratelimit-headers: `q` is what may come at once, `w` the time in which it all comes back. Months
/// differ in length, so their `w` is left out: policies must not change between answers.
fn policy_item(name: &str, measure: &Measure) -> String {
    let quota = measure.size();
    let window_s = match measure {
        Measure::Rate(_) => Some(measure.cap().div_ceil(measure.scale()).div_ceil(1_000_000)),
        Measure::Quota(quota) => match quota.window {
            Window::Hour => Some(3_600),
            Window::Day => Some(86_400),
            Window::Month => None,
        },
    };
    let window = window_s.map(|seconds| format!(";w={seconds}")).unwrap_or_default();
    format!("\"{name}\";q={quota}{window}")
}

fn text(section: &LimitSection) -> String {
    match (section.rate, section.quota) {
        (Some(rate), _) => format!("{rate}, burst {}", section.burst.unwrap_or(rate.count)),
        (_, Some(quota)) => quota.to_string(),
        _ => String::new(),
    }
}

/// Compiles the store: address, secret and bounds.
pub fn compile_store(section: &StoreSection, cx: &mut Compile) -> Option<StoreTarget> {
    let address = cx.within("redis", |cx| {
        StoreTarget::parse(&section.redis)
            .map_err(|error| {
                cx.error(number::STORE_TARGET, error);
            })
            .ok()
    });
    let password = cx.within("password", |cx| match &section.password {
        None => Some(None),
        Some(secret) => secret
            .read()
            .map_err(|error| {
                cx.error(number::STORE_TARGET, error);
            })
            .ok()
            .map(Some),
    });
    let deadline = cx.within("deadline", |cx| deadline(section.deadline, cx));
    let gateways = cx.within("expected_gateways", |cx| gateways(section.expected_gateways, cx));
    let mut target = address?;
    target.password = password?.map(String::into_boxed_str);
    target.deadline = deadline?;
    target.expected_gateways = gateways?;
    Some(target)
}

/// Bounds of `deadline`: less is noise of the scheduler, more makes a slow store the clients' problem.
const DEADLINE: [std::time::Duration; 2] =
    [std::time::Duration::from_micros(500), std::time::Duration::from_secs(1)];

fn deadline(deadline: Span, cx: &mut Compile) -> Option<std::time::Duration> {
    let [least, most] = DEADLINE;
    if (least..=most).contains(&deadline.0) {
        return Some(deadline.0);
    }
    cx.error(
        number::STORE_BOUND,
        format!("deadline {deadline}, allowed: {} to {}", Span(least), Span(most)),
    );
    None
}

fn gateways(gateways: u32, cx: &mut Compile) -> Option<u32> {
    if (1..=GATEWAYS_MAX).contains(&gateways) {
        return Some(gateways);
    }
    cx.error(number::STORE_BOUND, format!("{gateways} gateways, allowed: 1 to {GATEWAYS_MAX}"));
    None
}
