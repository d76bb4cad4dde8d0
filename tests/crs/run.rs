//! Sends the tests, many at a time. Each stage comes from a loopback address of its own, so that the lines of the log
//! tell whose they are.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use waf_rules::ftw::Input;

use crate::harness::DEADLINE;

/// Connections that are open at a time.
const CONNECTIONS: usize = 24;

/// What came back.
#[derive(Debug, Default)]
pub struct Answered {
    pub status: Option<u16>,
    pub bytes: Vec<u8>,
}

/// Address that the stage of this number comes from: 127.1.0.1 and up.
pub fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(0x7f01_0001 + u32::try_from(number).unwrap())
}

/// Sends all inputs; the answers come in their order.
pub fn send_all(gateway: SocketAddr, inputs: Vec<Input>) -> Vec<Answered> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    runtime.block_on(async {
        let mut sent = Vec::new();
        for (number, input) in inputs.into_iter().enumerate() {
            let permit = room.clone().acquire_owned().await.unwrap();
            sent.push(tokio::spawn(async move {
                let answered =
                    tokio::time::timeout(DEADLINE, send(gateway, address(number), input)).await;
                drop(permit);
                answered.unwrap_or_default()
            }));
        }
        let mut answers = Vec::new();
        for task in sent {
            answers.push(task.await.unwrap());
        }
        answers
    })
}

async fn send(gateway: SocketAddr, from: Ipv4Addr, input: Input) -> Answered {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.into(), 0)).unwrap();
    let mut stream = socket.connect(gateway).await.unwrap();
    // The gateway may refuse a request before it has all of it.
    let _ = stream.write_all(&input.wire().unwrap()).await;
    let bytes = read(&mut stream, input.method.as_deref() == Some("HEAD")).await;
    Answered { status: status(&bytes), bytes }
}

/// Reads one answer, or what there is when the connection ends.
async fn read(stream: &mut TcpStream, is_head: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    while !is_complete(&bytes, is_head) {
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    bytes
}

fn is_complete(bytes: &[u8], is_head: bool) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body = &bytes[end + 4..];
    if is_head || matches!(status(bytes), Some(204 | 304)) {
        return true;
    }
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.and_then(|length| length.parse().ok()).is_some_and(|length: usize| body.len() >= length)
}

fn status(bytes: &[u8]) -> Option<u16> {
    let code = bytes.strip_prefix(b"HTTP/1.1 ")?.get(..3)?;
    std::str::from_utf8(code).ok()?.parse().ok()
}
