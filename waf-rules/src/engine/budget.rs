//! What one transaction may cost, and what it ran into.

/// A bound that a transaction ran into; the first one is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exceeded {
    /// More work than [`Bounds::work`](crate::Bounds::work).
    Work,
    /// More arguments than [`Bounds::arguments`](crate::Bounds::arguments).
    Arguments,
    /// A body that nests deeper than [`Bounds::depth`](crate::Bounds::depth).
    Depth,
    /// A body of more parts than [`Bounds::parts`](crate::Bounds::parts).
    Parts,
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
            Self::Depth => "depth",
            Self::Parts => "parts",
            Self::RequestBody => "request_body",
            Self::ResponseBody => "response_body",
        }
    }

    /// Something of the request lies beyond it that no rule of phase 2 will see.
    pub(super) fn hides_input(self) -> bool {
        matches!(self, Self::Arguments | Self::Depth | Self::Parts)
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
    exhausted: bool,
}

impl Budget {
    pub(super) fn new(bound: u64) -> Self {
        Self { left: bound, spent: 0, exhausted: false }
    }

    /// More was received, and may cost more.
    pub(super) fn grant(&mut self, work: u64) {
        self.left = self.left.saturating_add(work);
    }

    /// Pays for a piece of work, or says that there is not enough left: then nothing more is affordable.
    pub(super) fn afford(&mut self, work: u64) -> bool {
        self.exhausted |= work > self.left;
        if !self.exhausted {
            self.left -= work;
            self.spent += work;
        }
        !self.exhausted
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    pub(super) fn spent(&self) -> u64 {
        self.spent
    }

    /// What may be spent in all, as much as was received so far.
    pub(super) fn bound(&self) -> u64 {
        self.spent.saturating_add(self.left)
    }
}
