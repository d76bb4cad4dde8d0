//! How a route uses a rule set: paranoia, thresholds, exclusions, bounds. A profile never copies
//! rules: it holds bits for the rules that are off, a list of its excluded targets, and a share in
//! the course that all profiles of its levels run.

use std::fmt;
use std::sync::Arc;

use crate::EngineMode;
use crate::bitset::BitSet;
use crate::bytes::index;
use crate::collection::Collections;
use crate::operator::AddressList;
use crate::plan::course::{Course, Pins};
use crate::plan::settings::Over;
use crate::plan::{Exclusion as PlannedExclusion, Program};
use crate::ruleset::Ruleset;
use crate::seclang::parser::parse_targets_text;

/// A rule set with one route's choices; clones share it.
#[derive(Debug, Clone)]
pub struct Profile(Arc<Inner>);

/// A route's choices. The default is paranoia 1, the rules' own thresholds, no exclusion.
#[derive(Debug, Clone)]
pub struct ProfileOptions {
    /// Rules up to this level count towards blocking; 1 to 4. Sets `tx.blocking_paranoia_level`
    /// (`tx.paranoia_level` of CRS 3), whatever the rules write there.
    pub blocking_paranoia: u8,
    /// Rules up to this level run; from `blocking_paranoia` to 4. Sets `tx.detection_paranoia_level`
    /// (`tx.executing_paranoia_level` of CRS 3).
    pub detection_paranoia: u8,
    /// Sets `tx.inbound_anomaly_score_threshold`; `None` leaves it to the rules.
    pub inbound_threshold: Option<u32>,
    /// Sets `tx.outbound_anomaly_score_threshold`; `None` leaves it to the rules.
    pub outbound_threshold: Option<u32>,
    /// Whether the head is judged alone, before a byte of the body is read. Sets `tx.early_blocking`; `None` leaves it
    /// to the rules.
    pub early_blocking: Option<bool>,
    /// Overrides `SecRuleEngine`; `None` leaves it to the rules, which run when they say nothing.
    pub engine: Option<EngineMode>,
    /// Media types of response bodies that are inspected, in lower case, whatever `SecResponseBodyAccess` and
    /// `SecResponseBodyMimeType` say; none: no body is. `None` leaves it to the rules.
    pub response_types: Option<Vec<String>>,
    pub exclusions: Vec<Exclusion>,
    pub bounds: Bounds,
    /// Where persistent collections live. `None`: in memory, shared by the profiles of this rule set,
    /// and gone with it. Give every generation of a configuration the same one to keep them.
    pub collections: Option<Arc<dyn Collections>>,
}

/// Rules that a route does without, wholly or for one target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exclusion {
    pub rules: Vec<RuleSelector>,
    /// `ARGS:q` or any other SecLang target; `json.note` alone is the argument of that name wherever
    /// it comes from, `header.x` a request header, `cookie.y` a cookie. `None` turns the rules off.
    pub target: Option<String>,
}

/// Chooses rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSelector {
    Id(u32),
    /// Inclusive.
    Range(u32, u32),
    /// The rules that carry exactly this tag.
    Tag(String),
}

/// What one transaction may cost. Where the rules set a bound too, the smaller one holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Request body kept for inspection, in bytes; the content of uploaded files is not.
    pub body_bytes: usize,
    /// Response body kept for inspection, in bytes.
    pub response_body_bytes: usize,
    /// Arguments of query and body together.
    pub arguments: usize,
    /// Nesting of JSON and XML.
    pub depth: usize,
    /// Parts of a multipart body.
    pub parts: usize,
    /// Matches kept with their texts; more are counted and score, without a text.
    pub matches: usize,
    /// Work at paranoia level 1: values transformed, scanned and matched, weighed by what each costs, about a
    /// nanosecond a unit. Each level above adds nine tenths of it: its rules ask that much more. A form of
    /// 64 KiB of prose takes 3 million units with the built-in rules, 5 (paranoia 1) to 11 million (paranoia 4) with
    /// CRS. States of automata are paid for by the request that needs them first in a thread; all else is nearly
    /// the same every time.
    pub work: u64,
    /// Work that each byte of the bodies adds to it, as rules see them: decoded. Honest heads are small.
    pub work_per_byte: u64,
    /// What happens beyond `body_bytes`, `arguments` and `work`.
    pub over: Over,
}

