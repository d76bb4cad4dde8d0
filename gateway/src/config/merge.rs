//! The trees of several files -> one. Sections of names (`services`, `limits` ...) take the names of all files,
//! lists (`routes`, `tests`) the items of all; anything else may be written once.

use crate::base::compile::{Step, number};

use super::report::{Placed, Problems};
use super::shape::Shapes;
use super::tree::{Entry, Node, Place, Value};

/// Merges the roots of all files, in their order. A root that is not a section stands alone: the shape check
/// refuses it.
pub(super) fn merge(shapes: &Shapes, roots: Vec<Node>, problems: &mut Problems) -> Node {
    let mut roots = roots.into_iter();
    let Some(mut merged) = roots.next() else {
        return Node { value: Value::Map(Vec::new()), place: Place::default() };
    };
    for root in roots {
        match (&mut merged.value, root.value) {
            (Value::Map(into), Value::Map(entries)) => {
                entries.into_iter().for_each(|entry| add(shapes, into, entry, problems));
            }
            (Value::Map(_), _) => problems.push(Placed::new(
                number::WRONG_TYPE,
                root.place,
                "a configuration file takes a section of keys",
            )),
            _ => {}
        }
    }
    merged
}

fn add(shapes: &Shapes, into: &mut Vec<Entry>, entry: Entry, problems: &mut Problems) {
    let Some(known) = into.iter_mut().find(|known| known.key == entry.key) else {
        return into.push(entry);
    };
    match (&mut known.node.value, entry.node.value) {
        (Value::List(into), Value::List(items)) => into.extend(items),
        (Value::Map(into), Value::Map(entries)) if takes_names(shapes, &entry.key) => {
            add_named(&entry.key, into, entries, problems);
        }
        _ => {
            let message = format!("`{}` is written in two files", entry.key);
            problems.push(twice(message, entry.key_place, known.key_place, &entry.key, None));
        }
    }
}

fn add_named(section: &str, into: &mut Vec<Entry>, entries: Vec<Entry>, problems: &mut Problems) {
    // The table borrows the names of the first files; those of this one are unique among themselves.
    let first: std::collections::HashMap<Box<str>, Place> =
        into.iter().map(|entry| (entry.key.clone(), entry.key_place)).collect();
    for entry in entries {
        match first.get(&entry.key) {
            None => into.push(entry),
            Some(place) => {
                let message = format!("`{section}.{}` is written in two files", entry.key);
                problems.push(twice(message, entry.key_place, *place, section, Some(&entry.key)));
            }
        }
    }
}

fn twice(message: String, at: Place, first: Place, section: &str, name: Option<&str>) -> Placed {
    let path = std::iter::once(section).chain(name).map(|key| Step::from(key.to_owned())).collect();
    Placed::new(number::WRITTEN_TWICE, at, message).related(first).path(path)
}

/// Whether the keys of a top-level section are names that the operator chooses.
fn takes_names(shapes: &Shapes, section: &str) -> bool {
    let root = shapes.get(shapes.root).map.as_ref();
    let shape = root.and_then(|map| map.keys.get(section)).map(|id| shapes.get(*id));
    shape.and_then(|shape| shape.map.as_ref()).is_some_and(|map| map.named.is_some())
}
