//! What every test file shares: events, and a telemetry that writes to a file.

mod access;
mod audit;
mod events;
mod metrics;
mod process_log;
mod redact;
mod sink;
mod trace;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{AccessLog, Target, Telemetry};
pub(crate) use events::{allowed, full, refused, rule_match};

/// Long enough for the slowest machine; nothing waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn silent() -> Telemetry {
    Telemetry::start(AccessLog { target: Target::Off, allowed_percent: 100 }, Target::Off).unwrap()
}

fn to_file(path: &Path, allowed_percent: u8) -> Telemetry {
    Telemetry::start(AccessLog { target: Target::File(path.into()), allowed_percent }, Target::Off)
        .unwrap()
}

/// Every line, parsed: a line that is not one JSON object fails the test.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}
