//! `sanitise...`: what must not be shown is masked in every match before the caller reads it. A rule that
//! masks in a later phase comes too late for what was logged before.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::Transaction;
use super::eval::Run;
use super::outcome::Match;
use super::state::State;
use crate::action::Sanitise;
use crate::body::urlencoded;
use crate::variable::Store;

/// Names, and different values, that one transaction masks: names come from rules, values from clients.
const SECRETS_MAX: usize = 64;
/// As much of a value is looked for as a message can show.
const SECRET_BYTES_MAX: usize = 1_024;
/// Shorter values are masked where they stand, but not searched for in texts: they occur everywhere.
const SECRET_BYTES_MIN: usize = 3;
const MASK: &str = "****";

/// Texts that hold all arguments of a request.
const WHOLES: [&str; 6] = [
    "FULL_REQUEST",
    "QUERY_STRING",
    "REQUEST_BODY",
    "REQUEST_LINE",
    "REQUEST_URI",
    "REQUEST_URI_RAW",
];

impl Run<'_> {
    /// Notes what an action masks; the masking is done after the phase.
    pub(super) fn sanitise(&mut self, sanitise: &Sanitise) {
        let sanitise = match (sanitise, &self.state.matched.last) {
            (Sanitise::Matched, Some(last)) => {
                let label = self.label(last);
                self.note_value();
                match label.split_once(':') {
                    Some((variable, key)) => owner(variable, key.as_bytes()),
                    None => return self.state.note_masked(Masked::Target(label)),
                }
            }
            (Sanitise::Matched, None) => return,
            (named, _) => Masked::Named(named.clone()),
        };
        self.state.note_masked(sanitise);
    }

    /// The value that matched is masked wherever else it stands: messages show it by macros.
    fn note_value(&mut self) {
        let Some(last) = self.state.matched.last else { return };
        let content = self.buffer(last.content);
        let value = self.state.buffers.bytes(content);
        if value.len() >= SECRET_BYTES_MIN {
            let value = value[..value.len().min(SECRET_BYTES_MAX)].to_vec();
            self.state.note_masked(Masked::Value(value));
        }
    }
}

/// What is to be masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Masked {
    Named(Sanitise),
    /// A target as a match shows it.
    Target(String),
    /// A value, wherever it stands.
    Value(Vec<u8>),
}

/// The name behind a target: masking `ARGS:x` masks the argument wherever it shows.
fn owner(variable: &str, key: &[u8]) -> Masked {
    match variable {
        "REQUEST_HEADERS" => Masked::Named(Sanitise::RequestHeader(key.to_vec())),
        "RESPONSE_HEADERS" => Masked::Named(Sanitise::ResponseHeader(key.to_vec())),
        _ if variable.starts_with("ARGS") => Masked::Named(Sanitise::Argument(key.to_vec())),
        _ => Masked::Target(format!("{variable}:{}", String::from_utf8_lossy(key))),
    }
}

impl Masked {
    /// The match shows what is to be masked.
    fn covers(&self, target: &str) -> bool {
        let (variable, key) = target.split_once(':').unwrap_or((target, ""));
        let is = |name: &[u8]| key.as_bytes().eq_ignore_ascii_case(name);
        match self {
            Self::Target(masked) => masked == target,
            Self::Named(Sanitise::Argument(name)) => {
                WHOLES.contains(&variable)
                    || (variable.starts_with("ARGS") && !variable.ends_with("_NAMES") && is(name))
            }
            Self::Named(Sanitise::RequestHeader(name)) => {
                variable == "FULL_REQUEST"
                    || (variable == "REQUEST_HEADERS" && is(name))
                    || (variable == "REQUEST_COOKIES" && name.eq_ignore_ascii_case(b"cookie"))
            }
            Self::Named(Sanitise::ResponseHeader(name)) => {
                variable == "RESPONSE_HEADERS" && is(name)
            }
            Self::Named(Sanitise::Matched) | Self::Value(_) => false,
        }
    }
}

impl State {
    pub(super) fn note_masked(&mut self, masked: Masked) {
        let is_value = |masked: &Masked| matches!(masked, Masked::Value(_));
        let same = self.masked.iter().filter(|known| is_value(known) == is_value(&masked)).count();
        if same < SECRETS_MAX && !self.masked.contains(&masked) {
            self.masked.push(masked);
        }
    }

    /// Values of what is masked, each once.
    fn secrets(&self) -> Vec<&[u8]> {
        let mut secrets: Vec<&[u8]> = Vec::new();
        for masked in &self.masked {
            let (stores, name): (&[Store], &[u8]) = match masked {
                Masked::Value(value) => {
                    secrets.push(value);
                    continue;
                }
                Masked::Named(Sanitise::Argument(name)) => {
                    (&[Store::ArgsGet, Store::ArgsPost], name)
                }
                Masked::Named(Sanitise::RequestHeader(name)) => (&[Store::RequestHeaders], name),
                Masked::Named(Sanitise::ResponseHeader(name)) => (&[Store::ResponseHeaders], name),
                _ => continue,
            };
            let entries = stores.iter().flat_map(|store| self.stores.get(*store));
            let values = entries
                .filter(|entry| self.buffers.bytes(entry.key).eq_ignore_ascii_case(name))
                .map(|entry| self.buffers.bytes(entry.value));
            secrets.extend(values.filter(|value| value.len() >= SECRET_BYTES_MIN));
        }
        secrets.sort_unstable();
        secrets.dedup();
        secrets.truncate(2 * SECRETS_MAX);
        secrets
    }

