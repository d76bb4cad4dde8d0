//! Profiles and a route's changes of them -> what the engine runs. Each distinct rule set is compiled once and shared by
//! all routes; a route adds bits, not rules.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use waf_rules::{
    Bounds, EngineMode, Exclusion, MemoryCollections, Profile, ProfileError, ProfileOptions,
    RuleInfo, RuleSelector, Ruleset,
};

use super::lists::{Asking, Lists};
use super::section::{ExceptSection, OverBound, ResponseSection, WafChange, WafSection, WafUse};
use crate::base::bounds;
use crate::base::compile::{Compile, Problem, number};
use crate::base::decision::Mode;
use crate::base::event::{Inspected, WafFacts};
use crate::base::units::Percent;

/// The name that inspects nothing.
const OFF: &str = "off";
/// The name of the built-in rule set.
pub const BUILTIN: &str = "builtin";
const NO_ANSWERS: &str = "threshold 0 would refuse every answer";
/// The tag of rules that compare the sum with the threshold, here and in CRS.
const EVALUATION: &str = "anomaly-evaluation";
/// Stands where a day is still to be written; it is none, so that nobody forgets.
pub const EXPIRES_PLACEHOLDER: &str = "YYYY-MM-DD";
/// An exception that ends within this many days is warned of.
const WARN_DAYS: i64 = 14;

/// What the rules do on a route.
#[derive(Debug)]
pub struct Plan {
    /// Name of the profile.
    pub name: Arc<str>,
    pub mode: Mode,
    pub profile: Profile,
    /// Bytes of a body that are inspected; 0: none.
    pub inspect: usize,
    /// A larger body is refused.
    pub reject: bool,
    pub timeout: Duration,
    /// `None`: answers are not looked at.
    pub response: Option<ResponsePlan>,
    /// Percent of the requests that the rules look at.
    pub sample: u8,
    /// What its rules ask of the client beforehand; `None`: nothing.
    pub lists: Option<Lists>,
}

impl Plan {
    /// Whether the rules look at the request of this id. The same for the same id, here and on every other gateway;
    /// the hash gives every id the same chance, however it was chosen.
    pub fn samples(&self, request_id: u128) -> bool {
        if self.sample >= 100 {
            return true;
        }
        let hash = blake3::hash(&request_id.to_be_bytes());
        let [a, b, c, d, ..] = *hash.as_bytes();
        // 2^32 is so much larger than 100 that the remainder favours nobody.
        u32::from_be_bytes([a, b, c, d]) % 100 < u32::from(self.sample)
    }

    /// What the event says of a request that they do not look at.
    pub fn sampled_out(&self) -> WafFacts {
        WafFacts {
            profile: self.name.clone(),
            mode: self.mode,
            score: 0,
            threshold: 0,
            inspected: Inspected::SampledOut,
            response: None,
            matches: Vec::new(),
        }
    }
}

/// What the rules do with answers on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponsePlan {
    /// Bytes of a body that are inspected.
    pub inspect: usize,
    /// A larger body is refused.
    pub reject: bool,
    /// Longest time that a beginning is held while more is awaited.
    pub hold: Duration,
}

/// A calendar day of UTC, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Day(pub i64);

/// All profiles of a configuration.
pub struct Profiles<'s> {
    named: BTreeMap<String, Option<Base>>,
    today: Day,
    /// What rules remember of clients: every generation's rules share it.
    collections: Arc<MemoryCollections>,
    /// How lists in the DNS are asked; `None`: nobody is.
    asking: Option<Asking<'s>>,
    /// Routes with the same choices share one plan: ten thousand routes cost as much as one.
    made: Mutex<HashMap<String, Option<Arc<Plan>>>>,
}

/// A profile before any route has changed it.
struct Base {
    ruleset: Ruleset,
    section: WafSection,
}

