//! A real Redis, of its own for each test that asks for one.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use super::eventually;

/// A running server. Killed when dropped.
pub struct Redis {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

/// Starts one. `None`: there is none on this machine, and this is not CI.
pub fn start() -> Option<Redis> {
    if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
        assert!(std::env::var("CI").is_err(), "redis-server is missing, and CI tests everything");
        eprintln!("SKIPPED: redis-server is missing, the shared limits are not tested");
        return None;
    }
    // A port that was free a moment ago: somebody else may take it first.
    (0..5).find_map(|_| Redis::on(free_port()))
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Redis {
    /// On this address; `None` when it is taken.
    pub fn on(address: SocketAddr) -> Option<Redis> {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"])
            .arg(address.port().to_string())
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let accepts = eventually("redis accepts", || match child.try_wait().unwrap() {
            Some(_) => Some(false),
            None => TcpStream::connect(address).is_ok().then_some(true),
        });
        accepts.then_some(Redis { child, address, _folder: folder })
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once.
    pub fn kill(self) -> SocketAddr {
        self.address
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
