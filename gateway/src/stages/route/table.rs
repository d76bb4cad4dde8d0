//! Routes as one flat tree: lookup cost follows the path, not the number of routes.
//!
//! Every segment of every pattern is a [word](super::words), known by a number; a pattern is a path of numbers from its
//! host down. The children of a node lie together, as a hash table of their own, with the node's routes behind them, and a
//! subtree lies behind its root, all in one array: among 50,000 routes what a lookup costs is cache misses, and a
//! resource with all its paths fills two or three lines. Words are compared as text when they are looked up, and numbers
//! are exact: no collision of hashes, chosen or not, leads to another route.

use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::methods::MethodSet;
use super::words::{Kind, Word, Words};
use crate::base::bounds;

/// Where the parameters of a match lie in the path.
pub(super) type Spans = SmallVec<[Range<u32>; 4]>;

/// One route at the end of its pattern. 8 bytes: eight to a cache line. What many routes have alike stands once, where
/// it is always at hand: the routes themselves are too many for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaf {
    /// Index of the route in the configuration.
    pub(super) route: u32,
    /// Index in [`Table::shapes`], and [`Leaf::LAST`] and [`Leaf::PREFIX`].
    pub(super) shape: u32,
}

impl Leaf {
    /// The next leaf belongs to another node.
    pub(super) const LAST: u32 = 1 << 31;
    /// Everything below its pattern belongs to it too.
    pub(super) const PREFIX: u32 = 1 << 30;
    pub(super) const CELLS: usize = 2;

    fn is(self, flag: u32) -> bool {
        self.shape & flag != 0
    }
}

/// What routes may ask beside host and path, and how they name their parameters.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) methods: MethodSet,
    pub(super) conditions: Box<[Condition]>,
    pub(super) names: Names,
}

/// A field that must be present exactly once with exactly this value.
pub(super) type Condition = (HeaderName, HeaderValue);

/// Names of a route's parameters; equal lists are shared.
pub(super) type Names = Arc<[Arc<str>]>;

/// The table. Immutable.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) words: Words,
    /// Nodes and leaves: see [`Block`].
    pub(super) cells: Vec<u32>,
    pub(super) hosts: Block,
    /// Distinct ones.
    pub(super) shapes: Vec<Shape>,
    /// How many leaves there are.
    pub(super) routes: usize,
}

/// One prefix of some pattern. 12 bytes: five to a cache line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Node {
    /// The last word of the prefix; [`Word::NONE`]: a free place of its block.
    pub(super) word: Word,
    pub(super) block: Block,
}

impl Node {
    pub(super) const CELLS: usize = 3;

    fn read(cells: &[u32]) -> Option<Node> {
        let [word, first, places] = *cells else { return None };
        Some(Node { word: Word::of(word), block: Block { first, places } })
    }

    pub(super) fn cells(self) -> [u32; Node::CELLS] {
        [self.word.number(), self.block.first, self.block.places]
    }
}

/// Cells of [`Table::cells`]: an open-addressing hash table of one node's children; behind it the node's leaves in order of
/// rank, those that end here, then those with `/*`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    /// Its first cell.
    first: u32,
    /// How many places for children, and flags.
    places: u32,
}

/// What a walk asks of a node before it reads its block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Has {
    /// One of the children is a parameter.
    pub(super) param: bool,
    /// There are leaves.
    pub(super) leaves: bool,
    /// One of them has `/*`.
    pub(super) prefix: bool,
}

impl Block {
    const PARAM: u32 = 1 << 31;
    const PREFIX: u32 = 1 << 30;
    const LEAVES: u32 = 1 << 29;
    /// Children that are simply gone through.
    const FEW: usize = 4;

    /// Room for so many children: among many a third stays free so that probes end soon.
    #[allow(clippy::cast_possible_truncation)] // counts of a configuration of at most 32 MiB
    pub(super) fn new(first: usize, children: usize, has: Has) -> Block {
        let places = if children <= Block::FEW { children } else { children + children / 2 };
        let flags =
            [(has.param, Block::PARAM), (has.prefix, Block::PREFIX), (has.leaves, Block::LEAVES)];
        let flags = flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
        Block { first: first as u32, places: places as u32 | flags }
    }

    pub(super) fn places(self) -> usize {
        (self.places & !(Block::PARAM | Block::PREFIX | Block::LEAVES)) as usize
    }

    /// The cells of its children.
    pub(super) fn children(self) -> Range<usize> {
        let first = self.first as usize;
        first..first + self.places() * Node::CELLS
    }

    fn is(self, flag: u32) -> bool {
        self.places & flag != 0
    }

    /// The first cells of the places to probe for a word, in order.
    pub(super) fn probe(self, word: Word) -> impl Iterator<Item = usize> {
        let (first, home) = (self.first as usize, self.home(word));
        (home..self.places()).chain(0..home).map(move |place| first + place * Node::CELLS)
    }

    fn home(self, word: Word) -> usize {
        let places = self.places();
        if places <= Block::FEW { 0 } else { word.spread(places) }
    }
}

