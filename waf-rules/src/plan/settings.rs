//! What the `Sec...` settings amount to.

use crate::action::{AuditEngine, EngineMode};
use crate::seclang::Word;
use crate::seclang::parser::parse_switch;

/// Engine settings of a rule set. `None` where the rules say nothing and the profile decides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settings {
    pub(crate) engine: Option<EngineMode>,
    pub(crate) audit: AuditEngine,
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

impl Settings {
    /// Applies one directive; the error names the value and the word it stands in.
    pub(crate) fn apply(&mut self, name: &str, values: &[Word]) -> Result<(), String> {
        let value = values.first().map_or("", |word| word.text.as_str());
        match name {
            "SecRuleEngine" => self.engine = Some(EngineMode::parse(value)?),
            "SecAuditEngine" => self.audit = AuditEngine::parse(value)?,
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