impl<'s> Profiles<'s> {
    /// Compiles `waf`; every problem of the rule files is reported at the profile that names them.
    pub fn compile(
        sections: &BTreeMap<String, WafSection>,
        today: Day,
        collections: Arc<MemoryCollections>,
        asking: Option<Asking<'s>>,
        cx: &mut Compile,
    ) -> Profiles<'s> {
        let mut rulesets: HashMap<&[String], Option<Ruleset>> = HashMap::new();
        let mut named = BTreeMap::new();
        cx.within("waf", |cx| {
            for (name, section) in sections {
                let base = cx.within(name.clone(), |cx| {
                    if name == OFF {
                        cx.error(
                            number::CONTRADICTION,
                            "`off` is the profile that inspects nothing",
                        )
                        .at_key();
                    }
                    check(section, cx);
                    let ruleset = rulesets
                        .entry(&section.rules)
                        .or_insert_with(|| cx.within("rules", |cx| load(&section.rules, cx)));
                    let ruleset = ruleset.clone()?;
                    warn_of_mode(&ruleset, section.mode, cx);
                    Some(Base { ruleset, section: section.clone() })
                });
                named.insert(name.clone(), base);
            }
        });
        Profiles { named, today, collections, asking, made: Mutex::default() }
    }

    /// What a route runs; `None`: nothing, or there were problems. The current place is the route's `waf`.
    pub fn for_route(
        &self,
        wanted: Option<&WafUse>,
        default: Option<&str>,
        cx: &mut Compile,
    ) -> Option<Arc<Plan>> {
        let none = WafChange::default();
        let (name, change, place) = match wanted {
            None => (default?, &none, None),
            Some(WafUse::Named(name)) => (name.as_str(), &none, Some("")),
            Some(WafUse::Changed(change)) => match change.profile.as_deref().or(default) {
                Some(name) => (name, change, Some("profile")),
                None if change.mode == Some(Mode::Off) => return None,
                None => {
                    cx.error(
                        number::UNKNOWN_PROFILE,
                        "no profile is named, and `defaults.waf` names none",
                    );
                    return None;
                }
            },
        };
        if name == OFF || change.mode == Some(Mode::Off) {
            return None;
        }
        let Some(base) = self.named.get(name) else {
            // What is wrong with the defaults is reported once, at the defaults.
            match place {
                Some("") => self.unknown(name, cx),
                Some(step) if change.profile.is_some() => {
                    cx.within(step, |cx| self.unknown(name, cx))
                }
                _ => {}
            }
            return None;
        };
        let base = base.as_ref()?;
        let key = format!("{name}\n{change:?}");
        if let Some(made) = self.made.lock().get(&key) {
            return made.clone();
        }
        let plan = self.plan(name, base, change, cx).map(Arc::new);
        self.made.lock().insert(key, plan.clone());
        plan
    }

    /// Reports a default that does not exist; the current place is `defaults.waf`.
    pub fn check_default(&self, default: Option<&str>, cx: &mut Compile) {
        if let Some(name) = default.filter(|name| *name != OFF && !self.named.contains_key(*name)) {
            self.unknown(name, cx);
        }
    }

    fn unknown(&self, name: &str, cx: &mut Compile) {
        let known = self.named.keys().map(String::as_str).chain([OFF]);
        cx.unknown(number::UNKNOWN_PROFILE, "WAF profile", name, known);
    }

    fn plan(&self, name: &str, base: &Base, change: &WafChange, cx: &mut Compile) -> Option<Plan> {
        let section = &base.section;
        let mode = change.mode.unwrap_or(section.mode);
        if mode == Mode::Off {
            return None;
        }
        let blocking = change.paranoia.unwrap_or(section.paranoia);
        let sample = change.sample.unwrap_or(section.sample).0;
        check_change(section, change, blocking, cx);
        if mode == Mode::Enforce && (1..100).contains(&sample) {
            let text = format!("{}% of the requests pass without being looked at", 100 - sample);
            cx.warning(number::SAMPLED, text).hint("`sample` is meant for `mode: monitor`");
        }
        let detection = change.detection_paranoia.or(section.detection_paranoia);
        let (exclusions, places) = self.exclusions(&change.except, cx);
        for (exclusion, index) in exclusions.iter().zip(&places) {
            if let Some(why) = too_broad(&base.ruleset, exclusion) {
                cx.within("except", |cx| {
                    cx.within(*index, |cx| _ = cx.error(number::EXCEPTION_TOO_BROAD, why));
                });
            }
        }
        let inspect = section.body.inspect.0.min(bounds::INSPECT_BYTES);
        let response = section.response.as_ref().map(response_plan);
        let options = ProfileOptions {
            blocking_paranoia: blocking,
            detection_paranoia: detection.unwrap_or(blocking).max(blocking).min(4),
            early_blocking: change.early_blocking.or(section.early_blocking),
            inbound_threshold: change.threshold.or(section.threshold),
            engine: Some(match mode {
                Mode::Enforce => EngineMode::On,
                _ => EngineMode::DetectionOnly,
            }),
            outbound_threshold: outbound(section, change),
            response_types: Some(response_types(section)),
            exclusions,
            collections: Some(self.collections.clone()),
            bounds: Bounds {
                body_bytes: inspect.max(1),
                response_body_bytes: response.map_or(1, |response| response.inspect.max(1)),
                over: match section.body.over {
                    OverBound::Reject => waf_rules::Over::Reject,
                    OverBound::Partial => waf_rules::Over::Partial,
                },
                ..Bounds::default()
            },
        };
        match Profile::new(&base.ruleset, options) {
            Ok(profile) => Some(Plan {
                lists: self.asking.as_ref().and_then(|asking| asking.lists(&profile, cx)),
                name: name.into(),
                mode,
                profile,
                inspect,
                reject: section.body.over == OverBound::Reject,
                timeout: section.body.timeout.0,
                response,
                sample,
            }),
            Err(errors) => {
                errors.iter().for_each(|error| report(error, &places, cx));
                None
            }
        }
    }

    /// Exceptions in force, and the index of each in the configuration.
    fn exclusions(
        &self,
        except: &[ExceptSection],
        cx: &mut Compile,
    ) -> (Vec<Exclusion>, Vec<usize>) {
        let mut exclusions = Vec::new();
        let mut places = Vec::new();
        for (index, section) in except.iter().enumerate() {
            let in_force =
                cx.within("except", |cx| cx.within(index, |cx| self.check_except(section, cx)));
            if in_force {
                exclusions.push(exclusion(section));
                places.push(index);
            }
        }
        (exclusions, places)
    }

    /// Whether an exception holds today.
    fn check_except(&self, section: &ExceptSection, cx: &mut Compile) -> bool {
        if section.rules.is_empty() && section.tags.is_empty() {
            cx.error(number::VALUE, "exception names neither rules nor tags");
        }
        if section.why.trim().is_empty() {
            cx.within("why", |cx| {
                _ = cx.error(number::VALUE, "the reason of an exception is empty")
            });
        }
        let Some(text) = &section.expires else { return true };
        cx.within("expires", |cx| match Day::parse(text) {
            None => {
                cx.error(number::FORMAT, format!("`{text}` is not a day")).hint("YYYY-MM-DD");
                false
            }
            Some(day) if day <= self.today => {
                cx.warning(
                    number::EXPIRED,
                    format!("exception expired on {text} and no longer holds"),
                );
                false
            }
            Some(day) if day.0 - self.today.0 <= WARN_DAYS => {
                let days = day.0 - self.today.0;
                cx.warning(
                    number::EXPIRING,
                    format!("exception expires in {days} days, on {text}"),
                );
                true
            }
            Some(_) => true,
        })
    }
}

