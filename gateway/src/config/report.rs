//! Problems as people read them: on a terminal with the line and a caret, or as JSON.

use std::collections::HashSet;
use std::fmt;

use serde_json::{Value as Json, json};

use crate::base::bounds::CONFIG_PROBLEMS;
use crate::base::compile::{Compile, Problem, Severity, Step, number};

use super::source::{Location, SourceMap, printable, without_credentials};
use super::tree::Place;

/// A problem whose place is known before there is a document to have paths into.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) problem: Problem,
    pub(super) at: Option<Place>,
    pub(super) related: Option<Place>,
}

/// Problems as they are found. Hostile files have millions of faults: those beyond [`CONFIG_PROBLEMS`] are
/// counted only.
#[derive(Debug, Default)]
pub(super) struct Problems {
    placed: Vec<Placed>,
    left_out: usize,
}

impl Problems {
    pub(super) fn push(&mut self, problem: Placed) {
        if self.is_full() {
            self.left_out += 1;
        } else {
            self.placed.push(problem);
        }
    }

    /// Takes over the problems of another step, but for places that have one already: what stands in for a
    /// refused value is not a second fault.
    pub(super) fn take(&mut self, others: Problems) {
        let known: HashSet<Place> = self.placed.iter().filter_map(|placed| placed.at).collect();
        self.left_out += others.left_out;
        for problem in others.placed {
            if !problem.at.is_some_and(|at| known.contains(&at)) {
                self.push(problem);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.placed.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.placed.len() >= CONFIG_PROBLEMS
    }
}

/// All problems of a configuration, in the order of their places, each with the line it is about.
#[derive(Clone, Debug)]
pub struct Report {
    items: Vec<Item>,
    /// Problems beyond [`CONFIG_PROBLEMS`].
    left_out: usize,
}

#[derive(Clone, Debug)]
struct Item {
    problem: Problem,
    at: Option<Location>,
    related: Option<Location>,
}

impl Placed {
    pub(super) fn new(number: u16, place: Place, message: impl Into<String>) -> Placed {
        Placed { at: Some(place), ..Placed::nowhere(number, message) }
    }

    /// A problem without a line, such as a file that cannot be read.
    pub(super) fn nowhere(number: u16, message: impl Into<String>) -> Placed {
        let problem = Problem {
            number,
            severity: Severity::Error,
            place: Vec::new(),
            at_key: false,
            message: message.into(),
            hint: None,
            related: None,
        };
        Placed { problem, at: None, related: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Placed {
        self.problem.hint = Some(hint.into());
        self
    }

    pub(super) fn related(mut self, place: Place) -> Placed {
        self.related = Some(place);
        self
    }

    pub(super) fn path(mut self, path: Vec<Step>) -> Placed {
        self.problem.place = path;
        self
    }
}

impl Report {
    /// Finds the line of every problem.
    pub fn new(found: Compile, source: &SourceMap) -> Report {
        let mut placed = Problems { left_out: found.left_out(), ..Problems::default() };
        for problem in found.into_problems() {
            placed.push(Placed {
                at: Some(source.root().find(&problem.place, problem.at_key)),
                related: problem.related.as_ref().map(|path| source.root().find(path, true)),
                problem,
            });
        }
        Report::of(placed, source)
    }

    pub(super) fn of(problems: Problems, source: &SourceMap) -> Report {
        let Problems { mut placed, left_out } = problems;
        placed.sort_by_key(|placed| placed.at);
        let items = placed.into_iter().map(|placed| Item {
            at: placed.at.and_then(|place| source.location(place)),
            related: placed.related.and_then(|place| source.location(place)),
            problem: placed.problem,
        });
        Report { items: items.collect(), left_out }
    }

    /// Every problem with its location.
    pub fn problems(&self) -> impl Iterator<Item = (&Problem, Option<&Location>)> {
        self.items.iter().map(|item| (&item.problem, item.at.as_ref()))
    }

    /// Whether there is nothing to report, not even a warning.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// "2 errors, 1 warning".
    pub fn summary(&self) -> String {
        let counted = |count: usize, noun: &str| match count {
            1 => format!("1 {noun}"),
            _ => format!("{count} {noun}s"),
        };
        let errors = counted(self.count(Severity::Error), "error");
        let more = match self.left_out {
            0 => String::new(),
            left_out => format!(", {left_out} more not shown"),
        };
        match self.count(Severity::Warning) {
            0 => format!("{errors}{more}"),
            warnings => format!("{errors}, {}{more}", counted(warnings, "warning")),
        }
    }

    /// For a terminal: as `Display`, with colours.
    pub fn coloured(&self) -> impl fmt::Display + '_ {
        Rendered { report: self, paint: true }
    }

    /// For programs: a list of objects with `number`, `severity`, `message`, `hint`, `path`, `file`, `line`,
    /// `column` and `related`; what does not apply is null.
    pub fn to_json(&self) -> Json {
        self.items.iter().map(Item::to_json).collect()
    }

    fn count(&self, severity: Severity) -> usize {
        self.items.iter().filter(|item| item.problem.severity == severity).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rendered { report: self, paint: false }.fmt(f)
    }
}

struct Rendered<'r> {
    report: &'r Report,
    paint: bool,
}

impl fmt::Display for Rendered<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.report.items.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            item.head(f, self.paint)?;
            item.body(f, self.paint)?;
        }
        Ok(())
    }
}

