//! The table of variable names.

use super::Kind::{
    Clock, Constant, MatchedVar, MatchedVarName, MatchedVars, MatchedVarsNames, Names, Refused,
    Rule, Tx, Values,
};
use super::{ClockField, Kind, Store, Variable};
use crate::collection::Collection;

/// The variable of this name, in any case; one that is refused is found too.
pub(crate) fn lookup(name: &str) -> Option<&'static Variable> {
    let all = TABLE.iter().chain(REFUSED);
    all.into_iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
}

/// The known name closest to a misspelt one, if one is close.
pub(crate) fn suggest(name: &str) -> Option<&'static str> {
    crate::seclang::nearest(name, TABLE.iter().map(|variable| variable.name))
}

const fn scalar(name: &'static str, store: &'static [Store]) -> Variable {
    Variable { name, kind: Values(store), collection: false }
}

const fn collection(name: &'static str, kind: Kind) -> Variable {
    Variable { name, kind, collection: true }
}

const fn special(name: &'static str, kind: Kind) -> Variable {
    Variable { name, kind, collection: false }
}

pub(crate) static TABLE: &[Variable] = &[
    collection("ARGS", Values(&[Store::ArgsGet, Store::ArgsPost])),
    scalar("ARGS_COMBINED_SIZE", &[Store::ArgsCombinedSize]),
    collection("ARGS_GET", Values(&[Store::ArgsGet])),
    collection("ARGS_GET_NAMES", Names(&[Store::ArgsGet])),
    collection("ARGS_NAMES", Names(&[Store::ArgsGet, Store::ArgsPost])),
    collection("ARGS_POST", Values(&[Store::ArgsPost])),
    collection("ARGS_POST_NAMES", Names(&[Store::ArgsPost])),
    scalar("AUTH_TYPE", &[Store::AuthType]),
    special("DURATION", Clock(ClockField::Duration)),
    collection("ENV", Kind::Environment),
    collection("FILES", Values(&[Store::Files])),
    scalar("FILES_COMBINED_SIZE", &[Store::FilesCombinedSize]),
    collection("FILES_NAMES", Values(&[Store::FilesNames])),
    collection("FILES_SIZES", Values(&[Store::FilesSizes])),
    collection("FILES_TMP_CONTENT", Values(&[Store::FilesTmpContent])),
    special("FULL_REQUEST", Kind::FullRequest),
    special("FULL_REQUEST_LENGTH", Kind::FullRequestLength),
    collection("GEO", Kind::Geo),
    collection("GLOBAL", Kind::Collection(Collection::Global)),
    special("HIGHEST_SEVERITY", Kind::HighestSeverity),
    scalar("INBOUND_DATA_ERROR", &[Store::InboundDataError]),
    collection("IP", Kind::Collection(Collection::Ip)),
    special("MATCHED_VAR", MatchedVar),
    special("MATCHED_VAR_NAME", MatchedVarName),
    collection("MATCHED_VARS", MatchedVars),
    collection("MATCHED_VARS_NAMES", MatchedVarsNames),
    special("MSC_PCRE_LIMITS_EXCEEDED", Constant("0")),
    scalar("MULTIPART_BOUNDARY_QUOTED", &[Store::MultipartBoundaryQuoted]),
    scalar("MULTIPART_BOUNDARY_WHITESPACE", &[Store::MultipartBoundaryWhitespace]),
    scalar("MULTIPART_DATA_AFTER", &[Store::MultipartDataAfter]),
    scalar("MULTIPART_CRLF_LF_LINES", &[Store::MultipartCrlfLfLines]),
    scalar("MULTIPART_DATA_BEFORE", &[Store::MultipartDataBefore]),
    scalar("MULTIPART_FILE_LIMIT_EXCEEDED", &[Store::MultipartFileLimitExceeded]),
    scalar("MULTIPART_HEADER_FOLDING", &[Store::MultipartHeaderFolding]),
    scalar("MULTIPART_INVALID_HEADER_FOLDING", &[Store::MultipartInvalidHeaderFolding]),
    scalar("MULTIPART_INVALID_PART", &[Store::MultipartInvalidPart]),
    scalar("MULTIPART_INVALID_QUOTING", &[Store::MultipartInvalidQuoting]),
    scalar("MULTIPART_LF_LINE", &[Store::MultipartLfLine]),
    scalar("MULTIPART_MISSING_SEMICOLON", &[Store::MultipartMissingSemicolon]),
    collection("MULTIPART_NAME", Values(&[Store::MultipartName])),
    collection("MULTIPART_FILENAME", Values(&[Store::MultipartFilename])),
    collection("MULTIPART_PART_HEADERS", Values(&[Store::MultipartPartHeaders])),
    scalar("MULTIPART_SEMICOLON_MISSING", &[Store::MultipartMissingSemicolon]),
    scalar("MULTIPART_STRICT_ERROR", &[Store::MultipartStrictError]),
    scalar("MULTIPART_UNMATCHED_BOUNDARY", &[Store::MultipartUnmatchedBoundary]),
    scalar("OUTBOUND_DATA_ERROR", &[Store::OutboundDataError]),
    scalar("PATH_INFO", &[Store::RequestFilename]),
    scalar("QUERY_STRING", &[Store::QueryString]),
    scalar("REMOTE_ADDR", &[Store::RemoteAddr]),
    scalar("REMOTE_HOST", &[Store::RemoteAddr]),
    scalar("REMOTE_PORT", &[Store::RemotePort]),
    scalar("REMOTE_USER", &[Store::RemoteUser]),
    scalar("REQBODY_ERROR", &[Store::ReqbodyError]),
    scalar("REQBODY_ERROR_MSG", &[Store::ReqbodyErrorMsg]),
    scalar("REQBODY_PROCESSOR", &[Store::ReqbodyProcessor]),
    scalar("REQBODY_PROCESSOR_ERROR", &[Store::ReqbodyProcessorError]),
    scalar("REQBODY_PROCESSOR_ERROR_MSG", &[Store::ReqbodyErrorMsg]),
    scalar("REQUEST_BASENAME", &[Store::RequestBasename]),
    scalar("REQUEST_BODY", &[Store::RequestBody]),
    scalar("REQUEST_BODY_LENGTH", &[Store::RequestBodyLength]),
    collection("REQUEST_COOKIES", Values(&[Store::RequestCookies])),
    collection("REQUEST_COOKIES_NAMES", Names(&[Store::RequestCookies])),
    scalar("REQUEST_FILENAME", &[Store::RequestFilename]),
    collection("REQUEST_HEADERS", Values(&[Store::RequestHeaders])),
    collection("REQUEST_HEADERS_NAMES", Names(&[Store::RequestHeaders])),
    scalar("REQUEST_LINE", &[Store::RequestLine]),
    scalar("REQUEST_METHOD", &[Store::RequestMethod]),
    scalar("REQUEST_PROTOCOL", &[Store::RequestProtocol]),
    scalar("REQUEST_URI", &[Store::RequestUri]),
    scalar("REQUEST_URI_RAW", &[Store::RequestUriRaw]),
    collection("RESOURCE", Kind::Collection(Collection::Resource)),
    scalar("RESPONSE_BODY", &[Store::ResponseBody]),
    scalar("RESPONSE_CONTENT_LENGTH", &[Store::ResponseContentLength]),
    scalar("RESPONSE_CONTENT_TYPE", &[Store::ResponseContentType]),
    collection("RESPONSE_HEADERS", Values(&[Store::ResponseHeaders])),
    collection("RESPONSE_HEADERS_NAMES", Names(&[Store::ResponseHeaders])),
    scalar("RESPONSE_PROTOCOL", &[Store::ResponseProtocol]),
    scalar("RESPONSE_STATUS", &[Store::ResponseStatus]),
    collection("RULE", Rule),
    scalar("SERVER_ADDR", &[Store::ServerAddr]),
    scalar("SERVER_NAME", &[Store::ServerName]),
    scalar("SERVER_PORT", &[Store::ServerPort]),
    collection("SESSION", Kind::Collection(Collection::Session)),
    scalar("SESSIONID", &[Store::SessionId]),
    scalar("STATUS_LINE", &[Store::StatusLine]),
    special("TIME", Clock(ClockField::Time)),
    special("TIME_DAY", Clock(ClockField::Day)),
    special("TIME_EPOCH", Clock(ClockField::Epoch)),
    special("TIME_HOUR", Clock(ClockField::Hour)),
    special("TIME_MIN", Clock(ClockField::Minute)),
    special("TIME_MON", Clock(ClockField::Month)),
    special("TIME_SEC", Clock(ClockField::Second)),
    special("TIME_WDAY", Clock(ClockField::Weekday)),
    special("TIME_YEAR", Clock(ClockField::Year)),
    collection("TX", Tx),
    scalar("UNIQUE_ID", &[Store::UniqueId]),
    scalar("URLENCODED_ERROR", &[Store::UrlencodedError]),
    collection("USER", Kind::Collection(Collection::User)),
    scalar("USERAGENT_IP", &[Store::RemoteAddr]),
    scalar("USERID", &[Store::UserId]),
    scalar("WEBAPPID", &[Store::WebAppId]),
    collection("XML", Values(&[Store::Xml])),
];

