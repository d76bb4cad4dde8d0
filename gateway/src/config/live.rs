//! The one pointer to the configuration in force.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::snapshot::Snapshot;

/// Readers take a snapshot and keep it; a swap changes what the next one gets.
#[derive(Debug)]
pub struct Live(ArcSwap<Snapshot>);

impl Live {
    pub fn new(first: Arc<Snapshot>) -> Live {
        Live(ArcSwap::new(first))
    }

    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(super) fn swap(&self, next: Arc<Snapshot>) {
        self.0.store(next);
    }
}
