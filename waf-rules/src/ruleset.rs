//! A loaded rule set: immutable, shared, cheap to clone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::catalog::Catalog;
use crate::collection::MemoryCollections;
use crate::load::{self, FileStamp, Input, Loaded};
use crate::plan::course::{Course, Pins};
use crate::plan::{Meta, Program};
use crate::seclang::error::LoadErrors;
use crate::variable::environment;
use crate::{EngineMode, Severity};

/// Rules ready to run. Clones share one program; every [`Profile`](crate::Profile) made from it does too.
#[derive(Clone)]
pub struct Ruleset(Arc<Loaded>);

/// Collects what a rule set is loaded from; later inputs see the rules of earlier ones.
#[derive(Debug, Clone, Default)]
pub struct RulesetBuilder {
    inputs: Vec<Input>,
    environment: Option<Vec<(String, String)>>,
}

/// What a rule says about itself.
#[derive(Debug, Clone, Copy)]
pub struct RuleInfo<'a> {
    meta: &'a Meta,
}

impl Ruleset {
    pub fn builder() -> RulesetBuilder {
        RulesetBuilder::default()
    }

    /// Twelve hexadecimal digits that identify the rules: they change with every byte of them.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// Every rule, in reading order. A chain is one rule.
    pub fn rules(&self) -> impl Iterator<Item = RuleInfo<'_>> {
        self.0.program.rules.iter().map(|rule| RuleInfo { meta: &rule.meta })
    }

    /// What was accepted without effect, or acts on no rule: one line each, with its place.
    pub fn notices(&self) -> &[String] {
        &self.0.notices
    }

    /// The files that it was made of, as they were then: rules, includes, lists and databases, and the folders where patterns
    /// found them. Whoever wants to know of changes looks at these again.
    pub fn files(&self) -> &BTreeMap<PathBuf, FileStamp> {
        &self.0.files
    }

    /// Names of rule sets that are part of it, as their `SecComponentSignature` says.
    pub fn components(&self) -> &[String] {
        &self.program().settings.components
    }

    /// `SecRuleEngine`, where the rules say it: a profile may say otherwise.
    pub fn engine(&self) -> Option<EngineMode> {
        self.program().settings.engine
    }

    /// `SecSensorId`, for records; empty when the rules set none.
    pub fn sensor_id(&self) -> &str {
        &self.program().settings.sensor_id
    }

    pub(crate) fn program(&self) -> &Program {
        &self.0.program
    }

    /// The store of profiles that are given no other.
    pub(crate) fn collections(&self) -> Arc<MemoryCollections> {
        self.0.collections.clone()
    }

    pub(crate) fn course(&self, pins: &Pins) -> Arc<Course> {
        self.0.courses.get(&self.0.program, pins)
    }
}

impl std::fmt::Debug for Ruleset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rules = self.0.program.rules.len();
        f.debug_struct("Ruleset")
            .field("version", &self.version())
            .field("rules", &rules)
            .finish_non_exhaustive()
    }
}

impl RulesetBuilder {
    /// Adds the built-in rule set.
    #[must_use]
    pub fn builtin(mut self) -> Self {
        self.inputs.push(Input::Builtin);
        self
    }

    /// Adds a file, or every file a path with `*` and `?` names, in the order of their paths.
    #[must_use]
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.inputs.push(Input::File(path.into()));
        self
    }

    /// Adds rules given as text; `name` stands for the file in messages.
    #[must_use]
    pub fn text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.inputs.push(Input::Text { name: name.into(), text: text.into() });
        self
    }

    /// What `ENV` is read from, instead of the process's environment. Either way rules see only
    /// `HOSTNAME`, `LANG`, `TZ` and names that begin with `WAF_`.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.environment = Some(variables.into_iter().collect());
        self
    }

    /// Reads and parses everything, for people: what the rules say. Nothing of it runs.
    ///
    /// # Errors
    /// Every problem of every input that shows before compiling.
    pub fn catalog(&self) -> Result<Catalog, LoadErrors> {
        Catalog::read(&self.inputs)
    }

    /// Reads, parses and compiles everything.
    ///
    /// # Errors
    /// Every problem of every input, each with file, line, column and the line itself.
    pub fn build(self) -> Result<Ruleset, LoadErrors> {
        let environment = match self.environment {
            Some(given) => environment::allowed(given.into_iter()),
            None => environment::allowed(process_environment()),
        };
        load::load(&self.inputs, environment).map(|loaded| Ruleset(Arc::new(loaded)))
    }
}

/// Variables whose name and value are text.
fn process_environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl<'a> RuleInfo<'a> {
    pub fn id(&self) -> u32 {
        self.meta.id
    }

    /// 1 to 5.
    pub fn phase(&self) -> u8 {
        self.meta.phase
    }

    /// The message as written, macros unexpanded; empty when there is none.
    pub fn message(&self) -> &'a str {
        &self.meta.message_text
    }

    pub fn tags(&self) -> &'a [String] {
        &self.meta.tags
    }

    pub fn severity(&self) -> Option<Severity> {
        self.meta.severity
    }

    /// From the tag `paranoia-level/N`.
    pub fn paranoia(&self) -> Option<u8> {
        self.meta.paranoia
    }

    pub fn file(&self) -> &'a str {
        &self.meta.file
    }

    pub fn line(&self) -> u32 {
        self.meta.line
    }
}
