//! The directives that set the engine rather than make rules.

/// How a directive is treated.
pub(crate) enum Setting {
    /// Obeyed.
    Applied { name: &'static str, least: usize, most: usize },
    /// Accepted with these values, which say what happens here anyway; any other is refused.
    Fixed { name: &'static str, values: &'static [&'static str], why: &'static str },
    /// Accepted because recommended configurations hold it, and reported: `why` names what rules it here.
    Ignored { name: &'static str, why: &'static str },
    /// Cannot be done; `why` names what to do instead.
    Refused { name: &'static str, why: &'static str },
}

/// The setting of this name, in any case.
pub(super) fn lookup(name: &str) -> Option<&'static Setting> {
    DIRECTIVES.iter().find(|setting| setting.name().eq_ignore_ascii_case(name))
}

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    DIRECTIVES.iter().map(Setting::name)
}

impl Setting {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Applied { name, .. }
            | Self::Fixed { name, .. }
            | Self::Ignored { name, .. }
            | Self::Refused { name, .. } => name,
        }
    }
}

const fn applied(name: &'static str) -> Setting {
    Setting::Applied { name, least: 1, most: 1 }
}

const fn off(name: &'static str, why: &'static str) -> Setting {
    Setting::Fixed { name, values: &["Off"], why }
}

const fn ignored(name: &'static str, why: &'static str) -> Setting {
    Setting::Ignored { name, why }
}

const fn refused(name: &'static str, why: &'static str) -> Setting {
    Setting::Refused { name, why }
}

const AUDIT_SINK: &str =
    "where and how audit records are written is the gateway's `telemetry` section";
const DEBUG: &str = "there is no debug log; `yett explain` shows every decision of a request";
const NO_FILES: &str = "bodies stay in bounded memory, nothing is written to disk";
const LINEAR: &str = "a match has no limit of its own: every request has a bound of work";
const MEMORY: &str = "persistent collections are kept in memory, within bounds";
const GATEWAY_RESPONSE: &str =
    "in the gateway the profile's `response` decides: holding an answer is its business";
const SERVER: &str = "belongs to the server: see the gateway's own configuration";
const CONNECTIONS: &str = "connections are bounded by the gateway's listeners; use its limits";
const HASHING: &str = "responses are not rewritten; sign links in the application";

const LIMIT_ACTION: &str = "for the rules' own limits, and `Reject` only where the profile's `over` rejects; beyond the profile's bound that alone decides";

/// How some that are obeyed differ from ModSecurity's.
pub(crate) const DIFFERS: &[(&str, &str)] = &[
    (
        "SecArgumentsLimit",
        "more are refused (`waf.budget` in the gateway) before a rule counts them, where the profile rejects",
    ),
    (
        "SecAuditLogParts",
        "B, F and H can be left out, as A and Z cannot; all others are never written",
    ),
    ("SecGeoLookupDb", "a MaxMind DB (`.mmdb`) of at most 256 MiB; no GeoIP Legacy (`.dat`)"),
    ("SecResponseBodyAccess", GATEWAY_RESPONSE),
    ("SecRequestBodyLimitAction", LIMIT_ACTION),
    ("SecRequestBodyNoFilesLimit", "sets REQBODY_ERROR, as version 3 does"),
    ("SecResponseBodyLimitAction", LIMIT_ACTION),
    ("SecResponseBodyLimit", "up to the bound of the profile, never above it"),
    ("SecResponseBodyMimeType", GATEWAY_RESPONSE),
    ("SecResponseBodyMimeTypesClear", GATEWAY_RESPONSE),
    ("SecRequestBodyLimit", "up to the bound of the profile, never above it"),
    (
        "SecRuleEngine",
        "in the gateway the profile's `mode` decides; where the rules say less it warns (Y044)",
    ),
];

