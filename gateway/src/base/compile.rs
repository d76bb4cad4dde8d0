//! Problems of a configuration: each has a number, a place in the document and a way out. A compiler reports
//! all of them, not the first.

pub mod number;

use std::borrow::Cow;

use super::bounds;

/// One step of a path into the document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Key(Cow<'static, str>),
    Index(usize),
}

impl From<&'static str> for Step {
    fn from(key: &'static str) -> Step {
        Step::Key(Cow::Borrowed(key))
    }
}

impl From<String> for Step {
    fn from(key: String) -> Step {
        Step::Key(Cow::Owned(key))
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Step {
        Step::Index(index)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// One thing that is wrong, at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable number, `Y001` to `Y999`; listed in `docs/config.md`.
    pub number: u16,
    pub severity: Severity,
    /// Path from the root of the document.
    pub place: Vec<Step>,
    /// The place is the key itself, not its value.
    pub at_key: bool,
    /// Lower case, names the thing and what is allowed.
    pub message: String,
    /// Shown beside the caret, e.g. "did you mean `per-user`?".
    pub hint: Option<String>,
    /// Second place, shown as "defined in file:line".
    pub related: Option<Vec<Step>>,
}

/// Collects problems while a compiler walks the document: as many as a report holds, [`bounds::CONFIG_PROBLEMS`], half
/// of them warnings at most. A document that is wrong in every line costs no more than that.
#[derive(Debug, Default)]
pub struct Compile {
    place: Vec<Step>,
    problems: Vec<Problem>,
    warnings: usize,
    failed: bool,
    left_out: usize,
    /// Takes what is said of a problem that is left out.
    unkept: Option<Problem>,
}

impl Compile {
    pub fn new() -> Compile {
        Compile::default()
    }

    /// Runs `work` one step deeper.
    pub fn within<R>(&mut self, step: impl Into<Step>, work: impl FnOnce(&mut Compile) -> R) -> R {
        self.place.push(step.into());
        let result = work(self);
        self.place.pop();
        result
    }

    /// An error at the current place.
    pub fn error(&mut self, number: u16, message: impl Into<String>) -> &mut Problem {
        self.report(number, Severity::Error, message.into())
    }

    /// A warning at the current place: the configuration is accepted.
    pub fn warning(&mut self, number: u16, message: impl Into<String>) -> &mut Problem {
        self.report(number, Severity::Warning, message.into())
    }

    /// "unknown limit `per-usr`" with the nearest known name as hint.
    pub fn unknown<'n>(
        &mut self,
        number: u16,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str>,
    ) -> &mut Problem {
        let hint = (!self.is_full(Severity::Error)).then(|| {
            let mut known: Vec<&str> = known.collect();
            known.sort_unstable();
            match nearest(name, known.iter().copied().take(COMPARED)) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => format!("no {kind} is defined"),
                None => format!("defined: {}", listed(&known)),
            }
        });
        let problem = self.error(number, format!("unknown {kind} `{name}`"));
        problem.hint = hint;
        problem
    }

    /// Whether an error was reported, kept or not.
    pub fn has_errors(&self) -> bool {
        self.failed
    }

    /// Problems that were counted and not kept.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn report(&mut self, number: u16, severity: Severity, message: String) -> &mut Problem {
        let full = self.is_full(severity);
        match severity {
            Severity::Error => self.failed = true,
            Severity::Warning => self.warnings += 1,
        }
        let place = self.place.clone();
        let problem =
            Problem { number, severity, place, at_key: false, message, hint: None, related: None };
        if full {
            self.left_out += 1;
            return self.unkept.insert(problem);
        }
        self.problems.push(problem);
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn is_full(&self, severity: Severity) -> bool {
        let warned = severity == Severity::Warning && self.warnings >= bounds::CONFIG_PROBLEMS / 2;
        warned || self.problems.len() >= bounds::CONFIG_PROBLEMS
    }
}

impl Problem {
    /// Text beside the caret.
    pub fn hint(&mut self, hint: impl Into<String>) -> &mut Problem {
        self.hint = Some(hint.into());
        self
    }

    /// Points at the key, not at its value.
    pub fn at_key(&mut self) -> &mut Problem {
        self.at_key = true;
        self
    }

    /// Names a second place.
    pub fn related(&mut self, place: Vec<Step>) -> &mut Problem {
        self.related = Some(place);
        self
    }
}

/// Names that a misspelt one is compared with. Prevents ten thousand routes with one slip each from costing ten
/// thousand comparisons each.
const COMPARED: usize = 1_000;

/// The candidate nearest to `word`, when it is near enough to be a slip of the hand.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = |candidate: &str| 1 + candidate.len().min(word.len()) / 4;
    candidates
        // A slip changes at most four bytes: a word of a megabyte is told apart by its length alone.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 4 * slips(candidate))
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= slips(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

fn listed(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let mut text = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>();
    if names.len() > SHOWN {
        text.push(format!("and {} more", names.len() - SHOWN));
    }
    text.join(", ")
}
