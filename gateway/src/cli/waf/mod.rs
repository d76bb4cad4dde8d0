//! `yett waf`: the rules, what they say of a request, and what to do when they are wrong.

mod diff;
mod event;
mod exclude;
mod explain;
mod list;
mod paint;
mod proof;
mod propose;
mod show;
mod subject;
mod test;

#[cfg(test)]
mod tests;

use std::io::Write;
use std::process::ExitCode;

use clap::Subcommand;

use super::FAILED;

/// `test` ran, and a test failed.
const TESTS_FAILED: u8 = 1;

/// What to do with the rules.
#[derive(Debug, Subcommand)]
pub(super) enum WafCommand {
    /// List the rules.
    List(list::ListArgs),
    /// Show a rule: its text, what it looks at, its exceptions in the configuration, its tests.
    Show(show::ShowArgs),
    /// Say which rules match a request, where, and what other levels and thresholds would have decided.
    Explain(Box<explain::ExplainArgs>),
    /// Run ftw tests, CRS's or your own, without a server.
    Test(test::TestArgs),
    /// Propose the narrowest exception for an event, and prove what still fires with it.
    Exclude(exclude::ExcludeArgs),
}

/// What a command prints, and whether it found what it hoped for.
struct Done {
    text: String,
    passed: bool,
}

/// Runs a command; 0, 1 when it found what should not be, 2 when it could not do its work.
pub(super) fn run(command: &WafCommand) -> ExitCode {
    let passed = |text: String| Done { text, passed: true };
    let done = match command {
        WafCommand::List(args) => list::list(args).map(passed),
        WafCommand::Show(args) => show::show(args).map(passed),
        WafCommand::Explain(args) => explain::explain(args).map(passed),
        WafCommand::Test(args) => test::test(args),
        WafCommand::Exclude(args) => exclude::exclude(args),
    };
    match done {
        Ok(done) => {
            // A reader that went away, such as `head`, wants no more.
            let _ = std::io::stdout().lock().write_all(done.text.as_bytes());
            if done.passed { ExitCode::SUCCESS } else { ExitCode::from(TESTS_FAILED) }
        }
        Err(error) => {
            eprintln!("error: {}", paint::safe_lines(&error));
            ExitCode::from(FAILED)
        }
    }
}
