//! What a test file says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use regex::bytes::RegexBuilder;
use serde::Deserialize;

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    /// `942100-3`: the rule and the test's number, which is its place where the file gives none.
    pub name: String,
    /// The rule that the file is about.
    pub rule_id: u32,
    /// What it is for; empty where the file does not say.
    pub description: String,
    pub file: Arc<Path>,
    pub stages: Vec<Stage>,
}

/// One request, and what must come of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// For whoever reads the file.
    #[serde(default)]
    pub description: String,
    pub input: Input,
    #[serde(default)]
    pub output: Output,
}

/// The request. [`wire`](Self::wire) and [`request`](Self::request) make one of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Input {
    pub dest_addr: Option<String>,
    pub port: Option<u16>,
    /// `http` or `https`.
    pub protocol: Option<String>,
    pub method: Option<String>,
    pub uri: Option<String>,
    /// `HTTP/1.1`.
    pub version: Option<String>,
    /// Sent in the order of their names.
    pub headers: BTreeMap<String, String>,
    /// Sent in this order, before `headers`.
    pub ordered_headers: Vec<Header>,
    pub data: Option<String>,
    /// Base64 of the body, sent as it is.
    pub encoded_data: Option<String>,
    /// False: neither `Content-Type`, `Connection` nor `Content-Length` is added. Absent: they are.
    pub autocomplete_headers: Option<bool>,
    /// True is what `autocomplete_headers: false` was before.
    pub stop_magic: Option<bool>,
    /// Base64 of the whole request, which is sent as it is.
    pub encoded_request: Option<String>,
    /// What the service answers.
    pub response: Option<Response>,
    pub follow_redirect: Option<bool>,
    pub save_cookie: Option<bool>,
    pub virtual_host_mode: Option<bool>,
}

/// A header with its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub name: String,
    pub value: String,
}

/// An answer of the service, for rules of the response.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Response {
    pub status: Option<u16>,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Base64 of the body, instead of `body`.
    #[serde(alias = "encodedBody")]
    pub encoded_body: String,
    #[serde(alias = "logMessage")]
    pub log_message: String,
}

/// What must come of a request; what is not said may be anything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Output {
    /// Status of the answer.
    pub status: Option<u16>,
    /// Pattern that the answer must have.
    pub response_contains: Option<String>,
    /// True: there must be no answer; false: there must be one.
    pub expect_error: Option<bool>,
    pub log: Log,
    /// The log may lag behind: a failure counts when it repeats.
    pub retry_once: bool,
    /// No rule but those of `expect_ids` may match.
    pub isolated: bool,
}

/// What the log of a request must and must not hold.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub expect_ids: Vec<u32>,
    pub no_expect_ids: Vec<u32>,
    pub match_regex: Option<String>,
    pub no_match_regex: Option<String>,
}

/// A file as it is written. What else stands beside these keys is for its readers.
#[derive(Debug, Deserialize)]
pub(super) struct File {
    rule_id: u32,
    tests: Vec<FileTest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTest {
    #[serde(alias = "id")]
    test_id: Option<u32>,
    #[serde(default, rename = "test_title")]
    _title: serde::de::IgnoredAny,
    #[serde(default, alias = "description")]
    desc: String,
    #[serde(default, rename = "tags")]
    _tags: serde::de::IgnoredAny,
    stages: Vec<Stage>,
}

impl File {
    pub(super) fn tests(self, file: &Arc<Path>) -> impl Iterator<Item = Test> {
        let rule_id = self.rule_id;
        self.tests.into_iter().zip(1..).map(move |(test, place)| Test {
            name: format!("{rule_id}-{}", test.test_id.unwrap_or(place)),
            rule_id,
            description: test.desc,
            file: file.clone(),
            stages: test.stages,
        })
    }
}

impl Log {
    /// Nothing is expected of the log.
    pub fn is_silent(&self) -> bool {
        self.expect_ids.is_empty()
            && self.no_expect_ids.is_empty()
            && self.match_regex.is_none()
            && self.no_match_regex.is_none()
    }

    /// What is wrong with a log: the ids of the rules that matched in it, and its text. A pattern that cannot be
    /// compiled is wrong too.
    pub fn problem(&self, ids: &[u32], text: &str) -> Option<String> {
        let missing: Vec<_> = self.expect_ids.iter().filter(|id| !ids.contains(id)).collect();
        if !missing.is_empty() {
            return Some(format!("expected {} in the log, got {}", list(missing), list(ids)));
        }
        let surplus: Vec<_> = self.no_expect_ids.iter().filter(|id| ids.contains(id)).collect();
        if !surplus.is_empty() {
            return Some(format!("{} must not be in the log", list(surplus)));
        }
        let wrong = |pattern: &Option<String>, wanted: bool| {
            let pattern = pattern.as_deref()?;
            let said = if wanted { "match_regex" } else { "no_match_regex" };
            match RegexBuilder::new(pattern).unicode(false).build() {
                Err(error) => Some(format!("{said}: {error}")),
                Ok(compiled) if compiled.is_match(text.as_bytes()) == wanted => None,
                Ok(_) if wanted => Some(format!("no match of {pattern} in\n{text}")),
                Ok(_) => Some(format!("a match of {pattern} in\n{text}")),
            }
        };
        wrong(&self.match_regex, true).or_else(|| wrong(&self.no_match_regex, false))
    }
}

impl Output {
    /// What is wrong with the log, `isolated` minded.
    pub fn log_problem(&self, ids: &[u32], text: &str) -> Option<String> {
        let stray = |id: &&u32| self.isolated && !self.log.expect_ids.contains(id);
        let strays: Vec<_> = ids.iter().filter(stray).collect();
        self.log.problem(ids, text).or_else(|| {
            (!strays.is_empty())
                .then(|| format!("isolated, but {} are in the log too", list(strays)))
        })
    }
}

fn list<'i>(ids: impl IntoIterator<Item = &'i u32>) -> String {
    let ids: Vec<String> = ids.into_iter().map(u32::to_string).collect();
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}
