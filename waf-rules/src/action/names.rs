//! The tables of action names and `ctl` options: what there is, what differs, what cannot be done.

/// Actions that rules may use.
pub(crate) const NAMES: &[&str] = &[
    "accuracy",
    "allow",
    "auditlog",
    "block",
    "capture",
    "chain",
    "ctl",
    "deny",
    "deprecatevar",
    "drop",
    "expirevar",
    "id",
    "initcol",
    "log",
    "logdata",
    "maturity",
    "msg",
    "multiMatch",
    "noauditlog",
    "nolog",
    "pass",
    "phase",
    "redirect",
    "rev",
    "sanitiseArg",
    "sanitiseMatched",
    "sanitiseMatchedBytes",
    "sanitiseRequestHeader",
    "sanitiseResponseHeader",
    "setrsc",
    "setsid",
    "setuid",
    "setvar",
    "severity",
    "skip",
    "skipAfter",
    "status",
    "t",
    "tag",
    "ver",
    "xmlns",
];

/// How some of them differ from ModSecurity's.
pub(crate) const DIFFERS: &[(&str, &str)] = &[
    ("accuracy", "read, and shown nowhere: ModSecurity dropped it from logs too"),
    ("deprecatevar", "as in ModSecurity 2; version 3 has it not"),
    ("drop", "ends the connection without an answer; of HTTP/2 the stream alone"),
    ("maturity", "read, and shown nowhere: ModSecurity dropped it from logs too"),
    ("sanitiseArg", "masks in every record of the transaction, not only in the audit log"),
    ("sanitiseMatched", "masks in every record of the transaction, not only in the audit log"),
    ("sanitiseMatchedBytes", "masks the whole value"),
    ("status", "200 to 599: an interim status is no answer"),
    ("xmlns", "accepted without need: the two XPaths that are supported name no element"),
];

/// Actions that cannot be part of a rule, and what to do instead.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("append", "responses are not rewritten; add the text in the application"),
    ("exec", "no program runs on a request; read the event stream and act on it outside"),
    ("pause", "waiting ties up connections; use deny, or a limit of the gateway"),
    ("prepend", "responses are not rewritten; add the text in the application"),
    ("proxy", "rules do not choose services; use a route, or redirect"),
    ("setenv", "the process's environment is shared by all requests; use setvar:tx.NAME"),
];

/// Options of `ctl`.
pub(crate) const CTL: &[&str] = &[
    "auditEngine",
    "auditLogParts",
    "debugLogLevel",
    "forceRequestBodyVariable",
    "forceResponseBodyVariable",
    "requestBodyAccess",
    "requestBodyLimit",
    "requestBodyProcessor",
    "responseBodyAccess",
    "responseBodyLimit",
    "ruleEngine",
    "ruleRemoveById",
    "ruleRemoveByMsg",
    "ruleRemoveByTag",
    "ruleRemoveTargetById",
    "ruleRemoveTargetByMsg",
    "ruleRemoveTargetByTag",
];

pub(crate) const CTL_DIFFERS: &[(&str, &str)] = &[
    (
        "auditLogParts",
        "B, F and H can be left out, as A and Z cannot; all others are never written",
    ),
    ("debugLogLevel", "without effect: there is no debug log; `yett explain` shows every decision"),
    ("requestBodyLimit", "up to the bound of the profile, never above it"),
    ("requestBodyProcessor", "also GRAPHQL and PROTOBUF"),
    ("responseBodyLimit", "up to the bound of the profile, never above it"),
];

pub(crate) const CTL_REFUSED: &[(&str, &str)] = &[
    ("hashEnforcement", "responses are not rewritten; sign links in the application"),
    ("hashEngine", "responses are not rewritten; sign links in the application"),
    ("parseXmlIntoArgs", "target XML:/* and XML://@* beside ARGS"),
    ("responseBodyProcessor", "responses are inspected as text; target RESPONSE_BODY"),
];
