//! Routes as one flat table: lookup cost follows the path, not the number of routes.
//!
//! Every prefix of a pattern (host, then segment by segment) is one slot of an open-addressing table, keyed by a
//! hash chained over its parts. A lookup walks from the host along the path's segments: a step costs one hash
//! and, as a rule, one cache line. At the end of a walk the pattern's text is compared with the request: the
//! hashes only propose, the text decides, so a collision costs time and never a wrong match.

use std::hash::{BuildHasher, Hasher};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use foldhash::fast::FixedState;
use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::methods::MethodSet;
use super::pattern::PARAM;
use crate::base::bounds;

/// Where the parameters of a match lie in the path.
pub(super) type Spans = SmallVec<[Range<u32>; 4]>;

/// One route at the end of its pattern.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// Index of the route in the configuration.
    pub(super) route: u32,
    pub(super) methods: MethodSet,
    /// First header condition in [`Table::conditions`].
    pub(super) conditions: u32,
    pub(super) condition_count: u16,
    /// Start of host text and path text in [`Table::texts`].
    pub(super) text: u32,
    pub(super) path_bytes: u16,
    pub(super) host_bytes: u8,
    pub(super) host: HostKind,
    pub(super) prefix: bool,
    /// Index in [`Table::names`].
    pub(super) names: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum HostKind {
    Exact,
    Wildcard,
    Any,
}

/// A field that must be present exactly once with exactly this value.
pub(super) type Condition = (HeaderName, HeaderValue);

/// Names of a route's parameters; equal lists are shared.
pub(super) type Names = Arc<[Arc<str>]>;

/// The table. Immutable.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) slots: Vec<Slot>,
    /// Leaves of one slot lie together, in order of rank: those that end here, then those with `/*`.
    pub(super) leaves: Vec<Leaf>,
    pub(super) conditions: Vec<Condition>,
    pub(super) texts: String,
    pub(super) names: Vec<Names>,
    pub(super) keys: Keys,
}

/// One prefix of some pattern. 16 bytes: four to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slot {
    /// 0: empty.
    pub(super) key: u64,
    pub(super) first: u32,
    pub(super) shape: Shape,
}

/// What hangs below a slot, packed: bit 31 literal children, bit 30 a parameter, then twice 15 bits: leaves that
/// end here, leaves with `/*`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shape(u32);

impl Shape {
    /// Largest count that fits; the plan's bound lies far below.
    const LEAVES: usize = (1 << 15) - 1;
    const LITERALS: u32 = 1 << 31;
    const PARAM: u32 = 1 << 30;

    #[allow(clippy::cast_possible_truncation)] // cut to 15 bits, which the plan has checked
    pub(super) fn new(literals: bool, param: bool, exact: usize, prefix: usize) -> Shape {
        let counts = exact.min(Shape::LEAVES) | prefix.min(Shape::LEAVES) << 15;
        let flag = |set, bit| if set { bit } else { 0 };
        Shape(counts as u32 | flag(literals, Shape::LITERALS) | flag(param, Shape::PARAM))
    }

    fn literals(self) -> bool {
        self.0 & Shape::LITERALS != 0
    }

    fn param(self) -> bool {
        self.0 & Shape::PARAM != 0
    }

    fn exact(self) -> usize {
        self.0 as usize & Shape::LEAVES
    }

    fn prefix(self) -> usize {
        (self.0 >> 15) as usize & Shape::LEAVES
    }
}

/// Hashes of prefixes. Never 0, which marks an empty slot.
#[derive(Clone, Debug)]
pub(super) struct Keys(FixedState);

impl Default for Keys {
    fn default() -> Keys {
        Keys::new(0)
    }
}

impl Keys {
    pub(super) fn new(seed: u64) -> Keys {
        Keys(FixedState::with_seed(seed))
    }

    pub(super) fn host(&self, kind: HostKind, text: &str) -> u64 {
        self.chain(kind as u64 + 1, text.as_bytes())
    }

    pub(super) fn literal(&self, parent: u64, segment: &[u8]) -> u64 {
        self.chain(parent, segment)
    }

    pub(super) fn param(&self, parent: u64) -> u64 {
        self.chain(parent, &[PARAM])
    }

    fn chain(&self, parent: u64, part: &[u8]) -> u64 {
        let mut hasher = self.0.build_hasher();
        hasher.write_u64(parent);
        hasher.write(part);
        hasher.finish().max(1)
    }
}

