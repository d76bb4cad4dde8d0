//! `sanitise...`: what must not be shown is masked in every match before the caller reads it.

use aho_corasick::AhoCorasick;

use super::Transaction;
use super::eval::Run;
use super::outcome::Match;
use super::state::State;
use crate::action::Sanitise;
use crate::variable::Store;

/// Different values that one transaction masks: names come from rules, values from clients.
const SECRETS_MAX: usize = 64;
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
    /// Notes what an action masks; the masking is done when the transaction is over.
    pub(super) fn sanitise(&mut self, sanitise: &Sanitise) {
        let sanitise = match (sanitise, &self.state.matched.last) {
            (Sanitise::Matched, Some(last)) => {
                let label = self.label(last);
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
}

/// What is to be masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Masked {
    Named(Sanitise),
    /// A target as a match shows it.
    Target(String),
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
            Self::Named(Sanitise::Matched) => false,
        }
    }
}

impl State {
    pub(super) fn note_masked(&mut self, masked: Masked) {
        if self.masked.len() < SECRETS_MAX && !self.masked.contains(&masked) {
            self.masked.push(masked);
        }
    }

    /// Values of what is masked by name, each once.
    fn secrets(&self) -> Vec<&[u8]> {
        let mut secrets: Vec<&[u8]> = Vec::new();
        for masked in &self.masked {
            let (stores, name): (&[Store], &[u8]) = match masked {
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
        secrets.truncate(SECRETS_MAX);
        secrets
    }

    /// Masks what was noted in every match so far. Linear in the texts: one automaton for all values
    /// (CVE-2025-47947, CVE-2025-48866).
    pub(super) fn mask_matches(&mut self) {
        if self.masked.is_empty() {
            return;
        }
        let finder = AhoCorasick::builder().ascii_case_insensitive(true).build(self.secrets()).ok();
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
    let mut clean = Vec::new();
    finder.replace_all_with_bytes(&found.matched, &mut clean, |_, _, out| {
        out.extend_from_slice(MASK.as_bytes());
        true
    });
    found.matched = clean;
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
    /// for records that the caller makes itself. Matches are masked already once
    /// [`finish`](Self::finish) has run.
    pub fn is_sanitised(&self, target: &str) -> bool {
        self.state.masked.iter().any(|masked| masked.covers(target))
    }
}
