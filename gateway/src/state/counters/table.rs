//! A table of cells that never grows past its bound, whatever clients send.
//!
//! Rows stand in sets of 16, as in a processor's cache; a subject has one set, found by a hash whose seed is drawn per
//! process, so that nobody can aim at another's set. Only idle rows are given away: a subject that was refused stays
//! refused. A subject that finds its set full of rows in use is counted in a spare bucket that the shard keeps for the
//! limit: it is neither admitted for free nor refused for ever. A shard's rows are reserved when it is first used, so that
//! an idle table costs nothing.

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::quality::RandomState;
use parking_lot::{Mutex, MutexGuard};
use smallvec::SmallVec;

use super::measure::{Cell, Clock, Measure};

/// What is counted: a keyed hash over the limit and the parts of its key. Never a value that a client sent.
pub type Subject = u128;

/// One request against one limit.
#[derive(Clone, Copy, Debug)]
pub struct Charge {
    pub subject: Subject,
    /// The limit itself: names the spare bucket.
    pub limit: Subject,
    pub measure: Measure,
    /// A charge that does not bind is counted when it can be, and never stands in the way of the others.
    pub binding: bool,
}

/// How one charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The request does not fit this limit.
    pub exceeded: bool,
    /// What is spent afterwards, in parts of the measure.
    pub spent: u64,
}

/// How all charges of a request ended, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// No binding charge was exceeded; otherwise nothing was counted at all.
    pub granted: bool,
    pub standings: SmallVec<[Standing; 2]>,
}

/// Most limits of one request in one stage.
pub const CHARGES_MAX: usize = 16;

const SHARDS: usize = 64;
const WAYS: usize = 16;

/// Words of a row. Plain numbers, because the allocator hands out zeroed numbers without touching them.
type Row = [u64; 6];
const KEY_HIGH: usize = 0;
const KEY_LOW: usize = 1;
const AT: usize = 2;
const PART: usize = 3;
/// Steady time at which the row says nothing any more; 0: never used.
const IDLE_AT: usize = 4;
/// Steady time of the last write.
const WRITTEN_AT: usize = 5;

/// See the module.
#[derive(Debug)]
pub struct Table {
    shards: Box<[Mutex<Shard>]>,
    hasher: RandomState,
}

#[derive(Debug)]
struct Shard {
    /// Empty until the first use, `size` rows from then on.
    rows: Vec<Row>,
    size: usize,
    /// Spare buckets by limit: as many as the configuration has limits.
    spare: HashMap<Subject, Row>,
    /// Largest time seen: a caller that read the clock early must not set others back.
    latest_us: u64,
}

/// A cell that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub cell: Cell,
    pub written_at_us: u64,
}

impl Table {
    /// A table of at least `rows` rows.
    pub fn new(rows: usize) -> Table {
        let rows = rows.div_ceil(SHARDS * WAYS).next_power_of_two() * WAYS;
        let shard = || Shard { rows: Vec::new(), size: rows, spare: HashMap::new(), latest_us: 0 };
        let shards = std::iter::repeat_with(|| Mutex::new(shard())).take(SHARDS).collect();
        Table { shards, hasher: RandomState::default() }
    }

    /// Counts one request against all charges, or against none.
    pub fn charge(&self, charges: &[Charge], clock: Clock) -> Charged {
        match charges {
            [only] => {
                let place = self.place(only.subject);
                let mut shard = self.shards[place.shard].lock();
                charge_one(&mut shard, place.set, only, clock)
            }
            _ => self.charge_many(charges, clock),
        }
    }

    /// Takes a counted request back: it was refused elsewhere.
    pub fn refund(&self, charges: &[Charge], charged: &Charged, clock: Clock) {
        for (charge, standing) in charges.iter().zip(&charged.standings) {
            if charged.granted && !standing.exceeded {
                let place = self.place(charge.subject);
                let mut shard = self.shards[place.shard].lock();
                let clock = shard.advance(clock);
                let spent = shard.spent(place.set, charge, clock);
                let left = spent.saturating_sub(charge.measure.unit());
                shard.write(place.set, charge, left, clock);
            }
        }
    }

