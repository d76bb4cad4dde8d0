//! Problems of a configuration: each has a number, a place in the document and a way out. A compiler reports
//! all of them, not the first.

use std::borrow::Cow;

/// Stable numbers of problems, shown as `Y014`. `docs/config.md` explains each; a test holds that list complete.
/// A number is never given a second meaning.
pub mod number {
    macro_rules! numbers {
        ($($(#[$doc:meta])+ $name:ident = $number:literal;)+) => {
            $($(#[$doc])+ pub const $name: u16 = $number;)+

            /// Every number with its constant's name, ascending.
            pub const ALL: &[(u16, &str)] = &[$(($number, stringify!($name)),)+];
        };
    }

    numbers! {
        /// A configuration file or directory cannot be read, is empty, or is too large.
        UNREADABLE = 1;
        /// A file is not UTF-8, or holds a NUL or another character that YAML does not allow.
        ENCODING = 2;
        /// The text is not YAML.
        SYNTAX = 3;
        /// Nested too deeply, or too many values.
        DEPTH = 4;
        /// A feature of YAML that the reader refuses: anchors, aliases, tags, merge keys, keys that are not text.
        FEATURE = 5;
        /// A key is written twice in one section.
        DUPLICATE_KEY = 6;
        /// Several documents in one file.
        DOCUMENTS = 7;
        /// Two files of a directory both write the same section or value.
        WRITTEN_TWICE = 8;

        /// `version` is not one that this binary reads.
        VERSION = 10;

        /// No service has this name.
        UNKNOWN_SERVICE = 12;
        /// No issuer has this name.
        UNKNOWN_ISSUER = 13;
        /// No limit has this name.
        UNKNOWN_LIMIT = 14;
        /// No WAF profile has this name.
        UNKNOWN_PROFILE = 15;

        /// A key that this section does not have.
        UNKNOWN_KEY = 20;
        /// A key that this section must have.
        MISSING_KEY = 21;
        /// A value of another kind than the key takes.
        WRONG_TYPE = 22;
        /// A word that is not one of those allowed.
        NOT_ALLOWED = 23;
        /// Text that does not have the form the key takes, e.g. a time without a unit.
        FORMAT = 24;
        /// A number that the key cannot hold.
        RANGE = 25;

        /// Two routes have the same id.
        DUPLICATE_ROUTE = 30;
        /// A route that can never match, or that matches the same requests as another.
        UNREACHABLE_ROUTE = 31;
        /// A route neither authenticates nor says why it is public.
        NO_AUTH = 32;
        /// Two settings exclude each other, or one has no effect without another.
        CONTRADICTION = 33;
        /// A value is outside its bounds, or has no meaning here.
        VALUE = 34;
        /// An address, address block or URL cannot be used.
        ADDRESS = 35;
        /// A file that the configuration names cannot be read or holds something else: certificate, key, key set, secret.
        FILE = 36;
        /// A rule file cannot be compiled.
        RULES = 37;
        /// A written exception is past its date and no longer holds.
        EXPIRED = 38;
        /// Warning: a written exception ends soon.
        EXPIRING = 39;
        /// Warning: defined and never used.
        UNUSED = 40;
        /// One of the configuration's own tests failed.
        TEST_FAILED = 41;
    }
}

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

/// Collects problems while a compiler walks the document.
#[derive(Debug, Default)]
pub struct Compile {
    place: Vec<Step>,
    problems: Vec<Problem>,
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
        let mut known: Vec<&str> = known.collect();
        known.sort_unstable();
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("no {kind} is defined"),
            None => format!("defined: {}", listed(&known)),
        };
        let problem = self.error(number, format!("unknown {kind} `{name}`"));
        problem.hint = Some(hint);
        problem
    }

    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    fn report(&mut self, number: u16, severity: Severity, message: String) -> &mut Problem {
        let index = self.problems.len();
        self.problems.push(Problem {
            number,
            severity,
            place: self.place.clone(),
            at_key: false,
            message,
            hint: None,
            related: None,
        });
        &mut self.problems[index]
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
