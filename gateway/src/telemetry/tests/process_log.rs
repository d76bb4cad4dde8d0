use std::sync::{Arc, Mutex};

use log::{Level, LevelFilter, Log, Record};
use serde_json::Value;

use crate::telemetry::process_log::{Filter, LINE_BYTES, ProcessLog};

type Written = Arc<Mutex<Vec<Vec<u8>>>>;

fn logger(filter: Filter) -> (ProcessLog, Written) {
    let written = Written::default();
    let into = written.clone();
    let write = move |line: &[u8]| {
        into.lock().unwrap().push(line.to_vec());
        true
    };
    (ProcessLog::new(filter, Box::new(write)), written)
}

fn everything() -> Filter {
    Filter { default: LevelFilter::Info, targets: Vec::new() }
}

fn log(logger: &ProcessLog, target: &str, level: Level, message: &str) {
    let arguments = format_args!("{message}");
    logger.log(&Record::builder().args(arguments).target(target).level(level).build());
}

#[test]
fn a_record_is_one_line_of_json() {
    let (logger, written) = logger(everything());
    log(&logger, "yett::edge", Level::Warn, "a\nb \u{1b}[2J <x>");
    let written = written.lock().unwrap();
    let line: Value = serde_json::from_slice(&written[0]).unwrap();
    assert_eq!(line["message"], "a\nb \u{1b}[2J <x>");
    assert_eq!(line["log"]["level"], "warn");
    assert_eq!(line["log"]["logger"], "yett::edge");
    assert_eq!(written[0].iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn lines_fit_one_pipe_write_whatever_is_logged() {
    let (logger, written) = logger(everything());
    for message in ["a".repeat(100_000), "\u{1}".repeat(100_000), "漢".repeat(100_000)] {
        log(&logger, "test", Level::Info, &message);
    }
    for line in written.lock().unwrap().iter() {
        assert!(line.len() <= LINE_BYTES, "{}", line.len());
        serde_json::from_slice::<Value>(line).unwrap();
    }
}

#[test]
fn the_longest_prefix_decides_what_is_logged() {
    let targets = vec![
        ("pingora".to_owned(), LevelFilter::Warn),
        ("pingora_core::listeners".to_owned(), LevelFilter::Off),
    ];
    let (logger, written) = logger(Filter { default: LevelFilter::Info, targets });
    log(&logger, "pingora_proxy", Level::Info, "hidden");
    log(&logger, "pingora_proxy", Level::Error, "shown");
    log(&logger, "pingora_core::listeners::tls", Level::Error, "hidden");
    log(&logger, "yett", Level::Info, "shown");
    assert_eq!(written.lock().unwrap().len(), 2);
}

#[test]
fn a_flood_of_one_module_is_held_back_and_others_are_heard() {
    let (logger, written) = logger(everything());
    for _ in 0..10_000 {
        log(&logger, "pingora_core::handshake", Level::Error, "handshake failed");
    }
    log(&logger, "yett::config", Level::Error, "reload refused");
    let written = written.lock().unwrap();
    assert!(written.len() < 200, "{}", written.len());
    let last: Value = serde_json::from_slice(written.last().unwrap()).unwrap();
    assert_eq!(last["message"], "reload refused");
}

#[test]
fn modules_beyond_the_bound_share_one_rate() {
    let (logger, written) = logger(everything());
    for number in 0..5_000 {
        log(&logger, &format!("module{number}"), Level::Error, "x");
    }
    assert!(written.lock().unwrap().len() < 500);
}