/// One exclusion of [`ProfileOptions`] that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProfileError {
    /// Paranoia levels outside 1 to 4, or detection below blocking.
    Paranoia { blocking: u8, detection: u8 },
    /// `exclusions[exclusion]` names a rule or a tag that no rule has.
    UnknownRule { exclusion: usize, rule: RuleSelector },
    /// `exclusions[exclusion]` has a target that cannot be read.
    Target { exclusion: usize, target: String, reason: String },
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) ruleset: Ruleset,
    pub(crate) engine: EngineMode,
    pub(crate) bounds: Bounds,
    /// The bounds of the options alone, which no rule can pass.
    pub(crate) ceiling: Bounds,
    pub(crate) collections: Arc<dyn Collections>,
    pub(crate) removed: BitSet,
    pub(crate) exclusions: Vec<(BitSet, Vec<PlannedExclusion>)>,
    /// Transaction variables that the profile sets and the rules cannot.
    pub(crate) pinned: Pins,
    pub(crate) course: Arc<Course>,
    pub(crate) blocking_paranoia: u8,
    pub(crate) options: ProfileOptions,
}

impl Default for ProfileOptions {
    fn default() -> Self {
        Self {
            blocking_paranoia: 1,
            detection_paranoia: 1,
            inbound_threshold: None,
            outbound_threshold: None,
            early_blocking: None,
            engine: None,
            response_types: None,
            exclusions: Vec::new(),
            bounds: Bounds::default(),
            collections: None,
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            body_bytes: 128 * 1024,
            response_body_bytes: 512 * 1024,
            arguments: 1_000,
            depth: 64,
            parts: 128,
            matches: 128,
            work: 6_500_000,
            work_per_byte: 47,
            over: Over::Reject,
        }
    }
}

