use std::time::{Duration, Instant};

use super::{PATIENCE, allowed, full, lines, names, refused, to_file};
use crate::base::code::Code;
use crate::base::event::{Event, Outcome};
use crate::telemetry::metrics::DropKind;
use crate::telemetry::queue::{Pushed, Queue, QueueBounds, kind_of};
use crate::telemetry::{AccessLog, Target, Telemetry};

fn numbered(mut event: Box<Event>, number: u64) -> Box<Event> {
    event.unix_us = number;
    event.bytes_in = number;
    event
}

#[test]
fn flush_and_drop_write_everything_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let telemetry = to_file(&path, 100);
    (0..1000).for_each(|number| telemetry.record(numbered(allowed(), number)));
    assert!(telemetry.flush(PATIENCE));
    assert_eq!(lines(&path).len(), 1000);
    (1000..2000).for_each(|number| telemetry.record(numbered(full(), number)));
    drop(telemetry);
    let written = lines(&path);
    let order: Vec<u64> =
        written.iter().map(|line| line["http"]["request"]["bytes"].as_u64().unwrap()).collect();
    assert_eq!(order, (0..2000).collect::<Vec<_>>());
    let sequence: Vec<u64> =
        written.iter().map(|line| line["event"]["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequence, (1..=2000).collect::<Vec<_>>());
}

#[test]
fn events_of_many_threads_all_arrive() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let telemetry = to_file(&path, 100);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..500).for_each(|_| telemetry.record(full())));
        }
    });
    assert!(telemetry.flush(PATIENCE));
    assert_eq!(lines(&path).len(), 4000);
}

#[test]
fn sampling_spares_only_routine_requests() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let telemetry = to_file(&path, 10);
    for number in 0..1000_u64 {
        let mut event = allowed();
        event.trace.span_id = number;
        telemetry.record(event);
    }
    let mut monitored = refused(Code::PolicyScope, "");
    monitored.outcome = Outcome::Allowed;
    monitored.findings[0].enforced = false;
    let mut failed = allowed();
    failed.outcome = Outcome::UpstreamError;
    let mut gone = allowed();
    gone.outcome = Outcome::ClientGone;
    for mut event in [monitored, failed, gone, full()] {
        event.trace.span_id = 99;
        telemetry.record(event);
    }
    assert!(telemetry.flush(PATIENCE));
    assert_eq!(lines(&path).len(), 100 + 4);
    assert_eq!(telemetry.feed().recent(usize::MAX).len(), 1000);
}

#[test]
fn a_full_queue_gives_up_routine_events_and_keeps_security_events() {
    // One shard gets a share of the bounds; this thread always uses the same one.
    let shards = crate::telemetry::metrics::shards();
    let queue = Queue::new(QueueBounds { events: 100 * shards, bytes: usize::MAX });
    let mut lost = Pushed::default();
    let mut push = |event: Box<Event>| {
        let pushed = queue.push(event);
        lost.dropped_routine += pushed.dropped_routine;
        lost.dropped_security += pushed.dropped_security;
    };
    (0..150).for_each(|number| push(numbered(allowed(), number)));
    (150..230).for_each(|number| push(numbered(full(), number)));
    assert_eq!((lost.dropped_routine, lost.dropped_security), (50 + 80, 0));
    let kept = queue.drain();
    let security = kept.iter().filter(|event| kind_of(event) == DropKind::Security).count();
    assert_eq!((kept.len(), security), (100, 80));
    // Of the routine ones the newest of those taken stay.
    assert_eq!(kept.iter().map(|event| event.unix_us).min(), Some(80));
}

#[test]
fn a_queue_of_security_events_alone_is_bounded_too() {
    let shards = crate::telemetry::metrics::shards();
    let queue = Queue::new(QueueBounds { events: usize::MAX, bytes: 64 * 1024 * shards });
    let lost: u64 = (0..1000).map(|_| queue.push(full()).dropped_security).sum();
    let kept = queue.drain().len() as u64;
    assert_eq!(kept + lost, 1000);
    assert!(lost > 0 && kept > 10, "{kept}");
    assert_eq!(queue.push(full()).dropped_security, 0, "the drain made room");
}

