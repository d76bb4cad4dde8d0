//! Every byte string of a request, once: names, values and what transformations make of them.
//!
//! Equal contents have equal ids, so a value that comes twice, or that a transformation leaves
//! alone, is transformed and scanned once.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, HashTable};
use std::hash::BuildHasher;
use std::ops::Range;
use std::sync::LazyLock;

use super::budget::Budget;
use crate::bytes::{ByteSet, index, present};
use crate::plan::{Node, Transforms};
use crate::transform::Transform;

/// A byte string of this request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Buffer(u32);

impl Buffer {
    /// The empty string.
    pub(super) const EMPTY: Self = Self(0);

    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    start: u32,
    len: u32,
    /// First of this buffer's entries in `memo`; `NONE` before the first transformation.
    row: u32,
    present: ByteSet,
    /// Of the contents: kept, because looking a buffer up again must not read it again.
    hash: u64,
}

/// Work of a transformation and of keeping what comes out, beyond the bytes.
const TRANSFORM_COST: u64 = 60;
/// Transformed even when no work is left: what numbers are compared with.
const FREE_BYTES: usize = 256;
/// From this length on looking up a step is quicker than most steps.
const LONG_BYTES: usize = 128;
const NONE: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Buffers {
    arena: Vec<u8>,
    slots: Vec<Slot>,
    known: HashTable<u32>,
    seeds: Seeds,
    /// Results of transformation lists: one row of `nodes` entries a buffer that was transformed.
    memo: Vec<u32>,
    nodes: usize,
    /// Results of single transformations of long values, for lists that come to the same one by different ways.
    steps: HashMap<(Buffer, Transform), Buffer, RandomState>,
    scratch: Vec<u8>,
}

/// What contents are hashed with: the same in the whole process, so that a thread's known values may be filed under the
/// hash of a buffer, and foreseen by nobody outside.
#[derive(Debug, Clone)]
pub(super) struct Seeds(RandomState);

impl Default for Seeds {
    fn default() -> Self {
        static SEEDS: LazyLock<RandomState> = LazyLock::new(RandomState::default);
        Self(*SEEDS)
    }
}

impl Seeds {
    pub(super) fn hash(&self, bytes: &[u8]) -> u64 {
        self.0.hash_one(bytes)
    }
}

impl Buffers {
    /// No buffers but the empty one, in used memory; `nodes` is the number of transformation lists.
    pub(super) fn begin(memory: Self, nodes: usize) -> Self {
        let Self { mut arena, mut slots, mut known, seeds, mut memo, nodes: _, mut steps, scratch } =
            memory;
        arena.clear();
        slots.clear();
        known.clear();
        memo.clear();
        steps.clear();
        let mut buffers = Self { arena, slots, known, seeds, memo, nodes, steps, scratch };
        buffers.intern(b"");
        buffers
    }

    /// Bytes of memory held.
    pub(super) fn footprint(&self) -> usize {
        self.arena.capacity()
            + self.scratch.capacity()
            + self.slots.capacity() * size_of::<Slot>()
            + (self.known.capacity() + self.memo.capacity()) * size_of::<u32>()
            + self.steps.capacity() * size_of::<((Buffer, Transform), Buffer)>()
    }

    pub(super) fn intern(&mut self, bytes: &[u8]) -> Buffer {
        let hash = self.seeds.hash(bytes);
        if let Some(found) = self.find(hash, bytes) {
            return found;
        }
        let slot = self.slot(bytes, hash);
        self.arena.extend_from_slice(bytes);
        self.insert(slot)
    }

    /// A part of a buffer, as a buffer.
    pub(super) fn intern_part(&mut self, of: Buffer, range: Range<usize>) -> Buffer {
        let bytes = &self.bytes(of)[range.clone()];
        let hash = self.seeds.hash(bytes);
        if let Some(found) = self.find(hash, bytes) {
            return found;
        }
        let slot = self.slot(bytes, hash);
        let start = self.slots[of.index()].start as usize;
        self.arena.extend_from_within(start + range.start..start + range.end);
        self.insert(slot)
    }

    /// The place of bytes that are about to be appended.
    fn slot(&self, bytes: &[u8], hash: u64) -> Slot {
        Slot {
            start: index(self.arena.len()),
            len: index(bytes.len()),
            row: NONE,
            present: present(bytes),
            hash,
        }
    }

    pub(super) fn bytes(&self, buffer: Buffer) -> &[u8] {
        let slot = &self.slots[buffer.index()];
        &self.arena[slot.start as usize..(slot.start + slot.len) as usize]
    }

    /// A hash of the contents: equal in all transactions of this process.
    pub(super) fn hash(&self, buffer: Buffer) -> u64 {
        self.slots[buffer.index()].hash
    }

    pub(super) fn present(&self, buffer: Buffer) -> &ByteSet {
        &self.slots[buffer.index()].present
    }

    /// The value after a transformation list.
    pub(super) fn transformed(
        &mut self,
        value: Buffer,
        node: Node,
        transforms: &Transforms,
        budget: &mut Budget,
    ) -> Buffer {
        if transforms.is_identity(node, self.present(value)) {
            return value;
        }
        let at = self.row(value) + node.0 as usize;
        if self.memo[at] != NONE {
            return Buffer(self.memo[at]);
        }
        let (parent, transform) = transforms.step(node);
        let input = self.transformed(value, parent, transforms, budget);
        let output = self.apply(input, transform, budget);
        self.memo[at] = output.0;
        output
    }

    fn apply(&mut self, input: Buffer, transform: Transform, budget: &mut Budget) -> Buffer {
        if !self.present(input).intersects(transform.triggers())
            && *transform.triggers() != ByteSet::ALL
        {
            return input;
        }
        let is_long = self.bytes(input).len() >= LONG_BYTES;
        if is_long && let Some(output) = self.steps.get(&(input, transform)) {
            return *output;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let bytes = self.bytes(input);
        let work = TRANSFORM_COST + transform.cost(bytes.len() as u64);
        if !budget.afford(work) && bytes.len() > FREE_BYTES {
            return self.keep_scratch(scratch, input);
        }
        transform.apply(bytes, &mut scratch);
        let output = if scratch == bytes { input } else { self.intern(&scratch) };
        if is_long {
            self.steps.insert((input, transform), output);
        }
        self.keep_scratch(scratch, output)
    }

    fn keep_scratch(&mut self, scratch: Vec<u8>, output: Buffer) -> Buffer {
        self.scratch = scratch;
        output
    }

    fn row(&mut self, value: Buffer) -> usize {
        let slot = &mut self.slots[value.index()];
        if slot.row == NONE {
            slot.row = index(self.memo.len());
            self.memo.resize(self.memo.len() + self.nodes, NONE);
        }
        slot.row as usize
    }

    fn find(&self, hash: u64, bytes: &[u8]) -> Option<Buffer> {
        let same =
            |id: &u32| self.slots[*id as usize].hash == hash && self.bytes(Buffer(*id)) == bytes;
        self.known.find(hash, same).map(|id| Buffer(*id))
    }

    fn insert(&mut self, slot: Slot) -> Buffer {
        let id = index(self.slots.len());
        self.slots.push(slot);
        let slots = &self.slots;
        self.known.insert_unique(slot.hash, id, |id| slots[*id as usize].hash);
        Buffer(id)
    }
}
