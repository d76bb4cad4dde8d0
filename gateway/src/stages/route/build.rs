//! Rules -> the table: prefixes are gathered into a tree, then laid out subtree by subtree.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::methods::MethodSet;
use super::pattern::{HostPattern, PARAM};
use super::plan::Rule;
use super::table::{Block, Condition, Has, Leaf, Names, Node, Shape, Table};
use super::words::{Kind, Word, Words};

/// Lays out all rules.
pub(super) fn build(mut rules: Vec<Rule>) -> Table {
    rules.sort_by_key(|rule| (rule.path.prefix, rule.rank(), rule.index));
    let hosts = rules.iter().map(|rule| host_word(&rule.host));
    let words = Words::new(hosts.chain(rules.iter().flat_map(segments)));
    let tree = Tree::gather(&rules, &words);
    let table = Table { words, ..Table::default() };
    let (shapes, names) = (HashMap::new(), HashMap::new());
    let mut layout = Layout { rules: &rules, tree: &tree, table, shapes, names };
    layout.table.hosts = layout.block(&tree.prefixes[0]);
    let mut table = layout.table;
    table.routes = rules.len();
    table.cells.shrink_to_fit();
    table.shapes.shrink_to_fit();
    table
}

fn host_word(host: &HostPattern) -> (Kind, &[u8]) {
    let kind = match host {
        HostPattern::Exact(_) => Kind::Host,
        HostPattern::Wildcard(_) => Kind::Wildcard,
        HostPattern::Any => Kind::AnyHost,
    };
    (kind, host.text().as_bytes())
}

/// The literal segments of a rule's path, and its parameters.
fn segments(rule: &Rule) -> impl Iterator<Item = (Kind, &[u8])> {
    rule.path.text.split('/').skip(1).map(|segment| (Kind::Segment, segment.as_bytes()))
}

/// All prefixes of all patterns. The first one has the hosts below it.
struct Tree {
    prefixes: Vec<Prefix>,
    known: HashMap<(usize, Word), usize>,
}

/// One prefix of some pattern.
#[derive(Default)]
struct Prefix {
    children: Vec<(Word, usize)>,
    /// Indexes into the rules: those that end here, then those with `/*`.
    rules: Vec<usize>,
}

impl Tree {
    fn gather(rules: &[Rule], words: &Words) -> Tree {
        let mut tree = Tree { prefixes: vec![Prefix::default()], known: HashMap::new() };
        for (index, rule) in rules.iter().enumerate() {
            let pattern = std::iter::once(host_word(&rule.host)).chain(segments(rule));
            let last = pattern.fold(0, |parent, (kind, text)| {
                let word = match text {
                    [PARAM] => Word::PARAM,
                    text => words.find(kind, text).unwrap_or_default(),
                };
                tree.child(parent, word)
            });
            tree.prefixes[last].rules.push(index);
        }
        tree
    }

    fn child(&mut self, parent: usize, word: Word) -> usize {
        match self.known.entry((parent, word)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let child = *free.insert(self.prefixes.len());
                self.prefixes.push(Prefix::default());
                self.prefixes[parent].children.push((word, child));
                child
            }
        }
    }
}

struct Layout<'r> {
    rules: &'r [Rule],
    tree: &'r Tree,
    table: Table,
    shapes: HashMap<(MethodSet, &'r [Condition], &'r [String]), u32>,
    /// Parameter names, each list once.
    names: HashMap<&'r [String], Names>,
}

impl<'r> Layout<'r> {
    /// The children of a prefix and its leaves, then what is below each child.
    fn block(&mut self, prefix: &'r Prefix) -> Block {
        let has = Has {
            param: prefix.children.iter().any(|(word, _)| *word == Word::PARAM),
            leaves: !prefix.rules.is_empty(),
            prefix: prefix.rules.iter().any(|rule| self.rules[*rule].path.prefix),
        };
        let block = Block::new(self.table.cells.len(), prefix.children.len(), has);
        self.table.cells.resize(block.children().end, Word::NONE.number());
        let take = |(word, child): &(Word, usize)| (self.take(block, *word), *word, *child);
        let taken: Vec<_> = prefix.children.iter().map(take).collect();
        for (index, rule) in prefix.rules.iter().enumerate() {
            let last = index + 1 == prefix.rules.len();
            self.leaf(&self.rules[*rule], last);
        }
        for (place, word, child) in taken {
            let node = Node { word, block: self.block(&self.tree.prefixes[child]) };
            self.table.cells[place..place + Node::CELLS].copy_from_slice(&node.cells());
        }
        block
    }

    /// A place for one child, which nobody else gets.
    fn take(&mut self, block: Block, word: Word) -> usize {
        let cells = &mut self.table.cells;
        let free = block.probe(word).find(|place| cells[*place] == Word::NONE.number());
        let place = free.unwrap_or_default();
        cells[place] = word.number();
        place
    }

    #[allow(clippy::cast_possible_truncation)] // counts of a configuration of at most 32 MiB
    fn leaf(&mut self, rule: &'r Rule, last: bool) {
        let flags = [(last, Leaf::LAST), (rule.path.prefix, Leaf::PREFIX)];
        let flags = flags.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag);
        let shape = self.shape(rule) | flags;
        self.table.cells.extend_from_slice(&[rule.index as u32, shape]);
    }

    #[allow(clippy::cast_possible_truncation)] // no more shapes than routes
    fn shape(&mut self, rule: &'r Rule) -> u32 {
        let key = (rule.methods, &*rule.conditions, &*rule.path.params);
        if let Some(known) = self.shapes.get(&key) {
            return *known;
        }
        let number = self.table.shapes.len() as u32;
        self.shapes.insert(key, number);
        let shared = |names: &[String]| names.iter().map(|name| Arc::from(name.as_str())).collect();
        let names = self.names.entry(key.2).or_insert_with_key(|names| shared(names)).clone();
        let conditions = rule.conditions.as_slice().into();
        self.table.shapes.push(Shape { methods: rule.methods, conditions, names });
        number
    }
}
