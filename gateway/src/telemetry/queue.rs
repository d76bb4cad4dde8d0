//! Between the workers and the writer: one bounded buffer for each shard of threads. A worker's push takes a
//! lock that it shares with nobody but the writer, which takes it once a tick.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::metrics::{DropKind, shard, shards};
use crate::base::event::{AuditFacts, Event, Outcome};

/// What the queue may hold, over all shards. At 100,000 events a second a tick of 50 ms brings 5,000.
#[derive(Clone, Copy, Debug)]
pub(super) struct QueueBounds {
    pub(super) events: usize,
    pub(super) bytes: usize,
}

impl Default for QueueBounds {
    fn default() -> QueueBounds {
        QueueBounds { events: 32_768, bytes: 32 * 1024 * 1024 }
    }
}

#[derive(Debug)]
pub(super) struct Queue {
    shards: Box<[Mutex<Shard>]>,
    /// Bounds of one shard.
    bounds: QueueBounds,
    /// A shard is half full, and the writer was told.
    pressed: AtomicBool,
    /// Routine events that a shard keeps between two ticks.
    routine: AtomicUsize,
}

/// Routine events that a shard keeps between two ticks when nobody writes or watches them: all of them up to 5,000 a
/// second. A longer queue would put every request into memory that left the caches long ago.
const UNWATCHED_EVENTS: usize = 256;

/// Who wants routine events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    Log,
    /// The access log is off; somebody watches the feed.
    Watchers,
    /// Whoever may ask for the last events later.
    None,
}

#[derive(Debug, Default)]
struct Shard {
    routine: VecDeque<Box<Event>>,
    security: VecDeque<Box<Event>>,
    bytes: usize,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pushed {
    pub(super) dropped_routine: u64,
    pub(super) dropped_security: u64,
    /// The writer should not wait for its tick.
    pub(super) wake: bool,
}

impl Queue {
    pub(super) fn new(bounds: QueueBounds) -> Queue {
        let count = shards();
        Queue {
            shards: (0..count).map(|_| Mutex::default()).collect(),
            bounds: QueueBounds { events: bounds.events / count, bytes: bounds.bytes / count },
            pressed: AtomicBool::new(false),
            routine: AtomicUsize::new(usize::MAX),
        }
    }

    /// What is not wanted ends where it was made, in warm memory, instead of on another thread.
    pub(super) fn set_readers(&self, readers: Readers) {
        let routine = match readers {
            Readers::Log => usize::MAX,
            Readers::Watchers => super::feed::KEPT,
            Readers::None => UNWATCHED_EVENTS,
        };
        self.routine.store(routine, Ordering::Relaxed);
    }

    /// Takes an event. When the shard is full, routine ones give way to security ones, the oldest first;
    /// a routine one is not taken; a security one only when nothing but security events is there.
    pub(super) fn push(&self, event: Box<Event>) -> Pushed {
        let kind = kind_of(&event);
        let mut pushed = Pushed::default();
        let mut shard = self.shards[shard(self.shards.len())].lock();
        if kind == DropKind::Routine && shard.routine.len() >= self.routine.load(Ordering::Relaxed)
        {
            return pushed;
        }
        let weight = weight_of(&event);
        if kind == DropKind::Security {
            while !shard.has_room(weight, self.bounds) && shard.shed_routine() {
                pushed.dropped_routine += 1;
            }
        }
        if shard.has_room(weight, self.bounds) {
            shard.take(event, kind, weight);
        } else if kind == DropKind::Security {
            pushed.dropped_security += 1;
        } else {
            pushed.dropped_routine += 1;
        }
        let pressed = shard.is_half_full(self.bounds);
        drop(shard);
        pushed.wake = pressed && !self.pressed.swap(true, Ordering::Relaxed);
        pushed
    }

    /// Everything that waits, in the order in which the requests ended.
    #[allow(clippy::vec_box)] // sorting moves pointers instead of half a kilobyte each
    pub(super) fn drain(&self) -> Vec<Box<Event>> {
        self.pressed.store(false, Ordering::Relaxed);
        let mut events = Vec::new();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *shard.lock());
            events.extend(taken.routine);
            events.extend(taken.security);
        }
        events.sort_by_key(|event| ended_us(event));
        events
    }
}

impl Shard {
    fn has_room(&self, weight: usize, bounds: QueueBounds) -> bool {
        self.len() < bounds.events && self.bytes + weight <= bounds.bytes
    }

    fn is_half_full(&self, bounds: QueueBounds) -> bool {
        self.len() >= bounds.events / 2 || self.bytes >= bounds.bytes / 2
    }

    fn len(&self) -> usize {
        self.routine.len() + self.security.len()
    }

    fn take(&mut self, event: Box<Event>, kind: DropKind, weight: usize) {
        self.bytes += weight;
        match kind {
            DropKind::Routine => self.routine.push_back(event),
            DropKind::Security => self.security.push_back(event),
        }
    }

    fn shed_routine(&mut self) -> bool {
        let Some(shed) = self.routine.pop_front() else { return false };
        self.bytes = self.bytes.saturating_sub(weight_of(&shed));
        true
    }
}

/// Routine is what was served and what nobody objected to, not even in monitor mode.
pub(super) fn kind_of(event: &Event) -> DropKind {
    let matched = event.waf.as_ref().is_some_and(|waf| !waf.matches.is_empty());
    if event.outcome == Outcome::Allowed && event.findings.is_empty() && !matched {
        DropKind::Routine
    } else {
        DropKind::Security
    }
}

/// Bytes that an event holds, near enough for a bound.
pub(super) fn weight_of(event: &Event) -> usize {
    let request = &event.request;
    let texts = request.host.len()
        + request.path.len()
        + request.query.as_ref().map_or(0, String::len)
        + request.user_agent.as_ref().map_or(0, |text| text.len());
    let findings: usize =
        event.findings.iter().map(|finding| size_of_val(&**finding) + finding.evidence.len()).sum();
    let matches = event.waf.iter().flat_map(|waf| &waf.matches);
    let matches: usize = matches
        .map(|found| {
            size_of_val(found) + found.message.len() + found.target.len() + found.matched.len()
        })
        .sum();
    size_of_val(event) + texts + findings + matches + event.audit.as_deref().map_or(0, audit_weight)
}

fn audit_weight(audit: &AuditFacts) -> usize {
    let fields = audit.request_fields.iter().chain(&audit.answer_fields).flatten();
    let fields: usize = fields.map(|(name, value)| name.as_str().len() + value.len() + 64).sum();
    let text = |found: &waf_rules::Match| {
        size_of_val(found)
            + found.message.len()
            + found.data.len()
            + found.target.len()
            + found.matched.len()
    };
    size_of_val(audit) + fields + audit.matches.iter().flatten().map(text).sum::<usize>()
}

fn ended_us(event: &Event) -> u128 {
    u128::from(event.unix_us) + event.duration.as_micros()
}
