//! The variables a rule can look at: their names, and which stored collection each one reads.
//!
//! What a request brings is kept once per [`Store`]; a variable is a *view* of one or two stores,
//! of their values or of their names. `ARGS` for example is the values of the query and of the body.

mod names;

pub(crate) use names::{UNCONDITIONAL, XML_ATTRIBUTES, lookup, suggest};

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
    FullRequestLength,
    InboundDataError,
    MultipartBoundaryQuoted,
    MultipartBoundaryWhitespace,
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
    StatusLine,
    UniqueId,
    UrlencodedError,
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
}

/// A variable: the name as logs show it, and what it reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Takes a `:selector`.
    pub(crate) collection: bool,
}
