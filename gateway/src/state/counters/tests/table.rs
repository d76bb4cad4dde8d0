use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::measure::Clock;
use super::super::table::{Charge, Table};
use super::model::{Model, Random};
use super::{START_US, at, charge, rate};

/// Requests of one to three limits over few subjects: decisions, counts and refunds equal the model's.
#[test]
fn all_or_nothing_equals_the_model() {
    let table = Table::new(4_096);
    let mut random = Random(3);
    let mut models: HashMap<u128, Model> = HashMap::new();
    let mut now = START_US;
    for step in 0..30_000 {
        now += random.below(40_000);
        let mut subjects: Vec<u128> = Vec::new();
        for _ in 0..random.within(1, 3) {
            let subject = u128::from(random.below(12)) << 64 | 5;
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        }
        let charges: Vec<Charge> = subjects
            .iter()
            .map(|subject| {
                let model = models.entry(*subject).or_insert_with(|| {
                    Model::rate(
                        random.within(1, 40),
                        random.within(1, 3_000_000),
                        random.within(1, 9),
                    )
                });
                Charge { binding: random.below(4) > 0, ..charge(*subject, model.measure()) }
            })
            .collect();
        let room: Vec<u64> =
            subjects.iter().map(|subject| models.get_mut(subject).unwrap().room(now)).collect();
        let granted = charges.iter().zip(&room).all(|(charge, room)| *room > 0 || !charge.binding);
        let charged = table.charge(&charges, at(now));
        assert_eq!(charged.granted, granted, "step {step}");
        for (standing, room) in charged.standings.iter().zip(&room) {
            assert_eq!(standing.exceeded, *room == 0, "step {step}");
        }
        if granted && random.below(8) == 0 {
            table.refund(&charges, &charged, at(now));
        } else if granted {
            for (subject, room) in subjects.iter().zip(&room) {
                if *room > 0 {
                    models.get_mut(subject).unwrap().take(now, 1);
                }
            }
        }
    }
}

#[test]
fn threads_on_one_subject_never_admit_more_than_burst_and_rate() {
    let table = Table::new(1_024);
    let measure = rate(1_000, 1_000_000, 50);
    let admitted = AtomicU64::new(0);
    let (start, length_us) = (START_US, 2_000_000_u64);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (table, admitted) = (&table, &admitted);
            scope.spawn(move || {
                // Readings of the clock arrive out of order, as they do when threads are preempted.
                let mut random = Random(thread);
                for now in (0..length_us).step_by(200) {
                    let late = random.below(5_000).min(now);
                    let charged = table.charge(&[charge(9, measure)], at(start + now - late));
                    admitted.fetch_add(u64::from(charged.granted), Ordering::Relaxed);
                }
            });
        }
    });
    let most = 50 + length_us / 1_000;
    let admitted = admitted.into_inner();
    assert!(admitted <= most, "{admitted} of {most}");
    assert!(admitted >= most - 60, "{admitted} of {most}");
}

/// The table of a flood: rows are all in use, and none is given away.
#[test]
fn a_flood_neither_frees_a_refused_subject_nor_is_admitted_for_free() {
    let table = Table::new(1);
    let measure = rate(1, 3_600_000_000, 1);
    let victim = charge(u128::MAX, measure);
    assert!(table.charge(&[victim], at(START_US)).granted);
    let admitted = (0..200_000_u128)
        .filter(|subject| table.charge(&[charge(subject << 32, measure)], at(START_US)).granted)
        .count();
    // One per row, and one per shard's spare bucket.
    assert!(admitted <= table.rows() + 64, "{admitted} admitted");
    assert!(admitted >= table.rows() - 1, "{admitted} admitted");
    assert!(!table.charge(&[victim], at(START_US)).granted);
    let hour = 3_600_000_000;
    assert!(table.charge(&[victim], at(START_US + hour)).granted);
}

#[test]
fn memory_is_flat_under_a_million_subjects() {
    let table = Table::new(1 << 14);
    assert_eq!(table.bytes(), 0);
    let measure = rate(100, 1_000_000, 100);
    let flood = |subjects: std::ops::Range<u128>| {
        for subject in subjects {
            table.charge(&[charge(subject * 7_919, measure)], at(START_US + 10));
        }
        table.bytes()
    };
    let before = flood(0..2_000);
    let after = flood(2_000..1_000_000);
    // The spare bucket of the one limit, in every shard.
    assert!(after <= before + 64 * 1_024, "{after} after {before}");
    assert!(after <= 49 * table.rows() + 64 * 1_024, "{after} for {} rows", table.rows());
}

#[test]
fn idle_rows_are_taken_over() {
    let table = Table::new(1);
    let measure = rate(10, 1_000_000, 10);
    for round in 0..50_u64 {
        // One second later everything of the last round is idle.
        let now = at(START_US + round * 1_000_000);
        let admitted = (0..200_u128)
            .filter(|key| {
                table.charge(&[charge(key << 8 | u128::from(round), measure)], now).granted
            })
            .count();
        assert_eq!(admitted, 200, "round {round}");
    }
}

#[test]
fn a_lowered_limit_is_written_back_even_when_it_refuses() {
    let table = Table::new(64);
    let (high, low) = (rate(1, 1_000_000, 1_000), rate(1, 1_000_000, 10));
    for _ in 0..1_000 {
        table.charge(&[charge(1, high)], at(START_US));
    }
    assert!(!table.charge(&[charge(1, low)], at(START_US)).granted);
    assert!(table.charge(&[charge(1, low)], at(START_US + 1_000_000)).granted);
}

/// Time is counted, not requests: a used-up bucket of a raised rate refills at the new rate at once, a raised burst is
/// there at once.
#[test]
fn a_raised_limit_applies_at_once() {
    let minute = 60_000_000;
    for (raised, wait_us) in [(rate(500, minute, 500), minute / 500), (rate(5, minute, 6), 0)] {
        let table = Table::new(64);
        for _ in 0..5 {
            assert!(table.charge(&[charge(1, rate(5, minute, 5))], at(START_US)).granted);
        }
        assert!(!table.charge(&[charge(1, rate(5, minute, 5))], at(START_US)).granted);
        assert!(table.charge(&[charge(1, raised)], at(START_US + wait_us)).granted);
    }
}

#[test]
fn a_share_is_seeded_once() {
    let table = Table::new(64);
    let measure = rate(1, 60_000_000, 4);
    table.seed(&charge(1, measure), 3 * measure.unit(), at(START_US));
    table.seed(&charge(1, measure), 0, at(START_US));
    assert!(table.charge(&[charge(1, measure)], at(START_US)).granted);
    table.seed(&charge(1, measure), measure.unit(), at(START_US));
    assert!(!table.charge(&[charge(1, measure)], at(START_US)).granted);
}

#[test]
fn a_noted_subject_replaces_the_one_nearest_to_idle() {
    let table = Table::new(1);
    let measure = rate(1, 1_000_000, 100);
    let clock = |step: u64| Clock { steady_us: START_US + step, unix_us: START_US + step };
    for subject in 0..10_000_u64 {
        table.note(subject.into(), &measure, measure.unit() * (1 + subject % 50), clock(subject));
        let found = table.find(subject.into()).unwrap();
        assert_eq!(found.written_at_us, START_US + subject);
    }
}
