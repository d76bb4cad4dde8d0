//! How many connections there may be, and what an idle one costs.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

use super::load::{Load, Style};
use super::process::{allow_files, resident_kib};
use crate::harness::client::{Client, Request, connect};
use crate::harness::gateway::Gateway;
use crate::harness::{DEADLINE, eventually};

fn config(listener: &str) -> String {
    format!(
        r#"
listeners: {{ public: {{ bind: "127.0.0.1:0", {listener} }} }}
routes: [{{ id: web, match: {{ path: "/*" }}, public: "a test", respond: {{ status: 200, body: here }} }}]
"#
    )
}

/// A connection from one of the loopback's many addresses.
fn connect_from(runtime: &Runtime, source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from((source, 0))).unwrap();
        socket.connect(address).await.unwrap()
    });
    let socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Whether a request on it is answered; if not, the gateway has closed it.
fn serves(socket: &mut TcpStream) -> bool {
    // What is closed may be found so by the write or by the read.
    let _ = socket.write_all(&Request::get("/").bytes());
    let mut bytes = [0; 512];
    matches!(socket.read(&mut bytes), Ok(count) if bytes[..count].starts_with(b"HTTP/1.1 200 "))
}

#[test]
fn a_listener_has_so_many_connections_and_no_more() {
    let gateway = Gateway::start(&config("bounds: { connections: 5 }"));
    let mut held: Vec<TcpStream> = (0..5).map(|_| connect(gateway.address())).collect();
    assert!(held.iter_mut().all(serves));
    assert!(!serves(&mut connect(gateway.address())));
    assert!(gateway.metrics().contains("yett_connections_refused_total{listener=\"public\"} 1"));
    held.pop();
    eventually("a place is free", || serves(&mut connect(gateway.address())).then_some(()));
    assert!(held.iter_mut().all(serves), "those that were there stay");
}

#[test]
fn a_client_has_so_many_connections_and_no_more() {
    let gateway = Gateway::start(&config("bounds: { connections: 50, connections_per_client: 2 }"));
    let (runtime, address) = (runtime(), gateway.address());
    let from = |last: u8| connect_from(&runtime, Ipv4Addr::new(127, 0, 0, last), address);
    let mut held = vec![from(1), from(1), from(2), from(2)];
    assert!(held.iter_mut().all(serves));
    assert!(!serves(&mut from(1)));
    assert!(serves(&mut from(3)), "others are not concerned");
    held.remove(0);
    eventually("a place is free", || serves(&mut from(1)).then_some(()));
}

/// A PROXY header of version 2 for a client's address.
fn proxy_header(client: Ipv4Addr) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    bytes.extend_from_slice(&client.octets());
    bytes.extend_from_slice(&[127, 0, 0, 1, 0x10, 0, 0, 80]);
    bytes
}

#[test]
fn behind_a_balancer_its_clients_are_counted_and_not_the_balancer() {
    let gateway = Gateway::start(&config(
        "proxy_protocol: true, trusted_proxies: [127.0.0.0/8], \
         bounds: { connections: 50, connections_per_client: 2 }",
    ));
    let from = |last: u8| {
        let mut socket = connect(gateway.address());
        let _ = socket.write_all(&proxy_header(Ipv4Addr::new(192, 0, 2, last)));
        socket
    };
    let mut held: Vec<TcpStream> = [1, 1, 2, 2, 3, 3].map(from).into();
    assert!(held.iter_mut().all(serves));
    assert!(!serves(&mut from(1)));
    held.remove(0);
    eventually("a place is free", || serves(&mut from(1)).then_some(()));
}

const IDLE: usize = 10_000;
/// Bound for an idle connection, bytes of resident memory.
const IDLE_BYTES: u64 = 10 * 1024;

#[test]
fn ten_thousand_idle_connections_are_held_while_others_are_served() {
    // This process and the gateway hold one end each.
    if !allow_files(IDLE as u64 + 2_000) {
        assert!(std::env::var("CI").is_err(), "CI tests everything: raise its bound of open files");
        return eprintln!("SKIPPED: this machine does not allow enough open files");
    }
    let gateway = Gateway::start(&config("bounds: { idle_timeout: 10m }"));
    let (runtime, address) = (runtime(), gateway.address());
    Load::start(address, &Request::get("/"), &[Style::KeepAlive, Style::Fresh]).stop();
    let before = resident_kib(gateway.pid());
    let mut idle: Vec<TcpStream> = Vec::with_capacity(IDLE);
    for number in 0..IDLE {
        let source = Ipv4Addr::new(127, 0, 0, u8::try_from(2 + number % 5).unwrap());
        let mut socket = connect_from(&runtime, source, address);
        // Half of them have been used; the others never said a word.
        assert!(number % 2 == 0 || serves(&mut socket), "connection {number}");
        idle.push(socket);
    }
    let open = eventually("all are open", || {
        let metrics = gateway.metrics();
        let line = metrics.lines().find_map(|line| {
            line.strip_prefix("yett_connections{listener=\"public\"} ")?.parse::<usize>().ok()
        });
        line.filter(|open| *open >= IDLE)
    });
    assert!(open >= IDLE);
    let each = (resident_kib(gateway.pid()).saturating_sub(before)) * 1024 / IDLE as u64;
    println!("resident memory per idle connection: {each} bytes");
    assert!(each < IDLE_BYTES, "{each} bytes per idle connection, bound {IDLE_BYTES}");
    let load = Load::start(address, &Request::get("/"), &[Style::KeepAlive, Style::Fresh]);
    load.more(200);
    let tally = load.stop();
    tally.expect_only_200();
    assert!(idle.iter_mut().step_by(997).all(serves), "idle connections still serve");
    let mut client = Client::connect(address);
    client.send(&Request::get("/").bytes());
    assert_eq!(client.response().status, 200);
}
