//! The files of a configuration and where in them everything stands.

use std::ops::Range;
use std::sync::Arc;

use crate::base::compile::Step;

use super::tree::{Node, Place, Value};

/// One file as read.
#[derive(Debug)]
pub struct SourceFile {
    name: Arc<str>,
    text: String,
    /// Byte at which each line starts.
    lines: Vec<u32>,
}

/// All files of a configuration, merged into one tree.
#[derive(Debug)]
pub struct SourceMap {
    pub(super) files: Vec<SourceFile>,
    pub(super) root: Node,
    /// Values that reports must not show: what stands where a secret reference should.
    pub(super) secrets: Vec<Place>,
}

/// A place as people name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The file's path: below the configuration directory, or as given.
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// The line, or the part of a long one that matters, fit to be printed: secrets are masked, control
    /// characters replaced.
    pub text: String,
    /// Characters of `text` that the span covers; at least one.
    pub caret: Range<usize>,
}

impl SourceMap {
    pub(super) fn new() -> SourceMap {
        let root = Node { value: Value::Map(Vec::new()), place: Place::default() };
        SourceMap { files: Vec::new(), root, secrets: Vec::new() }
    }

    /// Where a path of the document is written. A step that is not written, such as a missing key or a default,
    /// is found at the section that would hold it. `at_key`: the key of the last step, not its value.
    pub fn locate(&self, path: &[Step], at_key: bool) -> Option<Location> {
        self.location(self.root.find(path, at_key))
    }

    /// The merged tree.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Names of the files, in the order they were read.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &*file.name)
    }

    /// Names and texts of the files, in the order they were read.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|file| (&*file.name, file.text.as_str()))
    }

    /// The text at a place, as written.
    pub(super) fn written(&self, place: Place) -> &str {
        let range = place.start as usize..place.end as usize;
        self.files.get(place.file as usize).and_then(|file| file.text.get(range)).unwrap_or("")
    }

    pub(super) fn location(&self, place: Place) -> Option<Location> {
        let file = self.files.get(place.file as usize)?;
        let secrets: Vec<Place> =
            self.secrets.iter().copied().filter(|secret| secret.file == place.file).collect();
        Some(file.location(place, &secrets))
    }
}

impl SourceFile {
    pub(super) fn new(name: &str, text: String) -> SourceFile {
        let name: String = name.chars().map(printable).collect();
        SourceFile { name: name.into(), lines: line_starts(&text), text }
    }

    fn location(&self, place: Place, secrets: &[Place]) -> Location {
        let start = floor(&self.text, place.start as usize);
        let end = floor(&self.text, (place.end as usize).max(start));
        let line = self.lines.partition_point(|first| *first as usize <= start).max(1);
        let first = self.lines.get(line - 1).map_or(0, |first| *first as usize);
        let last = self.lines.get(line).map_or(self.text.len(), |next| *next as usize);
        let (text, caret) = shown(&self.text, first..last, start..end, secrets);
        Location {
            file: Arc::clone(&self.name),
            line,
            column: self.text[first..start].chars().count() + 1,
            span: start..end,
            text,
            caret,
        }
    }
}

/// Characters of a long line that are shown before and after the start of the span.
const BEFORE: usize = 60;
const AFTER: usize = 80;
/// Bytes around the shown part that are searched for secrets: a line may be as long as the file.
const NEAR: usize = 1024;

/// A line fit to be printed, and the characters of it that `span` covers.
fn shown(
    text: &str,
    line: Range<usize>,
    span: Range<usize>,
    secrets: &[Place],
) -> (String, Range<usize>) {
    let before = text[line.start..span.start].char_indices().rev().nth(BEFORE);
    let from = before.map_or(line.start, |(index, _)| line.start + index);
    let near = floor(text, from.saturating_sub(NEAR)).max(line.start)
        ..floor(text, from.saturating_add(NEAR)).min(line.end);
    let masks = masks(&text[near.clone()], near.start, secrets);
    let line = from..from + text[from..line.end].trim_end().len();
    let (cells, cut) = cells(text, line, &masks);

    let ellipsis = if before.is_some() { "…" } else { "" };
    let shift = ellipsis.chars().count();
    let start = cells.partition_point(|(at, _)| *at < span.start);
    let end = cells.partition_point(|(at, _)| *at < span.end).max(start + 1);
    let mut shown = String::from(ellipsis);
    shown.extend(cells.iter().map(|(_, char)| char));
    shown.push_str(if cut { "…" } else { "" });
    (shown, start + shift..end + shift)
}