impl Table {
    /// Shows every route whose host and path fit, by its index, most specific first, until `visit` breaks.
    pub(super) fn walk<'t, V>(&'t self, host: &str, path: &str, visit: &mut V) -> ControlFlow<()>
    where
        V: FnMut(u32, &'t Shape, &Spans) -> ControlFlow<()>,
    {
        let base = host.split_once('.').map_or("", |(_, base)| base);
        for (kind, text) in [(Kind::Host, host), (Kind::Wildcard, base), (Kind::AnyHost, "")] {
            let word = self.words.find(kind, text.as_bytes());
            if let Some(root) = word.and_then(|word| self.child(self.hosts, word)) {
                self.walk_below(root, path, visit)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// The same for one host.
    pub(super) fn walk_below<'t, V>(
        &'t self,
        root: Node,
        path: &str,
        visit: &mut V,
    ) -> ControlFlow<()>
    where
        V: FnMut(u32, &'t Shape, &Spans) -> ControlFlow<()>,
    {
        if !path.starts_with('/') {
            return ControlFlow::Continue(());
        }
        let mut walk = Walk { table: self, path: path.as_bytes(), spans: Spans::new(), visit };
        walk.step(root, Some(1), 0)
    }

    /// The roots of all hosts.
    pub(super) fn roots(&self) -> impl Iterator<Item = Node> {
        let hosts = self.cells[self.hosts.children()].chunks_exact(Node::CELLS);
        hosts.filter_map(Node::read).filter(|node| node.word != Word::NONE)
    }

    fn shape(&self, leaf: Leaf) -> &Shape {
        &self.shapes[(leaf.shape & !(Leaf::LAST | Leaf::PREFIX)) as usize]
    }

    fn child(&self, block: Block, word: Word) -> Option<Node> {
        let children = &self.cells[block.children()];
        let (before, from) = children.split_at(block.home(word) * Node::CELLS);
        let here = |node: &&[u32]| node[0] == word.number() || node[0] == Word::NONE.number();
        let found = from.chunks_exact(Node::CELLS).find(here);
        let found = found.or_else(|| before.chunks_exact(Node::CELLS).find(here))?;
        Node::read(found).filter(|node| node.word == word)
    }

    fn leaves(&self, block: Block) -> impl Iterator<Item = Leaf> {
        let cells = match block.is(Block::LEAVES) {
            true => &self.cells[block.children().end..],
            false => &[],
        };
        let mut ended = false;
        cells.chunks_exact(Leaf::CELLS).map_while(move |cells| {
            let [route, shape] = *cells else { return None };
            let leaf = Leaf { route, shape };
            let before = std::mem::replace(&mut ended, leaf.is(Leaf::LAST));
            (!before).then_some(leaf)
        })
    }
}

struct Walk<'w, 't, V> {
    table: &'t Table,
    path: &'w [u8],
    /// Where the parameters of the prefix lie.
    spans: Spans,
    visit: &'w mut V,
}

impl<'t, V: FnMut(u32, &'t Shape, &Spans) -> ControlFlow<()>> Walk<'_, 't, V> {
    /// `at` is what follows the `/` after this prefix; `None` when the path ends here. A dead end returns
    /// `Continue`, and the caller tries its next, less specific branch. No deeper than `PATH_SEGMENTS`: no
    /// pattern is.
    fn step(&mut self, node: Node, at: Option<usize>, depth: usize) -> ControlFlow<()> {
        let (table, block) = (self.table, node.block);
        let Some(at) = at else {
            return self.show(table.leaves(block));
        };
        if depth < bounds::PATH_SEGMENTS && block.places() > 0 {
            let (end, next) = segment(self.path, at);
            let word = table.words.find(Kind::Segment, &self.path[at..end]);
            if let Some(child) = word.and_then(|word| table.child(block, word)) {
                self.step(child, next, depth + 1)?;
            }
            if block.is(Block::PARAM)
                && at < end
                && let Some(child) = table.child(block, Word::PARAM)
            {
                self.spans.push(span(at, end));
                self.step(child, next, depth + 1)?;
                self.spans.pop();
            }
        }
        if !block.is(Block::PREFIX) {
            return ControlFlow::Continue(());
        }
        self.show(table.leaves(block).filter(|leaf| leaf.is(Leaf::PREFIX)))
    }

    fn show(&mut self, mut leaves: impl Iterator<Item = Leaf>) -> ControlFlow<()> {
        leaves.try_for_each(|leaf| (self.visit)(leaf.route, self.table.shape(leaf), &self.spans))
    }
}

/// Where the segment at a byte ends, and where the next one begins.
fn segment(path: &[u8], at: usize) -> (usize, Option<usize>) {
    match path[at..].iter().position(|byte| *byte == b'/') {
        Some(length) => (at + length, Some(at + length + 1)),
        None => (path.len(), None),
    }
}

#[allow(clippy::cast_possible_truncation)] // a path is far below 4 GiB
fn span(start: usize, end: usize) -> Range<u32> {
    start as u32..end as u32
}
