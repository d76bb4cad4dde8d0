//! The command line. Exit codes are here and nowhere else.

mod check;
mod control;
mod demo;
mod explain;
mod health;
mod request;
mod run;
mod waf;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use log::LevelFilter;

use crate::base::units::Span;
use crate::config::schema;
use crate::telemetry::process_log::{self, Filter};

/// A command was used wrongly, or found errors.
const FAILED: u8 = 2;
/// `run`: the configuration cannot be used; nothing was bound (sysexits EX_CONFIG).
const CONFIG: u8 = 78;
/// `run`: the system refused something: an address, a file, a thread (sysexits EX_OSERR).
const SYSTEM: u8 = 71;

/// Edge API gateway: every request is verified, limited, inspected and explained.
#[derive(Debug, Parser)]
#[command(name = "yett", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a configuration.
    Run(RunArgs),
    /// Read, compile and test a configuration; print every problem.
    Check(check::CheckArgs),
    /// Say what would become of a request, stage by stage, with the line of configuration that decides.
    Explain(explain::ExplainArgs),
    /// The rules of the web application firewall: list, show, explain, test, exclude.
    #[command(subcommand)]
    Waf(waf::WafCommand),
    /// Print the JSON schema of the configuration.
    Schema,
    /// Serve an embedded configuration with a sample service and development tokens, and print requests to try.
    Demo(demo::DemoArgs),
    /// Ask a running gateway whether it serves; for container health checks.
    Health(health::HealthArgs),
}

/// How to serve.
#[derive(Clone, Debug, Args)]
struct RunArgs {
    /// A file, or a directory whose *.yaml and *.yml files are one configuration.
    #[arg(long, value_name = "FILE_OR_DIRECTORY")]
    config: PathBuf,
    #[command(flatten)]
    process: ProcessArgs,
}

/// What belongs to the process, not to the configuration.
#[derive(Clone, Debug, Args)]
struct ProcessArgs {
    /// Socket over which a successor takes the listeners over. A process that already serves there is succeeded.
    #[arg(long, value_name = "SOCKET")]
    handover: Option<PathBuf>,
    /// How long requests may take to finish once the process is told to stop.
    #[arg(long, default_value = "30s", value_parser = span)]
    grace: Duration,
    /// How long to go on accepting, while readiness already fails, once the process is told to stop.
    #[arg(long, default_value = "0s", value_parser = span)]
    drain_delay: Duration,
    /// Worker threads; absent: one per processor.
    #[arg(long)]
    workers: Option<usize>,
    /// Level of the process log on stderr: error, warn, info or debug.
    #[arg(long, default_value = "info")]
    log: LevelFilter,
}

/// Runs the command of this process.
pub fn main() -> ExitCode {
    // Before anything else could install another: the framework's choice has no post-quantum key exchange.
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider is installed");
        return ExitCode::from(SYSTEM);
    }
    match Cli::parse().command {
        Command::Run(args) => {
            let source = crate::config::reload::Source::Path(args.config);
            run::run(source, &args.process, || {})
        }
        Command::Check(args) => check::check(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Waf(command) => waf::run(&command),
        Command::Schema => {
            print!("{}", schema::schema());
            ExitCode::SUCCESS
        }
        Command::Demo(args) => demo::demo(&args),
        Command::Health(args) => health::health(&args),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(|span| span.0)
}

/// One JSON line per record on stderr. The framework logs what clients cause: only its errors are kept.
fn install_log(level: LevelFilter) {
    let quiet = |target: &str| (target.to_owned(), level.min(LevelFilter::Error));
    let off = |target: &str| (target.to_owned(), LevelFilter::Off);
    let targets = vec![
        quiet("pingora"),
        off("pingora_core::services"),
        off("pingora_core::protocols::http"),
        // Says at error level that a pooled connection was just being watched by its pool; it opens another one.
        off("pingora_core::connectors"),
        off("pingora_proxy"),
        quiet("rustls"),
        quiet("hyper"),
        quiet("h2"),
    ];
    // There is one process and one log: a second installation would be a bug, and has nowhere to be logged.
    let _ = process_log::install(Filter { default: level, targets });
}
