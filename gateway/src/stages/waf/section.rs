//! Rule profiles and what a route changes of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::decision::Mode;
use crate::base::units::{Percent, Size, Span};

/// A named profile: rules, level, threshold and how bodies are inspected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WafSection {
    /// `builtin`, or paths of SecLang files (globs allowed), in loading order.
    pub rules: Vec<String>,
    /// Paranoia level that counts towards blocking, 1 to 4.
    #[serde(default = "default_paranoia")]
    #[schemars(range(min = 1, max = 4))]
    pub paranoia: u8,
    /// Paranoia level that is evaluated and recorded, at least `paranoia`. Absent: the same.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4))]
    pub detection_paranoia: Option<u8>,
    /// Score at which a request is refused. Absent: as the rules say (5 for the built-in set and CRS).
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub threshold: Option<u32>,
    /// Judge the head alone first, before a byte of the body is read. Absent: as the rules say (no, for the built-in set
    /// and CRS).
    #[serde(default)]
    pub early_blocking: Option<bool>,
    /// Share of requests that the rules look at, chosen by request id; the events of the others say `sampled_out`.
    #[serde(default = "all")]
    pub sample: Percent,
    /// What a match counts.
    #[serde(default)]
    pub mode: Mode,
    /// How much of a body the rules see.
    #[serde(default)]
    pub body: BodySection,
    /// What the rules see of answers. Absent: nothing.
    #[serde(default)]
    pub response: Option<ResponseSection>,
}

/// How much of a body the rules see, always before the upstream sees a byte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodySection {
    /// Bytes that are held and inspected; `0B`: bodies are not inspected.
    pub inspect: Size,
    /// What happens with a larger body.
    pub over: OverBound,
    /// Time for the whole inspected body to arrive.
    pub timeout: Span,
}

impl Default for BodySection {
    fn default() -> BodySection {
        BodySection {
            inspect: Size(128 * 1024),
            over: OverBound::Reject,
            timeout: Span(crate::base::bounds::BODY_TIMEOUT),
        }
    }
}

/// What the rules see of answers: status and fields of all, bodies of some media types. The service is asked for whole
/// answers without compression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseSection {
    /// Bytes of a body that are inspected, and with `mode: enforce` held until the rules have decided; `0B`: none.
    pub inspect: Size,
    /// Media types whose bodies are inspected. All others pass as they come.
    pub types: Vec<String>,
    /// What happens with a body that is larger.
    pub over: OverBound,
    /// Score at which an answer is refused. Absent: as the rules say (4 for CRS).
    #[schemars(range(min = 1))]
    pub threshold: Option<u32>,
    /// Longest time that the beginning of a body is held while more of it is awaited; then it passes, and what the rules
    /// find later only cuts the answer off.
    pub hold: Span,
}

impl Default for ResponseSection {
    fn default() -> ResponseSection {
        let types = [
            "text/html",
            "text/plain",
            "text/xml",
            "application/xml",
            "application/json",
            "application/problem+json",
        ];
        ResponseSection {
            inspect: Size(128 * 1024),
            types: types.map(str::to_owned).to_vec(),
            over: OverBound::Partial,
            threshold: None,
            hold: Span(crate::base::bounds::RESPONSE_HOLD),
        }
    }
}

/// What happens with a body that is larger than what is inspected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OverBound {
    /// It is refused: a request with 413, an answer with 502.
    #[default]
    Reject,
    /// The first `inspect` bytes are inspected, the rest passes; the event says `partial`.
    Partial,
}

/// What a route uses: a profile's name, or a profile with changes. `off` is the profile that inspects nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum WafUse {
    Named(String),
    Changed(WafChange),
}

/// What a route changes of a profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WafChange {
    /// Absent: the profile of `defaults`.
    pub profile: Option<String>,
    /// What a match counts here. Absent: as the profile says.
    pub mode: Option<Mode>,
    /// Paranoia level that counts towards blocking here. Absent: the one of the profile.
    #[schemars(range(min = 1, max = 4))]
    pub paranoia: Option<u8>,
    /// Paranoia level that is evaluated and recorded here, at least `paranoia`. Absent: the one of the profile.
    #[schemars(range(min = 1, max = 4))]
    pub detection_paranoia: Option<u8>,
    /// Score at which a request is refused here. Absent: the one of the profile.
    #[schemars(range(min = 1))]
    pub threshold: Option<u32>,
    /// What the route changes of the way answers are looked at.
    pub response: Option<ResponseChange>,
    /// Whether the head is judged alone first. Absent: as the profile says.
    pub early_blocking: Option<bool>,
    /// Share of requests that the rules look at here. Absent: the one of the profile.
    pub sample: Option<Percent>,
    /// Rules that do not hold here, each with its reason.
    pub except: Vec<ExceptSection>,
}

/// What a route changes of the way answers are looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ResponseChange {
    /// Score at which an answer is refused here. Absent: the one of the profile.
    #[schemars(range(min = 1))]
    pub threshold: Option<u32>,
}

/// A written exception: which rules, where, why, until when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExceptSection {
    /// Rule ids.
    #[serde(default)]
    pub rules: Vec<u32>,
    /// Tags, e.g. `attack-sqli`.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `json.note`, `arg.q`, `header.referer`, `cookie.session`; absent: everywhere.
    #[serde(default)]
    pub field: Option<String>,
    /// The reason, for whoever reads this next.
    pub why: String,
    /// `YYYY-MM-DD`; from that day on the exception no longer holds.
    #[serde(default)]
    pub expires: Option<String>,
}

fn all() -> Percent {
    Percent(100)
}

fn default_paranoia() -> u8 {
    1
}

/// Lists of addresses in the DNS that rules ask about clients (`@rbl`). Nobody is asked unless a rule does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DnsblSection {
    /// Name servers, `ADDRESS` or `ADDRESS:PORT`. Absent: those of `/etc/resolv.conf`.
    pub servers: Option<Vec<String>>,
    /// Longest wait for answers, per request. Rules run without those that are missing.
    pub deadline: Span,
}

impl Default for DnsblSection {
    fn default() -> DnsblSection {
        DnsblSection { servers: None, deadline: Span(std::time::Duration::from_millis(300)) }
    }
}
