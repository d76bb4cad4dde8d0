//! Which rules a command is about: a profile of a configuration, rule files, or the built-in rules.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use waf_rules::{Catalog, Profile, ProfileOptions, Ruleset, RulesetBuilder};

use crate::base::clock::Now;
use crate::base::compile::{Compile, Step};
use crate::cli::check;
use crate::config::compile::Day;
use crate::config::document::Document;
use crate::config::load;
use crate::config::reload::{Accepted, Source};
use crate::config::report::Report;
use crate::config::snapshot::Snapshot;
use crate::config::source::SourceMap;
use crate::stages::waf::plan::{BUILTIN, Plan, Profiles};
use crate::stages::waf::section::WafUse;

/// Which rules.
#[derive(Debug, Args)]
pub(in crate::cli) struct SubjectArgs {
    /// A file, or a directory whose *.yaml and *.yml files are one configuration.
    #[arg(long, value_name = "FILE_OR_DIRECTORY")]
    pub(super) config: Option<PathBuf>,
    /// Profile of the configuration; absent: its default one, or its only one.
    #[arg(long, requires = "config")]
    pub(super) profile: Option<String>,
    /// Instead of a configuration: `builtin`, or paths of SecLang files, in loading order. Absent too: `builtin`.
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with = "config")]
    pub(super) rules: Vec<String>,
}

/// A configuration that was read, with the lines it was read from.
pub(super) struct Config {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) document: Document,
    pub(super) source: Option<SourceMap>,
    pub(super) path: PathBuf,
}

/// The rules of a command.
pub(super) struct Subject {
    pub(super) config: Option<Config>,
    /// Name of the profile, or the rules themselves.
    pub(super) name: String,
    /// What they are loaded from.
    pub(super) rules: Vec<String>,
}

impl SubjectArgs {
    pub(super) fn read(&self) -> Result<Subject, String> {
        let Some(path) = &self.config else {
            let builtin = || vec![BUILTIN.to_owned()];
            let rules = if self.rules.is_empty() { builtin() } else { self.rules.clone() };
            return Ok(Subject { config: None, name: rules.join(" "), rules });
        };
        let config = Config::read(path.clone())?;
        let document = &config.document;
        let only = || document.waf.keys().next().filter(|_| document.waf.len() == 1);
        let name = self.profile.as_ref().or(document.defaults.waf.as_ref()).or_else(only).cloned();
        let known = || document.waf.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let name =
            name.ok_or_else(|| format!("which profile? --profile takes one of: {}", known()))?;
        let section = document.waf.get(&name).ok_or_else(|| {
            format!("no WAF profile `{name}`, the configuration has: {}", known())
        })?;
        let rules = section.rules.clone();
        Ok(Subject { name, rules, config: Some(config) })
    }
}

impl Config {
    pub(super) fn read(path: PathBuf) -> Result<Config, String> {
        let compiled = check::compile(&Source::Path(path.clone()));
        let Accepted { snapshot, document, .. } =
            compiled.map_err(|report: Report| report.to_string())?;
        // Read again for the lines: a snapshot does not keep the text it came from.
        let source = load::load(&path).map(|loaded| loaded.source).ok();
        Ok(Config { snapshot, document, source, path })
    }

    /// "yett.yaml:9", or nothing for what is not written anywhere.
    pub(super) fn at(&self, place: &[Step]) -> Option<String> {
        let location = self.source.as_ref()?.locate(place, true)?;
        Some(format!("{}:{}", location.file, location.line))
    }

    /// What a profile does on a route that changes nothing of it.
    pub(super) fn plan(&self, profile: &str) -> Result<Arc<Plan>, String> {
        let mut cx = Compile::new();
        let today = Day::of(Now::read().unix_s());
        let profiles = Profiles::compile(&self.document.waf, today, Arc::default(), None, &mut cx);
        let wanted = WafUse::Named(profile.to_owned());
        let plan = profiles.for_route(Some(&wanted), None, &mut cx);
        plan.ok_or_else(|| format!("profile `{profile}` inspects nothing: its mode is `off`"))
    }
}

impl Subject {
    pub(super) fn builder(&self) -> RulesetBuilder {
        self.rules.iter().fold(Ruleset::builder(), |builder, rule| match rule.as_str() {
            BUILTIN => builder.builtin(),
            path => builder.file(path),
        })
    }

    pub(super) fn catalog(&self) -> Result<Catalog, String> {
        self.builder().catalog().map_err(|errors| errors.to_string())
    }

    /// The profile as a route without changes runs it; of rule files, one with the defaults.
    pub(super) fn profile(&self) -> Result<Profile, String> {
        match &self.config {
            Some(config) => config.plan(&self.name).map(|plan| plan.profile.clone()),
            None => {
                let ruleset = self.builder().build().map_err(|errors| errors.to_string())?;
                changed(&ruleset, ProfileOptions::default())
            }
        }
    }

    /// The rules are the built-in ones, alone or among others.
    pub(super) fn has_builtin(&self) -> bool {
        self.rules.iter().any(|rule| rule == BUILTIN)
    }
}

/// A profile with these choices.
pub(super) fn changed(ruleset: &Ruleset, options: ProfileOptions) -> Result<Profile, String> {
    let join = |errors: Vec<waf_rules::ProfileError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    Profile::new(ruleset, options).map_err(join)
}