/// Characters to print, each with the byte it stands for; the flag says that the line goes on.
fn cells(text: &str, line: Range<usize>, masks: &[Range<usize>]) -> (Vec<(usize, char)>, bool) {
    let mut cells = Vec::new();
    for (index, char) in text[line.clone()].char_indices() {
        let at = line.start + index;
        if cells.len() > BEFORE + AFTER {
            return (cells, true);
        }
        match masks.iter().find(|mask| mask.contains(&at)) {
            Some(mask) if at == mask.start.max(line.start) => cells.extend([(at, '*'); 4]),
            Some(_) => {}
            None => cells.push((at, printable(char))),
        }
    }
    (cells, false)
}

/// A control character could move the terminal's cursor or colour what follows.
pub(super) fn printable(char: char) -> char {
    match char {
        '\t' => ' ',
        char if char.is_control() => char::REPLACEMENT_CHARACTER,
        char if is_direction_mark(char) => char::REPLACEMENT_CHARACTER,
        char => char,
    }
}

/// Marks that make text read differently from what it is (CVE-2021-42574).
pub(super) fn is_direction_mark(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn masks(line: &str, offset: usize, secrets: &[Place]) -> Vec<Range<usize>> {
    let shift = |range: Range<usize>| range.start + offset..range.end + offset;
    let known = secrets.iter().map(|secret| secret.start as usize..secret.end as usize);
    known.chain(credentials(line).chain(in_place(line)).map(shift)).collect()
}

/// Whether the value of a key of this name may be a secret.
pub(super) fn sounds_secret(name: &str) -> bool {
    const WORDS: [&str; 7] = ["pass", "secret", "token", "credential", "cookie", "_key", "-key"];
    let name = name.to_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Bytes of what looks like secrets written in place, such as `token: abc`: a file with a syntax error or a key
/// written twice is shown before anyone knows what its values are.
fn in_place(line: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    line.match_indices(": ").filter_map(|(colon, _)| {
        let name = line[..colon].trim_end_matches(['"', '\'', ' ']);
        let start = name.rfind([' ', '{', ',', '"', '\'']).map_or(0, |index| index + 1);
        if !sounds_secret(&name[start..]) {
            return None;
        }
        let rest = line[colon + 1..].trim_start();
        let value = line.len() - rest.len();
        let harmless = ["file:", "env:", "{", "[", "#"].iter().any(|start| rest.starts_with(start));
        let end = rest.find([',', '}', '#']).unwrap_or(rest.len());
        let length = rest[..end].trim_end().len();
        (!harmless && length > 0).then_some(value..value + length)
    })
}

/// Bytes of the credentials in each `scheme://user:password@host` of a text.
pub(super) fn credentials(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    text.match_indices("://").filter_map(|(index, separator)| {
        let start = index + separator.len();
        let rest = &text[start..];
        let end = rest.find(['/', '?', '#', ' ', '"', '\'', ',']).unwrap_or(rest.len());
        rest[..end].rfind('@').filter(|at| *at > 0).map(|at| start..start + at)
    })
}

/// The text with the credentials of every URL in it masked.
pub(super) fn without_credentials(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for range in credentials(text) {
        out.push_str(&text[from..range.start]);
        out.push_str("****");
        from = range.end;
    }
    out.push_str(&text[from..]);
    out
}

fn line_starts(text: &str) -> Vec<u32> {
    let bytes = text.as_bytes();
    let mut starts = vec![0];
    for (index, byte) in bytes.iter().enumerate() {
        let breaks = match byte {
            b'\n' => true,
            b'\r' => bytes.get(index + 1) != Some(&b'\n'),
            _ => false,
        };
        if breaks {
            starts.extend(u32::try_from(index + 1));
        }
    }
    starts
}

fn floor(text: &str, index: usize) -> usize {
    (0..=index.min(text.len())).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0)
}
