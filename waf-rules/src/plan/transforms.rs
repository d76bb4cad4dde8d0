//! Transformation lists as paths in one trie, so that common beginnings are computed once a value.

use std::collections::HashMap;

use crate::bytes::ByteSet;
use crate::transform::Transform;

/// A place in the trie: the list of transformations on the way from the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Node(pub(crate) u16);

impl Node {
    /// The empty list.
    pub(crate) const ROOT: Self = Self(0);
}

#[derive(Debug)]
pub(crate) struct Transforms {
    /// Parent and last transformation of every node but the root.
    steps: Vec<(Node, Transform)>,
    children: HashMap<(Node, Transform), Node>,
    /// What each node's list may change.
    changes: Vec<Changes>,
}

/// Which values a list may change: those with one of these bytes, or any.
#[derive(Debug, Clone, Copy, Default)]
struct Changes {
    triggers: ByteSet,
    any: bool,
}

impl Default for Transforms {
    fn default() -> Self {
        Self { steps: Vec::new(), children: HashMap::new(), changes: vec![Changes::default()] }
    }
}

impl Transforms {
    /// Nodes on the way for a list, the root first.
    pub(crate) fn intern(&mut self, list: &[Transform]) -> Result<Vec<Node>, String> {
        let mut path = vec![Node::ROOT];
        for &transform in list {
            let parent = path[path.len() - 1];
            path.push(self.child(parent, transform)?);
        }
        Ok(path)
    }

    /// How many nodes there are, the root included.
    pub(crate) fn len(&self) -> usize {
        self.steps.len() + 1
    }

    /// What leads to a node that is not the root.
    pub(crate) fn step(&self, node: Node) -> (Node, Transform) {
        self.steps[node.0 as usize - 1]
    }

    /// The list leaves every value alone that is made of these bytes only.
    pub(crate) fn is_identity(&self, node: Node, present: &ByteSet) -> bool {
        let changes = &self.changes[node.0 as usize];
        !changes.any && !changes.triggers.intersects(present)
    }

    fn child(&mut self, parent: Node, transform: Transform) -> Result<Node, String> {
        if let Some(node) = self.children.get(&(parent, transform)) {
            return Ok(*node);
        }
        let next = u16::try_from(self.len())
            .map_err(|_| "more than 65535 transformation lists".to_owned())?;
        self.steps.push((parent, transform));
        let (before, triggers) = (self.changes[parent.0 as usize], *transform.triggers());
        self.changes.push(Changes {
            triggers: before.triggers.union(triggers),
            any: before.any || triggers == ByteSet::ALL,
        });
        self.children.insert((parent, transform), Node(next));
        Ok(Node(next))
    }
}
