//! What limits must do, written down without any of the code under test: exact rationals, no reduction, no bounds.

use crate::base::units::Window;

use super::super::measure::Measure;

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// SplitMix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(crate) fn within(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }
}

/// One bucket, in 1/count microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Model {
    Rate { count: u128, period_us: u128, burst: u128, arrival: u128 },
    Quota { count: u64, window: Window, number: u64, used: u64 },
}

impl Model {
    pub(crate) fn rate(count: u64, period_us: u64, burst: u64) -> Model {
        let (count, period_us, burst) = (count.into(), period_us.into(), burst.into());
        Model::Rate { count, period_us, burst, arrival: 0 }
    }

    pub(crate) fn quota(count: u64, window: Window) -> Model {
        Model::Quota { count, window, number: 0, used: 0 }
    }

    pub(crate) fn measure(&self) -> Measure {
        let small = |number: u128| u64::try_from(number).unwrap();
        match *self {
            Model::Rate { count, period_us, burst, .. } => {
                super::rate(small(count), small(period_us), small(burst))
            }
            Model::Quota { count, window, .. } => super::quota(count, window),
        }
    }

    /// How many requests fit. Brings back what a clock that stepped back has left in the future.
    pub(crate) fn room(&mut self, now_us: u64) -> u64 {
        match self {
            Model::Rate { count, period_us, burst, arrival } => {
                let now = u128::from(now_us) * *count;
                let full = now + *burst * *period_us;
                *arrival = (*arrival).min(full);
                u64::try_from((full - (*arrival).max(now)) / *period_us).unwrap()
            }
            Model::Quota { count, window, number, used } => {
                let current = number_of(*window, now_us);
                if *number < current {
                    return *count;
                }
                *number = current;
                *count - *used
            }
        }
    }

    pub(crate) fn take(&mut self, now_us: u64, requests: u64) {
        match self {
            // A refused request leaves no trace, not even that time has passed.
            _ if requests == 0 => {}
            Model::Rate { count, period_us, arrival, .. } => {
                let now = u128::from(now_us) * *count;
                *arrival = (*arrival).max(now) + u128::from(requests) * *period_us;
            }
            Model::Quota { window, number, used, .. } => {
                let current = number_of(*window, now_us);
                if *number < current {
                    (*number, *used) = (current, 0);
                }
                *used += requests;
            }
        }
    }
}

/// Windows by counting days one by one.
fn number_of(window: Window, now_us: u64) -> u64 {
    match window {
        Window::Hour => now_us / 3_600_000_000,
        Window::Day => now_us / 86_400_000_000,
        Window::Month => month_by_counting(now_us / 86_400_000_000).0,
    }
}

/// Months since January 1970, and the first day of the next one.
pub(crate) fn month_by_counting(day: u64) -> (u64, u64) {
    let (mut year, mut month, mut first) = (1970, 0, 0);
    loop {
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let february = if leap { 29 } else { 28 };
        let days = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let next = first + days[month % 12];
        if day < next {
            return (u64::try_from(month).unwrap(), next);
        }
        first = next;
        month += 1;
        if month % 12 == 0 {
            year += 1;
        }
    }
}
