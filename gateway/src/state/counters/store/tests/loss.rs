//! The store killed, paused, flushed and restarted, under requests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use crate::base::clock::Now;
use crate::base::units::Window;
use crate::state::counters::tests::{charge, quota, rate};
use crate::state::counters::{Charge, Counters};

use super::super::super::measure::Measure;
use super::super::{Lost, Store, StoreTarget};
use super::server::{RedisServer, eventually};

async fn connected(target: StoreTarget) -> Arc<Counters> {
    let counters = Arc::new(Counters::new());
    counters.configure(Some(target), &Handle::current());
    live(&counters).await;
    counters
}

async fn live(counters: &Counters) -> Arc<Store> {
    eventually("the store is live", async || counters.live_store().is_some()).await;
    counters.live_store().unwrap()
}

async fn ask(counters: &Counters, charges: &[Charge]) -> Result<bool, Lost> {
    let store = counters.live_store().ok_or(Lost)?;
    let charged = store.charge(1, charges, counters.clock(Now::read())).await?;
    Ok(charged.granted)
}

/// So many requests at the same time; answers in the order of arrival.
async fn at_once(
    counters: &Arc<Counters>,
    n: usize,
    charges: &[Charge],
) -> Vec<Result<bool, Lost>> {
    let asked: Vec<_> = (0..n)
        .map(|_| {
            let (counters, charges) = (Arc::clone(counters), charges.to_vec());
            tokio::spawn(async move { ask(&counters, &charges).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in asked {
        answers.push(task.await.unwrap());
    }
    answers
}

/// Asks until the store is found lost.
async fn until_lost(counters: &Counters) {
    let other = [charge(99, rate(1_000, 1_000_000, 1_000))];
    eventually("the loss is noticed", async || {
        let _ = ask(counters, &other).await;
        counters.live_store().is_none()
    })
    .await;
}

fn hourly(count: u64) -> Measure {
    rate(count, 3_600_000_000, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_on_one_subject_get_exactly_what_there_is() {
    let Some(server) = RedisServer::start().await else { return };
    // Two gateways that share the store.
    let gateways = [connected(server.target()).await, connected(server.target()).await];
    let limit = [charge(1, hourly(250))];
    let (first, second) =
        tokio::join!(at_once(&gateways[0], 300, &limit), at_once(&gateways[1], 300, &limit));
    let admitted = first.iter().chain(&second).filter(|answer| answer.unwrap()).count();
    assert_eq!(admitted, 250);
    // They were put together: far fewer calls than requests.
    let calls: u64 = gateways.iter().map(|counters| counters.status().unwrap().calls).sum();
    let requests: u64 = gateways.iter().map(|counters| counters.status().unwrap().requests).sum();
    assert_eq!(requests, 600);
    assert!(calls < 300, "{calls} calls");
}

/// Of a batch that fits only partly, those that came first are served, and nothing is taken from the other limits.
#[tokio::test]
async fn several_limits_are_counted_all_or_none() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    let (narrow, wide) = (charge(1, hourly(3)), charge(2, hourly(10)));
    let answers = at_once(&counters, 8, &[narrow, wide]).await;
    let granted: Vec<bool> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(granted, [true, true, true, false, false, false, false, false]);
    for left in [true, true, true, true, true, true, true, false] {
        assert_eq!(ask(&counters, &[wide]).await, Ok(left));
    }
}

#[tokio::test]
async fn a_limit_that_only_watches_is_counted_beside_the_others() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    let watched = Charge { binding: false, ..charge(1, hourly(1)) };
    let bound = charge(2, hourly(2));
    let store = live(&counters).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let charged =
            store.charge(1, &[watched, bound], counters.clock(Now::read())).await.unwrap();
        let exceeded: Vec<bool> = charged.standings.iter().map(|one| one.exceeded).collect();
        seen.push((charged.granted, exceeded));
    }
    assert_eq!(
        seen,
        [(true, vec![false, false]), (true, vec![true, false]), (false, vec![true, true])]
    );
}

#[tokio::test]
async fn an_exhausted_subject_is_refused_without_a_call_and_a_raised_rate_is_not() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    let store = live(&counters).await;
    for measure in [hourly(1), quota(1, Window::Month)] {
        let subject = u128::from(measure.unit());
        let limit = [charge(subject, measure)];
        assert_eq!(ask(&counters, &limit).await, Ok(true));
        let now = counters.clock(Now::read());
        let known = store.known_exceeded(&limit, now).unwrap();
        assert!(known[0].unwrap().exceeded);
        // A limit that does not bind never refuses, and other limits say nothing about it.
        let watched = [Charge { binding: false, ..limit[0] }];
        assert!(store.known_exceeded(&watched, now).is_none());
        assert!(
            store.known_exceeded(&[charge(subject, rate(60, 1_000_000, 7_200_000))], now).is_none()
        );
        // An operator who deletes the key is heard within a second.
        let later = counters.clock(Now::read().after(Duration::from_secs(1)));
        assert!(store.known_exceeded(&limit, later).is_none());
    }
}

/// Calls that nobody waits for any more are refused by the server when it comes back to life.
#[tokio::test]
async fn a_paused_store_counts_no_ghosts() {
    let Some(server) = RedisServer::start().await else { return };
    let mut target = server.target();
    target.deadline = Duration::from_secs(1);
    let counters = connected(target).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(100))]).await, Ok(true));
    server.pause();
    let started = Instant::now();
    let lost = at_once(&counters, 40, &[charge(1, hourly(100))]).await;
    assert!(lost.iter().all(|answer| *answer == Err(Lost)));
    // One after the other they would wait for 40 s.
    assert!(started.elapsed() < Duration::from_secs(30), "waited {:?}", started.elapsed());
    until_lost(&counters).await;
    // Lost is decided without any wait: the breaker is open.
    let started = Instant::now();
    for _ in 0..1_000 {
        assert_eq!(ask(&counters, &[charge(1, hourly(100))]).await, Err(Lost));
    }
    assert!(started.elapsed() < Duration::from_secs(30), "waited {:?}", started.elapsed());
    server.resume();
    live(&counters).await;
    let key = format!("yett:limit:1:{:032x}", 1);
    let redis::Value::Int(ttl) = server.command(&["PTTL", &key]).await else { panic!() };
    // One request of a hundred per hour is 36 s of an empty bucket; a second one would show.
    assert!((1..=36_001).contains(&ttl), "{ttl}");
    let trips = counters.status().unwrap().trips;
    assert!(trips >= 1, "{trips}");
}

