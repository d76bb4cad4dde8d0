//! A real server on loopback, started by the test and ended with it.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::super::StoreTarget;

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct RedisServer {
    child: Child,
    pub(crate) port: u16,
    directory: TempDir,
}

impl RedisServer {
    /// `None` when there is no `redis-server`: the test is skipped, with a word about it; under `CI=true` it fails.
    pub(crate) async fn start() -> Option<RedisServer> {
        let port =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let Some(child) = spawn(port, &directory) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "redis-server is not installed");
            eprintln!("SKIPPED: redis-server is not installed, nothing was tested");
            return None;
        };
        let server = RedisServer { child, port, directory };
        server.answers().await;
        Some(server)
    }

    pub(crate) fn target(&self) -> StoreTarget {
        let mut target = StoreTarget::parse(&format!("redis://127.0.0.1:{}", self.port)).unwrap();
        // Machines that run tests are busy.
        target.deadline = Duration::from_secs(10);
        target
    }

    pub(crate) async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    pub(crate) async fn command(&self, words: &[&str]) -> redis::Value {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut self.connect().await).await.unwrap()
    }

    /// Stops the process in its tracks: connections stay, nothing is answered.
    pub(crate) fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    pub(crate) fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// On the same port, without what it knew.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.directory).unwrap();
        self.answers().await;
    }

    async fn answers(&self) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        eventually("redis-server answers", async || {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else {
                return false;
            };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, directory: &TempDir) -> Option<Child> {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(directory.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("redis-server: {error}"),
    }
}

/// Waits for a condition, and fails when it does not come.
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(5));
    while !condition().await {
        assert!(Instant::now() < until, "{what}: not within {PATIENCE:?}");
        tick.tick().await;
    }
}
