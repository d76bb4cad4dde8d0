//! What is wrong with a rule file: every problem of a load, each with its place and a caret.

use std::fmt;

use super::source::{Sources, Span};

/// One problem: where, what, and the line it is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// File name, or the name given to [`text`](crate::RulesetBuilder::text).
    pub file: String,
    /// Line, from 1; 0 when the problem is the file itself.
    pub line: u32,
    /// Column in characters, from 1; 0 when the problem is the file itself.
    pub column: u32,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// The line of the file, shortened around the column when it is long.
    excerpt: String,
    caret: usize,
    width: usize,
}

/// Every problem of one load, in reading order. Nothing is loaded when there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors(Vec<LoadError>);

/// Widest excerpt shown, in characters: CRS has patterns of several thousand.
const EXCERPT_CHARS: usize = 100;

impl LoadErrors {
    pub(crate) fn new(errors: Vec<LoadError>) -> Self {
        Self(errors)
    }

    /// The problems, in reading order.
    pub fn iter(&self) -> impl Iterator<Item = &LoadError> {
        self.0.iter()
    }

    /// How many problems there are; at least one.
    #[allow(clippy::len_without_is_empty, reason = "never empty: an empty list is not an error")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl LoadError {
    pub(crate) fn at(sources: &Sources, span: Span, message: impl Into<String>) -> Self {
        let place = sources.place(span);
        let column = place.column as usize - 1;
        let from = column.saturating_sub(EXCERPT_CHARS / 2);
        let excerpt: String = place.text.chars().skip(from).take(EXCERPT_CHARS).collect();
        let caret = column - from;
        let room = excerpt.chars().count().saturating_sub(caret).max(1);
        Self {
            file: place.file.to_owned(),
            line: place.line,
            column: place.column,
            message: message.into(),
            excerpt,
            caret,
            width: ((span.end - span.start) as usize).clamp(1, room),
        }
    }

    pub(crate) fn file(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: name.into(),
            line: 0,
            column: 0,
            message: message.into(),
            excerpt: String::new(),
            caret: 0,
            width: 0,
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}: {}", self.file, self.message);
        }
        let number = self.line.to_string();
        writeln!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        writeln!(f, " {number} | {}", self.excerpt)?;
        let (margin, indent) = (" ".repeat(number.len()), " ".repeat(self.caret));
        write!(f, " {margin} | {indent}{}", "^".repeat(self.width))
    }
}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            if at > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for LoadError {}
impl std::error::Error for LoadErrors {}
