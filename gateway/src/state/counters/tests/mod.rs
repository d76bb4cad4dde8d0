mod calendar;
mod measure;
pub(crate) mod model;
mod table;

use std::time::Duration;

use crate::base::units::{Quota, Rate, Window};

use super::measure::{Clock, Gcra, Measure};
use super::table::Charge;

/// 2026-03-01T00:00:00Z.
pub(crate) const START_US: u64 = 1_772_323_200_000_000;

pub(crate) fn rate(count: u64, period_us: u64, burst: u64) -> Measure {
    let rate = Rate { count, period: Duration::from_micros(period_us) };
    Measure::Rate(Gcra::new(rate, burst).unwrap())
}

pub(crate) fn quota(count: u64, window: Window) -> Measure {
    Measure::Quota(Quota { count, window })
}

pub(crate) fn at(steady_us: u64) -> Clock {
    Clock { steady_us, unix_us: START_US + steady_us }
}

pub(crate) fn charge(subject: u128, measure: Measure) -> Charge {
    Charge { subject, limit: 7, measure, binding: true }
}