/// How some of them differ from ModSecurity's.
pub(crate) const DIFFERS: &[(&str, &str)] = &[
    ("AUTH_TYPE", "what the gateway verified, not what a header claims"),
    ("DURATION", "microseconds, as in ModSecurity 2, up to the phase that runs"),
    (
        "ENV",
        "by name only, and of the environment only HOSTNAME, LANG, TZ and names that begin with `WAF_`: it holds secrets",
    ),
    (
        "FILES_TMP_CONTENT",
        "of the part of the body that is inspected; kept only where a rule targets it",
    ),
    ("FULL_REQUEST", "line, headers and the part of the body that is inspected"),
    (
        "GEO",
        "no AREA_CODE, which no MaxMind DB has; REGION is the first subdivision's code, or its name where there is none",
    ),
    (
        "MSC_PCRE_LIMITS_EXCEEDED",
        "always 0: a match has no limit of its own; a request that is out of work is refused or named partial",
    ),
    ("PATH_INFO", "the decoded path, as in ModSecurity 3"),
    ("REMOTE_HOST", "the address: no name is looked up"),
    ("REMOTE_USER", "what the gateway verified, not what a header claims"),
    ("REQUEST_COOKIES", "version 0 cookies only"),
    (
        "RESPONSE_CONTENT_LENGTH",
        "0 to the end where the answer does not say its length and its body is not inspected",
    ),
    ("RULE", "msg and logdata as written: their macros are not expanded"),
    ("TIME", "UTC, as all TIME_ variables"),
    ("USERAGENT_IP", "the same as REMOTE_ADDR"),
    ("XML", "the XPaths /* and //@* only"),
];

