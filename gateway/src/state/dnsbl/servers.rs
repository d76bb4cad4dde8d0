//! Which name servers are asked.

use std::net::{IpAddr, SocketAddr};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig};
use hickory_resolver::system_conf::read_system_conf;

/// `ADDRESS` or `ADDRESS:PORT`; IPv6 with a port stands in brackets.
pub fn parse(text: &str) -> Option<SocketAddr> {
    let address = || Some(SocketAddr::new(text.parse::<IpAddr>().ok()?, usual_port()));
    text.parse().ok().or_else(address)
}

/// The system's, as `/etc/resolv.conf` names them now.
///
/// # Errors
/// The file cannot be read, or names none.
pub fn of_the_system() -> Result<Vec<SocketAddr>, String> {
    let (config, _) = read_system_conf().map_err(|error| format!("/etc/resolv.conf: {error}"))?;
    let of = |server: &NameServerConfig| {
        let port = server.connections.first().map_or_else(usual_port, |connection| connection.port);
        SocketAddr::new(server.ip, port)
    };
    let servers: Vec<SocketAddr> = config.name_servers().iter().map(of).collect();
    if servers.is_empty() {
        Err("/etc/resolv.conf names no name server".into())
    } else {
        Ok(servers)
    }
}

fn usual_port() -> u16 {
    ConnectionConfig::udp().port
}

/// Over UDP, and over TCP what does not fit (RFC 7766).
pub(super) fn configured(server: SocketAddr) -> NameServerConfig {
    let at_port = |mut connection: ConnectionConfig| {
        connection.port = server.port();
        connection
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(at_port).into();
    NameServerConfig::new(server.ip(), true, connections)
}
