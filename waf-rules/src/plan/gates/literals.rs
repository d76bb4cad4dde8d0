//! Texts of which every match of a pattern holds at least one.
//!
//! A pattern is described by the exact set of strings it matches, while that set is small, and by
//! the best set of required texts found inside it. All texts are in ASCII lower case.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

use crate::operator::class_bytes;

type Texts = BTreeSet<Vec<u8>>;

/// Largest set kept while strings are still joined.
const EXACT_MAX: usize = 256;
/// Largest set of required texts.
const REQUIRED_MAX: usize = 5_000;
/// Largest class that is spelt out.
const CLASS_MAX: usize = 8;

/// The texts, or none when some match may hold no text worth looking for.
pub(super) fn required(hir: &Hir) -> Vec<Vec<u8>> {
    Facts::of(hir).best().map(|texts| texts.into_iter().collect()).unwrap_or_default()
}

#[derive(Debug, Default)]
struct Facts {
    /// All strings that match, while there are few.
    exact: Option<Texts>,
    /// Every match holds one of these.
    required: Option<Texts>,
}

impl Facts {
    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::exactly([Vec::new()].into()),
            HirKind::Literal(literal) => Self::exactly([literal.0.to_ascii_lowercase()].into()),
            HirKind::Class(class) => Self::of_class(class),
            HirKind::Repetition(repetition) => Self::of_repetition(repetition),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => Self::of_concat(parts),
            HirKind::Alternation(parts) => Self::of_alternation(parts),
        }
    }

    fn exactly(texts: Texts) -> Self {
        Self { exact: Some(texts), required: None }
    }

    fn of_class(class: &Class) -> Self {
        let Some(class) = class_bytes(class) else { return Self::default() };
        let texts: Texts = class.iter().map(|byte| vec![byte.to_ascii_lowercase()]).collect();
        if (1..=CLASS_MAX).contains(&texts.len()) { Self::exactly(texts) } else { Self::default() }
    }

    fn of_repetition(repetition: &Repetition) -> Self {
        let sub = Self::of(&repetition.sub);
        match (repetition.min, repetition.max) {
            (0, Some(1)) => {
                let mut exact = sub.exact;
                if let Some(exact) = &mut exact {
                    exact.insert(Vec::new());
                }
                Self { exact, required: None }
            }
            (0, _) => Self::default(),
            (1, Some(1)) => sub,
            (min, max) => {
                let copies: Vec<&Hir> = (0..min.min(4)).map(|_| repetition.sub.as_ref()).collect();
                let joined = join(copies.into_iter());
                let is_all = max == Some(min) && min <= 4;
                Self { exact: joined.exact.clone().filter(|_| is_all), required: joined.best() }
            }
        }
    }

    fn of_concat(parts: &[Hir]) -> Self {
        join(parts.iter())
    }

    fn of_alternation(parts: &[Hir]) -> Self {
        let facts: Vec<Self> = parts.iter().map(Self::of).collect();
        let exact = facts.iter().map(|facts| facts.exact.as_ref()).collect::<Option<Vec<_>>>();
        let exact: Option<Texts> = exact.map(|sets| sets.into_iter().flatten().cloned().collect());
        if let Some(exact) = exact.filter(|exact| exact.len() <= EXACT_MAX) {
            return Self::exactly(exact);
        }
        let best = facts.into_iter().map(Self::best).collect::<Option<Vec<_>>>();
        let required: Option<Texts> = best.map(|sets| sets.into_iter().flatten().collect());
        Self { exact: None, required: required.filter(|texts| texts.len() <= REQUIRED_MAX) }
    }

    /// The better of what is known, if every text in it says something.
    fn best(self) -> Option<Texts> {
        better(self.required, self.exact)
    }
}

/// A sequence: strings are joined while there are few, and begun anew where there are not.
fn join<'h>(parts: impl Iterator<Item = &'h Hir>) -> Facts {
    let mut run: Texts = [Vec::new()].into();
    let (mut required, mut whole) = (None, true);
    for part in parts {
        let facts = Facts::of(part);
        match &facts.exact {
            Some(next) if run.len() * next.len() <= EXACT_MAX => {
                run = run
                    .iter()
                    .flat_map(|head| next.iter().map(move |tail| [head.as_slice(), tail].concat()))
                    .collect();
            }
            _ => {
                whole = false;
                required = better(required, Some(std::mem::replace(&mut run, [Vec::new()].into())));
                match facts.exact {
                    Some(next) => run = next,
                    None => required = better(required, facts.required),
                }
            }
        }
    }
    if whole {
        return Facts { exact: Some(run), required };
    }
    Facts { exact: None, required: better(required, Some(run)) }
}

/// Longer shortest text first, then fewer texts.
fn better(left: Option<Texts>, right: Option<Texts>) -> Option<Texts> {
    let worth = |texts: &Texts| {
        let shortest = texts.iter().map(Vec::len).min().unwrap_or(0);
        (shortest.min(4), Reverse(texts.len()))
    };
    [left, right]
        .into_iter()
        .flatten()
        .filter(|texts| !texts.is_empty() && texts.iter().all(|text| !text.is_empty()))
        .max_by_key(worth)
}