#[test]
fn the_writer_is_woken_once_when_half_is_full() {
    let shards = crate::telemetry::metrics::shards();
    let queue = Queue::new(QueueBounds { events: 100 * shards, bytes: usize::MAX });
    let wakes = (0..100).filter(|_| queue.push(allowed()).wake).count();
    assert_eq!(wakes, 1);
    queue.drain();
    assert_eq!((0..100).filter(|_| queue.push(allowed()).wake).count(), 1);
}

#[test]
fn drops_are_counted() {
    let bounds = QueueBounds { events: 0, bytes: 0 };
    let log = AccessLog { target: Target::Off, allowed_percent: 100 };
    let telemetry = Telemetry::with_bounds(log, Target::Off, bounds).unwrap();
    telemetry.record(allowed());
    telemetry.record(full());
    let text = telemetry.scrape().unwrap();
    for kind in ["routine", "security"] {
        let line = format!("yett_access_log_dropped_total{{kind=\"{kind}\",where=\"queue\"}} 1\n");
        assert!(text.contains(&line), "{text}");
    }
    assert_eq!(telemetry.metrics().dropped_total(), 2);
}

#[test]
fn a_rotated_file_is_reopened() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("access.log"), directory.path().join("access.log.1"));
    let telemetry = to_file(&path, 100);
    telemetry.record(allowed());
    assert!(telemetry.flush(PATIENCE));
    std::fs::rename(&path, &old).unwrap();
    telemetry.record(allowed());
    assert!(telemetry.flush(PATIENCE));
    assert_eq!(lines(&old).len(), 2, "until it is told, the writer keeps the file");
    telemetry.reopen();
    assert!(telemetry.flush(PATIENCE));
    telemetry.record(allowed());
    assert!(telemetry.flush(PATIENCE));
    assert_eq!((lines(&old).len(), lines(&path).len()), (2, 1));
}

#[test]
fn another_target_is_taken_or_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (one, other) = (directory.path().join("one.log"), directory.path().join("other.log"));
    let telemetry = to_file(&one, 100);
    let bad = Target::File(directory.path().join("no/such/directory"));
    let error = telemetry
        .configure(AccessLog { target: bad, allowed_percent: 1 }, Target::Off)
        .unwrap_err();
    assert!(error.contains("no/such/directory"), "{error}");
    telemetry.record(allowed());
    assert!(telemetry.flush(PATIENCE));
    let target = Target::File(other.clone());
    telemetry.configure(AccessLog { target, allowed_percent: 0 }, Target::Off).unwrap();
    assert!(telemetry.flush(PATIENCE));
    telemetry.record(allowed());
    telemetry.record(full());
    assert!(telemetry.flush(PATIENCE));
    assert_eq!((lines(&one).len(), lines(&other).len()), (1, 1));
}

#[test]
fn a_full_disk_costs_lines_and_nothing_else() {
    let telemetry = to_file("/dev/full".as_ref(), 100);
    telemetry.metrics().begin_generation(1, &names(&["orders"]));
    (0..100).for_each(|_| telemetry.record(full()));
    until(&telemetry, || has_write_errors(&telemetry));
    assert!(!telemetry.flush(Duration::from_millis(50)), "nothing could be written");
    assert_eq!(telemetry.metrics().route("orders").unwrap().requests, 100);
    assert_eq!(telemetry.feed().recent(1000).len(), 100, "the feed does not depend on the log");
}

