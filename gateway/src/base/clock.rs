//! Time as a parameter. Stages never read a clock: they are given a [`Now`].

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How old a thread's reading of the wall clock may be; a step of that clock is seen this late.
const WALL_CLOCK_AGE: Duration = Duration::from_millis(100);

/// One reading of both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Wall clock, microseconds since the Unix epoch.
    pub unix_us: u64,
    /// Monotonic clock, for durations.
    pub instant: Instant,
}

impl Now {
    /// Reads the monotonic clock, and the wall clock where this thread's last reading is too old to go on from.
    pub fn read() -> Now {
        thread_local!(static LAST: Cell<Option<Now>> = const { Cell::new(None) });
        let instant = Instant::now();
        if let Some(last) = LAST.get() {
            let age = instant.saturating_duration_since(last.instant);
            if age < WALL_CLOCK_AGE {
                return last.after(age);
            }
        }
        let now = Now { unix_us: unix_us(), instant };
        LAST.set(Some(now));
        now
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

#[allow(clippy::cast_possible_truncation)] // microseconds since 1970 fit 64 bits for 584,000 years
fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_micros() as u64
}
