//! Byte classes of which every match of a pattern holds a byte: the rarest few.

use regex_syntax::hir::{Class, Hir, HirKind};

use crate::bytes::ByteSet;
use crate::operator::class_bytes;

/// Classes carried along per part of a pattern.
const CARRIED: usize = 6;

/// At most `most` classes, the rarest in ordinary traffic first.
pub(super) fn required(hir: &Hir, most: usize) -> Vec<ByteSet> {
    let mut classes = of(hir);
    classes.retain(|class| class.len() < 200);
    classes.truncate(most);
    classes
}

/// A byte of each phrase, its rarest, in both cases: whatever holds a phrase holds one of them.
pub(super) fn of_phrases(phrases: &[Box<[u8]>]) -> Option<ByteSet> {
    let rarest = |phrase: &[u8]| phrase.iter().copied().min_by_key(|byte| weight(*byte));
    let mut class = ByteSet::EMPTY;
    for phrase in phrases {
        let byte = rarest(phrase)?;
        class = class.with(byte.to_ascii_lowercase()).with(byte.to_ascii_uppercase());
    }
    Some(class)
}

fn of(hir: &Hir) -> Vec<ByteSet> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Vec::new(),
        HirKind::Literal(literal) => {
            rarest(literal.0.iter().map(|byte| ByteSet::of(&[*byte])).collect())
        }
        HirKind::Class(class) => of_class(class),
        HirKind::Repetition(repetition) if repetition.min == 0 => Vec::new(),
        HirKind::Repetition(repetition) => of(&repetition.sub),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Concat(parts) => rarest(parts.iter().flat_map(of).collect()),
        HirKind::Alternation(parts) => alternation(&parts.iter().map(of).collect::<Vec<_>>()),
    }
}

fn of_class(class: &Class) -> Vec<ByteSet> {
    class_bytes(class).filter(|set| *set != ByteSet::EMPTY).into_iter().collect()
}

/// The n-th class of the whole is the union of the branches' n-th; a branch with fewer repeats its last.
fn alternation(branches: &[Vec<ByteSet>]) -> Vec<ByteSet> {
    if branches.iter().any(Vec::is_empty) {
        return Vec::new();
    }
    let most = branches.iter().map(Vec::len).max().unwrap_or(0);
    let nth = |n: usize| {
        branches
            .iter()
            .fold(ByteSet::EMPTY, |set, branch| set.union(branch[n.min(branch.len() - 1)]))
    };
    rarest((0..most).map(nth).collect())
}

fn rarest(mut classes: Vec<ByteSet>) -> Vec<ByteSet> {
    if classes.len() < 2 {
        return classes;
    }
    classes.sort_by_cached_key(frequency);
    classes.dedup();
    classes.truncate(CARRIED);
    classes
}

/// Rough frequency of a class's bytes in requests.
fn frequency(class: &ByteSet) -> u32 {
    class.iter().map(weight).sum()
}

fn weight(byte: u8) -> u32 {
    match byte {
        b'a'..=b'z' => 40,
        b'0'..=b'9' | b'A'..=b'Z' => 20,
        b'/' | b'.' | b'-' | b' ' | b'_' => 16,
        b'=' | b',' | b';' | b':' | b'%' | b'+' | b'(' | b')' => 6,
        _ => 1,
    }
}
