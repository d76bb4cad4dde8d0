//! The log of the rules' matches: one line a match, in ModSecurity's error-log form, written before the answer ends.
//! Whoever reads the answer finds its lines, which is what go-ftw relies on.
//!
//! The writer is the worker itself. Its target is never waited for: what it does not take at once waits for the next
//! match, within the bound of [`Output`], and what goes beyond that is dropped and counted.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use waf_rules::Match;

use super::access::timestamp;
use super::audit::masked;
use super::json::cut;
use super::metrics::{DropKind, Metrics};
use super::output::{Output, Target};
use super::redact;
use crate::base::event::RequestId;

/// Host and path that a line shows, bytes.
const TEXT_BYTES: usize = 512;

/// Where matches are logged.
#[derive(Debug)]
pub struct WafLog {
    /// Whether there is a target, without the lock.
    on: AtomicBool,
    output: Mutex<Output>,
    metrics: Arc<Metrics>,
}

/// The request that lines are about. Texts are the client's.
#[derive(Clone, Debug)]
pub struct About {
    pub unix_us: u64,
    /// The client; the port is 0 when a proxy speaks for it.
    pub client: SocketAddr,
    pub host: String,
    pub path: String,
    pub request_id: RequestId,
}

impl WafLog {
    pub(super) fn open(target: Target, metrics: Arc<Metrics>) -> Result<WafLog, String> {
        let output = Output::open(target)?;
        Ok(WafLog { on: AtomicBool::new(!output.is_off()), output: Mutex::new(output), metrics })
    }

    /// Somebody reads: matches should be written.
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Another target; the old one stays when it cannot be opened.
    pub(super) fn configure(&self, target: Target) -> Result<(), String> {
        let mut new = Output::open(target)?;
        let mut output = self.output.lock();
        self.on.store(!new.is_off(), Ordering::Relaxed);
        std::mem::swap(&mut *output, &mut new);
        output.inherit(new);
        Ok(())
    }

    pub(super) fn reopen(&self) {
        if let Err(error) = self.output.lock().reopen() {
            self.metrics.log_error();
            log::error!("WAF log not reopened, the old file stays: {error}");
        }
    }

    /// Writes what matched, in one piece.
    pub fn write(&self, about: &About, matches: &[Match]) {
        // `nolog,auditlog`: for the audit log alone.
        let mut logged = matches.iter().filter(|found| found.log).peekable();
        if logged.peek().is_none() || !self.is_on() {
            return;
        }
        let (before, after) = (prefix(about), suffix(about));
        let mut output = self.output.lock();
        for found in logged {
            let line = [&before, &*masked(found).log_line(), &after].concat();
            let taken =
                output.append(DropKind::Security, |out| out.extend_from_slice(line.as_bytes()));
            if !taken {
                self.metrics.waf_log_dropped();
            }
        }
        if output.write(0).is_err() {
            self.metrics.log_error();
        }
    }
}

fn prefix(about: &About) -> String {
    let mut text = format!("{} [client {}", timestamp(about.unix_us), about.client.ip());
    if about.client.port() > 0 {
        // Writing to a string does not fail.
        let _ = write!(text, ":{}", about.client.port());
    }
    text + "] "
}

fn suffix(about: &About) -> String {
    let shown = |text: &str| {
        let text: String = cut(text, TEXT_BYTES).chars().map(plain).collect();
        text
    };
    format!(
        " [hostname \"{}\"] [uri \"{}\"] [unique_id \"{}\"]",
        shown(&redact::text(&about.host)),
        shown(&redact::path(&about.path)),
        about.request_id.as_str()
    )
}

/// What could end a field or the line.
fn plain(character: char) -> char {
    let breaks = character.is_control() || matches!(character, '"' | '\\');
    if breaks { '?' } else { character }
}