/// A route's own numbers. A level of the profile gives way to a higher one of the route; two of the route must agree.
fn check_change(section: &WafSection, change: &WafChange, blocking: u8, cx: &mut Compile) {
    if let Some(response) = &change.response {
        cx.within("response", |cx| {
            if section.response.is_none() {
                cx.error(number::CONTRADICTION, "the profile does not look at answers");
            }
            if response.threshold == Some(0) {
                cx.within("threshold", |cx| _ = cx.error(number::VALUE, NO_ANSWERS));
            }
        });
    }
    if let Some(detection) =
        change.detection_paranoia.filter(|level| !(blocking..=4).contains(level))
    {
        let text = format!("detection_paranoia {detection}, allowed {blocking} to 4");
        cx.within("detection_paranoia", |cx| _ = cx.error(number::RANGE, text));
    }
    if change.threshold == Some(0) {
        cx.within("threshold", |cx| {
            _ = cx.error(number::VALUE, "threshold 0 would refuse every request")
        });
    }
    if change.sample == Some(Percent(0)) {
        cx.within("sample", |cx| _ = no_sample(cx));
    }
}

fn no_sample(cx: &mut Compile) -> &mut Problem {
    cx.error(number::VALUE, "sample 0% looks at nothing").hint("`mode: off` says so")
}

