//! The variables a rule can look at: their names, and which stored collection each one reads.
//!
//! What a request brings is kept once per [`Store`]; a variable is a *view* of one or two stores,
//! of their values or of their names. `ARGS` for example is the values of the query and of the body.

pub(crate) mod environment;
mod names;

use crate::collection::Collection;

pub(crate) use names::{DIFFERS, REFUSED, TABLE, UNCONDITIONAL, XML_ATTRIBUTES, lookup, suggest};

/// A collection filled once per transaction. A scalar is a collection with one nameless entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub(crate) enum Store {
    ArgsCombinedSize,
    ArgsGet,
    ArgsPost,
    AuthType,
    Files,
    FilesCombinedSize,
    FilesNames,
    FilesSizes,
    FilesTmpContent,
    InboundDataError,
    MultipartBoundaryQuoted,
    MultipartBoundaryWhitespace,
    MultipartCrlfLfLines,
    MultipartDataAfter,
    MultipartDataBefore,
    MultipartFileLimitExceeded,
    MultipartHeaderFolding,
    MultipartInvalidHeaderFolding,
    MultipartInvalidPart,
    MultipartInvalidQuoting,
    MultipartLfLine,
    MultipartMissingSemicolon,
    MultipartName,
    MultipartFilename,
    MultipartPartHeaders,
    MultipartStrictError,
    MultipartUnmatchedBoundary,
    OutboundDataError,
    QueryString,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    ReqbodyError,
    ReqbodyErrorMsg,
    ReqbodyProcessor,
    ReqbodyProcessorError,
    RequestBasename,
    RequestBody,
    RequestBodyLength,
    RequestCookies,
    RequestFilename,
    RequestHeaders,
    RequestLine,
    RequestMethod,
    RequestProtocol,
    RequestUri,
    RequestUriRaw,
    ResponseBody,
    ResponseContentLength,
    ResponseContentType,
    ResponseHeaders,
    ResponseProtocol,
    ResponseStatus,
    ServerAddr,
    ServerName,
    ServerPort,
    SessionId,
    StatusLine,
    UniqueId,
    UrlencodedError,
    UserId,
    WebAppId,
    Xml,
    XmlAttributes,
}

/// How many stores there are.
pub(crate) const STORES: usize = Store::XmlAttributes as usize + 1;

/// Where a variable's values come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Values of these stores, in this order.
    Values(&'static [Store]),
    /// Names of these stores' entries, as values.
    Names(&'static [Store]),
    /// The transaction's own variables, written by `setvar`.
    Tx,
    /// The value matched last, or its name.
    MatchedVar,
    MatchedVarName,
    /// Every value the previous link of the chain matched, or their names.
    MatchedVars,
    MatchedVarsNames,
    /// Metadata of the rule that is running: `RULE:id` and so on.
    Rule,
    /// A persistent collection, once a rule has opened it.
    Collection(Collection),
    /// The place that `@geoLookup` found.
    Geo,
    /// The time that the caller gave.
    Clock(ClockField),
    /// Allowed variables of the process's environment.
    Environment,
    /// The most severe level of a rule that matched, as its number; 255 before any did.
    HighestSeverity,
    /// Line, headers and body as one text, or its length.
    FullRequest,
    FullRequestLength,
    /// The same in every transaction.
    Constant(&'static str),
    /// Cannot be had; what to do instead. An error where the rule is not removed.
    Refused(&'static str),
}

impl Kind {
    /// An error for a variable that cannot be had.
    pub(crate) fn check(self, name: &str) -> Result<(), String> {
        match self {
            Self::Refused(why) => Err(format!("variable {name} is not supported: {why}")),
            _ => Ok(()),
        }
    }
}

/// What the clock shows, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum ClockField {
    /// Microseconds since the transaction began.
    Duration,
    /// `HH:MM:SS`.
    Time,
    /// Day of the month, 1 to 31.
    Day,
    /// Seconds since 1970.
    Epoch,
    Hour,
    Minute,
    /// 0 to 11, as C counts.
    Month,
    Second,
    /// 0 is Sunday.
    Weekday,
    Year,
}

/// A variable: the name as logs show it, and what it reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Takes a `:selector`.
    pub(crate) collection: bool,
}