/// A pipe that nobody reads: the access log is opened through `/dev/fd`.
#[test]
fn a_stalled_target_holds_nobody_up_and_loses_routine_lines_first() {
    let (reader, writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    let telemetry = to_file(path.as_ref(), 100);
    let long = "x".repeat(2000);
    // 64 KiB of pipe and 4 MiB of routine lines, and then some.
    for _ in 0..3000 {
        let mut event = allowed();
        event.request.path = format!("/{long}");
        telemetry.record(event);
    }
    (0..100).for_each(|_| telemetry.record(full()));
    until(&telemetry, || telemetry.feed().recent(1).iter().any(|last| last.sequence == 3100));
    assert!(!telemetry.flush(Duration::from_millis(50)), "nobody reads");
    let none_lost =
        |kind| format!("yett_access_log_dropped_total{{kind=\"{kind}\",where=\"target\"}} 0\n");
    let text = telemetry.scrape().unwrap();
    assert!(!text.contains(&none_lost("routine")), "{text}");
    assert!(text.contains(&none_lost("security")), "{text}");
    // The reader wakes up: what was kept arrives whole, the security events with it.
    let read = std::thread::spawn(move || std::io::read_to_string(reader).unwrap());
    assert!(telemetry.flush(PATIENCE));
    drop((telemetry, writer));
    let text = read.join().unwrap();
    let blocked = text.lines().filter(|line| line.contains("\"action\":\"waf.blocked\"")).count();
    assert_eq!(blocked, 100);
    for line in text.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn a_reader_that_left_is_counted() {
    let (reader, writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    let telemetry = to_file(path.as_ref(), 100);
    drop(reader);
    telemetry.record(full());
    until(&telemetry, || has_write_errors(&telemetry));
}

#[test]
fn lines_that_a_stalled_target_did_not_take_go_to_the_next_one_whole() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("access.log");
    let (reader, writer) = std::io::pipe().unwrap();
    let telemetry =
        to_file(format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer)).as_ref(), 100);
    (0..1000).for_each(|_| telemetry.record(full()));
    until(&telemetry, || telemetry.feed().recent(1).iter().any(|last| last.sequence == 1000));
    let target = Target::File(path.clone());
    telemetry.configure(AccessLog { target, allowed_percent: 100 }, Target::Off).unwrap();
    assert!(telemetry.flush(PATIENCE));
    drop((telemetry, writer));
    let piped = std::io::read_to_string(reader).unwrap();
    let whole = piped.lines().filter(|line| line.ends_with('}')).count();
    let cut = usize::from(!piped.ends_with('\n'));
    assert!(whole > 10);
    assert_eq!(whole + cut + lines(&path).len(), 1000);
}

fn has_write_errors(telemetry: &Telemetry) -> bool {
    !telemetry.scrape().unwrap().contains("yett_access_log_errors_total 0\n")
}

/// Gives the writer turns until it has come so far.
fn until(telemetry: &Telemetry, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "it never came so far");
        telemetry.flush(Duration::from_millis(20));
    }
}

#[test]
fn the_feed_keeps_the_last_events_and_misses_none_in_between() {
    let telemetry = super::silent();
    // With the log off and nobody watching, few events wait for the feed: the writer gets its turn in between.
    for part in 0..6 {
        (0..250).for_each(|number| telemetry.record(numbered(allowed(), 250 * part + number)));
        assert!(telemetry.flush(PATIENCE));
    }
    let sequences = |events: &[std::sync::Arc<crate::telemetry::Recorded>]| -> Vec<u64> {
        events.iter().map(|recorded| recorded.sequence).collect()
    };
    assert_eq!(sequences(&telemetry.feed().recent(2000)), (501..=1500).collect::<Vec<_>>());
    assert_eq!(sequences(&telemetry.feed().recent(2)), [1499, 1500]);
    let (missed, mut later) = telemetry.feed().watch(Some(1498));
    assert_eq!(sequences(&missed), [1499, 1500]);
    assert!(telemetry.feed().watch(None).0.is_empty());
    assert_eq!(telemetry.feed().watch(Some(9_999_999)).0.len(), 1000, "of an earlier process");
    (0..3).for_each(|number| telemetry.record(numbered(allowed(), 2000 + number)));
    assert!(telemetry.flush(PATIENCE));
    let came: Vec<u64> =
        std::iter::from_fn(|| later.try_recv().ok()).map(|one| one.sequence).collect();
    assert_eq!(came, [1501, 1502, 1503]);
}

#[test]
fn the_feed_is_bounded_in_bytes() {
    let telemetry = super::silent();
    for _ in 0..500 {
        let mut event = allowed();
        event.request.path = "x".repeat(100_000);
        telemetry.record(event);
    }
    assert!(telemetry.flush(PATIENCE));
    assert!(telemetry.feed().recent(1000).len() < 100);
}
