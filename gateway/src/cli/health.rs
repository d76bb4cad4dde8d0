//! `yett health`: one request to the admin listener, for images without a shell.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

const TIMEOUT: Duration = Duration::from_secs(2);

/// Whom to ask.
#[derive(Debug, Args)]
pub(super) struct HealthArgs {
    /// Address of the admin listener.
    #[arg(long, default_value = "127.0.0.1:9901")]
    admin: SocketAddr,
}

/// Succeeds when the gateway is ready.
pub(super) fn health(args: &HealthArgs) -> ExitCode {
    match ask(args.admin) {
        Ok(status) if status == "200" => ExitCode::SUCCESS,
        Ok(status) => {
            eprintln!("not ready: status {status}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("not ready: {}: {error}", args.admin);
            ExitCode::FAILURE
        }
    }
}

fn ask(admin: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&admin, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /health/ready HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")?;
    let mut start = [0u8; 12];
    stream.read_exact(&mut start)?;
    Ok(String::from_utf8_lossy(&start[9..]).into_owned())
}
