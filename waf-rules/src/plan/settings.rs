//! What the `Sec...` settings amount to.

use crate::action::{AuditEngine, AuditParts, EngineMode};
use crate::bitset::BitSet;
use crate::operator::{parse_key, selector_pattern};
use crate::seclang::Word;
use crate::seclang::parser::parse_switch;

/// Engine settings of a rule set. `None` where the rules say nothing and the profile decides.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) engine: Option<EngineMode>,
    pub(crate) audit: AuditEngine,
    pub(crate) audit_parts: AuditParts,
    /// Statuses that `SecAuditLogRelevantStatus` matches.
    audit_statuses: Option<BitSet>,
    /// Names of rule sets, from `SecComponentSignature`.
    pub(crate) components: Vec<String>,
    pub(crate) sensor_id: String,
    pub(crate) argument_separator: u8,
    pub(crate) collection_timeout_s: u64,
    /// The path of `SecGeoLookupDb`, as it is written.
    pub(crate) geo_database: Option<Word>,
    /// What http:BL is asked with.
    pub(crate) http_bl_key: Option<String>,
    pub(crate) request_body: Option<bool>,
    pub(crate) request_body_bytes: Option<usize>,
    pub(crate) request_body_no_files_bytes: Option<usize>,
    pub(crate) request_body_over: Option<Over>,
    pub(crate) response_body: Option<bool>,
    pub(crate) response_body_bytes: Option<usize>,
    pub(crate) response_body_over: Option<Over>,
    pub(crate) response_mime_types: Option<Vec<String>>,
    pub(crate) arguments: Option<usize>,
    pub(crate) files: Option<usize>,
    pub(crate) json_depth: Option<usize>,
    pub(crate) web_app_id: String,
}

/// What to do with more than a bound allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// Refuse the transaction.
    #[default]
    Reject,
    /// Inspect the part within the bound; the outcome says so.
    Partial,
}

/// The only code page whose best-fit table is built in.
const CODE_PAGE: &str = "20127";

impl Default for Settings {
    fn default() -> Self {
        Self {
            engine: None,
            audit: AuditEngine::default(),
            audit_parts: AuditParts::default(),
            audit_statuses: None,
            components: Vec::new(),
            sensor_id: String::new(),
            argument_separator: b'&',
            // ModSecurity's.
            collection_timeout_s: 3_600,
            geo_database: None,
            http_bl_key: None,
            request_body: None,
            request_body_bytes: None,
            request_body_no_files_bytes: None,
            request_body_over: None,
            response_body: None,
            response_body_bytes: None,
            response_body_over: None,
            response_mime_types: None,
            arguments: None,
            files: None,
            json_depth: None,
            web_app_id: String::new(),
        }
    }
}

impl Settings {
    /// A response of this status is worth an audit record.
    pub(crate) fn is_relevant_status(&self, status: i64) -> bool {
        let status = u32::try_from(status).ok();
        self.audit_statuses.as_ref().zip(status).is_some_and(|(set, status)| set.contains(status))
    }

    /// Applies one directive; the error names the value and the word it stands in.
    pub(crate) fn apply(&mut self, name: &str, values: &[Word]) -> Result<(), String> {
        let value = values.first().map_or("", |word| word.text.as_str());
        match name {
            "SecRuleEngine" => self.engine = Some(EngineMode::parse(value)?),
            "SecAuditEngine" => self.audit = AuditEngine::parse(value)?,
            "SecArgumentSeparator" => self.argument_separator = separator(value)?,
            "SecAuditLogParts" => self.audit_parts = AuditParts::parse(value)?,
            "SecAuditLogRelevantStatus" => self.audit_statuses = Some(statuses(value)?),
            "SecCollectionTimeout" => self.collection_timeout_s = number(value)? as u64,
            "SecGeoLookupDb" => self.geo_database = values.first().cloned(),
            "SecHttpBlKey" => self.http_bl_key = Some(parse_key(value)?),
            "SecSensorId" => value.clone_into(&mut self.sensor_id),
            "SecUnicodeCodePage" => code_page(value)?,
            "SecUnicodeMapFile" => {
                code_page(values.get(1).map_or(CODE_PAGE, |word| word.text.as_str()))?
            }
            "SecRequestBodyAccess" => self.request_body = Some(parse_switch(value)?),
            "SecRequestBodyLimit" => self.request_body_bytes = Some(number(value)?),
            "SecRequestBodyNoFilesLimit" => self.request_body_no_files_bytes = Some(number(value)?),
            "SecRequestBodyLimitAction" => self.request_body_over = Some(over(value)?),
            "SecRequestBodyJsonDepthLimit" => self.json_depth = Some(number(value)?),
            "SecResponseBodyAccess" => self.response_body = Some(parse_switch(value)?),
            "SecResponseBodyLimit" => self.response_body_bytes = Some(number(value)?),
            "SecResponseBodyLimitAction" => self.response_body_over = Some(over(value)?),
            "SecResponseBodyMimeType" => self.add_mime_types(values),
            "SecResponseBodyMimeTypesClear" => self.response_mime_types = Some(Vec::new()),
            "SecArgumentsLimit" => self.arguments = Some(number(value)?),
            "SecUploadFileLimit" => self.files = Some(number(value)?),
            "SecWebAppId" => value.clone_into(&mut self.web_app_id),
            _ => return Err(format!("setting `{name}` is not applied")),
        }
        Ok(())
    }

    fn add_mime_types(&mut self, values: &[Word]) {
        let types = self.response_mime_types.get_or_insert_default();
        types.extend(values.iter().map(|word| word.text.to_ascii_lowercase()));
    }
}

fn number(value: &str) -> Result<usize, String> {
    value.parse().map_err(|_| format!("`{value}`, expected a number"))
}

fn over(value: &str) -> Result<Over, String> {
    match value.to_ascii_lowercase().as_str() {
        "reject" => Ok(Over::Reject),
        "processpartial" => Ok(Over::Partial),
        _ => Err(format!("`{value}`, expected Reject or ProcessPartial")),
    }
}

fn separator(value: &str) -> Result<u8, String> {
    match value.as_bytes() {
        [byte] if byte.is_ascii_punctuation() && !b"=%+".contains(byte) => Ok(*byte),
        _ => Err(format!("`{value}`, expected one punctuation character other than =, % and +")),
    }
}

/// The statuses that a pattern matches: there are only 500, so it is asked about each, once.
fn statuses(pattern: &str) -> Result<BitSet, String> {
    let pattern = selector_pattern(pattern, false)?;
    let mut statuses = BitSet::default();
    for status in 100_u32..=599 {
        if pattern.is_match(status.to_string().as_bytes()) {
            statuses.insert(status);
        }
    }
    Ok(statuses)
}

fn code_page(value: &str) -> Result<(), String> {
    if value == CODE_PAGE {
        Ok(())
    } else {
        Err(format!("code page `{value}`, only {CODE_PAGE} is built in"))
    }
}