impl Profile {
    /// Binds a rule set to a route's choices.
    ///
    /// # Errors
    /// Every exclusion that names no rule or no target, by its index, and paranoia levels out of range.
    pub fn new(ruleset: &Ruleset, options: ProfileOptions) -> Result<Self, Vec<ProfileError>> {
        let mut errors = check_paranoia(&options);
        let program = ruleset.program();
        let (mut removed, mut exclusions) = (BitSet::with_len(program.rules.len()), Vec::new());
        for (at, exclusion) in options.exclusions.iter().enumerate() {
            let rules = choose(program, at, &exclusion.rules, &mut errors);
            match &exclusion.target {
                None => removed.union_with(&rules),
                Some(target) => match plan_target(target) {
                    Ok(planned) => exclusions.push((rules, planned)),
                    Err(reason) => {
                        errors.push(ProfileError::Target {
                            exclusion: at,
                            target: target.clone(),
                            reason,
                        });
                    }
                },
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        let pinned = pinned(&options, program);
        Ok(Self(Arc::new(Inner {
            engine: options.engine.or(program.settings.engine).unwrap_or_default(),
            bounds: effective(&options, program),
            ceiling: options.bounds,
            collections: options.collections.clone().unwrap_or_else(|| ruleset.collections()),
            removed,
            exclusions,
            course: ruleset.course(&pinned),
            pinned,
            blocking_paranoia: options.blocking_paranoia,
            ruleset: ruleset.clone(),
            options,
        })))
    }

    /// The rule set this profile runs.
    pub fn ruleset(&self) -> &Ruleset {
        &self.0.ruleset
    }

    /// The choices this profile was made from: changed, they make another.
    pub fn options(&self) -> &ProfileOptions {
        &self.0.options
    }

    /// The mode transactions start in.
    pub fn engine(&self) -> EngineMode {
        self.0.engine
    }

    /// Lists in the DNS that the rules of this profile ask about the client (`@rbl`). Nothing here asks them: ask before the
    /// first phase, and tell the transaction which of them [have the client](crate::Transaction::listed).
    pub fn address_lists(&self) -> Vec<AddressList> {
        self.0.ruleset.program().lists(|rule| self.0.removed.contains(rule))
    }

    /// The bounds in force: the smaller of the options' and the rules', work for the profile's level.
    pub fn bounds(&self) -> &Bounds {
        &self.0.bounds
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.0
    }
}

fn check_paranoia(options: &ProfileOptions) -> Vec<ProfileError> {
    let (blocking, detection) = (options.blocking_paranoia, options.detection_paranoia);
    let fits = (1..=4).contains(&blocking) && (blocking..=4).contains(&detection);
    if fits { Vec::new() } else { vec![ProfileError::Paranoia { blocking, detection }] }
}

fn choose(
    program: &Program,
    exclusion: usize,
    selectors: &[RuleSelector],
    errors: &mut Vec<ProfileError>,
) -> BitSet {
    let mut chosen = BitSet::with_len(program.rules.len());
    for selector in selectors {
        let mut any = false;
        for (at, rule) in program.rules.iter().enumerate() {
            if selector.takes(rule.meta.id, &rule.meta.tags) {
                chosen.insert(index(at));
                any = true;
            }
        }
        if !any {
            errors.push(ProfileError::UnknownRule { exclusion, rule: selector.clone() });
        }
    }
    chosen
}

impl RuleSelector {
    fn takes(&self, id: u32, tags: &[String]) -> bool {
        match self {
            Self::Id(wanted) => id == *wanted,
            Self::Range(first, last) => (*first..=*last).contains(&id),
            Self::Tag(wanted) => tags.iter().any(|tag| tag == wanted),
        }
    }
}

fn plan_target(target: &str) -> Result<Vec<PlannedExclusion>, String> {
    let text = match target.split_once('.') {
        _ if target.contains(':') => target.to_owned(),
        Some(("header", name)) => format!("REQUEST_HEADERS:{name}"),
        Some(("cookie", name)) => format!("REQUEST_COOKIES:{name}"),
        _ if crate::variable::lookup(target).is_some() => target.to_owned(),
        _ => format!("ARGS:{target}|ARGS_GET:{target}|ARGS_POST:{target}"),
    };
    let targets = parse_targets_text(&text)?;
    if targets.is_empty() || targets.iter().any(|target| target.exclude || target.count) {
        return Err("expected a target without `!` and `&`".to_owned());
    }
    targets.iter().map(PlannedExclusion::compile).collect()
}

fn effective(options: &ProfileOptions, program: &Program) -> Bounds {
    let mut bounds = options.bounds;
    let tenths = 1 + 9 * u64::from(options.detection_paranoia);
    bounds.work = bounds.work.saturating_mul(tenths) / 10;
    bounds.work_per_byte = bounds.work_per_byte.saturating_mul(tenths) / 10;
    let settings = &program.settings;
    let smaller = |own: usize, rules: Option<usize>| rules.map_or(own, |rules| own.min(rules));
    bounds.body_bytes = smaller(bounds.body_bytes, settings.request_body_bytes);
    bounds.response_body_bytes = smaller(bounds.response_body_bytes, settings.response_body_bytes);
    bounds.arguments = smaller(bounds.arguments, settings.arguments);
    bounds.depth = smaller(bounds.depth, settings.json_depth);
    bounds
}

fn pinned(options: &ProfileOptions, program: &Program) -> Pins {
    let slots = &program.scores;
    let values = [
        (slots.blocking_paranoia, Some(u32::from(options.blocking_paranoia))),
        (slots.detection_paranoia, Some(u32::from(options.detection_paranoia))),
        (slots.blocking_paranoia_3, Some(u32::from(options.blocking_paranoia))),
        (slots.detection_paranoia_3, Some(u32::from(options.detection_paranoia))),
        (slots.inbound_threshold, options.inbound_threshold),
        (slots.outbound_threshold, options.outbound_threshold),
        (slots.early_blocking, options.early_blocking.map(u32::from)),
    ];
    values.iter().filter_map(|(slot, value)| Some((*slot, i64::from((*value)?)))).collect()
}

impl fmt::Display for RuleSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "rule {id}"),
            Self::Range(first, last) => write!(f, "rules {first}-{last}"),
            Self::Tag(tag) => write!(f, "tag `{tag}`"),
        }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Paranoia { blocking, detection } => write!(
                f,
                "paranoia levels {blocking} (blocking) and {detection} (detection), expected 1 <= blocking <= detection <= 4"
            ),
            Self::UnknownRule { exclusion, rule } => {
                write!(f, "exclusion {exclusion}: no rule matches {rule}")
            }
            Self::Target { exclusion, target, reason } => {
                write!(f, "exclusion {exclusion}: target `{target}`: {reason}")
            }
        }
    }
}

impl std::error::Error for ProfileError {}