/// Why an exception is none: it takes the sum's own rules, or most of those that find attacks, from the whole request.
fn too_broad(ruleset: &Ruleset, exclusion: &Exclusion) -> Option<String> {
    let part = |target: &str| {
        target.contains([':', '.']) || target.starts_with(|c: char| !c.is_ascii_uppercase())
    };
    if exclusion.target.as_deref().is_some_and(part) {
        return None;
    }
    let taken = |rule: &RuleInfo<'_>| exclusion.rules.iter().any(|selector| takes(selector, rule));
    let has =
        |rule: &RuleInfo<'_>, class: &str| rule.tags().iter().any(|tag| tag.starts_with(class));
    if let Some(rule) = ruleset.rules().find(|rule| has(rule, EVALUATION) && taken(rule)) {
        return Some(format!(
            "rule {} decides on the sum of all others: without it nothing is refused",
            rule.id()
        ));
    }
    let attacks = || ruleset.rules().filter(|rule| has(rule, "attack-"));
    let (all, excepted) = (attacks().count(), attacks().filter(taken).count());
    (all > 1 && excepted * 2 > all).then(|| {
        format!("{excepted} of {all} rules that find attacks would not run; `mode: off` or a `field` says what is meant")
    })
}

fn takes(selector: &RuleSelector, rule: &RuleInfo<'_>) -> bool {
    match selector {
        RuleSelector::Id(id) => rule.id() == *id,
        RuleSelector::Range(first, last) => (*first..=*last).contains(&rule.id()),
        RuleSelector::Tag(tag) => rule.tags().contains(tag),
    }
}

/// What an exception takes out, whether or not it holds today.
pub fn exclusion(section: &ExceptSection) -> Exclusion {
    let ids = section.rules.iter().copied().map(RuleSelector::Id);
    let tags = section.tags.iter().cloned().map(RuleSelector::Tag);
    let target = section.field.as_deref().map(|field| match field.strip_prefix("arg.") {
        Some(name) => format!("ARGS:{name}|ARGS_GET:{name}|ARGS_POST:{name}"),
        None => field.to_owned(),
    });
    Exclusion { rules: ids.chain(tags).collect(), target }
}

/// Says that the rules were written to do less than the profile has them do.
fn warn_of_mode(ruleset: &Ruleset, mode: Mode, cx: &mut Compile) {
    let said = match (ruleset.engine(), mode) {
        (Some(EngineMode::DetectionOnly), Mode::Enforce) => "DetectionOnly",
        (Some(EngineMode::Off), Mode::Enforce | Mode::Monitor) => "Off",
        _ => return,
    };
    let text = format!("the rules say `SecRuleEngine {said}`, and the profile's mode decides");
    cx.within("rules", |cx| {
        cx.warning(number::NO_EFFECT, text).hint("`mode` says which, `monitor` refuses nothing");
    });
}

fn check(section: &WafSection, cx: &mut Compile) {
    let detection = section.detection_paranoia.unwrap_or(section.paranoia);
    if !(1..=4).contains(&section.paranoia) {
        let text = format!("paranoia {}, allowed 1 to 4", section.paranoia);
        cx.within("paranoia", |cx| _ = cx.error(number::RANGE, text));
    }
    if !(section.paranoia..=4).contains(&detection) {
        let text = format!("detection_paranoia {detection}, allowed {} to 4", section.paranoia);
        cx.within("detection_paranoia", |cx| _ = cx.error(number::RANGE, text));
    }
    if section.threshold == Some(0) {
        cx.within("threshold", |cx| {
            _ = cx.error(number::VALUE, "threshold 0 would refuse every request")
        });
    }
    if let Some(response) = &section.response {
        cx.within("response", |cx| check_response(response, cx));
    }
    if section.sample == Percent(0) {
        cx.within("sample", |cx| _ = no_sample(cx));
    }
    if section.body.inspect.0 > bounds::INSPECT_BYTES {
        let text =
            format!("inspect {}, bound {} bytes", section.body.inspect, bounds::INSPECT_BYTES);
        cx.within("body", |cx| cx.within("inspect", |cx| _ = cx.error(number::VALUE, text)));
    }
}

fn check_response(section: &ResponseSection, cx: &mut Compile) {
    if section.inspect.0 > bounds::INSPECT_BYTES {
        let text = format!("inspect {}, bound {} bytes", section.inspect, bounds::INSPECT_BYTES);
        cx.within("inspect", |cx| _ = cx.error(number::VALUE, text));
    }
    if section.threshold == Some(0) {
        cx.within("threshold", |cx| _ = cx.error(number::VALUE, NO_ANSWERS));
    }
    for (index, kind) in section.types.iter().enumerate() {
        let Some(why) = no_type(kind) else { continue };
        let text = format!("`{kind}` {why}");
        cx.within("types", |cx| cx.within(index, |cx| _ = cx.error(number::VALUE, text)));
    }
}