    /// Gives a subject that has no row one that has spent so much already.
    pub fn seed(&self, charge: &Charge, spent: u64, clock: Clock) {
        let place = self.place(charge.subject);
        let mut shard = self.shards[place.shard].lock();
        let clock = shard.advance(clock);
        let fresh =
            shard.row(place.set, charge, clock).is_some_and(|row| !holds(row, charge.subject));
        if fresh && spent > 0 {
            shard.write(place.set, charge, spent, clock);
        }
    }

    /// The cell of a subject, when it has a row of its own.
    pub fn find(&self, subject: Subject) -> Option<Found> {
        let place = self.place(subject);
        let shard = self.shards[place.shard].lock();
        let row = shard.set(place.set).iter().find(|row| holds(row, subject))?;
        Some(Found { cell: cell_of(row), written_at_us: row[WRITTEN_AT] })
    }

    /// Writes what a subject has spent, in the place of the row that is nearest to idle when there is no other. For
    /// tables whose rows may be lost without harm.
    pub fn note(&self, subject: Subject, measure: &Measure, spent: u64, clock: Clock) {
        let place = self.place(subject);
        let mut shard = self.shards[place.shard].lock();
        let set = shard.set_mut(place.set);
        let own = set.iter().position(|row| holds(row, subject));
        let way = own.or_else(|| (0..WAYS).min_by_key(|way| set[*way][IDLE_AT]));
        if let Some(way) = way {
            set[way] = row(subject, measure, spent, clock);
        }
    }

    /// Subjects it can count at the same time.
    pub fn rows(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().size).sum()
    }

    /// Memory it has reserved, bytes.
    pub fn bytes(&self) -> usize {
        let of = |shard: &Shard| {
            let spare = shard.spare.capacity() * size_of::<(Subject, Row)>();
            shard.rows.capacity() * size_of::<Row>() + spare
        };
        self.shards.iter().map(|shard| of(&shard.lock())).sum()
    }

    fn charge_many(&self, charges: &[Charge], clock: Clock) -> Charged {
        let places: SmallVec<[Place; 2]> =
            charges.iter().map(|charge| self.place(charge.subject)).collect();
        // Locked in ascending order: two requests never wait for each other.
        let mut order: SmallVec<[usize; 2]> = places.iter().map(|place| place.shard).collect();
        order.sort_unstable();
        order.dedup();
        let mut held: SmallVec<[MutexGuard<'_, Shard>; 2]> =
            order.iter().map(|shard| self.shards[*shard].lock()).collect();
        let at = |place: &Place| order.binary_search(&place.shard).unwrap_or(0);

        let mut charged = Charged { granted: true, standings: SmallVec::new() };
        for (charge, place) in charges.iter().zip(&places) {
            let shard = &mut held[at(place)];
            let clock = shard.advance(clock);
            let spent = shard.spent(place.set, charge, clock);
            let exceeded = charge.measure.available(spent) == 0;
            charged.granted &= !(exceeded && charge.binding);
            charged.standings.push(Standing { exceeded, spent });
        }
        if charged.granted {
            let entries = charges.iter().zip(&places).zip(&mut charged.standings);
            for ((charge, place), standing) in entries.filter(|(_, standing)| !standing.exceeded) {
                let shard = &mut held[at(place)];
                let clock = shard.advance(clock);
                standing.spent += charge.measure.unit();
                shard.write(place.set, charge, standing.spent, clock);
            }
        }
        charged
    }

    #[allow(clippy::cast_possible_truncation)] // only the low bits choose a set
    fn place(&self, subject: Subject) -> Place {
        let hash = self.hasher.hash_one(subject) as usize;
        Place { shard: hash % SHARDS, set: hash / SHARDS }
    }
}