#[tokio::test]
async fn a_store_that_forgot_the_script_is_reminded() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    server.command(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(false));
    assert_eq!(counters.status().unwrap().failures, 0);
}

#[tokio::test]
async fn a_flushed_store_gets_its_memory_back() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    let limit = [charge(1, hourly(3))];
    for _ in 0..3 {
        assert_eq!(ask(&counters, &limit).await, Ok(true));
    }
    server.command(&["FLUSHALL"]).await;
    eventually("the loss of memory is noticed", async || counters.status().unwrap().amnesias == 1)
        .await;
    assert_eq!(ask(&counters, &limit).await, Ok(false));
    assert!(counters.live_store().is_some());
}

#[tokio::test]
async fn a_killed_store_heals_and_learns_what_was_admitted_meanwhile() {
    let Some(mut server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    let limit = [charge(1, hourly(6))];
    for _ in 0..2 {
        assert_eq!(ask(&counters, &limit).await, Ok(true));
    }
    server.kill();
    until_lost(&counters).await;
    // The share starts with what is left of the whole: four.
    let admitted = (0..10)
        .filter(|_| {
            counters.charge_share(&limit, false, counters.clock(Now::read())).charged.granted
        })
        .count();
    assert_eq!(admitted, 4);
    server.restart().await;
    live(&counters).await;
    assert_eq!(ask(&counters, &limit).await, Ok(false));
    assert_eq!(counters.status().unwrap().connects, 2);
}

#[tokio::test]
async fn a_store_that_may_not_write_is_dropped() {
    let Some(server) = RedisServer::start().await else { return };
    let counters = connected(server.target()).await;
    // What a failover does to the old primary.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Err(Lost));
    assert!(counters.live_store().is_none());
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
    live(&counters).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));
}

#[tokio::test]
async fn a_store_that_is_away_at_the_start_is_found_later() {
    let Some(mut server) = RedisServer::start().await else { return };
    server.kill();
    let counters = Counters::new();
    counters.configure(Some(server.target()), &Handle::current());
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Err(Lost));
    server.restart().await;
    live(&counters).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));
}

#[tokio::test]
async fn a_password_is_sent() {
    let Some(server) = RedisServer::start().await else { return };
    let mut target = server.target();
    target.password = Some("correct horse".into());
    server.command(&["CONFIG", "SET", "requirepass", "correct horse"]).await;
    let counters = connected(target).await;
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));
}

#[tokio::test]
async fn a_reload_keeps_the_connection_unless_the_address_changes() {
    let (Some(first), Some(second)) = (RedisServer::start().await, RedisServer::start().await)
    else {
        return;
    };
    let counters = connected(first.target()).await;
    let before = live(&counters).await;
    let mut target = first.target();
    target.expected_gateways = 3;
    counters.configure(Some(target), &Handle::current());
    let same = live(&counters).await;
    assert!(Arc::ptr_eq(&before, &same));
    assert_eq!(same.gateways(), 3);
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));

    counters.configure(Some(second.target()), &Handle::current());
    let other = live(&counters).await;
    assert!(!Arc::ptr_eq(&before, &other));
    assert_eq!(ask(&counters, &[charge(1, hourly(1))]).await, Ok(true));

    counters.configure(None, &Handle::current());
    assert!(counters.live_store().is_none() && counters.status().is_none());
}