/// Why answers of such a type cannot be inspected.
fn no_type(kind: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && name.bytes().all(is_plain);
    match kind.split_once('/') {
        Some((main, sub)) if is_name(main) && is_name(sub) => {
            let stream = kind.eq_ignore_ascii_case("text/event-stream")
                || kind.to_ascii_lowercase().starts_with("application/grpc");
            stream.then_some("is a stream: it has no whole that could be inspected")
        }
        _ => Some("is not a media type such as `text/html`"),
    }
}

fn outbound(section: &WafSection, change: &WafChange) -> Option<u32> {
    let own = change.response.as_ref().and_then(|response| response.threshold);
    own.or(section.response.as_ref()?.threshold)
}

fn response_plan(section: &ResponseSection) -> ResponsePlan {
    ResponsePlan {
        inspect: section.inspect.0.min(bounds::INSPECT_BYTES),
        reject: section.over == OverBound::Reject,
        hold: section.hold.0,
    }
}

/// Types whose bodies the rules get; what the rule files say of it does not count, because holding an answer is ours.
fn response_types(section: &WafSection) -> Vec<String> {
    let inspected = section.response.as_ref().filter(|response| response.inspect.0 > 0);
    let types = inspected.map(|response| response.types.as_slice()).unwrap_or_default();
    types.iter().map(|kind| kind.to_ascii_lowercase()).collect()
}

fn load(rules: &[String], cx: &mut Compile) -> Option<Ruleset> {
    if rules.is_empty() {
        cx.error(number::RULES, "no rules").hint("`builtin`, or paths of SecLang files");
        return None;
    }
    let builder = rules.iter().fold(Ruleset::builder(), |builder, rule| match rule.as_str() {
        BUILTIN => builder.builtin(),
        path => builder.file(path),
    });
    match builder.build() {
        Ok(ruleset) => {
            // One warning, however many there are: errors elsewhere must not be crowded out.
            if !ruleset.notices().is_empty() {
                let text = format!("rules without effect\n{}", ruleset.notices().join("\n"));
                cx.warning(number::NO_EFFECT, text);
            }
            Some(ruleset)
        }
        Err(errors) => {
            cx.error(number::RULES, format!("rules cannot be compiled\n{errors}"));
            None
        }
    }
}

fn report(error: &ProfileError, places: &[usize], cx: &mut Compile) {
    let (ProfileError::UnknownRule { exclusion, .. } | ProfileError::Target { exclusion, .. }) =
        error
    else {
        cx.within("paranoia", |cx| _ = cx.error(number::RANGE, error.to_string()));
        return;
    };
    let text = error.to_string();
    let text = text.split_once(": ").map_or(text.as_str(), |(_, rest)| rest);
    cx.within("except", |cx| {
        cx.within(places.get(*exclusion).copied().unwrap_or_default(), |cx| {
            cx.error(number::RULES, text.to_owned());
        });
    });
}

impl Day {
    /// The day of a time, seconds since the Unix epoch.
    pub fn of(unix_s: u64) -> Day {
        Day(i64::try_from(unix_s / 86_400).unwrap_or(i64::MAX))
    }

    /// `YYYY-MM-DD`, a day that exists.
    pub fn parse(text: &str) -> Option<Day> {
        let bytes = text.as_bytes();
        let shape = bytes.len() == 10 && bytes[4] == b'-' && bytes[7] == b'-';
        let digits =
            bytes.iter().enumerate().all(|(at, byte)| at == 4 || at == 7 || byte.is_ascii_digit());
        if !shape || !digits {
            return None;
        }
        let year: i64 = text[..4].parse().ok()?;
        let month: i64 = text[5..7].parse().ok()?;
        let day: i64 = text[8..].parse().ok()?;
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let length = lengths.get(usize::try_from(month - 1).ok()?)?;
        (1..=*length).contains(&day).then(|| Day(days_from_civil(year, month, day)))
    }
}

/// Days since 1970-01-01 of a Gregorian date; years begin in March so that the leap day is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
