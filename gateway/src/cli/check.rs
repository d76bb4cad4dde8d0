//! `yett check`: read, compile, test; every problem, nothing bound.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::FAILED;
use crate::base::clock::Now;
use crate::config::reload::{Accepted, Source, accept};
use crate::config::report::Report;
use crate::pipeline::trial;
use crate::state::State;
use crate::state::keys::fetch::NoFetch;

/// What to check.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A file, or a directory whose *.yaml and *.yml files are one configuration.
    #[arg(long, value_name = "FILE_OR_DIRECTORY")]
    config: PathBuf,
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Prints all problems; fails when one is an error.
pub(super) fn check(args: &CheckArgs) -> ExitCode {
    let accepted = compile(&Source::Path(args.config.clone()));
    let (report, code) = match &accepted {
        Ok(accepted) => (&accepted.warnings, ExitCode::SUCCESS),
        Err(report) => (report, ExitCode::from(FAILED)),
    };
    match args.format {
        Format::Json => println!("{}", report.to_json()),
        Format::Text if report.is_empty() => {}
        Format::Text => println!("{report}"),
    }
    if let (Ok(accepted), Format::Text) = (&accepted, args.format) {
        let document = &accepted.document;
        println!(
            "ok: {} routes, {} services, {} tests passed",
            document.routes.len(),
            document.services.len(),
            document.tests.len()
        );
    }
    code
}

/// Compiles a configuration without a running gateway.
pub(super) fn compile(source: &Source) -> Result<Accepted, Report> {
    let state = State::new(Arc::new(NoFetch), Now::read());
    accept(source, &state, trial::tests, 1)
}
