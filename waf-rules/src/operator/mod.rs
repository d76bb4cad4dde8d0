//! Operators (`@rx`, `@within`, ...): the question a rule asks of a transformed value.
//!
//! Each is compiled once at load and never fails at run time. Those with an argument that may hold
//! macros receive the expanded argument with every question.

mod backtrack;
mod byte_range;
mod captures;
mod detect_sqli;
mod detect_xss;
mod ip_match;
mod number;
mod pm;
mod rbl;
mod rx;
mod rx_choice;
mod rx_find;
mod rx_lanes;
mod rx_search;
mod rx_syntax;
mod rx_tail;
#[cfg(test)]
mod tests;
mod text;
mod url_encoding;
mod utf8_encoding;
mod verify;

pub(crate) use captures::Captures;
pub(crate) use ip_match::address;
pub(crate) use number::Comparison;
pub(crate) use pm::Pm;
pub(crate) use rbl::parse_key;
pub use rbl::{AddressList, Listing};
pub(crate) use rx::{Rx, selector_pattern};
pub(crate) use rx_choice::Constants;
pub(crate) use rx_lanes::{LANES, OutOfWork};
pub(crate) use rx_search::{Answers, States};
pub(crate) use rx_syntax::class_bytes;
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
    "geoLookup",
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
    "rbl",
    "rx",
    "rxGlobal",
    "streq",
    "strmatch",
    "unconditionalMatch",
    "validateByteRange",
    "validateUrlEncoding",
    "validateUtf8Encoding",
    "verifyCC",
    "verifyCPF",
    "verifySSN",
    "verifySVNR",
    "within",
];

/// How some of them differ from ModSecurity's.
pub(crate) const DIFFERS: &[(&str, &str)] = &[
    (
        "detectSQLi",
        "libinjection's method and tables, written anew: the same verdicts; TX:0 is the fingerprint",
    ),
    (
        "detectXSS",
        "libinjection's method, written anew: the same verdicts, and events and tags that it misses",
    ),
    ("geoLookup", "addresses only: no name of a host is resolved"),
    (
        "rbl",
        "of the client's address alone (REMOTE_ADDR, or a tx variable only ever set to it): every list is asked at once, before the rules run; IPv6 too; an answer outside 127.0.0.0/8, or one that says who may not ask, lists nobody; TX:0 is ModSecurity 2's text without the key",
    ),
    (
        "rx",
        "linear in the input where the pattern needs no backtracking, else every step is paid for; `$` is the end of the value; macros only of tx variables that are set to constants",
    ),
    ("rxGlobal", "as @rx; TX:0 to TX:9 are filled from all matches, in order"),
    ("strmatch", "the same as @contains"),
    (
        "verifyCC",
        "after a match the search goes on one byte later, or behind it where the pattern has no longest match",
    ),
    ("verifyCPF", "searches as @verifyCC does"),
    ("verifySSN", "searches as @verifyCC does"),
    ("verifySVNR", "searches as @verifyCC does"),
];

/// Operators that cannot be had, and what to do instead.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    (
        "fuzzyHash",
        "similarity hashes are not kept; use @pmFromFile on digests (t:sha1,t:hexEncode)",
    ),
    ("gsbLookup", "the service it asks was closed; use @pmFromFile with a list of your own"),
    (
        "inspectFile",
        "no program is started on a request; target FILES_TMP_CONTENT, or scan in the application",
    ),
    ("ipMatchFromDataset", "write the networks to a file and use @ipMatchFromFile"),
    ("pmFromDataset", "write the words to a file and use @pmFromFile"),
    ("restpath", "target REQUEST_FILENAME with @rx"),
    ("rsub", "requests are not rewritten; use a rule that denies what it would replace"),
    ("validateDTD", "no document type is ever read; validate in the application"),
    ("validateHash", "links are not signed by the gateway; verify them in the application"),
    ("validateNid", "use @rx, or @verifyCPF for Brazil"),
    ("validateSchema", "no schema is ever read; validate in the application"),
];

/// A compiled operator.
#[derive(Debug)]
pub(crate) enum Operator {
    Rx(Rx),
    RxGlobal(Rx),
    RxChoice(rx_choice::RxChoice),
    Verify(verify::Verify),
    Pm(Pm),
    Text(TextTest, Template),
    Number(Comparison, Template),
    IpMatch(ip_match::Networks),
    ByteRange(byte_range::ByteRange),
    UrlEncoding,
    Utf8Encoding,
    DetectSqli,
    DetectXss,
    /// The engine asks the rule set's database: the answer fills `GEO`.
    GeoLookup,
    /// The caller said what the list says of the client before the rules run.
    Rbl(AddressList),
    Always,
    Never,
}