/// Column at which locations start, as far as messages leave room.
const LOCATION_COLUMN: usize = 43;

impl Item {
    fn head(&self, f: &mut fmt::Formatter<'_>, paint: bool) -> fmt::Result {
        let (word, colour) = match self.problem.severity {
            Severity::Error => ("error", "31"),
            Severity::Warning => ("warning", "33"),
        };
        let label = format!("{word}[Y{:03}]", self.problem.number);
        let message = one_line(&self.problem.message);
        let Some(at) = &self.at else {
            return writeln!(f, "{} {message}", painted(&label, colour, paint));
        };
        let width = label.chars().count() + 1 + message.chars().count();
        let gap = LOCATION_COLUMN.saturating_sub(width).max(2);
        let label = painted(&label, colour, paint);
        writeln!(f, "{label} {message}{:gap$}{}:{}:{}", "", at.file, at.line, at.column)
    }

    fn body(&self, f: &mut fmt::Formatter<'_>, paint: bool) -> fmt::Result {
        let note = self.note();
        let Some(at) = &self.at else {
            return if note.is_empty() { Ok(()) } else { writeln!(f, "  {note}") };
        };
        let number = at.line.to_string();
        let carets = painted(&"^".repeat(at.caret.len()), "1", paint);
        writeln!(f, " {number} | {}", at.text)?;
        let line = format!(" {:2$} | {:3$}{carets} {note}", "", "", number.len(), at.caret.start);
        writeln!(f, "{}", line.trim_end())
    }

    /// The hint and the second place.
    fn note(&self) -> String {
        let hint = self.problem.hint.as_deref().map(one_line);
        let related = self.related.as_ref().map(|related| {
            let word = relation(self.problem.number);
            format!("({word} in {}:{})", related.file, related.line)
        });
        let parts: Vec<String> = hint.into_iter().chain(related).collect();
        parts.join(" ")
    }

    fn to_json(&self) -> Json {
        let at = self.at.as_ref();
        json!({
            "number": format!("Y{:03}", self.problem.number),
            "severity": match self.problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            "message": one_line(&self.problem.message),
            "hint": self.problem.hint.as_deref().map(one_line),
            "path": dotted(&self.problem.place),
            "file": at.map(|at| &*at.file),
            "line": at.map(|at| at.line),
            "column": at.map(|at| at.column),
            "related": self.related.as_ref().map(|related| json!({
                "file": &*related.file, "line": related.line, "column": related.column,
            })),
        })
    }
}

/// What the second place of a problem is to the first.
fn relation(problem: u16) -> &'static str {
    match problem {
        number::DUPLICATE_KEY | number::WRITTEN_TWICE | number::DUPLICATE_ROUTE => "first written",
        number::SYNTAX => "opened",
        _ => "defined",
    }
}

/// `routes[3].match.path`; empty for the whole document.
pub fn dotted(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(index) => text.push_str(&format!("[{index}]")),
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
        }
    }
    text
}

/// Names and values come from files: they must not break out of their line, nor show credentials of a URL.
fn one_line(text: &str) -> String {
    let plain = text.chars().map(|char| if char == '\n' { ' ' } else { printable(char) });
    without_credentials(&plain.collect::<String>())
}

fn painted(text: &str, colour: &str, paint: bool) -> String {
    if paint { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}
