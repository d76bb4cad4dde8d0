//! What one transaction may cost, and what it ran into.

/// A bound that a transaction ran into; the first one is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exceeded {
    /// More work than [`Bounds::work`](crate::Bounds::work).
    Work,
    /// More arguments than [`Bounds::arguments`](crate::Bounds::arguments).
    Arguments,
    /// A larger request body than [`Bounds::body_bytes`](crate::Bounds::body_bytes).
    RequestBody,
    /// A larger response body than [`Bounds::response_body_bytes`](crate::Bounds::response_body_bytes).
    ResponseBody,
}

impl Exceeded {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Arguments => "arguments",
            Self::RequestBody => "request_body",
            Self::ResponseBody => "response_body",
        }
    }

    /// The HTTP status that fits: 413 for a body, 403 for the rest.
    pub(super) fn status(self) -> u16 {
        if self == Self::RequestBody { 413 } else { 403 }
    }
}

/// Counts work: bytes looked at, weighed.
#[derive(Debug, Default)]
pub(super) struct Budget {
    left: u64,
    spent: u64,
}

impl Budget {
    pub(super) fn new(bound: u64) -> Self {
        Self { left: bound, spent: 0 }
    }

    pub(super) fn charge(&mut self, work: u64) {
        self.spent = self.spent.saturating_add(work);
        self.left = self.left.saturating_sub(work);
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.left == 0
    }

    pub(super) fn spent(&self) -> u64 {
        self.spent
    }
}
