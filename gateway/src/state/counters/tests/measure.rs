use std::time::Duration;

use crate::base::units::{Rate, Window};

use super::super::measure::{Cell, EXACT, Gcra, Inexact, Measure};
use super::model::{Model, Random};
use super::{START_US, at, quota, rate};

/// One bucket against the model, with the clock standing still, creeping and leaping.
#[test]
fn a_bucket_admits_exactly_what_the_model_does() {
    let mut random = Random(1);
    for _ in 0..400 {
        let count = random.within(1, 1_000);
        let period_us = random.within(1, 400_000_000);
        let burst = random.within(1, count * 2);
        let mut model = Model::rate(count, period_us, burst);
        let measure = model.measure();
        let (mut cell, mut now) = (Cell::default(), START_US);
        for _ in 0..100 {
            now += random.below(2) * random.below(2 * period_us / count + 2);
            let clock = at(now);
            let spent = measure.spent(cell, clock);
            assert_eq!(measure.available(spent), model.room(now), "{measure:?} at {now}");
            if measure.available(spent) > 0 {
                model.take(now, 1);
                cell = measure.cell(spent + measure.unit(), clock);
            }
        }
    }
}

#[test]
fn the_wait_is_tight() {
    let mut random = Random(2);
    for _ in 0..2_000 {
        let count = random.within(1, 5_000);
        let burst = random.within(1, 300);
        let measure = rate(count, random.within(count, 60_000_000), burst);
        let spent = random.within(1, measure.cap());
        let clock = at(START_US);
        let (cell, before) = (measure.cell(spent, clock), measure.available(spent));
        let wait = measure.wait_us(spent, clock);
        let room = |after| measure.available(measure.spent(cell, at(START_US + after)));
        assert!(wait > 0);
        assert_eq!(room(wait - 1), before, "{measure:?} spent {spent}");
        assert!(room(wait) > before || before == burst, "{measure:?} spent {spent}");
    }
}

#[test]
fn a_quota_starts_anew_with_its_window_and_survives_a_clock_that_steps_back() {
    let measure = quota(3, Window::Day);
    let cell = measure.cell(3, at(0));
    assert_eq!(measure.available(measure.spent(cell, at(0))), 0);
    let wait = measure.wait_us(3, at(0));
    assert_eq!(wait, 86_400_000_000);
    assert_eq!(measure.available(measure.spent(cell, at(wait - 1))), 0);
    assert_eq!(measure.available(measure.spent(cell, at(wait))), 3);

    let mut yesterday = at(0);
    yesterday.unix_us -= 1;
    assert_eq!(measure.available(measure.spent(cell, yesterday)), 0);
}

#[test]
fn rates_that_cannot_be_counted_exactly_name_the_nearest_that_can() {
    let days = |count, days: u64| Rate { count, period: Duration::from_secs(86_400 * days) };
    // 999983 is prime: nothing cancels, and a burst of as many does not fit 2^52.
    let Inexact { burst_max } = Gcra::new(days(999_983, 1), 999_983).unwrap_err();
    assert_eq!(burst_max, EXACT / 86_400_000_000);
    assert!(Gcra::new(days(999_983, 1), burst_max).is_ok());
    assert!(Gcra::new(days(999_983, 1), burst_max + 1).is_err());
    // A bucket that takes more than a year to refill is a quota.
    assert_eq!(Gcra::new(days(1, 1), 367).unwrap_err().burst_max, 366);
    assert_eq!(Gcra::new(days(1, 400), 1).unwrap_err().burst_max, 0);
}

#[test]
fn the_largest_numbers_do_not_overflow() {
    for (count, period_us, burst) in [
        (EXACT, EXACT - 1, 1),
        (1, super::super::measure::REFILL_US, 1),
        (EXACT, 1, EXACT),
        (1_000_000_000, 1, 1_000_000_000),
    ] {
        let rate = Rate { count, period: Duration::from_micros(period_us) };
        let Ok(gcra) = Gcra::new(rate, burst) else { continue };
        for measure in [Measure::Rate(gcra), Measure::Rate(gcra).share(1024)] {
            let clock = at(START_US);
            let cell = measure.cell(measure.cap(), clock);
            assert_eq!(measure.spent(cell, clock), measure.cap());
            assert_eq!(measure.available(measure.cap()), 0);
            assert!(measure.wait_us(measure.cap(), clock) > 0);
            assert_eq!(
                measure.spent(Cell { at: u64::MAX - 1, part: u64::MAX }, clock),
                measure.cap()
            );
        }
    }
}

#[test]
fn shares_add_up_to_the_whole_and_start_as_full() {
    let whole = rate(100, 1_000_000, 200);
    let share = whole.share(4);
    assert_eq!((share.size(), share.unit()), (50, 4 * whole.unit()));
    assert_eq!(share.available(whole.share_spent(whole.cap(), 4)), 0);
    assert_eq!(share.available(whole.share_spent(whole.cap() / 2, 4)), 25);
    assert_eq!(share.available(whole.share_spent(0, 4)), 50);
    // Nobody is locked out, however many gateways there are.
    assert_eq!(rate(5, 60_000_000, 5).share(10).size(), 1);
    assert_eq!(quota(5, Window::Day).share(10).size(), 1);
}

/// A changed rate takes over what was counted; a lowered one locks nobody out for longer than a full bucket.
#[test]
fn a_cell_outlives_its_rate() {
    let (slow, fast) = (rate(1, 1_000_000, 1_000), rate(3, 1_000_000, 10));
    let cell = slow.cell(slow.cap(), at(START_US));
    let spent = fast.spent(cell, at(START_US));
    assert_eq!(fast.available(spent), 0);
    assert!(fast.wait_us(spent, at(START_US)) <= 333_334);
    // A part of another scale is rounded up, in the limit's favour, by less than a microsecond.
    let cell = rate(7, 1_000_001, 7).cell(1_000_006, at(START_US));
    assert_eq!(cell.part, 1_000_006 % 7);
    assert!(slow.spent(Cell { at: START_US, part: 6 }, at(START_US)) == slow.scale());
}
