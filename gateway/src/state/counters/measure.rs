//! What a limit grants, in integers: the generic cell rate algorithm (ITU-T I.371, "virtual scheduling") for rates, a
//! counter per calendar window for quotas. Nothing is rounded, so the same numbers come out here and in `script.lua`.
//!
//! A rate of `count` per `period` is reduced to `unit / scale` microseconds per request, both integers without a common
//! factor. What a bucket has spent is counted in 1/scale microseconds: one request costs `unit`, time pays `scale` back
//! per microsecond, a burst of b holds b x unit.

use crate::base::units::{Quota, Rate, Window};

use super::calendar;

/// Largest number that a bucket may hold. Lua counts in doubles, which are exact up to 2^53; one bit is left so that
/// sums of two of them are exact as well.
pub const EXACT: u64 = 1 << 52;
/// Longest time in which a whole burst may come back. Keeps time stamps exact until the year 2110.
pub const REFILL_US: u64 = 366 * 86_400_000_000;

/// How much may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Rate(Gcra),
    Quota(Quota),
}

/// A rate with its burst, reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gcra {
    /// Cost of one request, in 1/scale microseconds.
    unit: u64,
    /// Parts per microsecond.
    scale: u64,
    /// Requests that may come at once.
    burst: u64,
}

/// What is stored per key. For a rate: the theoretical arrival time, whole microseconds and parts below; for a quota:
/// the number of the window and the count in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub at: u64,
    pub part: u64,
}

/// One reading of time, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Never steps back. Rates count in it.
    pub steady_us: u64,
    /// Wall clock. Quotas find their window in it.
    pub unix_us: u64,
}

/// Why a rate cannot be counted exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inexact {
    /// The largest burst that can, at this rate; 0 when the period itself is too long.
    pub burst_max: u64,
}

impl Gcra {
    /// A rate, with at most `burst` requests at once. Both must be positive.
    pub fn new(rate: Rate, burst: u64) -> Result<Gcra, Inexact> {
        let period_us = u64::try_from(rate.period.as_micros()).unwrap_or(u64::MAX);
        let common = gcd(period_us, rate.count);
        let (unit, scale) = (period_us / common, rate.count / common);
        let cap_max = EXACT.min(REFILL_US.saturating_mul(scale));
        let burst_max = if scale > EXACT { 0 } else { cap_max / unit };
        if burst > burst_max {
            return Err(Inexact { burst_max });
        }
        Ok(Gcra { unit, scale, burst })
    }

    fn cap(self) -> u64 {
        self.burst * self.unit
    }
}

impl Measure {
    /// Requests that may come at once, or in one window.
    pub fn size(&self) -> u64 {
        match self {
            Measure::Rate(gcra) => gcra.burst,
            Measure::Quota(quota) => quota.count,
        }
    }

    /// Cost of one request.
    pub fn unit(&self) -> u64 {
        match self {
            Measure::Rate(gcra) => gcra.unit,
            Measure::Quota(_) => 1,
        }
    }

    /// Parts that one microsecond pays back; 0 for a quota.
    pub fn scale(&self) -> u64 {
        match self {
            Measure::Rate(gcra) => gcra.scale,
            Measure::Quota(_) => 0,
        }
    }

    /// What a full bucket or window has spent.
    pub fn cap(&self) -> u64 {
        match self {
            Measure::Rate(gcra) => gcra.cap(),
            Measure::Quota(quota) => quota.count,
        }
    }

    /// What the cell has spent by now, never above `cap`: a limit that was lowered, or a clock that stepped back, locks
    /// nobody out for longer than one full bucket.
    pub fn spent(&self, cell: Cell, clock: Clock) -> u64 {
        match self {
            Measure::Rate(gcra) => gcra_spent(*gcra, cell, clock.steady_us),
            Measure::Quota(quota) => {
                // A window that lies ahead means that the clock stepped back: its count is carried over.
                let current = calendar::window(quota.window, clock.unix_us).number;
                if cell.at >= current { cell.part.min(quota.count) } else { 0 }
            }
        }
    }

    /// Requests that may pass now.
    pub fn available(&self, spent: u64) -> u64 {
        self.cap().saturating_sub(spent) / self.unit()
    }

    /// The cell that has spent so much by now.
    pub fn cell(&self, spent: u64, clock: Clock) -> Cell {
        match self {
            Measure::Rate(gcra) => {
                Cell { at: clock.steady_us + spent / gcra.scale, part: spent % gcra.scale }
            }
            Measure::Quota(quota) => {
                Cell { at: calendar::window(quota.window, clock.unix_us).number, part: spent }
            }
        }
    }

    /// Steady time at which a cell that was made now says nothing any more.
    pub fn idle_at(&self, cell: Cell, clock: Clock) -> u64 {
        match self {
            Measure::Rate(_) => cell.at + u64::from(cell.part > 0),
            Measure::Quota(_) if cell.part == 0 => clock.steady_us,
            Measure::Quota(quota) => clock.steady_us + window_rest(quota.window, clock.unix_us),
        }
    }

    /// Microseconds until one more request may pass than now; 0 when nothing is spent.
    pub fn wait_us(&self, spent: u64, clock: Clock) -> u64 {
        match self {
            _ if spent == 0 => 0,
            Measure::Rate(gcra) => {
                let next = (self.available(spent) + 1) * gcra.unit;
                (spent + next).saturating_sub(gcra.cap()).div_ceil(gcra.scale)
            }
            Measure::Quota(quota) => window_rest(quota.window, clock.unix_us),
        }
    }

    /// The share of one of `gateways` equal gateways; at least one request, so that nobody is locked out.
    #[must_use]
    pub fn share(&self, gateways: u64) -> Measure {
        let gateways = gateways.max(1);
        match *self {
            Measure::Rate(gcra) => Measure::Rate(Gcra {
                unit: gcra.unit * gateways,
                scale: gcra.scale,
                burst: (gcra.burst / gateways).max(1),
            }),
            Measure::Quota(quota) => {
                Measure::Quota(Quota { count: (quota.count / gateways).max(1), ..quota })
            }
        }
    }

    /// What one gateway's share has spent when the whole has spent `spent`: the same part of its bucket, rounded up.
    pub fn share_spent(&self, spent: u64, gateways: u64) -> u64 {
        let share = self.share(gateways);
        let part = u128::from(spent.min(self.cap())) * u128::from(share.cap());
        u64::try_from(part.div_ceil(u128::from(self.cap()))).unwrap_or_else(|_| share.cap())
    }
}

/// Most gateways that may share a store: keeps the unit of a share within 64 bits.
pub const GATEWAYS_MAX: u32 = 1024;

fn gcra_spent(gcra: Gcra, cell: Cell, now: u64) -> u64 {
    // A part of another scale is left over from another rate: it counts as a whole microsecond.
    let (at, part) = if cell.part < gcra.scale { (cell.at, cell.part) } else { (cell.at + 1, 0) };
    let Some(ahead) = at.checked_sub(now) else { return 0 };
    match ahead.checked_mul(gcra.scale).and_then(|parts| parts.checked_add(part)) {
        Some(spent) => spent.min(gcra.cap()),
        None => gcra.cap(),
    }
}

fn window_rest(window: Window, unix_us: u64) -> u64 {
    calendar::window(window, unix_us).end_us - unix_us
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}
