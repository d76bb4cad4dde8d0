//! The last events, and those who watch new ones come.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::broadcast;

use super::access;
use super::queue::weight_of;
use crate::base::event::Event;

/// Events kept for `/events`.
pub(super) const KEPT: usize = 1000;
/// Bytes of the events kept.
const KEPT_BYTES: usize = 8 * 1024 * 1024;
/// Events that a watcher may be behind before it loses the oldest.
const BEHIND: usize = 256;

/// An event with its number: 1, 2, 3 ... in the order of this process's record.
#[derive(Debug)]
pub struct Recorded {
    pub sequence: u64,
    pub event: Box<Event>,
}

impl Recorded {
    /// The event as one line of JSON without its line break: what the access log has.
    pub fn line(&self) -> String {
        let mut line = Vec::with_capacity(1024);
        access::encode(self, &mut line);
        String::from_utf8(line).unwrap_or_default()
    }
}

/// A bounded ring of recorded events with a tail.
#[derive(Debug)]
pub struct Feed {
    ring: Mutex<Ring>,
    tail: broadcast::Sender<Arc<Recorded>>,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
    last: u64,
}

impl Feed {
    pub(super) fn new() -> Feed {
        Feed { ring: Mutex::default(), tail: broadcast::Sender::new(BEHIND) }
    }

    /// Somebody waits for new events.
    pub(super) fn is_watched(&self) -> bool {
        self.tail.receiver_count() > 0
    }

    /// The newest `count` events, oldest first.
    pub fn recent(&self, count: usize) -> Vec<Arc<Recorded>> {
        let ring = self.ring.lock();
        let skipped = ring.events.len().saturating_sub(count);
        ring.events.iter().skip(skipped).cloned().collect()
    }

    /// Kept events after number `after`, and every later one through the receiver: none twice, none missing
    /// unless the receiver reports that it lagged. `None`: only later ones. A number that was never given is of an
    /// earlier process: everything kept comes.
    pub fn watch(
        &self,
        after: Option<u64>,
    ) -> (Vec<Arc<Recorded>>, broadcast::Receiver<Arc<Recorded>>) {
        // New events are sent under this lock, so nothing comes between the two halves.
        let ring = self.ring.lock();
        let receiver = self.tail.subscribe();
        let after = match after {
            Some(after) if after > ring.last => 0,
            Some(after) => after,
            None => ring.last,
        };
        let missed = ring.events.iter().filter(|recorded| recorded.sequence > after);
        (missed.cloned().collect(), receiver)
    }

    pub(super) fn add(&self, event: Box<Event>) -> Arc<Recorded> {
        let mut ring = self.ring.lock();
        ring.last += 1;
        ring.bytes += weight_of(&event);
        let recorded = Arc::new(Recorded { sequence: ring.last, event });
        ring.events.push_back(recorded.clone());
        while ring.events.len() > KEPT || ring.bytes > KEPT_BYTES {
            let Some(oldest) = ring.events.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(weight_of(&oldest.event));
        }
        // An error only says that nobody watches.
        let _ = self.tail.send(recorded.clone());
        recorded
    }
}
