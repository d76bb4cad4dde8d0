//! The directives that set the engine rather than make rules.

/// A directive this engine obeys, or one it accepts because recommended configurations hold it.
pub(crate) enum Setting {
    Applied { name: &'static str, least: usize, most: usize },
    Ignored { name: &'static str, why: &'static str },
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
            Self::Applied { name, .. } | Self::Ignored { name, .. } => name,
        }
    }
}

const fn applied(name: &'static str) -> Setting {
    Setting::Applied { name, least: 1, most: 1 }
}

const fn ignored(name: &'static str, why: &'static str) -> Setting {
    Setting::Ignored { name, why }
}

const LOGGING: &str = "records are made by the caller from the transaction's matches";
const NO_FILES: &str = "bodies stay in bounded memory, nothing is written to disk";
const LINEAR: &str = "matching is linear in the input, there is no match limit to set";
const PERSISTENT: &str = "persistent collections are not kept";
const SERVER: &str = "belongs to the server, not to the rules";

pub(crate) static DIRECTIVES: &[Setting] = &[
    applied("SecArgumentsLimit"),
    applied("SecAuditEngine"),
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
    applied("SecUploadFileLimit"),
    applied("SecWebAppId"),
    ignored("SecArgumentSeparator", "the separator is `&`"),
    ignored("SecAuditLog", LOGGING),
    ignored("SecAuditLog2", LOGGING),
    ignored("SecAuditLogDirMode", LOGGING),
    ignored("SecAuditLogFileMode", LOGGING),
    ignored("SecAuditLogFormat", LOGGING),
    ignored("SecAuditLogParts", LOGGING),
    ignored("SecAuditLogRelevantStatus", LOGGING),
    ignored("SecAuditLogStorageDir", LOGGING),
    ignored("SecAuditLogType", LOGGING),
    ignored("SecCollectionTimeout", PERSISTENT),
    ignored("SecConnEngine", SERVER),
    ignored("SecCookieFormat", "cookies are read as version 0"),
    ignored("SecDataDir", PERSISTENT),
    ignored("SecDebugLog", LOGGING),
    ignored("SecDebugLogLevel", LOGGING),
    ignored("SecDisableBackendCompression", SERVER),
    ignored("SecPcreMatchLimit", LINEAR),
    ignored("SecPcreMatchLimitRecursion", LINEAR),
    ignored("SecRequestBodyInMemoryLimit", NO_FILES),
    ignored("SecRxPreFilter", "the prefilter is always on"),
    ignored("SecSensorId", LOGGING),
    ignored("SecServerSignature", SERVER),
    ignored("SecStatusEngine", "nothing is reported to third parties"),
    ignored("SecTmpDir", NO_FILES),
    ignored("SecUnicodeMapFile", "the best-fit table of code page 20127 is built in"),
    ignored("SecUploadDir", NO_FILES),
    ignored("SecUploadFileMode", NO_FILES),
    ignored("SecUploadKeepFiles", NO_FILES),
];
