//! The configuration as written, before any meaning: every key and value with its place.

use serde_json::Number;

use crate::base::compile::Step;

/// Where something stands: bytes of one file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Index into the files of the [`SourceMap`](super::source::SourceMap).
    pub file: u32,
    pub start: u32,
    /// Exclusive; equal to `start` for what is not written, such as the value of `key:`.
    pub end: u32,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub value: Value,
    pub place: Place,
}

/// YAML 1.2 core schema, plain text where YAML would allow more.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(Box<str>),
    List(Vec<Node>),
    /// In the order written; keys are unique.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Box<str>,
    pub key_place: Place,
    pub node: Node,
}

impl Node {
    /// The value of a key, when this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Entries of a map; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// Items of a list; none for anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The place that a path leads to, or the nearest one above it that is written. `at_key`: the place of the last
    /// key instead of its value.
    pub fn find(&self, path: &[Step], at_key: bool) -> Place {
        let mut node = self;
        let mut key = self.place;
        for step in path {
            match node.step(step) {
                Some((key_place, next)) => (key, node) = (key_place, next),
                // The step is not written: a missing key, or a default. What holds it stands for it.
                None => return key,
            }
        }
        if at_key { key } else { node.place }
    }

    fn step(&self, step: &Step) -> Option<(Place, &Node)> {
        match step {
            Step::Key(key) => self.entry(key).map(|entry| (entry.key_place, &entry.node)),
            Step::Index(index) => self.items().get(*index).map(|item| (item.place, item)),
        }
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| &*entry.key == key)
    }
}
