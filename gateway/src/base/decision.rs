//! A stage's verdict: a value, or a finding that objects. Whether an objection counts is decided in
//! one place only, `pipeline::mode`.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::code::Code;

/// What a stage yields. Findings are boxed: the good path stays small.
pub type Decision<T> = Result<T, Box<Finding>>;

/// How much an objection counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Not evaluated at all.
    Off,
    /// Evaluated and recorded; the request passes.
    Monitor,
    /// Evaluated, recorded and enforced.
    #[default]
    Enforce,
}

/// One objection. Client text and log text are different fields: what the client may read is the
/// title of the code and `detail`; `evidence` is for the event alone.
#[derive(Clone, Debug)]
pub struct Finding {
    pub code: Code,
    /// Text for the log: the value, the bound, the rule. Never a secret, token, cookie or raw body.
    pub evidence: String,
    /// Text for the client (RFC 9457 `detail`).
    pub detail: Cow<'static, str>,
    /// Fields of the answer, e.g. `WWW-Authenticate`, `Allow`, `Retry-After`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Further members of the problem answer (RFC 9457 §3.2), e.g. `violated-policies`.
    pub members: Vec<(&'static str, serde_json::Value)>,
    /// How it is answered, where it counts.
    pub answer: Answer,
    /// Set by `pipeline::mode`: the request was refused because of it.
    pub enforced: bool,
}

/// How a finding that counts is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// With the status of its code.
    #[default]
    Usual,
    /// With another one, 200 to 599: rules may choose it.
    Status(StatusCode),
    /// Not at all: the connection ends, of HTTP/2 the stream.
    None,
}

impl Finding {
    /// A finding with its evidence for the log; the client reads only the title of the code.
    pub fn new(code: Code, evidence: impl Into<String>) -> Box<Finding> {
        Box::new(Finding {
            code,
            evidence: evidence.into(),
            detail: Cow::Borrowed(""),
            headers: Vec::new(),
            members: Vec::new(),
            answer: Answer::Usual,
            enforced: false,
        })
    }

    /// Text that the client may read.
    #[must_use]
    pub fn detail(mut self: Box<Self>, detail: impl Into<Cow<'static, str>>) -> Box<Self> {
        self.detail = detail.into();
        self
    }

    /// How it is answered.
    #[must_use]
    pub fn answer(mut self: Box<Self>, answer: Answer) -> Box<Self> {
        self.answer = answer;
        self
    }

    /// Status of the answer; `None`: there is no answer.
    pub fn status(&self) -> Option<StatusCode> {
        match self.answer {
            Answer::Usual => Some(self.code.status()),
            Answer::Status(status) => Some(status),
            Answer::None => None,
        }
    }

    /// A field of the answer.
    #[must_use]
    pub fn header(mut self: Box<Self>, name: HeaderName, value: HeaderValue) -> Box<Self> {
        self.headers.push((name, value));
        self
    }

    /// A member of the problem answer.
    #[must_use]
    pub fn member(mut self: Box<Self>, name: &'static str, value: serde_json::Value) -> Box<Self> {
        self.members.push((name, value));
        self
    }
}
