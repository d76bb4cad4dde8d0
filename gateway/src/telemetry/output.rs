//! Where lines go. A target that is slow, full or gone costs lines, which are
//! counted, and never time of a request.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::metrics::DropKind;

/// Bytes that wait for a target that does not take them.
const PENDING_BYTES: usize = 8 * 1024 * 1024;
/// A pipe that polls writable takes this much without blocking (`PIPE_BUF`, pipe(7)).
const PIPE_CHUNK: usize = 4096;

/// Where a log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Off,
    Stdout,
    Stderr,
    /// Opened for appending, created with mode 0640.
    File(PathBuf),
}

impl Target {
    /// Reads `stdout`, `stderr`, `off`, or a file's path.
    pub fn parse(text: &str) -> Target {
        match text {
            "off" => Target::Off,
            "stdout" => Target::Stdout,
            "stderr" => Target::Stderr,
            path => Target::File(path.into()),
        }
    }

    fn open(&self) -> Result<Option<OwnedFd>, String> {
        let opened = match self {
            Target::Off => return Ok(None),
            Target::Stdout => io::stdout().as_fd().try_clone_to_owned(),
            Target::Stderr => io::stderr().as_fd().try_clone_to_owned(),
            Target::File(path) => open_file(path),
        };
        opened.map(Some).map_err(|error| format!("log `{self}`: {error}"))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Off => f.write_str("off"),
            Target::Stdout => f.write_str("stdout"),
            Target::Stderr => f.write_str("stderr"),
            Target::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Without blocking: a path that names a FIFO without reader is an error and not a hang.
fn open_file(path: &Path) -> io::Result<OwnedFd> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o640).custom_flags(nonblock);
    options.open(path).map(OwnedFd::from)
}

/// An open target with the lines that wait for it.
#[derive(Debug)]
pub(super) struct Output {
    target: Target,
    file: Option<OwnedFd>,
    pending: Vec<u8>,
    /// Bytes at the front of `pending` that the target has taken.
    taken: usize,
}

impl Output {
    pub(super) fn open(target: Target) -> Result<Output, String> {
        let file = target.open()?;
        Ok(Output { target, file, pending: Vec::new(), taken: 0 })
    }

    pub(super) fn is_off(&self) -> bool {
        self.file.is_none()
    }

    pub(super) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Opens the target's path anew, after a rotation; the old file stays when that fails. What waits goes to
    /// the new one, but for the rest of a line that the old one has the beginning of.
    pub(super) fn reopen(&mut self) -> Result<(), String> {
        self.file = self.target.open()?;
        self.skip_cut_line();
        Ok(())
    }

    /// Takes over the lines that another target did not take.
    pub(super) fn inherit(&mut self, mut other: Output) {
        if other.has_pending() && !self.is_off() {
            other.skip_cut_line();
            std::mem::swap(&mut other.target, &mut self.target);
            std::mem::swap(&mut other.file, &mut self.file);
            *self = other;
        }
    }

    /// Appends one line. While the target stalls, routine lines may use half of the room. False: there was none.
    pub(super) fn append(&mut self, kind: DropKind, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        let room = if kind == DropKind::Security { PENDING_BYTES } else { PENDING_BYTES / 2 };
        if self.pending.len() >= room {
            return false;
        }
        write(&mut self.pending);
        self.pending.push(b'\n');
        true
    }

    /// Writes as much as the target takes, waiting for it at most `patience_ms` once. What it does not take waits.
    ///
    /// # Errors
    /// The target's: no space, no reader, no such device. The lines wait for a better time.
    pub(super) fn write(&mut self, patience_ms: u32) -> io::Result<()> {
        let result = match &self.file {
            None => Ok(self.pending.len()),
            Some(file) => write_ready(file, &self.pending[self.taken..], patience_ms),
        };
        match result {
            Ok(bytes) => self.taken += bytes,
            Err((bytes, error)) => {
                self.taken += bytes;
                self.forget_taken();
                return Err(error.into());
            }
        }
        self.forget_taken();
        Ok(())
    }

    /// The target that has the beginning of a line does not get its end.
    fn skip_cut_line(&mut self) {
        if self.taken > 0 && self.pending[self.taken - 1] != b'\n' {
            let rest = &self.pending[self.taken..];
            let end = rest.iter().position(|byte| *byte == b'\n');
            self.taken += end.map_or(rest.len(), |end| end + 1);
        }
        self.forget_taken();
    }

    /// Keeps the last taken byte while it tells that a line is cut.
    fn forget_taken(&mut self) {
        if self.taken >= self.pending.len() {
            self.pending.clear();
            self.taken = 0;
        } else if self.taken > 1 {
            self.pending.drain(..self.taken - 1);
            self.taken = 1;
        }
        self.pending.shrink_to(PENDING_BYTES / 8);
    }
}

/// Writes until all is written or the target would block. Never sets a shared descriptor to non-blocking:
/// others may write to it.
fn write_ready(file: &OwnedFd, bytes: &[u8], patience_ms: u32) -> Result<usize, (usize, Errno)> {
    let mut taken = 0;
    let mut patience_ms = patience_ms;
    while taken < bytes.len() {
        match is_writable(file, patience_ms) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return Err((taken, error)),
        }
        patience_ms = 0;
        let chunk = &bytes[taken..bytes.len().min(taken + PIPE_CHUNK)];
        match rustix::io::write(file, chunk) {
            Ok(written) => taken += written,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => return Err((taken, error)),
        }
    }
    Ok(taken)
}

/// Whether [`PIPE_CHUNK`] bytes can be written without blocking. A broken pipe counts: the write tells.
pub(super) fn is_writable(file: impl AsFd, patience_ms: u32) -> Result<bool, Errno> {
    let mut polled = [PollFd::new(&file, PollFlags::OUT)];
    let patience = Timespec {
        tv_sec: i64::from(patience_ms / 1000),
        tv_nsec: i64::from(patience_ms % 1000) * 1_000_000,
    };
    match poll(&mut polled, Some(&patience)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error),
    }
}
