use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::{Instant, timeout};

use super::{GATHER_TIME, Gathered};
use crate::base::bounds;

fn pair(room: usize) -> (Gathered, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(room);
    (Gathered::new(Box::new(ours)), theirs)
}

#[tokio::test(start_paused = true)]
async fn small_writes_leave_together() {
    let (mut gathered, mut client) = pair(1024);
    gathered.write_all(b"head ").await.unwrap();
    gathered.write_all(b"body").await.unwrap();
    assert!(timeout(GATHER_TIME / 2, client.read_u8()).await.is_err(), "nothing was flushed yet");
    gathered.flush().await.unwrap();
    let mut bytes = [0u8; 64];
    let read = client.read(&mut bytes).await.unwrap();
    assert_eq!(&bytes[..read], b"head body");
}

#[tokio::test(start_paused = true)]
async fn what_waits_leaves_soon_while_the_client_is_listened_to() {
    let (mut gathered, mut client) = pair(1024);
    gathered.write_all(b"first part").await.unwrap();
    let started = Instant::now();
    let listening = tokio::spawn(async move { gathered.read_u8().await });
    let mut bytes = [0u8; 10];
    client.read_exact(&mut bytes).await.unwrap();
    assert!(started.elapsed() <= GATHER_TIME * 2, "sent after {:?}", started.elapsed());
    client.write_u8(7).await.unwrap();
    assert_eq!(listening.await.unwrap().unwrap(), 7);
}

/// A client that takes nothing, met in each way in which we can wait for it.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_loses_its_connection() {
    for size in [100, super::GATHER_BYTES, 10 * super::GATHER_BYTES] {
        let (mut gathered, client) = pair(16);
        let bytes = vec![b'x'; size];
        let started = Instant::now();
        let error = async {
            gathered.write_all(&bytes).await?;
            gathered.flush().await
        }
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{size} bytes");
        let waited = started.elapsed();
        assert!(
            waited >= bounds::WRITE_TIMEOUT && waited < bounds::WRITE_TIMEOUT * 2,
            "{size}: {waited:?}"
        );
        drop(client);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_that_takes_something_keeps_its_connection() {
    let (mut gathered, mut client) = pair(16);
    let reader = tokio::spawn(async move {
        let mut bytes = [0u8; 16];
        let mut taken = 0;
        while taken < 64 {
            tokio::time::sleep(bounds::WRITE_TIMEOUT - Duration::from_secs(1)).await;
            taken += client.read(&mut bytes).await.unwrap();
        }
        taken
    });
    gathered.write_all(&[b'x'; 64]).await.unwrap();
    gathered.flush().await.unwrap();
    assert_eq!(reader.await.unwrap(), 64);
}

/// What of "body" + "next" is heard while so many bytes are left, and what after that.
#[tokio::test(start_paused = true)]
async fn nothing_is_heard_beyond_the_end_of_a_request() {
    for left in 0..=8u64 {
        let (mut gathered, mut client) = pair(1024);
        let boundary = gathered.boundary();
        boundary.set(left);
        client.write_all(b"bodynext").await.unwrap();
        let mut heard = Vec::new();
        let mut bytes = [0u8; 3];
        while let Ok(read) = timeout(GATHER_TIME, gathered.read(&mut bytes)).await {
            heard.extend_from_slice(&bytes[..read.unwrap()]);
        }
        assert_eq!(heard.len() as u64, left);
        boundary.open();
        let mut rest = vec![0u8; 8 - heard.len()];
        gathered.read_exact(&mut rest).await.unwrap();
        assert_eq!([heard, rest].concat(), b"bodynext", "{left} bytes left");
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_the_end_of_a_request_only_a_departure_is_heard() {
    let (mut gathered, client) = pair(1024);
    gathered.boundary().set(0);
    drop(client);
    assert_eq!(gathered.read(&mut [0u8; 8]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_its_bound_is_kept_ahead() {
    let (mut gathered, mut client) = pair(super::AHEAD_BYTES);
    gathered.boundary().set(0);
    let flood = vec![b'x'; 4 * super::AHEAD_BYTES];
    let sent = tokio::spawn(async move { client.write_all(&flood).await });
    assert!(timeout(GATHER_TIME, gathered.read(&mut [0u8; 8])).await.is_err());
    assert_eq!(gathered.ahead.len(), super::AHEAD_BYTES);
    assert!(!sent.is_finished(), "the rest waits where it came from");
}
