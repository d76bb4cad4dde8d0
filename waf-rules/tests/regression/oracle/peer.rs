//! libmodsecurity in a process of its own: `peer.py`, a line of JSON for each question and each answer.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, BufRead, BufReader, BufWriter, Error, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use waf_rules::ftw::{Request, Response};

/// What `.ci/install.sh test` installs, and what the list of differences is about.
const PACKAGE: &str = "libmodsecurity";

/// A running engine with its rules. It ends when it is dropped.
pub(crate) struct Peer {
    child: Child,
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
    /// Its name and version, in its own words.
    pub(crate) engine: String,
    /// Whether log data is asked for; it has to be UTF-8.
    pub(crate) log: bool,
}

/// Rules that matched and log; processor time of the transaction; their log data, where it is asked for.
pub(crate) type Answer = (BTreeSet<u32>, Duration, Vec<(u32, String)>);

#[derive(Deserialize)]
struct Said {
    ids: BTreeSet<u32>,
    cpu_ns: u64,
    #[serde(default)]
    data: Vec<(u32, String)>,
}

#[derive(Serialize)]
struct Rules<'r> {
    rules: &'r [String],
}

#[derive(Deserialize)]
struct Hello {
    engine: String,
}

/// A request and the answer of its service. In each text a character stands for one byte.
#[derive(Serialize)]
struct Question {
    method: String,
    target: String,
    protocol: String,
    headers: Vec<(String, String)>,
    body: String,
    status: u16,
    response_headers: Vec<(String, String)>,
    response_body: String,
    log: bool,
}

/// The Python that `YETT_LIBMODSECURITY` names, or a remark that gets past the capture of test output.
pub(crate) fn python() -> Option<PathBuf> {
    let python = env::var_os("YETT_LIBMODSECURITY").map(PathBuf::from);
    if python.is_none() {
        let remark = format!(
            "SKIPPED: comparison with {PACKAGE}; .ci/install.sh test installs it, YETT_LIBMODSECURITY names its Python\n"
        );
        io::stderr().write_all(remark.as_bytes()).ok();
    }
    python
}

impl Peer {
    /// Loads rules, each text an argument of its own to the engine's loader.
    pub(crate) fn start(python: &Path, rules: &[String]) -> io::Result<Self> {
        let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
        let script = Path::new(&manifest).join("tests/regression/oracle/peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || Error::other("the process has no pipes");
        let input = child.stdin.take().map(BufWriter::new);
        let output = BufReader::new(child.stdout.take().ok_or_else(missing)?);
        let mut peer = Self { child, input, output, engine: String::new(), log: false };
        peer.send(&Rules { rules })?;
        peer.engine = peer.receive::<Hello>()?.engine;
        Ok(peer)
    }

    /// Runs one request and the answer of its service through all phases.
    pub(crate) fn ask(&mut self, request: &Request, response: &Response) -> io::Result<Answer> {
        self.send(&Question::new(request, response, self.log))?;
        let said: Said = self.receive()?;
        Ok((said.ids, Duration::from_nanos(said.cpu_ns), said.data))
    }

    pub(crate) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let input = self.input.as_mut().ok_or_else(|| Error::other("the process has ended"))?;
        serde_json::to_writer(&mut *input, message)?;
        input.write_all(b"\n")?;
        input.flush()
    }

    pub(crate) fn receive<T: for<'d> Deserialize<'d>>(&mut self) -> io::Result<T> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            let end = self.child.wait()?;
            return Err(Error::other(format!("{PACKAGE} ended without an answer: {end}")));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The end of its input is the end of the process.
        self.input = None;
        self.child.wait().ok();
    }
}

impl Question {
    fn new(request: &Request, response: &Response, log: bool) -> Self {
        Self {
            method: text(&request.method),
            target: text(&request.target),
            protocol: text(&request.protocol),
            headers: request
                .headers
                .iter()
                .map(|(name, value)| (text(name), text(value)))
                .collect(),
            body: text(&request.body),
            status: response.status.unwrap_or(200),
            response_headers: response.headers.iter().map(pair).collect(),
            response_body: text(response.body.as_bytes()),
            log,
        }
    }
}

fn pair((name, value): (&String, &String)) -> (String, String) {
    (text(name.as_bytes()), text(value.as_bytes()))
}

/// A character for each byte.
pub(crate) fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}
