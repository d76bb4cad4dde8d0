//! The binary under test.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::client::{Request, Response};
use super::{GRACE, eventually};

/// Token of every admin listener here.
pub const ADMIN_TOKEN: &str = "admin-token-of-the-tests-1234567890";

/// Events that are shown when a test fails.
const LAST_EVENTS: usize = 20;

/// A configuration with the files that it names, before it is started.
pub struct Setup {
    folder: tempfile::TempDir,
    directory: bool,
    arguments: Vec<String>,
}

/// A running gateway. Killed when dropped.
pub struct Gateway {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

impl Setup {
    /// `config` may leave out `version`, `listeners` (then: `public`, plain text, on a free port), `admin` and
    /// `telemetry`. `@DIR@` stands for the folder of its files.
    pub fn new(config: &str) -> Setup {
        let setup =
            Setup { folder: tempfile::tempdir().unwrap(), directory: false, arguments: Vec::new() };
        write_config(setup.folder.path(), config);
        setup.file("admin-token", ADMIN_TOKEN)
    }

    /// A file beside the configuration.
    pub fn file(self, name: &str, contents: impl AsRef<[u8]>) -> Setup {
        fs::write(self.folder.path().join(name), contents).unwrap();
        self
    }

    /// The configuration is the whole folder, not one file of it.
    pub fn directory(mut self) -> Setup {
        self.directory = true;
        self
    }

    /// Arguments after `yett run --config FILE`.
    pub fn args(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Starts, and waits until it serves.
    #[track_caller]
    pub fn start(self) -> Gateway {
        let mut child =
            self.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = follow(&mut child);
        let mut gateway = Gateway { child, log, folder: self.folder };
        eventually("gateway serves", || {
            let ended = gateway.child.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended: {ended:?}\n{}", gateway.log());
            gateway.log().contains("serving generation").then_some(())
        });
        gateway
    }

    /// Runs it to its end: for starts that must fail.
    pub fn run(self) -> Output {
        self.command().output().unwrap()
    }

    fn command(&self) -> Command {
        let mut command = yett();
        let folder = self.folder.path();
        let config = if self.directory { folder.into() } else { folder.join("yett.yaml") };
        command.arg("run").arg("--config").arg(config);
        command.args(["--workers", "2"]).args(&self.arguments);
        if !self.arguments.iter().any(|argument| argument == "--grace") {
            command.args(["--grace", &format!("{}s", GRACE.as_secs())]);
        }
        command
    }
}

impl Gateway {
    /// Starts the binary with a configuration; see [`Setup::new`].
    #[track_caller]
    pub fn start(config: &str) -> Gateway {
        Setup::new(config).start()
    }

    /// Address of the listener `public`.
    pub fn address(&self) -> SocketAddr {
        self.listener("public")
    }

    /// Address of a listener, as the log names it last.
    pub fn listener(&self, name: &str) -> SocketAddr {
        self.logged_address(&format!("listener `{name}` on "))
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.logged_address("admin listener on ")
    }

    fn logged_address(&self, before: &str) -> SocketAddr {
        eventually(before, || {
            let log = self.log();
            let found = log.rsplit_once(before)?.1;
            Some(found[..found.find('"')?].parse().unwrap())
        })
    }

    /// A request to the admin listener, with its token.
    pub fn admin(&self, method: &str, path: &str) -> Response {
        Request::new(method, path)
            .host("localhost")
            .header("authorization", &format!("Bearer {ADMIN_TOKEN}"))
            .header("content-type", "application/json")
            .body("")
            .send(self.admin_address())
    }

    /// The metrics, as they are exposed.
    pub fn metrics(&self) -> String {
        self.admin("GET", "/metrics").text()
    }

    /// Waits until there are `count` events and returns them; more are an error.
    #[track_caller]
    pub fn events(&self, count: usize) -> Vec<Value> {
        let events = eventually(&format!("{count} events"), || {
            let events = read_events(self.folder.path());
            (events.len() >= count).then_some(events)
        });
        assert_eq!(events.len(), count, "{events:#?}");
        events
    }