/// Variables that cannot be had, and what to do instead.
pub(crate) static REFUSED: &[Variable] = &[
    refused("ARGS_PATH", "target REQUEST_FILENAME with @rx"),
    refused("FILES_TMPNAMES", "uploads are not written to disk; target FILES_TMP_CONTENT or FILES"),
    refused("JSON", "JSON values are in ARGS, as json.name.0.name"),
    refused("MODSEC_BUILD", "this engine is not ModSecurity; `yett --version` tells what it is"),
    refused("PERF_ALL", "the cost of a transaction is in its event"),
    refused("PERF_COMBINED", "the cost of a transaction is in its event"),
    refused("PERF_GC", "the cost of a transaction is in its event"),
    refused("PERF_LOGGING", "the cost of a transaction is in its event"),
    refused("PERF_PHASE1", "the cost of a transaction is in its event"),
    refused("PERF_PHASE2", "the cost of a transaction is in its event"),
    refused("PERF_PHASE3", "the cost of a transaction is in its event"),
    refused("PERF_PHASE4", "the cost of a transaction is in its event"),
    refused("PERF_PHASE5", "the cost of a transaction is in its event"),
    refused("PERF_RULES", "the cost of a transaction is in its event"),
    refused("PERF_SREAD", "collections are kept in memory"),
    refused("PERF_SWRITE", "collections are kept in memory"),
    refused("RESPONSE_ARGS", "target RESPONSE_BODY"),
    refused("RES_BODY_ERROR", "responses are inspected as text; target RESPONSE_BODY"),
    refused("RES_BODY_ERROR_MSG", "responses are inspected as text; target RESPONSE_BODY"),
    refused("RES_BODY_PROCESSOR", "responses are inspected as text; target RESPONSE_BODY"),
    refused("SCRIPT_BASENAME", "the gateway runs no scripts; target REQUEST_BASENAME"),
    refused("SCRIPT_FILENAME", "the gateway runs no scripts; target REQUEST_FILENAME"),
    refused("SCRIPT_GID", "the gateway runs no scripts"),
    refused("SCRIPT_GROUPNAME", "the gateway runs no scripts"),
    refused("SCRIPT_MODE", "the gateway runs no scripts"),
    refused("SCRIPT_UID", "the gateway runs no scripts"),
    refused("SCRIPT_USERNAME", "the gateway runs no scripts"),
    refused("SDBM_DELETE_ERROR", "collections are kept in memory"),
    refused("STREAM_INPUT_BODY", "target REQUEST_BODY with ctl:forceRequestBodyVariable=On"),
    refused("STREAM_OUTPUT_BODY", "target RESPONSE_BODY"),
    refused("WEBSERVER_ERROR_LOG", "there is no web server's error log; read the event stream"),
];

const fn refused(name: &'static str, why: &'static str) -> Variable {
    Variable { name, kind: Refused(why), collection: true }
}

/// `XML://@*`: the attribute values, which are stored apart from the text.
pub(crate) static XML_ATTRIBUTES: Variable = collection("XML", Values(&[Store::XmlAttributes]));

/// What a `SecAction` is said to match.
pub(crate) static UNCONDITIONAL: Variable = special("UNCONDITIONAL", Values(&[]));
