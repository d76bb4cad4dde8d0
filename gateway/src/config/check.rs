//! Whether a tree has the shape of a document: every problem at once, each at its key or value.

use crate::base::compile::{Step, nearest, number};

use super::report::{Placed, Problems};
use super::shape::{Id, Map, Range, Shape, Shapes, Text};
use super::source::{SourceMap, sounds_secret};
use super::tree::{Entry, Node, Place, Value};

/// What a check found.
#[derive(Debug, Default)]
pub(super) struct Checked {
    pub(super) problems: Problems,
    /// Values that no report may show.
    pub(super) secrets: Vec<Place>,
}

/// Checks the whole document. `complete`: every file could be read, so that a key missing at the top is missing.
pub(super) fn check(shapes: &Shapes, source: &SourceMap, complete: bool) -> Checked {
    let mut walk = Walk { shapes, source, complete, path: Vec::new(), found: Checked::default() };
    let root = source.root();
    walk.node(shapes.root, root, Place { end: root.place.start, ..root.place });
    walk.found
}

struct Walk<'a> {
    shapes: &'a Shapes,
    source: &'a SourceMap,
    complete: bool,
    path: Vec<Part<'a>>,
    found: Checked,
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Walk<'a> {
    /// `name`: the place of the key or item that names this value.
    fn node(&mut self, id: Id, node: &'a Node, name: Place) {
        let shape = self.shapes.get(id);
        if shape.any || self.found.problems.is_full() {
            return;
        }
        match (&node.value, shape) {
            (Value::Null, Shape { null: true, .. })
            | (Value::Bool(_), Shape { bool: true, .. }) => {}
            (Value::Number(_), Shape { number: Some(range), .. }) => self.number(*range, node),
            (Value::Text(text), Shape { text: Some(allowed), .. }) => {
                self.text(allowed, text, node.place);
            }
            (Value::List(items), Shape { list: Some(of), .. }) => self.list(*of, items),
            (Value::Map(entries), Shape { map: Some(map), .. }) => self.map(map, entries, name),
            _ => self.wrong_kind(shape, node),
        }
    }

    fn list(&mut self, of: Id, items: &'a [Node]) {
        for (index, item) in items.iter().enumerate() {
            self.path.push(Part::Index(index));
            self.node(of, item, Place { end: item.place.start, ..item.place });
            self.path.pop();
        }
    }

    fn map(&mut self, map: &'a Map, entries: &'a [Entry], name: Place) {
        let mut meant = Vec::new();
        for entry in entries {
            if self.found.problems.is_full() {
                return;
            }
            self.path.push(Part::Key(&entry.key));
            match map.keys.get(&*entry.key).copied().or(map.named) {
                Some(id) => self.node(id, &entry.node, entry.key_place),
                None => meant.extend(self.unknown_key(map, entry)),
            }
            self.path.pop();
        }
        if self.path.is_empty() && !self.complete {
            return;
        }
        for key in &map.required {
            // A slip of the hand is one fault, not an unknown key and a missing one.
            if !meant.contains(&key.as_str()) && !entries.iter().any(|entry| *entry.key == **key) {
                self.missing_key(map, key, name);
            }
        }
    }

    /// Reports the key and tells which one was probably meant.
    fn unknown_key(&mut self, map: &'a Map, entry: &Entry) -> Option<&'a str> {
        let near = nearest(&entry.key, map.keys.keys().map(String::as_str));
        if near.is_some_and(|near| self.takes_secret(map, near)) || sounds_secret(&entry.key) {
            self.found.secrets.push(entry.node.place);
        }
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed: {}", map.keys.keys().cloned().collect::<Vec<_>>().join(", ")),
        };
        let message = format!("unknown key `{}`", short(&entry.key));
        self.report(Placed::new(number::UNKNOWN_KEY, entry.key_place, message).hint(hint));
        near
    }

    fn takes_secret(&self, map: &Map, key: &str) -> bool {
        let shape = map.keys.get(key).map(|id| self.shapes.get(*id));
        matches!(shape, Some(Shape { text: Some(Text::Read { secret: true, .. }), .. }))
    }

    fn missing_key(&mut self, map: &Map, key: &str, name: Place) {
        let about = map.keys.get(key).map(|id| self.shapes.get(*id).about.as_str());
        let problem = Placed::new(number::MISSING_KEY, name, format!("missing key `{key}`"));
        let problem = match about {
            Some(about) if !about.is_empty() => problem.hint(format!("`{key}`: {about}")),
            _ => problem,
        };
        self.report(problem);
    }

    fn number(&mut self, Range { min, max }: Range, node: &Node) {
        let Value::Number(number) = &node.value else { return };
        if number.as_i128().is_some_and(|number| (min..=max).contains(&number)) {
            return;
        }
        let hint = format!("allowed: whole numbers from {min} to {max}");
        let written = short(self.source.written(node.place));
        let message = format!("`{}` cannot be {written}", self.name());
        self.report(Placed::new(number::RANGE, node.place, message).hint(hint));
    }

    fn text(&mut self, allowed: &Text, text: &str, place: Place) {
        match allowed {
            Text::Free => {}
            Text::Words(words) => self.word(words, text, place),
            Text::Read { read, secret, .. } => {
                let Err(message) = read(text) else { return };
                if *secret {
                    self.found.secrets.push(place);
                }
                self.report(Placed::new(number::FORMAT, place, message));
            }
        }
    }

    fn word(&mut self, words: &[String], text: &str, place: Place) {
        if words.iter().any(|word| word == text) {
            return;
        }
        let hint = match nearest(text, words.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("allowed: {}", words.join(", ")),
        };
        let message = format!("`{}` cannot be `{}`", self.name(), short(text));
        self.report(Placed::new(number::NOT_ALLOWED, place, message).hint(hint));
    }

    fn wrong_kind(&mut self, shape: &Shape, node: &Node) {
        let secret = matches!(shape.text, Some(Text::Read { secret: true, .. }));
        if secret {
            self.found.secrets.push(node.place);
        }
        let name = self.name();
        let message = match &node.value {
            Value::Null => format!("`{name}` has no value"),
            _ => format!("`{name}` takes {}, not {}", takes(shape), self.found(node, secret)),
        };
        let problem = Placed::new(number::WRONG_TYPE, node.place, message);
        let written = self.source.written(node.place);
        self.report(match way_out(shape, node, written) {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    fn found(&self, node: &Node, secret: bool) -> String {
        match &node.value {
            Value::Null => "nothing".into(),
            Value::List(_) => "a list".into(),
            Value::Map(_) => "a section of keys".into(),
            _ if secret => "this".into(),
            Value::Bool(value) => value.to_string(),
            Value::Number(_) => format!("the number {}", short(self.source.written(node.place))),
            Value::Text(text) => format!("the text `{}`", short(text)),
        }
    }

    /// The last key of the path with what follows it: `audiences[0]`.
    fn name(&self) -> String {
        let from = self.path.iter().rposition(|part| matches!(part, Part::Key(_))).unwrap_or(0);
        let steps: Vec<Step> = self.path[from..].iter().copied().map(Step::from).collect();
        match steps.is_empty() {
            true => "configuration".into(),
            false => short(&super::report::dotted(&steps)),
        }
    }

    fn report(&mut self, problem: Placed) {
        let path = self.path.iter().copied().map(Step::from).collect();
        self.found.problems.push(problem.path(path));
    }
}

impl From<Part<'_>> for Step {
    fn from(part: Part<'_>) -> Step {
        match part {
            Part::Key(key) => Step::from(key.to_owned()),
            Part::Index(index) => Step::Index(index),
        }
    }
}

/// "text, or a list".
fn takes(shape: &Shape) -> String {
    let text = shape.text.as_ref().map(|text| match text {
        Text::Free => "text".into(),
        Text::Words(words) => format!("one of {}", words.join(", ")),
        Text::Read { kind, .. } => kind.clone(),
    });
    let kinds = [
        shape.bool.then(|| "true or false".into()),
        shape.number.is_some().then(|| "a whole number".into()),
        text,
        shape.list.is_some().then(|| "a list".into()),
        shape.map.is_some().then(|| "a section of keys".into()),
    ];
    kinds.into_iter().flatten().collect::<Vec<String>>().join(", or ")
}

/// How to write what was probably meant.
fn way_out(shape: &Shape, node: &Node, written: &str) -> Option<String> {
    let lower = written.to_lowercase();
    match (&node.value, &shape.text) {
        (Value::Null, _) => return Some(format!("write {}, or remove the key", takes(shape))),
        (Value::Number(_) | Value::Bool(_), Some(text)) if text.takes(written) => {
            return Some(format!("write \"{written}\", in quotes"));
        }
        (Value::Text(text), _) if shape.number.is_some() && text.parse::<u64>().is_ok() => {
            return Some(format!("write {text}, without quotes"));
        }
        (Value::Text(_), _) if shape.bool && matches!(&*lower, "yes" | "on") => {
            return Some("write true".into());
        }
        (Value::Text(_), _) if shape.bool && matches!(&*lower, "no" | "off") => {
            return Some("write false".into());
        }
        (Value::Text(_), None) if shape.list.is_some() => {
            return Some(format!("write [{}]", short(written)));
        }
        _ => {}
    }
    shape.example.as_ref().map(|example| format!("for example {example}"))
}

/// A value of any length, as part of a sentence.
fn short(text: &str) -> String {
    const SHOWN: usize = 60;
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
