//! Rules -> the table: prefixes are gathered, then laid out subtree by subtree.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::pattern::{HostPattern, PARAM};
use super::plan::Rule;
use super::table::{Block, Keys, Leaf, Names, Node, Table};

/// Lays out all rules. Two prefixes with one key (about 1 in 10^9 for 100,000 prefixes) get another seed.
pub(super) fn build(mut rules: Vec<Rule>) -> Table {
    rules.sort_by_key(|rule| (rule.path.prefix, rule.rank(), rule.index));
    (0..).find_map(|seed| Prefixes::gather(&rules, Keys::new(seed))).map(layout).unwrap_or_default()
}

struct Prefixes<'r> {
    rules: &'r [Rule],
    keys: Keys,
    hosts: Vec<u64>,
    known: HashMap<u64, Prefix<'r>>,
}

/// One prefix of some pattern.
struct Prefix<'r> {
    rule: &'r Rule,
    /// What of the rule's path text belongs to the prefix.
    path: &'r str,
    children: Vec<u64>,
    /// One of the children is a parameter.
    param: bool,
    /// Indexes into the rules.
    exact: Vec<usize>,
    wide: Vec<usize>,
}

impl<'r> Prefixes<'r> {
    fn gather(rules: &'r [Rule], keys: Keys) -> Option<Prefixes<'r>> {
        let mut prefixes = Prefixes { rules, keys, hosts: Vec::new(), known: HashMap::new() };
        (0..rules.len()).all(|index| prefixes.add(index).is_some()).then_some(prefixes)
    }

    /// `None`: two prefixes have the same key.
    fn add(&mut self, index: usize) -> Option<()> {
        let rule = &self.rules[index];
        let mut key = self.keys.host(rule.host_kind(), rule.host.text());
        if self.meet(key, rule, 0)? {
            self.hosts.push(key);
        }
        let mut at = 0;
        for segment in rule.path.text.split('/').skip(1) {
            at += 1 + segment.len();
            let parent = key;
            key = match segment.as_bytes() {
                [PARAM] => self.keys.param(parent),
                literal => self.keys.literal(parent, literal),
            };
            if self.meet(key, rule, at)? {
                let parent = self.known.get_mut(&parent)?;
                parent.children.push(key);
                parent.param |= segment.as_bytes() == [PARAM];
            }
        }
        let last = self.known.get_mut(&key)?;
        if rule.path.prefix {
            last.wide.push(index)
        } else {
            last.exact.push(index)
        }
        Some(())
    }

    /// Whether the prefix is new; `None`: another one has its key.
    fn meet(&mut self, key: u64, rule: &'r Rule, bytes: usize) -> Option<bool> {
        let path = &rule.path.text[..bytes];
        match self.known.entry(key) {
            Entry::Occupied(known) => {
                let known = known.get();
                (known.rule.host == rule.host && known.path == path).then_some(false)
            }
            Entry::Vacant(free) => {
                let (children, exact, wide) = Default::default();
                free.insert(Prefix { rule, path, children, param: false, exact, wide });
                Some(true)
            }
        }
    }
}

fn layout(prefixes: Prefixes<'_>) -> Table {
    let keys = prefixes.keys.clone();
    let mut layout = Layout {
        prefixes: &prefixes,
        table: Table { keys, ..Table::default() },
        names: Interned::default(),
    };
    (layout.table.hosts, _) = layout.block(&prefixes.hosts, false);
    let mut table = layout.table;
    table.names = layout.names.lists;
    table.nodes.shrink_to_fit();
    table.leaves.shrink_to_fit();
    table.conditions.shrink_to_fit();
    table.texts.shrink_to_fit();
    table
}

struct Layout<'p, 'r> {
    prefixes: &'p Prefixes<'r>,
    table: Table,
    names: Interned,
}

impl Layout<'_, '_> {
    /// One node's children, then what is below each of them. Also says where the text of the first lies, which begins with
    /// the text of the parent.
    fn block(&mut self, keys: &[u64], param: bool) -> (Block, u32) {
        let first = self.table.nodes.len();
        let block = Block::new(first, keys.len(), param);
        self.table.nodes.resize(first + block.places(), Node::default());
        let taken: Vec<usize> = keys.iter().map(|key| self.take(block, *key)).collect();
        let mut text = None;
        for (key, place) in keys.iter().zip(taken) {
            let below = &self.prefixes.known[key];
            let (children, start) = if below.children.is_empty() {
                (Block::default(), self.text(below))
            } else {
                self.block(&below.children, below.param)
            };
            self.table.nodes[place].children = children;
            self.table.nodes[place].text = start;
            text.get_or_insert(start);
        }
        (block, text.unwrap_or_default())
    }

    /// Puts one node and its leaves in place.
    #[allow(clippy::cast_possible_truncation)] // hosts 253 bytes, paths 8 KiB, rivals 1024 twice
    fn take(&mut self, block: Block, key: u64) -> usize {
        let free = |place: &usize| self.table.nodes[*place].key == 0;
        let place = block.probe(key).find(free).unwrap_or_default();
        let prefix = &self.prefixes.known[&key];
        self.table.nodes[place] = Node {
            key,
            first_leaf: self.table.leaves.len() as u32,
            path_bytes: prefix.path.len() as u16,
            exact: prefix.exact.len() as u16,
            prefix: prefix.wide.len() as u16,
            host_bytes: prefix.rule.host.text().len() as u8,
            host: prefix.rule.host_kind(),
            ..Node::default()
        };
        for index in prefix.exact.iter().chain(&prefix.wide) {
            self.leaf(&self.prefixes.rules[*index]);
        }
        place
    }

    #[allow(clippy::cast_possible_truncation)] // counts of a configuration of at most 32 MiB
    fn leaf(&mut self, rule: &Rule) {
        self.table.leaves.push(Leaf {
            route: rule.index as u32,
            methods: rule.methods,
            conditions: self.table.conditions.len() as u32,
            condition_count: rule.conditions.len() as u32,
            names: self.names.list(&rule.path.params),
        });
        self.table.conditions.extend(rule.conditions.iter().cloned());
    }

    /// Texts are kept for the ends of the tree alone: every other prefix is the beginning of one of them.
    #[allow(clippy::cast_possible_truncation)] // texts of a configuration of at most 32 MiB
    fn text(&mut self, prefix: &Prefix<'_>) -> u32 {
        let start = self.table.texts.len() as u32;
        let host: &HostPattern = &prefix.rule.host;
        self.table.texts.push_str(host.text());
        self.table.texts.push_str(prefix.path);
        start
    }
}

/// Parameter names, each list once.
#[derive(Default)]
struct Interned {
    known: HashMap<Vec<String>, u32>,
    lists: Vec<Names>,
}

impl Interned {
    #[allow(clippy::cast_possible_truncation)] // fewer lists than routes
    fn list(&mut self, names: &[String]) -> u32 {
        if let Some(index) = self.known.get(names) {
            return *index;
        }
        let index = self.lists.len() as u32;
        self.lists.push(names.iter().map(|name| Arc::from(name.as_str())).collect());
        self.known.insert(names.to_vec(), index);
        index
    }
}
