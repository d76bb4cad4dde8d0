//! The table of variable names.

use super::Kind::{
    MatchedVar, MatchedVarName, MatchedVars, MatchedVarsNames, Names, Rule, Tx, Values,
};
use super::{Kind, Store, Variable};

/// The variable of this name, in any case.
pub(crate) fn lookup(name: &str) -> Option<&'static Variable> {
    TABLE.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
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

static TABLE: &[Variable] = &[
    collection("ARGS", Values(&[Store::ArgsGet, Store::ArgsPost])),
    scalar("ARGS_COMBINED_SIZE", &[Store::ArgsCombinedSize]),
    collection("ARGS_GET", Values(&[Store::ArgsGet])),
    collection("ARGS_GET_NAMES", Names(&[Store::ArgsGet])),
    collection("ARGS_NAMES", Names(&[Store::ArgsGet, Store::ArgsPost])),
    collection("ARGS_POST", Values(&[Store::ArgsPost])),
    collection("ARGS_POST_NAMES", Names(&[Store::ArgsPost])),
    scalar("AUTH_TYPE", &[Store::AuthType]),
    collection("FILES", Values(&[Store::Files])),
    scalar("FILES_COMBINED_SIZE", &[Store::FilesCombinedSize]),
    collection("FILES_NAMES", Values(&[Store::FilesNames])),
    collection("FILES_SIZES", Values(&[Store::FilesSizes])),
    scalar("FULL_REQUEST_LENGTH", &[Store::FullRequestLength]),
    scalar("INBOUND_DATA_ERROR", &[Store::InboundDataError]),
    special("MATCHED_VAR", MatchedVar),
    special("MATCHED_VAR_NAME", MatchedVarName),
    collection("MATCHED_VARS", MatchedVars),
    collection("MATCHED_VARS_NAMES", MatchedVarsNames),
    scalar("MULTIPART_BOUNDARY_QUOTED", &[Store::MultipartBoundaryQuoted]),
    scalar("MULTIPART_BOUNDARY_WHITESPACE", &[Store::MultipartBoundaryWhitespace]),
    scalar("MULTIPART_DATA_AFTER", &[Store::MultipartDataAfter]),
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
    scalar("MULTIPART_STRICT_ERROR", &[Store::MultipartStrictError]),
    scalar("MULTIPART_UNMATCHED_BOUNDARY", &[Store::MultipartUnmatchedBoundary]),
    scalar("OUTBOUND_DATA_ERROR", &[Store::OutboundDataError]),
    scalar("QUERY_STRING", &[Store::QueryString]),
    scalar("REMOTE_ADDR", &[Store::RemoteAddr]),
    scalar("REMOTE_PORT", &[Store::RemotePort]),
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
    scalar("STATUS_LINE", &[Store::StatusLine]),
    collection("TX", Tx),
    scalar("UNIQUE_ID", &[Store::UniqueId]),
    scalar("URLENCODED_ERROR", &[Store::UrlencodedError]),
    scalar("WEBAPPID", &[Store::WebAppId]),
    collection("XML", Values(&[Store::Xml])),
];

/// `XML://@*`: the attribute values, which are stored apart from the text.
pub(crate) static XML_ATTRIBUTES: Variable = collection("XML", Values(&[Store::XmlAttributes]));

/// What a `SecAction` is said to match.
pub(crate) static UNCONDITIONAL: Variable = special("UNCONDITIONAL", Values(&[]));
