//! Time as a parameter. Stages never read a clock: they are given a [`Now`].

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Wall clock, microseconds since the Unix epoch.
    pub unix_us: u64,
    /// Monotonic clock, for durations.
    pub instant: Instant,
}

impl Now {
    /// Reads both clocks.
    #[allow(clippy::cast_possible_truncation)] // microseconds since 1970 fit 64 bits for 584,000 years
    pub fn read() -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Now { unix_us: unix.as_micros() as u64, instant: Instant::now() }
    }

    /// Wall clock, whole seconds.
    pub fn unix_s(self) -> u64 {
        self.unix_us / 1_000_000
    }

    /// A reading that lies `by` after this one.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // durations in tests and deadlines are far below the range
    pub fn after(self, by: Duration) -> Now {
        Now { unix_us: self.unix_us + by.as_micros() as u64, instant: self.instant + by }
    }
}