impl Table {
    /// Shows every route whose host and path fit, most specific first, until `visit` breaks.
    pub(super) fn walk<'t, V>(&'t self, host: &str, path: &str, visit: &mut V) -> ControlFlow<()>
    where
        V: FnMut(&'t Leaf, Spans) -> ControlFlow<()>,
    {
        let Some(relative) = path.strip_prefix('/') else { return ControlFlow::Continue(()) };
        let base = host.split_once('.').map_or("", |(_, base)| base);
        let roots = [(HostKind::Exact, host), (HostKind::Wildcard, base), (HostKind::Any, "")];
        for (kind, text) in roots {
            let mut walk = Walk { table: self, kind, host: text, path, visit };
            if let Some(root) = self.slot(self.keys.host(kind, text)) {
                walk.step(root, Some(relative.as_bytes()), 0)?;
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn conditions(&self, leaf: &Leaf) -> &[Condition] {
        let first = leaf.conditions as usize;
        &self.conditions[first..first + usize::from(leaf.condition_count)]
    }

    pub(super) fn names(&self, leaf: &Leaf) -> &Names {
        &self.names[leaf.names as usize]
    }

    pub(super) fn host_text(&self, leaf: &Leaf) -> &str {
        let first = leaf.text as usize;
        &self.texts[first..first + usize::from(leaf.host_bytes)]
    }

    /// Where the parameters lie, when the path fits the leaf's pattern.
    pub(super) fn fit(&self, leaf: &Leaf, path: &str) -> Option<Spans> {
        let first = leaf.text as usize + usize::from(leaf.host_bytes);
        let pattern = &self.texts.as_bytes()[first..first + usize::from(leaf.path_bytes)];
        fit(pattern, path.as_bytes(), leaf.prefix)
    }

    /// Where a key's slot would be at first.
    #[allow(clippy::cast_possible_truncation)] // the high half of a product by `len` is below `len`
    pub(super) fn home(key: u64, slots: usize) -> usize {
        ((u128::from(key) * slots as u128) >> 64) as usize
    }

    /// A third of the slots is empty, so a probe ends soon.
    fn slot(&self, key: u64) -> Option<&Slot> {
        let mut index = Table::home(key, self.slots.len());
        loop {
            let slot = self.slots.get(index)?;
            if slot.key == key {
                return Some(slot);
            }
            if slot.key == 0 {
                return None;
            }
            index = if index + 1 == self.slots.len() { 0 } else { index + 1 };
        }
    }
}

struct Walk<'w, 't, V> {
    table: &'t Table,
    kind: HostKind,
    host: &'w str,
    path: &'w str,
    visit: &'w mut V,
}

impl<'t, V: FnMut(&'t Leaf, Spans) -> ControlFlow<()>> Walk<'_, 't, V> {
    /// `rest` is what follows the `/` after this prefix; `None` when the path ends here. A dead end returns
    /// `Continue`, and the caller tries its next, less specific branch. No deeper than `PATH_SEGMENTS`: no
    /// pattern is.
    fn step(&mut self, slot: &Slot, rest: Option<&[u8]>, depth: usize) -> ControlFlow<()> {
        let Some(rest) = rest else {
            self.leaves(slot, 0, slot.shape.exact())?;
            return self.leaves(slot, slot.shape.exact(), slot.shape.prefix());
        };
        if depth < bounds::PATH_SEGMENTS && (slot.shape.literals() || slot.shape.param()) {
            let (segment, rest) = split_segment(rest);
            let keys = &self.table.keys;
            if slot.shape.literals()
                && let Some(child) = self.table.slot(keys.literal(slot.key, segment))
            {
                self.step(child, rest, depth + 1)?;
            }
            if slot.shape.param()
                && !segment.is_empty()
                && let Some(child) = self.table.slot(keys.param(slot.key))
            {
                self.step(child, rest, depth + 1)?;
            }
        }
        self.leaves(slot, slot.shape.exact(), slot.shape.prefix())
    }

    fn leaves(&mut self, slot: &Slot, skip: usize, count: usize) -> ControlFlow<()> {
        let first = slot.first as usize + skip;
        for leaf in &self.table.leaves[first..first + count] {
            if leaf.host == self.kind
                && self.table.host_text(leaf) == self.host
                && let Some(spans) = self.table.fit(leaf, self.path)
            {
                (self.visit)(leaf, spans)?;
            }
        }
        ControlFlow::Continue(())
    }
}

fn split_segment(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    match rest.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
        None => (rest, None),
    }
}

/// Compares a pattern with a path: literals byte for byte, a parameter takes one segment that is not empty.
#[allow(clippy::cast_possible_truncation)] // a path is far below 4 GiB
fn fit(pattern: &[u8], path: &[u8], prefix: bool) -> Option<Spans> {
    let mut spans = Spans::new();
    let mut at = 0;
    for (index, literal) in pattern.split(|byte| *byte == PARAM).enumerate() {
        if index > 0 {
            let (segment, _) = split_segment(&path[at..]);
            if segment.is_empty() {
                return None;
            }
            spans.push(at as u32..(at + segment.len()) as u32);
            at += segment.len();
        }
        if !path[at..].starts_with(literal) {
            return None;
        }
        at += literal.len();
    }
    let ends = at == path.len() || (prefix && path[at] == b'/');
    ends.then_some(spans)
}