/// Where a subject's set is.
#[derive(Clone, Copy)]
struct Place {
    shard: usize,
    /// To be reduced to the number of sets.
    set: usize,
}

fn charge_one(shard: &mut Shard, set: usize, charge: &Charge, clock: Clock) -> Charged {
    let clock = shard.advance(clock);
    let mut spent = shard.spent(set, charge, clock);
    let exceeded = charge.measure.available(spent) == 0;
    if !exceeded {
        spent += charge.measure.unit();
        shard.write(set, charge, spent, clock);
    }
    let standings = SmallVec::from_iter([Standing { exceeded, spent }]);
    Charged { granted: !(exceeded && charge.binding), standings }
}

impl Shard {
    fn set(&self, set: usize) -> &[Row] {
        let first = self.first(set);
        self.rows.get(first..first + WAYS).unwrap_or_default()
    }

    fn set_mut(&mut self, set: usize) -> &mut [Row] {
        if self.rows.is_empty() {
            self.rows = vec![[0; 6]; self.size];
        }
        let first = self.first(set);
        &mut self.rows[first..first + WAYS]
    }

    fn first(&self, set: usize) -> usize {
        // The number of sets is a power of two.
        (set & (self.size / WAYS - 1)) * WAYS
    }

    fn advance(&mut self, clock: Clock) -> Clock {
        self.latest_us = self.latest_us.max(clock.steady_us);
        Clock { steady_us: self.latest_us, ..clock }
    }

    fn spent(&mut self, set: usize, charge: &Charge, clock: Clock) -> u64 {
        match self.row(set, charge, clock) {
            Some(row) if holds(row, charge.subject) => {
                let spent = charge.measure.spent(cell_of(row), clock);
                // A lowered limit: what is written from now on is within its bucket.
                if spent == charge.measure.cap() {
                    let within = self::row(charge.subject, &charge.measure, spent, clock);
                    if row[IDLE_AT] > within[IDLE_AT] {
                        *row = within;
                    }
                }
                spent
            }
            Some(_) => 0,
            None => self
                .spare
                .get(&charge.limit)
                .map_or(0, |row| charge.measure.spent(cell_of(row), clock)),
        }
    }

    fn write(&mut self, set: usize, charge: &Charge, spent: u64, clock: Clock) {
        let new = |subject| row(subject, &charge.measure, spent, clock);
        match self.row(set, charge, clock) {
            Some(row) => *row = new(charge.subject),
            None => {
                // Limits that a reload removed leave idle buckets behind.
                self.spare.retain(|_, row| row[IDLE_AT] > clock.steady_us);
                self.spare.insert(charge.limit, new(charge.limit));
            }
        }
    }

    /// The subject's row, or an idle one that it may take.
    fn row(&mut self, set: usize, charge: &Charge, clock: Clock) -> Option<&mut Row> {
        let set = self.set_mut(set);
        let own = set.iter().position(|row| holds(row, charge.subject));
        let way = own.or_else(|| set.iter().position(|row| row[IDLE_AT] <= clock.steady_us))?;
        set.get_mut(way)
    }
}

#[allow(clippy::cast_possible_truncation)] // the two halves
fn halves(subject: Subject) -> (u64, u64) {
    ((subject >> 64) as u64, subject as u64)
}

fn holds(row: &Row, subject: Subject) -> bool {
    let (high, low) = halves(subject);
    row[KEY_LOW] == low && row[KEY_HIGH] == high && row[IDLE_AT] != 0
}

fn cell_of(row: &Row) -> Cell {
    Cell { at: row[AT], part: row[PART] }
}

fn row(subject: Subject, measure: &Measure, spent: u64, clock: Clock) -> Row {
    let (high, low) = halves(subject);
    let cell = measure.cell(spent, clock);
    [high, low, cell.at, cell.part, measure.idle_at(cell, clock), clock.steady_us]
}
