//! Calendar windows of UTC. Unix time has no leap seconds, so hours and days are plain multiples.

use crate::base::units::Window;

const HOUR_US: u64 = 3_600_000_000;
const DAY_US: u64 = 24 * HOUR_US;

/// One window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Counts windows; a later window has a larger number.
    pub number: u64,
    /// First microsecond after it, since the Unix epoch.
    pub end_us: u64,
}

/// The window that holds a moment.
pub fn window(window: Window, unix_us: u64) -> Span {
    match window {
        Window::Hour => multiple(HOUR_US, unix_us),
        Window::Day => multiple(DAY_US, unix_us),
        Window::Month => month(unix_us),
    }
}

fn multiple(length_us: u64, unix_us: u64) -> Span {
    let number = unix_us / length_us;
    Span { number, end_us: (number + 1) * length_us }
}

fn month(unix_us: u64) -> Span {
    let number = month_of_day(unix_us / DAY_US);
    Span { number, end_us: first_day(number + 1) * DAY_US }
}

/// Days from 0000-03-01 to 1970-01-01. Years are counted from March, so that the leap day is a year's last.
const EPOCH_DAYS: u64 = 719_468;
const ERA_DAYS: u64 = 146_097;

/// Months since January of year 0 for a day since the epoch; proleptic Gregorian, after Howard Hinnant's
/// "chrono-compatible low-level date algorithms".
fn month_of_day(day: u64) -> u64 {
    let day = day + EPOCH_DAYS;
    let (era, day) = (day / ERA_DAYS, day % ERA_DAYS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    (era * 400 + year) * 12 + march_month + 2
}

/// Day since the epoch on which a month begins.
fn first_day(month: u64) -> u64 {
    let from_march = month - 2;
    let (year, march_month) = (from_march / 12, from_march % 12);
    let (era, year) = (year / 400, year % 400);
    let day_of_year = (153 * march_month + 2) / 5;
    era * ERA_DAYS + year * 365 + year / 4 - year / 100 + day_of_year - EPOCH_DAYS
}
