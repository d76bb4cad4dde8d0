//! A unified diff of two texts that differ in one place: what `patch` takes.

use std::fmt::Write as _;

/// Lines that are shown around a change.
const CONTEXT: usize = 3;

/// The diff; empty when nothing differs.
pub(super) fn unified(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let head = old.iter().zip(&new).take_while(|(one, other)| one == other).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest);
    let tail = tail.take_while(|(one, other)| one == other).count();
    let from = head.saturating_sub(CONTEXT);
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let below = tail.min(CONTEXT);
    let mut out = format!("--- a/{name}\n+++ b/{name}\n");
    let span = |end: usize| {
        let count = end + below - from;
        // An empty range is named by the line before it (POSIX diff, unified format).
        format!("{},{count}", if count == 0 { from } else { from + 1 })
    };
    let _ = writeln!(out, "@@ -{} +{} @@", span(old_end), span(new_end));
    let mut lines = |sign: char, lines: &[&str]| {
        for line in lines {
            let _ = write!(out, "{sign}{line}");
            if !line.ends_with('\n') {
                out.push_str("\n\\ No newline at end of file\n");
            }
        }
    };
    lines(' ', &old[from..head]);
    lines('-', &old[head..old_end]);
    lines('+', &new[head..new_end]);
    lines(' ', &old[old_end..old_end + below]);
    out
}