    /// Finds values that are masked. The longest first: one may begin another.
    fn finder(&self) -> Option<AhoCorasick> {
        let mut builder = AhoCorasick::builder();
        builder.ascii_case_insensitive(true).match_kind(MatchKind::LeftmostLongest);
        builder.build(self.secrets()).ok()
    }

    /// Masks what was noted in every match so far. Linear in the texts: one automaton for all values
    /// (CVE-2025-47947, CVE-2025-48866).
    pub(super) fn mask_matches(&mut self) {
        if self.masked.is_empty() {
            return;
        }
        let finder = self.finder();
        let masked = std::mem::take(&mut self.masked);
        for found in &mut self.record.matches {
            let covered = masked.iter().any(|masked| masked.covers(&found.target));
            mask(found, covered, finder.as_ref());
        }
        self.masked = masked;
    }
}

/// Of a masked value nothing is shown, not even what a group captured of it; other texts lose it
/// where it stands in them as the client sent it.
fn mask(found: &mut Match, covered: bool, finder: Option<&AhoCorasick>) {
    if covered {
        found.matched = MASK.as_bytes().to_vec();
        if !found.data.is_empty() {
            MASK.clone_into(&mut found.data);
        }
    }
    let Some(finder) = finder.filter(|finder| finder.patterns_len() > 0) else { return };
    found.data = replaced(&found.data, finder);
    found.message = replaced(&found.message, finder);
    mask_tags(found, finder);
    let mut clean = Vec::new();
    finder.replace_all_with_bytes(&found.matched, &mut clean, |_, _, out| {
        out.extend_from_slice(MASK.as_bytes());
        true
    });
    found.matched = clean;
}

fn decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    urlencoded::decode(text.as_bytes(), &mut decoded);
    decoded
}

/// A tag without macros is the rule's own word.
fn mask_tags(found: &mut Match, finder: &AhoCorasick) {
    if Arc::ptr_eq(&found.tags, &found.written_tags) {
        return;
    }
    let tags = found.tags.iter().zip(found.written_tags.iter());
    let masked = |(tag, written): (&String, &String)| match tag == written {
        true => tag.clone(),
        false => replaced(tag, finder),
    };
    found.tags = tags.map(masked).collect();
}

fn replaced(text: &str, finder: &AhoCorasick) -> String {
    let mut clean = Vec::with_capacity(text.len());
    finder.replace_all_with_bytes(text.as_bytes(), &mut clean, |_, _, out| {
        out.extend_from_slice(MASK.as_bytes());
        true
    });
    String::from_utf8_lossy(&clean).into_owned()
}

impl Transaction {
    /// True for a target (`ARGS:password`, `REQUEST_HEADERS:Authorization`) that rules asked to mask:
    /// for records that the caller makes itself. Matches are masked already, after each phase.
    pub fn is_sanitised(&self, target: &str) -> bool {
        self.state.masked.iter().any(|masked| masked.covers(target))
    }

    /// A text of such a record without the values that rules asked to mask. `None`: there is nothing to mask in it.
    pub fn sanitised(&self, text: &str) -> Option<String> {
        if self.state.masked.is_empty() {
            return None;
        }
        let finder = self.state.finder().filter(|finder| finder.patterns_len() > 0)?;
        finder.is_match(text).then(|| replaced(text, &finder))
    }

    /// A query as the client wrote it, likewise: by the names of its arguments, and by what stands in their values once their
    /// escapes are decoded.
    pub fn sanitised_query(&self, query: &str) -> Option<String> {
        if self.state.masked.is_empty() {
            return None;
        }
        let separator = char::from(self.profile().ruleset().program().settings.argument_separator);
        let finder = self.state.finder().filter(|finder| finder.patterns_len() > 0);
        let mut changed = false;
        let shown: Vec<String> = query
            .split(separator)
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                let (name_text, value_text) = (decoded(name), decoded(value));
                let target = format!("ARGS:{}", String::from_utf8_lossy(&name_text));
                let holds =
                    |text: &[u8]| finder.as_ref().is_some_and(|finder| finder.is_match(text));
                if value.is_empty() || !self.is_sanitised(&target) && !holds(&value_text) {
                    return pair.to_owned();
                }
                changed = true;
                format!("{name}={MASK}")
            })
            .collect();
        changed.then(|| shown.join(&separator.to_string()))
    }

    /// Rules asked to mask something.
    pub fn has_sanitised(&self) -> bool {
        !self.state.masked.is_empty()
    }
}
