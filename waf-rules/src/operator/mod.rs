//! Operators (`@rx`, `@within`, ...): the question a rule asks of a transformed value.
//!
//! Each is compiled once at load and never fails at run time. Those with an argument that may hold
//! macros receive the expanded argument with every question.

mod byte_range;
mod captures;
mod detect_sqli;
mod detect_xss;
mod ip_match;
mod number;
mod pm;
mod rx;
mod rx_syntax;
#[cfg(test)]
mod tests;
mod text;
mod url_encoding;
mod utf8_encoding;

pub(crate) use captures::Captures;
pub(crate) use number::Comparison;
pub(crate) use pm::Pm;
pub(crate) use rx::{Rx, selector_pattern};
pub(crate) use text::TextTest;

use crate::template::Template;
use crate::tx::TxNames;

/// Every operator a rule may name.
pub(crate) const NAMES: &[&str] = &[
    "beginsWith",
    "contains",
    "containsWord",
    "detectSQLi",
    "detectXSS",
    "endsWith",
    "eq",
    "ge",
    "gt",
    "ipMatch",
    "ipMatchF",
    "ipMatchFromFile",
    "le",
    "lt",
    "noMatch",
    "pm",
    "pmf",
    "pmFromFile",
    "rx",
    "streq",
    "strmatch",
    "unconditionalMatch",
    "validateByteRange",
    "validateUrlEncoding",
    "validateUtf8Encoding",
    "within",
];

/// A compiled operator.
#[derive(Debug)]
pub(crate) enum Operator {
    Rx(Rx),
    Pm(Pm),
    Text(TextTest, Template),
    Number(Comparison, Template),
    IpMatch(ip_match::Networks),
    ByteRange(byte_range::ByteRange),
    UrlEncoding,
    Utf8Encoding,
    DetectSqli,
    DetectXss,
    Always,
    Never,
}

/// Reads a data file named in a rule, relative to the rule's own file.
pub(crate) type DataFiles<'a> = &'a dyn Fn(&str) -> Result<String, String>;

impl Operator {
    /// Compiles `@name argument`; `name` is one of [`NAMES`].
    pub(crate) fn compile(
        name: &str,
        argument: &str,
        names: &mut TxNames,
        files: DataFiles<'_>,
    ) -> Result<Self, String> {
        if let Some(comparison) = Comparison::parse(name) {
            return Ok(Self::Number(comparison, Template::parse(argument.trim(), names)?));
        }
        if let Some(test) = TextTest::parse(name) {
            return Ok(Self::Text(test, Template::parse(argument, names)?));
        }
        match name {
            "rx" => Rx::compile(argument).map(Self::Rx),
            "pm" => Pm::phrases(argument.split_ascii_whitespace()).map(Self::Pm),
            "pmf" | "pmFromFile" => Pm::from_lists(argument, files).map(Self::Pm),
            "ipMatch" => ip_match::Networks::parse(argument).map(Self::IpMatch),
            "ipMatchF" | "ipMatchFromFile" => {
                ip_match::Networks::from_file(argument, files).map(Self::IpMatch)
            }
            "validateByteRange" => byte_range::ByteRange::parse(argument).map(Self::ByteRange),
            "validateUrlEncoding" => Ok(Self::UrlEncoding),
            "validateUtf8Encoding" => Ok(Self::Utf8Encoding),
            "detectSQLi" => Ok(Self::DetectSqli),
            "detectXSS" => Ok(Self::DetectXss),
            "unconditionalMatch" => Ok(Self::Always),
            "noMatch" => Ok(Self::Never),
            _ => Err(format!("unknown operator `@{name}`")),
        }
    }

    /// The argument, for operators that take one with macros.
    pub(crate) fn argument(&self) -> Option<&Template> {
        match self {
            Self::Text(_, argument) | Self::Number(_, argument) => Some(argument),
            _ => None,
        }
    }

    /// Asks the question. `captures` is filled when it is given and the answer is yes.
    pub(crate) fn matches(
        &self,
        input: &[u8],
        argument: &[u8],
        captures: Option<&mut Captures>,
    ) -> bool {
        match self {
            Self::Rx(rx) => rx.matches(input, captures),
            Self::Pm(pm) => pm.matches(input, captures),
            Self::Text(test, _) => whole(test.matches(input, argument), input, captures),
            Self::Number(comparison, _) => {
                whole(comparison.matches(input, argument), input, captures)
            }
            Self::IpMatch(networks) => networks.contains(input),
            Self::ByteRange(range) => range.outside(input),
            Self::UrlEncoding => url_encoding::invalid(input),
            Self::Utf8Encoding => utf8_encoding::invalid(input),
            Self::DetectSqli => detect_sqli::matches(input, captures),
            Self::DetectXss => whole(detect_xss::matches(input), input, captures),
            Self::Always => whole(true, input, captures),
            Self::Never => false,
        }
    }

    /// Something can be told about the values it matches without asking it.
    pub(crate) fn is_gated(&self) -> bool {
        match self {
            Self::Text(test, argument) => test.needs_argument() && argument.constant().is_some(),
            Self::Number(..) | Self::IpMatch(_) | Self::Always | Self::Never => false,
            _ => true,
        }
    }

    /// Work of the question about this value, in the unit of [`Bounds::work`](crate::Bounds::work).
    pub(crate) fn cost(&self, input: &[u8]) -> u64 {
        let bytes = input.len() as u64;
        match self {
            Self::DetectSqli => detect_sqli::cost(input),
            Self::DetectXss => 16 * bytes,
            Self::Rx(_) | Self::Pm(_) => 2 * bytes,
            _ => bytes,
        }
    }
}

/// Operators without groups of their own capture the whole value as `TX:0`.
fn whole(matched: bool, input: &[u8], captures: Option<&mut Captures>) -> bool {
    if matched && let Some(captures) = captures {
        captures.set_whole(input.len());
    }
    matched
}
