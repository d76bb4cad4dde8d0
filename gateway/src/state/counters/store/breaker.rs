//! When the connection is given up: five failures in a row, or half of the last twenty.

const IN_A_ROW: u32 = 5;
const WINDOW: u32 = 20;

/// Outcomes of the last calls of one connection.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// One bit per call, the latest lowest; 1 is a failure.
    recent: u32,
    calls: u32,
    in_a_row: u32,
}

impl Breaker {
    /// Records a call; true when the connection must be given up.
    pub(super) fn record(&mut self, failed: bool) -> bool {
        self.recent = (self.recent << 1 | u32::from(failed)) & ((1 << WINDOW) - 1);
        self.calls = WINDOW.min(self.calls + 1);
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        let half = self.calls == WINDOW && self.recent.count_ones() * 2 >= WINDOW;
        failed && (self.in_a_row >= IN_A_ROW || half)
    }
}