    /// The one event there is.
    #[track_caller]
    pub fn event(&self) -> Value {
        self.events(1).remove(0)
    }

    /// The access log as it is on disk.
    pub fn access_log(&self) -> String {
        fs::read_to_string(self.folder.path().join("access.ndjson")).unwrap_or_default()
    }

    /// What the process wrote to stderr.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces a file of the configuration as an editor or a mount does: by renaming.
    pub fn replace(&self, name: &str, contents: impl AsRef<[u8]>) {
        let new = self.folder.path().join(format!("{name}.new"));
        fs::write(&new, contents).unwrap();
        fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    /// Writes a new configuration and asks for nothing.
    pub fn write(&self, config: &str) {
        write_config(self.folder.path(), config);
    }

    /// Writes a new configuration and asks for it; the answer says whether it was taken.
    pub fn reload(&self, config: &str) -> Response {
        write_config(self.folder.path(), config);
        self.admin("POST", "/config/reload")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the process has ended, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// SIGTERM; waits for the end, which must be a good one, and returns every event.
    #[track_caller]
    pub fn stop(mut self) -> Vec<Value> {
        self.signal(Signal::TERM);
        let status = eventually("gateway ends", || self.ended());
        assert_eq!(status.code(), Some(0), "{}", self.log());
        read_events(self.folder.path())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let events = self.access_log();
            let lines: Vec<&str> = events.lines().collect();
            let last = lines[lines.len().saturating_sub(LAST_EVENTS)..].join("\n");
            eprintln!("--- log of the gateway\n{}\n--- its last events\n{last}", self.log());
        }
    }
}

/// The binary, for its other commands; `YETT_BINARY` names another one than that of this build.
pub fn yett() -> Command {
    // Cargo says where it is when the tests run, too: what was built is shared between checkouts.
    let binary = ["YETT_BINARY", "CARGO_BIN_EXE_yett"].iter().find_map(std::env::var_os);
    Command::new(binary.expect("the tests are run by cargo, or YETT_BINARY names the gateway"))
}

/// Code of the finding that decided, or the outcome when none did.
pub fn action(event: &Value) -> &str {
    event["event"]["action"].as_str().unwrap()
}

/// Codes of all findings of an event.
pub fn findings(event: &Value) -> Vec<&str> {
    let findings = event["yett"]["findings"].as_array().map_or(&[][..], Vec::as_slice);
    findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

fn write_config(folder: &Path, config: &str) {
    let mut text = config.replace("@DIR@", &folder.display().to_string());
    let has = |key: &str| config.lines().any(|line| line.starts_with(key));
    let mut add = |key: &str, value: &str| {
        if !has(key) {
            text.push_str(&format!("\n{key} {value}\n"));
        }
    };
    add("version:", "1");
    add("listeners:", "{ public: { bind: \"127.0.0.1:0\" } }");
    add("admin:", "{ bind: \"127.0.0.1:0\", token: \"file:admin-token\" }");
    let log: PathBuf = folder.join("access.ndjson");
    add("telemetry:", &format!("{{ access_log: {{ to: \"{}\" }} }}", log.display()));
    let new = folder.join("yett.yaml.new");
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.join("yett.yaml")).unwrap();
}

fn read_events(folder: &Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("access.ndjson")).unwrap_or_default();
    // A line that is still being written has no line break yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut events: Vec<Value> =
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Workers record on their own: the order of lines is not that of requests.
    events.sort_by_key(|event| event["event"]["start"].as_str().map(str::to_owned));
    events
}

fn follow(child: &mut Child) -> Arc<Mutex<Vec<String>>> {
    let log = Arc::new(Mutex::new(Vec::new()));
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let lines = log.clone();
    std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    });
    log
}
