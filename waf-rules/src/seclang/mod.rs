//! SecLang text to syntax tree: `source` -> `lexer` -> `parser` -> `ast`; `include` reads files.
//!
//! Everything keeps its span, so that every later error can point at its line.

pub(crate) mod ast;
pub(crate) mod error;
pub(crate) mod include;
mod lexer;
pub(crate) mod parser;
pub(crate) mod source;
#[cfg(test)]
mod tests;

pub(crate) use lexer::{LexError, Word};

/// The candidate within an edit distance of a third of the word (rounded up), at most three; for suggestions.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    candidates
        .map(|candidate| (edit_distance(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= word.len().div_ceil(3).min(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over bytes, one row.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.bytes().enumerate() {
            let substitute = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}
