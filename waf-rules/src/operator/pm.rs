//! `@pm`, `@pmFromFile`: any of many phrases, anywhere, ASCII letters in any case.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::{Captures, DataFiles};

#[derive(Debug)]
pub(crate) struct Pm {
    phrases: Vec<Box<[u8]>>,
    automaton: AhoCorasick,
}

impl Pm {
    /// Phrases with blanks between; `|41 42|` in one stands for bytes in hexadecimal, as in Snort.
    pub(super) fn written(argument: &str) -> Result<Self, String> {
        if !argument.contains('|') {
            return Self::phrases(argument.split_ascii_whitespace());
        }
        let phrases = snort(argument)?;
        Self::of(phrases)
    }

    /// Phrases given one by one; blanks inside a phrase are part of it.
    pub(super) fn phrases<'a>(phrases: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        Self::of(phrases.map(|phrase| phrase.as_bytes().into()).collect())
    }

    fn of(phrases: Vec<Box<[u8]>>) -> Result<Self, String> {
        if phrases.is_empty() {
            return Err("no phrase given".to_owned());
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&phrases)
            .map_err(|error| error.to_string())?;
        Ok(Self { phrases, automaton })
    }

    /// One or more files, a phrase a line, `#` for comments.
    pub(super) fn from_lists(argument: &str, files: DataFiles<'_>) -> Result<Self, String> {
        let texts = argument.split_ascii_whitespace().map(files).collect::<Result<Vec<_>, _>>()?;
        let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
        Self::phrases(lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    pub(super) fn matches(&self, input: &[u8], captures: Option<&mut Captures>) -> bool {
        let Some(found) = self.automaton.find(input) else { return false };
        if let Some(captures) = captures {
            captures.push(found.range());
        }
        true
    }

    /// The phrases, as written.
    pub(crate) fn literals(&self) -> &[Box<[u8]>] {
        &self.phrases
    }
}

/// Splits at blanks outside bars; what stands between two bars is hexadecimal.
fn snort(argument: &str) -> Result<Vec<Box<[u8]>>, String> {
    let wrong = || format!("`{argument}`: expected hexadecimal bytes between two `|`");
    let bytes = argument.as_bytes();
    let (mut phrases, mut phrase, mut at) = (Vec::new(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'|' => {
                let length = memchr::memchr(b'|', &bytes[at..]).ok_or_else(wrong)?;
                phrase.extend(hexadecimal(&bytes[at..at + length]).ok_or_else(wrong)?);
                at += length + 1;
            }
            byte if byte.is_ascii_whitespace() => phrases.push(std::mem::take(&mut phrase)),
            byte => phrase.push(*byte),
        }
    }
    phrases.push(phrase);
    phrases.retain(|phrase: &Vec<u8>| !phrase.is_empty());
    Ok(phrases.into_iter().map(Vec::into_boxed_slice).collect())
}

/// Bytes as pairs of digits, with or without blanks.
fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = (0..digits.len()).step_by(2).map(|at| crate::bytes::hex_pair(&digits, at));
    pairs.collect::<Option<Vec<u8>>>().filter(|bytes| !bytes.is_empty())
}
