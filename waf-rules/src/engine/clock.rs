//! The time of a transaction, as its caller gives it, and what `TIME_*` and `DURATION` show of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::variable::ClockField;

/// When a transaction began and what time it is in it; nothing before the caller said so.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Clock {
    began: Option<Duration>,
    now: Option<Duration>,
}

const DAY_S: u64 = 24 * 60 * 60;

impl Clock {
    /// The first call says when the transaction began. A clock that goes backwards stands still.
    pub(super) fn set(&mut self, time: SystemTime) {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.began.get_or_insert(since_1970);
        self.now = self.now.max(Some(since_1970));
    }

    /// Seconds since 1970; 0 while the caller has not said.
    pub(super) fn seconds(&self) -> u64 {
        self.now.unwrap_or_default().as_secs()
    }

    /// The text of a field; nothing while the caller has not said what time it is.
    pub(super) fn show(&self, field: ClockField) -> Option<String> {
        let (began, now) = self.began.zip(self.now)?;
        let seconds = now.as_secs();
        let (year, month, day) = date(seconds / DAY_S);
        let (hour, minute, second) = (seconds % DAY_S / 3_600, seconds / 60 % 60, seconds % 60);
        Some(match field {
            ClockField::Duration => now.saturating_sub(began).as_micros().to_string(),
            ClockField::Time => format!("{hour:02}:{minute:02}:{second:02}"),
            ClockField::Day => day.to_string(),
            ClockField::Epoch => seconds.to_string(),
            ClockField::Hour => hour.to_string(),
            ClockField::Minute => minute.to_string(),
            ClockField::Month => (month - 1).to_string(),
            ClockField::Second => second.to_string(),
            // The first of January 1970 was a Thursday.
            ClockField::Weekday => ((seconds / DAY_S + 4) % 7).to_string(),
            ClockField::Year => year.to_string(),
        })
    }
}

/// Year, month (1 to 12) and day (1 to 31) of a day counted from 1970, in the Gregorian calendar.
/// Counted in eras of 400 years that begin on a first of March, so that leap days come last.
fn date(days: u64) -> (u64, u64, u64) {
    const ERA_DAYS: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    (era * 400 + year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_calendar_fields() {
        for (seconds, shown) in [
            (0, "1970-0-1 4 00:00:00"),
            (951_782_400, "2000-1-29 2 00:00:00"),
            (951_868_799, "2000-1-29 2 23:59:59"),
            (1_709_251_199, "2024-1-29 4 23:59:59"),
            (4_107_542_400, "2100-2-1 1 00:00:00"),
            (1_767_225_599, "2025-11-31 3 23:59:59"),
        ] {
            let mut clock = Clock::default();
            clock.set(UNIX_EPOCH + Duration::from_secs(seconds));
            let of = |field| clock.show(field).unwrap();
            let (year, month, day) =
                (of(ClockField::Year), of(ClockField::Month), of(ClockField::Day));
            let (weekday, time) = (of(ClockField::Weekday), of(ClockField::Time));
            assert_eq!(format!("{year}-{month}-{day} {weekday} {time}"), shown);
        }
    }

    #[test]
    fn counts_from_the_first_time_and_never_backwards() {
        let mut clock = Clock::default();
        assert_eq!(clock.show(ClockField::Duration), None);
        for (micros, duration) in [(5_000_000, "0"), (5_000_042, "42"), (4_000_000, "42")] {
            clock.set(UNIX_EPOCH + Duration::from_micros(micros));
            assert_eq!(clock.show(ClockField::Duration).unwrap(), duration);
        }
    }
}