pub(crate) static DIRECTIVES: &[Setting] = &[
    applied("SecArgumentSeparator"),
    applied("SecArgumentsLimit"),
    applied("SecAuditEngine"),
    applied("SecAuditLogParts"),
    applied("SecAuditLogRelevantStatus"),
    applied("SecCollectionTimeout"),
    applied("SecGeoLookupDb"),
    applied("SecHttpBlKey"),
    applied("SecRequestBodyAccess"),
    applied("SecRequestBodyJsonDepthLimit"),
    applied("SecRequestBodyLimit"),
    applied("SecRequestBodyLimitAction"),
    applied("SecRequestBodyNoFilesLimit"),
    applied("SecResponseBodyAccess"),
    applied("SecResponseBodyLimit"),
    applied("SecResponseBodyLimitAction"),
    Setting::Applied { name: "SecResponseBodyMimeType", least: 1, most: 64 },
    Setting::Applied { name: "SecResponseBodyMimeTypesClear", least: 0, most: 0 },
    applied("SecRuleEngine"),
    applied("SecSensorId"),
    Setting::Applied { name: "SecUnicodeMapFile", least: 1, most: 2 },
    applied("SecUnicodeCodePage"),
    applied("SecUploadFileLimit"),
    applied("SecWebAppId"),
    Setting::Fixed {
        name: "SecCookieFormat",
        values: &["0"],
        why: "cookies are read as version 0; version 1 died with RFC 6265",
    },
    Setting::Fixed {
        name: "SecCookieV0Separator",
        values: &[";"],
        why: "cookies are separated by `;` (RFC 6265)",
    },
    off("SecContentInjection", "responses are not rewritten; add the text in the application"),
    off("SecConnEngine", CONNECTIONS),
    off("SecHashEngine", HASHING),
    off(
        "SecIgnoreRuleCompilationErrors",
        "a rule that cannot run is never left out; remove it by SecRuleRemoveById",
    ),
    off("SecInterceptOnError", "no error of the engine lets a request pass"),
    off("SecParseXmlIntoArgs", "target XML:/* and XML://@* beside ARGS"),
    off("SecPdfProtect", "readers fixed the flaw in 2007; serve PDF files as attachments"),
    off("SecStatusEngine", "nothing is reported to third parties"),
    off("SecStreamInBodyInspection", "target REQUEST_BODY with ctl:forceRequestBodyVariable=On"),
    off("SecStreamOutBodyInspection", "target RESPONSE_BODY"),
    off("SecTmpSaveUploadedFiles", NO_FILES),
    off(
        "SecUploadKeepFiles",
        "uploads are inspected and forwarded, never kept; keep them in the application",
    ),
    off("SecXmlExternalEntity", "no entity is ever fetched or expanded"),
    ignored("SecAuditLog", AUDIT_SINK),
    ignored("SecAuditLog2", AUDIT_SINK),
    ignored("SecAuditLogDirMode", AUDIT_SINK),
    ignored("SecAuditLogFileMode", AUDIT_SINK),
    ignored("SecAuditLogFormat", AUDIT_SINK),
    ignored("SecAuditLogPrefix", AUDIT_SINK),
    ignored("SecAuditLogStorageDir", AUDIT_SINK),
    ignored("SecAuditLogType", AUDIT_SINK),
    ignored("SecCacheTransformations", "every value is transformed once, always"),
    ignored("SecDataDir", MEMORY),
    ignored("SecDebugLog", DEBUG),
    ignored("SecDebugLogLevel", DEBUG),
    ignored("SecDisableBackendCompression", "the gateway asks services for what it can inspect"),
    ignored("SecPcreMatchLimit", LINEAR),
    ignored("SecPcreMatchLimitRecursion", LINEAR),
    ignored("SecRequestBodyInMemoryLimit", NO_FILES),
    ignored("SecRulePerfTime", "the cost of a transaction is in its event"),
    ignored("SecRxPreFilter", "the prefilter is always on"),
    ignored("SecServerSignature", SERVER),
    ignored("SecTmpDir", NO_FILES),
    ignored("SecUploadDir", NO_FILES),
    ignored("SecUploadFileMode", NO_FILES),
    refused("SecChrootDir", "start the gateway in a container or with systemd's RootDirectory="),
    refused("SecConnReadStateLimit", CONNECTIONS),
    refused("SecConnWriteStateLimit", CONNECTIONS),
    refused("SecDataset", "write the words to a file and use @pmFromFile or @ipMatchFromFile"),
    refused(
        "SecGsbLookupDb",
        "the service it reads was closed; use @pmFromFile with a list of your own",
    ),
    refused("SecGuardianLog", "no program is started; read the access log or the event stream"),
    refused("SecHashKey", HASHING),
    refused("SecHashMethodPm", HASHING),
    refused("SecHashMethodRx", HASHING),
    refused("SecHashParam", HASHING),
    refused("SecReadStateLimit", CONNECTIONS),
    refused(
        "SecRemoteRules",
        "rules are read from files only; fetch and review them before you deploy",
    ),
    refused("SecRemoteRulesFailAction", "rules are read from files only"),
    refused(
        "SecRuleInheritance",
        "name the rule files of each waf profile in the gateway's configuration",
    ),
    refused("SecRuleScript", "no program and no Lua runs on a request; write the rule as a chain"),
    refused("SecWriteStateLimit", CONNECTIONS),
];
