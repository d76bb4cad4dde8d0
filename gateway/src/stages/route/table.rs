//! Routes as one flat tree: lookup cost follows the path, not the number of routes.
//!
//! Every prefix of a pattern (host, then segment by segment) is one node, known by a hash chained over its parts. The
//! children of a node lie together, as a hash table of their own, and a subtree lies behind its root: among 50,000
//! routes what a lookup costs is cache misses, and a resource with all its paths fills a few neighbouring lines. At
//! the end of a walk the pattern's text is compared with the request: the hashes only propose, the text decides,
//! so a collision costs time and never a wrong match.

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
    pub(super) condition_count: u32,
    /// Index in [`Table::names`].
    pub(super) names: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum HostKind {
    #[default]
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
    pub(super) nodes: Vec<Node>,
    pub(super) hosts: Block,
    /// Leaves of one node lie together, in order of rank: those that end here, then those with `/*`.
    pub(super) leaves: Vec<Leaf>,
    pub(super) conditions: Vec<Condition>,
    pub(super) texts: String,
    pub(super) names: Vec<Names>,
    pub(super) keys: Keys,
}

/// One prefix of some pattern. 32 bytes: two to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// 0: a free place of its block.
    pub(super) key: u64,
    pub(super) children: Block,
    pub(super) first_leaf: u32,
    /// Start of host text and path text in [`Table::texts`].
    pub(super) text: u32,
    pub(super) path_bytes: u16,
    /// Routes that end here.
    pub(super) exact: u16,
    /// Routes that end here with `/*`.
    pub(super) prefix: u16,
    pub(super) host_bytes: u8,
    pub(super) host: HostKind,
}

/// Places in [`Table::nodes`]: an open-addressing hash table of one node's children.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    first: u32,
    /// Bit 31: one of the children is a parameter. The rest: how many places.
    places: u32,
}

impl Block {
    const PARAM: u32 = 1 << 31;

    /// Room for so many children: few are simply gone through, among many a third stays free so that probes end soon.
    #[allow(clippy::cast_possible_truncation)] // counts of a configuration of at most 32 MiB
    pub(super) fn new(first: usize, children: usize, param: bool) -> Block {
        let places = if children <= 4 { children } else { children + children / 2 };
        Block { first: first as u32, places: places as u32 | if param { Block::PARAM } else { 0 } }
    }

    pub(super) fn places(self) -> usize {
        (self.places & !Block::PARAM) as usize
    }

    fn has_param(self) -> bool {
        self.places & Block::PARAM != 0
    }

    /// The places to probe for a key, in order.
    #[allow(clippy::cast_possible_truncation)] // the high half of a product by `places` is below `places`
    pub(super) fn probe(self, key: u64) -> impl Iterator<Item = usize> {
        let places = self.places();
        let home = ((u128::from(key) * places as u128) >> 64) as usize;
        let first = self.first as usize;
        (home..places).chain(0..home).map(move |place| first + place)
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
        V: FnMut(&'t Leaf, &Spans) -> ControlFlow<()>,
    {
        let Some(relative) = path.strip_prefix('/') else { return ControlFlow::Continue(()) };
        let base = host.split_once('.').map_or("", |(_, base)| base);
        let roots = [(HostKind::Exact, host), (HostKind::Wildcard, base), (HostKind::Any, "")];
        for (kind, text) in roots {
            let mut walk = Walk { table: self, kind, host: text, path, visit };
            if let Some(root) = self.node(self.hosts, self.keys.host(kind, text)) {
                walk.step(root, Some(relative.as_bytes()), 0)?;
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn conditions(&self, leaf: &Leaf) -> &[Condition] {
        let first = leaf.conditions as usize;
        &self.conditions[first..first + leaf.condition_count as usize]
    }

    pub(super) fn names(&self, leaf: &Leaf) -> &Names {
        &self.names[leaf.names as usize]
    }

    pub(super) fn host_text(&self, node: &Node) -> &str {
        let first = node.text as usize;
        &self.texts[first..first + usize::from(node.host_bytes)]
    }

    pub(super) fn exact_leaves(&self, node: &Node) -> &[Leaf] {
        let first = node.first_leaf as usize;
        &self.leaves[first..first + usize::from(node.exact)]
    }

    pub(super) fn prefix_leaves(&self, node: &Node) -> &[Leaf] {
        let first = node.first_leaf as usize + usize::from(node.exact);
        &self.leaves[first..first + usize::from(node.prefix)]
    }

    /// Where the parameters lie, when the path fits the node's pattern, or begins with it.
    pub(super) fn fit(&self, node: &Node, path: &str, prefix: bool) -> Option<Spans> {
        let first = node.text as usize + usize::from(node.host_bytes);
        let pattern = &self.texts.as_bytes()[first..first + usize::from(node.path_bytes)];
        fit(pattern, path.as_bytes(), prefix)
    }

    fn node(&self, block: Block, key: u64) -> Option<&Node> {
        for place in block.probe(key) {
            let node = &self.nodes[place];
            if node.key == key {
                return Some(node);
            }
            if node.key == 0 {
                break;
            }
        }
        None
    }
}

struct Walk<'w, 't, V> {
    table: &'t Table,
    kind: HostKind,
    host: &'w str,
    path: &'w str,
    visit: &'w mut V,
}

impl<'t, V: FnMut(&'t Leaf, &Spans) -> ControlFlow<()>> Walk<'_, 't, V> {
    /// `rest` is what follows the `/` after this prefix; `None` when the path ends here. A dead end returns
    /// `Continue`, and the caller tries its next, less specific branch. No deeper than `PATH_SEGMENTS`: no
    /// pattern is.
    fn step(&mut self, node: &'t Node, rest: Option<&[u8]>, depth: usize) -> ControlFlow<()> {
        let Some(rest) = rest else {
            self.show(node, self.table.exact_leaves(node), false)?;
            return self.show(node, self.table.prefix_leaves(node), true);
        };
        if depth < bounds::PATH_SEGMENTS && node.children.places() > 0 {
            let (segment, rest) = split_segment(rest);
            let keys = &self.table.keys;
            if let Some(child) = self.table.node(node.children, keys.literal(node.key, segment)) {
                self.step(child, rest, depth + 1)?;
            }
            if node.children.has_param()
                && !segment.is_empty()
                && let Some(child) = self.table.node(node.children, keys.param(node.key))
            {
                self.step(child, rest, depth + 1)?;
            }
        }
        self.show(node, self.table.prefix_leaves(node), true)
    }

    fn show(&mut self, node: &Node, leaves: &'t [Leaf], prefix: bool) -> ControlFlow<()> {
        if leaves.is_empty() || node.host != self.kind || self.table.host_text(node) != self.host {
            return ControlFlow::Continue(());
        }
        let Some(spans) = self.table.fit(node, self.path, prefix) else {
            return ControlFlow::Continue(());
        };
        leaves.iter().try_for_each(|leaf| (self.visit)(leaf, &spans))
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