/// Reads a data file named in a rule, relative to the rule's own file.
pub(crate) type DataFiles<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Work of finding where a pattern matches, a byte: to its end, and back to its start.
const FIND_BYTE_COST: u64 = 3;

impl Operator {
    /// Compiles `@name argument`; `name` is one of [`NAMES`].
    pub(crate) fn compile(
        name: &str,
        argument: &str,
        names: &mut TxNames,
        constants: &Constants,
        files: DataFiles<'_>,
    ) -> Result<Self, String> {
        if let Some(comparison) = Comparison::parse(name) {
            return Ok(Self::Number(comparison, Template::parse(argument.trim(), names)?));
        }
        if let Some(test) = TextTest::parse(name) {
            return Ok(Self::Text(test, Template::parse(argument, names)?));
        }
        if let Some(check) = verify::Check::parse(name) {
            return verify::Verify::compile(check, argument).map(Self::Verify);
        }
        match name {
            "rx" if holds_macro(argument) => {
                rx_choice::RxChoice::compile(argument, names, constants).map(Self::RxChoice)
            }
            "rx" => Rx::compile(argument).map(Self::Rx),
            "rxGlobal" => Rx::compile(argument).map(Self::RxGlobal),
            "pm" => Pm::written(argument).map(Self::Pm),
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
            "geoLookup" => Ok(Self::GeoLookup),
            "rbl" => AddressList::parse(argument).map(Self::Rbl),
            "unconditionalMatch" => Ok(Self::Always),
            "noMatch" => Ok(Self::Never),
            _ => Err(refusal(name)),
        }
    }

    /// The argument, for operators that take one with macros.
    pub(crate) fn argument(&self) -> Option<&Template> {
        match self {
            Self::Text(_, argument) | Self::Number(_, argument) => Some(argument),
            Self::RxChoice(choice) => Some(&choice.argument),
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
            Self::RxGlobal(rx) => rx.matches_all(input, captures),
            Self::RxChoice(choice) => choice.matches(input, argument, captures),
            Self::Verify(verify) => verify.matches(input, captures),
            Self::Pm(pm) => pm.matches(input, captures),
            Self::Text(test, _) => whole(test.matches(input, argument), input, captures),
            Self::Number(comparison, _) => {
                whole(comparison.matches(input, argument), input, captures)
            }
            Self::IpMatch(networks) => networks.contains(input),
            Self::ByteRange(range) => range.outside(input),
            Self::UrlEncoding => url_encoding::invalid(input),
            Self::Utf8Encoding => utf8_encoding::invalid(input),
            // Nobody counts: there is always enough to pay with.
            Self::DetectSqli => matches!(detect_sqli::matches(input, captures, |_| true), Ok(true)),
            Self::DetectXss => whole(detect_xss::matches(input), input, captures),
            Self::Always => whole(true, input, captures),
            Self::GeoLookup | Self::Rbl(_) | Self::Never => false,
        }
    }

    /// Asks the question without wanting groups, on the thread's states. `owner` is the rule set and the
    /// operator in it; `pay` is asked for work that shows only while the answer is looked for.
    pub(crate) fn holds(
        &self,
        input: &[u8],
        argument: &[u8],
        states: &mut States,
        owner: (u64, u32),
        mut pay: impl FnMut(u64) -> bool,
    ) -> Result<bool, OutOfWork> {
        match self {
            Self::Rx(rx) | Self::RxGlobal(rx) => holds_rx(rx, input, states, owner, &mut pay),
            Self::DetectSqli => detect_sqli::matches(input, None, pay),
            _ => Ok(self.matches(input, argument, None)),
        }
    }

    /// Finds the groups of a match. What [`groups_cost`](Self::groups_cost) does not know beforehand is paid on the way; where
    /// it is not, the groups are not found.
    pub(crate) fn capture(
        &self,
        input: &[u8],
        argument: &[u8],
        captures: &mut Captures,
        states: &mut States,
        owner: (u64, u32),
        pay: impl FnMut(u64) -> bool,
    ) {
        let states = Some((states, owner));
        let _: Result<bool, OutOfWork> = match self {
            Self::Rx(rx) if rx.is_exact() => rx.push_exactly(input, 1, Some(captures), pay),
            Self::RxGlobal(rx) if rx.is_exact() => {
                rx.push_exactly(input, Captures::MOST, Some(captures), pay)
            }
            Self::Rx(rx) => rx.push_groups(input, 1, captures, states, pay),
            Self::RxGlobal(rx) => rx.push_groups(input, Captures::MOST, captures, states, pay),
            _ => Ok(self.matches(input, argument, Some(captures))),
        };
    }

    /// What alone says whether there is a match.
    fn search(&self) -> Option<&rx_search::Search> {
        match self {
            Self::Rx(rx) | Self::RxGlobal(rx) if !rx.is_exact() => rx.search(),
            _ => None,
        }
    }

    /// It may be asked together with others: see [`hold_together`].
    pub(crate) fn is_search(&self) -> bool {
        self.search().is_some()
    }

    /// Something can be told about the values it matches without asking it.
    pub(crate) fn is_gated(&self) -> bool {
        match self {
            Self::Text(test, argument) => test.needs_argument() && argument.constant().is_some(),
            Self::Number(..)
            | Self::RxChoice(_)
            | Self::IpMatch(_)
            // What is gated is remembered: an answer from memory would not fill `GEO`, and a list's may have changed.
            | Self::GeoLookup
            | Self::Rbl(_)
            | Self::Always
            | Self::Never => false,
            _ => true,
        }
    }

    /// Work of finding the groups of a match in this value.
    pub(crate) fn groups_cost(&self, input: &[u8]) -> u64 {
        match self {
            Self::Rx(rx) | Self::RxGlobal(rx) if rx.is_exact() => 0,
            Self::Rx(_) | Self::RxGlobal(_) => FIND_BYTE_COST * input.len() as u64,
            Self::RxChoice(_) | Self::Verify(_) => 8 * input.len() as u64,
            Self::DetectSqli => detect_sqli::cost_max(input),
            _ => self.cost(input),
        }
    }

    /// Work of the question about this value, in the unit of [`Bounds::work`](crate::Bounds::work).
    pub(crate) fn cost(&self, input: &[u8]) -> u64 {
        let bytes = input.len() as u64;
        match self {
            Self::DetectSqli => detect_sqli::cost(input),
            Self::DetectXss => detect_xss::BYTE_COST * bytes,
            Self::Rx(rx) | Self::RxGlobal(rx) => rx.byte_cost() * bytes,
            Self::RxChoice(_) => 2 * bytes,
            Self::Pm(_) => 4 * bytes,
            Self::Verify(_) => 32 * bytes,
            Self::GeoLookup => crate::geo::LOOK_UP_COST,
            _ => bytes,
        }
    }
}

fn holds_rx(
    rx: &Rx,
    input: &[u8],
    states: &mut States,
    owner: (u64, u32),
    pay: &mut impl FnMut(u64) -> bool,
) -> Result<bool, OutOfWork> {
    let found = match rx.search() {
        Some(search) => rx_search::search(search, input, states, owner, &mut *pay)?,
        None if rx.is_exact() => true,
        None => rx.matches(input, None),
    };
    if found && rx.is_exact() { rx.verify(input, pay) } else { Ok(found) }
}

/// [`Operator::holds`] for up to [`LANES`] operators of a program that are searches, in the time of one or two.
pub(crate) fn hold_together<'a>(
    program: u64,
    operators: impl Iterator<Item = (u32, &'a Operator)>,
    input: &[u8],
    states: &mut States,
    pay: impl FnMut(u64) -> bool,
) -> Answers {
    let searches = operators.filter_map(|(at, operator)| Some((at, operator.search()?)));
    rx_search::search_together(searches, input, states, program, pay)
}

/// `%{` and a name: elsewhere the two bytes are part of the pattern.
fn holds_macro(pattern: &str) -> bool {
    pattern.match_indices("%{").any(|(at, _)| {
        let rest = &pattern[at + 2..];
        rest.starts_with(|first: char| first.is_ascii_alphabetic()) && rest.contains('}')
    })
}

fn refusal(name: &str) -> String {
    match REFUSED.iter().find(|(known, _)| *known == name) {
        Some((_, why)) => format!("operator `@{name}` is not supported: {why}"),
        None => format!("unknown operator `@{name}`"),
    }
}

/// Operators without groups of their own capture the whole value as `TX:0`.
fn whole(matched: bool, input: &[u8], captures: Option<&mut Captures>) -> bool {
    if matched && let Some(captures) = captures {
        captures.set_whole(input.len());
    }
    matched
}
